/** A serving engine between a clock that a test moves and one caller that it scripts. */
import { highHalf, lowHalf, utf8 } from "../../../src/base/mod.ts";
import { deriveChannelHash } from "../../../src/core/crypto/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import {
  Dispatch,
  FRAME_BYTES,
  type FrameLink,
  type FrameSink,
  type LinkEnd,
  type Listening,
  NO_HEADERS,
  requestChannelName,
  ResponseBody,
  type RpcCallEvent,
  type RpcHeader,
  RpcServer,
  type ServerLinks,
  type ServerPeer,
  type ServerSink,
  ServiceMeter,
  writeFrameHead,
} from "../../../src/rpc/mod.ts";
import {
  chunkLength,
  readRequestGrant,
  requestLength,
  writeChunk,
  writeRequest,
  writeStreamGrant,
} from "../../../src/rpc/wire/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryLink, type MemoryLinkOptions, type SentFrame } from "../memory_links.ts";

/** A handler that takes many items needs that many turns. */
const TURNS = 8;

export const SERVICE = "echo";
export const CALLER = 9n;
/** Origin hash of the caller, in halves. */
export const ORIGIN = { low: 0x11, high: 0x22 };

/** A response as it came. */
export interface SeenResponse {
  readonly callLow: number;
  readonly item: number;
  readonly status: number;
  readonly headers: readonly RpcHeader[];
  readonly text: string;
}

/** A request, as far as it differs from a plain one. */
export interface RequestFacts {
  readonly body?: Uint8Array;
  readonly flags?: number;
  readonly headers?: readonly RpcHeader[];
  readonly deadlineMs?: number;
  readonly service?: string;
  readonly origin?: { readonly low: number; readonly high: number };
  readonly channel?: string;
  readonly item?: number;
}

/** Options of {@linkcode ServerKit}. */
export interface ServerKitOptions extends MemoryLinkOptions {
  readonly isObserved?: boolean;
  readonly mayAdmit?: (caller: bigint) => boolean;
}

/** The caller, as the engine sees it. */
export class ScriptedPeer implements ServerPeer {
  readonly peer: bigint;
  readonly link: MemoryLink;
  provenOriginLow: number | undefined = ORIGIN.low;
  provenOriginHigh: number | undefined = ORIGIN.high;
  packetOriginLow = ORIGIN.low;
  packetOriginHigh = ORIGIN.high;
  isRelayed = false;
  hasReplies = true;

  constructor(options: MemoryLinkOptions) {
    this.peer = options.peer ?? CALLER;
    this.link = new MemoryLink({ ...options, peer: this.peer });
  }

  replies(): FrameLink | undefined {
    return this.hasReplies ? this.link : undefined;
  }
}

/** An engine, one caller, and what they say. */
export class ServerKit implements ServerLinks {
  readonly clock = new ManualClock();
  readonly meter = new ServiceMeter(SERVICE);
  readonly events: RpcCallEvent[] = [];
  readonly server: RpcServer;
  readonly peer: ScriptedPeer;
  readonly withdrawn: string[] = [];
  readonly #sinks = new Map<string, ServerSink>();
  readonly #heard = new Map<string, FrameSink>();

  constructor(options: ServerKitOptions = {}) {
    this.peer = new ScriptedPeer(options);
    this.server = new RpcServer({
      clock: this.clock,
      log: silentLog,
      links: this,
      meters: {
        of: () => this.meter,
        isObserved: options.isObserved ?? false,
        tell: (event) => this.events.push(event),
      },
      nodeId: 1n,
      mayAdmit: (caller) => options.mayAdmit?.(caller) ?? true,
    });
  }

  get link(): MemoryLink {
    return this.peer.link;
  }

  listen(service: string, sink: ServerSink): Listening {
    this.#sinks.set(service, sink);
    return {
      withdraw: () => void this.withdrawn.push(service),
      end: () => void this.#sinks.delete(service),
    };
  }

  /** True while the engine hears callers of a service. */
  isHeard(service = SERVICE): boolean {
    return this.#sinks.has(service);
  }

  /** The engine's end of the caller. */
  sink(service = SERVICE, peer: ServerPeer = this.peer): FrameSink {
    const key = `${service} ${peer.peer}`;
    const known = this.#heard.get(key);
    if (known !== undefined) return known;
    const sink = this.#sinks.get(service)?.onPeer(peer);
    if (sink === undefined) throw new Error("nobody serves it");
    this.#heard.set(key, sink);
    return sink;
  }

  /** The caller's way ends; what comes later comes on another. */
  lose(reason: LinkEnd = "peer_lost"): void {
    for (const sink of this.#heard.values()) sink.onEnd(reason);
    this.#heard.clear();
  }

  /** Sends a request; the frame is valid during the call only. */
  request(call: number, facts: RequestFacts = {}): void {
    this.deliver(encodeRequest(call, facts));
  }

  /** Sends an item of an upload. */
  chunk(call: number, item: number, body: Uint8Array, flags = 0): void {
    const bytes = new Uint8Array(FRAME_BYTES + chunkLength(NO_HEADERS, body));
    const at = writeFrameHead(bytes, 0, Dispatch.requestChunk, routeOf(SERVICE), call, 0, item);
    writeChunk(bytes, at, call, 0, flags, NO_HEADERS, body);
    this.deliver(bytes);
  }

  /** Cancels a call. */
  cancel(call: number): void {
    const bytes = new Uint8Array(FRAME_BYTES);
    writeFrameHead(bytes, 0, Dispatch.cancel, routeOf(SERVICE), call, 0, 0);
    this.deliver(bytes);
  }

  /** Lets a stream send so many more items. */
  grant(call: number, credits: number): void {
    const bytes = new Uint8Array(FRAME_BYTES + 4);
    const at = writeFrameHead(bytes, 0, Dispatch.streamGrant, routeOf(SERVICE), call, 0, 0);
    writeStreamGrant(bytes, at, credits);
    this.deliver(bytes);
  }

  /** Hands bytes to the engine and takes them away again. */
  deliver(bytes: Uint8Array): void {
    const lent = bytes.slice();
    this.sink().onFrame(lent, false);
    lent.fill(0xee);
  }

  /** Responses sent since the last time, once promises have settled. */
  async responses(): Promise<SeenResponse[]> {
    for (let turn = 0; turn < TURNS; turn++) await this.clock.advance(0);
    return this.link.take().filter(({ dispatch }) => dispatch === Dispatch.response)
      .map(readResponse);
  }

  /** Credits granted to uploads since the last time. */
  async grants(): Promise<number[]> {
    await this.clock.advance(0);
    return this.link.take().filter(({ dispatch }) => dispatch === Dispatch.requestGrant)
      .map(({ bytes, callLow, callHigh }) =>
        readRequestGrant(bytes, FRAME_BYTES, callLow, callHigh) ?? NaN
      );
  }
}

/** The bytes of a request. */
export function encodeRequest(call: number, facts: RequestFacts = {}): Uint8Array<ArrayBuffer> {
  const { body = new Uint8Array(0), flags = 0, headers = NO_HEADERS, deadlineMs = 0 } = facts;
  const { service = SERVICE, channel = SERVICE, item = 0, origin = ORIGIN } = facts;
  const name = utf8(service);
  const bytes = new Uint8Array(FRAME_BYTES + requestLength(name, headers, body));
  const route = { ...routeOf(channel), originLow: origin.low, originHigh: origin.high };
  const at = writeFrameHead(bytes, 0, Dispatch.request, route, call, 0, item);
  writeRequest(bytes, at, name, deadlineMs, flags, headers, body);
  return bytes;
}

/** Heads of frames to a service. */
export function routeOf(service: string) {
  const hash = deriveChannelHash(requestChannelName(service));
  return {
    originLow: ORIGIN.low,
    originHigh: ORIGIN.high,
    channelLow: lowHalf(hash),
    channelHigh: highHalf(hash),
  };
}

function readResponse({ bytes, callLow, item }: SentFrame): SeenResponse {
  const response = new ResponseBody();
  if (!response.read(bytes, FRAME_BYTES)) throw new Error("what was sent is no response");
  const { status, headers, body } = response;
  return { callLow, item, status, headers, text: new TextDecoder().decode(body) };
}
