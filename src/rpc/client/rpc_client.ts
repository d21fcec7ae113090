/**
 * Calls of one given node in the four shapes (`nrpc.md` 5 to 10). Which node is called, and whether again, is
 * decided above.
 */
import type { ClientSink, FrameLink, LinkEnd, RefusedFrame } from "../link/mod.ts";
import type { CallOptions, ClientStreamCall, DuplexCall, RpcResponses } from "../types.ts";
import {
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  HeaderName,
  NO_HEADERS,
  readRequestGrant,
  ResponseBody,
  RpcFlag,
  type RpcHeader,
} from "../wire/mod.ts";
import { cancelledError, linkError, unsendableError } from "./call_errors.ts";
import { CallTable } from "./call_table.ts";
import type { CancelTokens } from "./cancel_token.ts";
import type { ClientCall } from "./client_call.ts";
import type { RpcClientDeps } from "./deps.ts";
import { REQUEST_WINDOW, STREAM_WINDOW, UNARY_TIMEOUT_MS } from "./limits.ts";
import { checkWindow, requestHeaders, windowHeader } from "./request_headers.ts";
import { sendRequest, trySendRequest } from "./request_sender.ts";
import type { RequestStreamOptions } from "./request_stream.ts";
import { ServiceNames } from "./service_names.ts";
import { Duplex, ServerStreamCall, TwoWayCall, Upload, UploadCall } from "./stream_calls.ts";
import { UnaryCall } from "./unary_call.ts";

const NO_OPTIONS: CallOptions = Object.freeze({});

/** What the engine counts beside what it counts per service. */
export interface RpcClientCounters {
  /** Calls that wait for an answer now. */
  readonly pending: number;
  /** Answers to nobody's call: it is over, or never was. */
  readonly unknownDropped: number;
  /** Answers from a peer that was not called; an alarm, part of `peer_auth_rejections`. */
  readonly forgedDropped: number;
  /** Frames that are none, or none that a server sends. */
  readonly malformedDropped: number;
  /** Items of streams that came twice. */
  readonly duplicateDropped: number;
  /** Cancels that never left. */
  readonly cancelsDropped: number;
  /** Cancel tokens forgotten because too many were known. */
  readonly tokensForgotten: number;
}

/** The caller's engine. */
export class RpcClient implements ClientSink {
  readonly #deps: RpcClientDeps;
  readonly #table: CallTable;
  readonly #services = new ServiceNames();
  readonly #head = new FrameHead();
  readonly #response = new ResponseBody();
  #unknown = 0;
  #forged = 0;
  #malformed = 0;

  /** @param callsMax Calls that wait at a time; 65536 when left out. */
  constructor(deps: RpcClientDeps, callsMax?: number) {
    this.#deps = deps;
    this.#table = new CallTable(deps, callsMax);
  }

  /** Tokens that calls of this node may be given. */
  get cancelTokens(): CancelTokens {
    return this.#table.tokens;
  }

  get counters(): RpcClientCounters {
    return {
      pending: this.#table.size,
      unknownDropped: this.#unknown,
      forgedDropped: this.#forged,
      malformedDropped: this.#malformed,
      duplicateDropped: this.#table.duplicates,
      cancelsDropped: this.#table.cancels.dropped,
      tokensForgotten: this.#table.tokens.forgotten,
    };
  }

  /**
   * One body, one answer.
   *
   * @param body Not to be changed until this resolves.
   * @returns Bytes of its own, which may share a buffer with those of other answers.
   * @throws RpcError, once, within the deadline, when there is no answer.
   */
  call(
    target: bigint,
    service: string,
    body: Uint8Array,
    options: CallOptions = NO_OPTIONS,
  ): Promise<Uint8Array> {
    const call = new UnaryCall(this.#table, target, this.#services.of(service));
    call.requestBytes = body.length;
    if (call.begin(options, UNARY_TIMEOUT_MS)) {
      const headers = readHeaders(call, options);
      if (headers !== undefined) void this.#send(call, headers, flagsOf(options), body);
    }
    return call.answer;
  }

  /**
   * One body, a stream of them.
   *
   * @returns Once the request has left.
   * @throws RpcError when it never does.
   */
  callStream(
    target: bigint,
    service: string,
    body: Uint8Array,
    options: CallOptions = NO_OPTIONS,
  ): Promise<RpcResponses> {
    const { streamWindow: window = STREAM_WINDOW, isManualGrant = false } = options;
    const name = this.#services.of(service);
    const call = new ServerStreamCall(this.#table, target, name, {
      window,
      isManualGrant,
      isDuplex: false,
    });
    call.requestBytes = body.length;
    if (call.begin(options, 0)) {
      const headers = readHeaders(call, options, [windowHeader(HeaderName.streamWindow, window)]);
      const flags = flagsOf(options) | RpcFlag.streamingResponse;
      if (headers !== undefined) {
        const sending = this.#send(call, headers, flags, body);
        if (sending !== undefined) return sending.then(() => heldOr(call, call.responses));
      }
    }
    return heldOr(call, call.responses);
  }

  /**
   * A stream of bodies, one answer. The request leaves with the first of them.
   *
   * @returns Once the way to the server is open.
   * @throws RpcError when it cannot be opened.
   */
  async callClientStream(
    target: bigint,
    service: string,
    options: CallOptions = NO_OPTIONS,
  ): Promise<ClientStreamCall> {
    const call = new UploadCall(this.#table, target, this.#services.of(service));
    const requests = await this.#openUpload(call, options, 0, []);
    return heldOr(call, new Upload(call, call.start(requests)));
  }

  /** A stream of bodies both ways; as {@linkcode callClientStream}. */
  async callDuplex(
    target: bigint,
    service: string,
    options: CallOptions = NO_OPTIONS,
  ): Promise<DuplexCall> {
    const { streamWindow: window = STREAM_WINDOW, isManualGrant = false } = options;
    const call = new TwoWayCall(this.#table, target, this.#services.of(service), {
      window,
      isManualGrant,
      isDuplex: true,
    });
    const windows = [windowHeader(HeaderName.streamWindow, window)];
    const requests = await this.#openUpload(call, options, RpcFlag.streamingResponse, windows);
    return heldOr(call, new Duplex(call, call.start(requests)));
  }

  onFrame(link: FrameLink, bytes: Uint8Array, isOwned: boolean): void {
    const head = this.#head;
    if (!head.read(bytes)) {
      this.#malformed += 1;
      return;
    }
    const call = this.#find(link, head.callLow, head.callHigh);
    if (call === undefined) return;
    if (head.dispatch === Dispatch.response) {
      if (this.#response.read(bytes, FRAME_BYTES)) call.onResponse(head, this.#response, isOwned);
      else call.onUndecodable("it is no response");
    } else if (head.dispatch === Dispatch.requestGrant) {
      const credits = readRequestGrant(bytes, FRAME_BYTES, head.callLow, head.callHigh);
      if (credits === undefined) this.#malformed += 1;
      else call.onRequestGrant(credits);
    } else this.#malformed += 1;
  }

  onRefused(link: FrameLink, frame: RefusedFrame): void {
    this.#find(link, frame.callLow, frame.callHigh)?.onRefused(frame);
  }

  onEnd(link: FrameLink, reason: LinkEnd): void {
    this.#table.onLinkEnd(link, reason);
  }

  /** Cancels every call, and begins no more. */
  stop(): void {
    this.#table.stop((call) => cancelledError(call, "this node stops"));
  }

  /** The call that a peer may answer; others are counted. */
  #find(link: FrameLink, callLow: number, callHigh: number): ClientCall | undefined {
    const call = this.#table.get(callLow, callHigh);
    if (call === undefined) this.#unknown += 1;
    else if (call.link === link) return call;
    else this.#forged += 1;
    return undefined;
  }

  /** Sends a request; a promise when it has to wait, which never fails: the call does. */
  #send(
    call: ClientCall,
    headers: readonly RpcHeader[],
    flags: number,
    body: Uint8Array,
  ): Promise<void> | undefined {
    const link = this.#deps.links.ready(call.target, call.service.text);
    call.link = link;
    if (link !== undefined && trySendRequest(call, link, flags, headers, body, 0)) return undefined;
    return this.#sendLater(call, headers, flags, body);
  }

  async #sendLater(
    call: ClientCall,
    headers: readonly RpcHeader[],
    flags: number,
    body: Uint8Array,
  ): Promise<void> {
    try {
      call.link ??= await this.#open(call);
      await sendRequest(call, call.link, flags, headers, body, 0);
      call.dropSendSignal();
    } catch (error) {
      call.fail(linkError(call, error), true);
    }
  }

  /** Begins a call whose first frame leaves with its first item. */
  async #openUpload(
    call: ClientCall,
    options: CallOptions,
    flags: number,
    windows: readonly RpcHeader[],
  ): Promise<RequestStreamOptions> {
    if (!call.begin(options, 0)) throw call.outcome;
    try {
      const link = this.#deps.links.ready(call.target, call.service.text) ?? await this.#open(call);
      call.link = link;
      // A window keeps what waits at the server small; of others it is asked only when the program wants it, as
      // they drop windowed uploads that come through a relay (`nrpc.md` 8).
      const window = options.requestWindow ?? (link.isExtended ? REQUEST_WINDOW : undefined);
      const all = window === undefined
        ? windows
        : [...windows, windowHeader(HeaderName.requestWindow, window)];
      const headers = readHeaders(call, options, all);
      if (headers === undefined) throw call.outcome;
      return { link, flags: flags | flagsOf(options), headers, window };
    } catch (error) {
      call.fail(linkError(call, error), false);
      throw call.outcome;
    }
  }

  async #open(call: ClientCall): Promise<FrameLink> {
    const signal = call.sendSignal();
    const link = await this.#deps.links.open(call.target, call.service.text, signal);
    signal.throwIfAborted();
    return link;
  }
}

/** Headers of a request; `undefined` when they cannot be sent, and the call has ended. */
function readHeaders(
  call: ClientCall,
  options: CallOptions,
  windows: readonly RpcHeader[] = NO_HEADERS,
): readonly RpcHeader[] | undefined {
  try {
    const { streamWindow, requestWindow } = options;
    checkWindow("stream", streamWindow);
    checkWindow("request", requestWindow);
    return requestHeaders(options, windows);
  } catch (error) {
    call.fail(unsendableError(call, error), false);
    return undefined;
  }
}

/** What a program gets of a call that has begun, unless it has failed meanwhile. */
function heldOr<T>(call: ClientCall, held: T): Promise<T> {
  return call.outcome === undefined ? Promise.resolve(held) : Promise.reject(call.outcome);
}

function flagsOf(options: CallOptions): number {
  return options.trace === undefined ? 0 : RpcFlag.trace;
}
