/**
 * What one caller of one service sends (`nrpc.md` 5, 6): frames are checked before anything is believed, and lead to
 * the calls that run.
 */
import { lowHalf, PairMap } from "../../base/mod.ts";
import type { FrameLink, FrameSink, LinkEnd, RefusedFrame, ServerPeer } from "../link/mod.ts";
import type { CallOutcome } from "../metrics/mod.ts";
import {
  ChunkBody,
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  readStreamGrant,
  RequestBody,
  Status,
} from "../wire/mod.ts";
import { Admission } from "./admission.ts";
import type { CallerShare } from "./caller_shares.ts";
import { EarlyFrames } from "./early_frames.ts";
import { type Failure, failure } from "./failure.ts";
import { overloadFailure, retryAfterMs } from "./overload.ts";
import { trySendResponse } from "./reply_writer.ts";
import type { ServerEngine } from "./rpc_server.ts";
import type { ServedName } from "./served_name.ts";
import type { ServerCall } from "./server_call.ts";
import { ClientStreamCall, DuplexCall, ServerStreamCall } from "./streamed_call.ts";
import { UnaryCall } from "./unary_call.ts";

const LINK_END_TEXT: Readonly<Record<LinkEnd, string>> = {
  peer_lost: "the caller is gone",
  replaced: "the caller's session was replaced by a new one",
  reset: "the caller's stream was reset",
  closed: "the way to the caller was closed",
};

/** Frames of one caller. */
export class CallerSink implements FrameSink {
  readonly engine: ServerEngine;
  readonly service: ServedName;
  readonly peer: ServerPeer;
  readonly share: CallerShare;
  /** Handlers that run for it. */
  running = 0;
  readonly #tag: number;
  readonly #calls = new PairMap<ServerCall>();
  readonly #early: EarlyFrames;
  readonly #head = new FrameHead();
  readonly #request = new RequestBody();
  readonly #chunk = new ChunkBody();
  readonly #admission: Admission;

  constructor(engine: ServerEngine, service: ServedName, peer: ServerPeer) {
    this.engine = engine;
    this.service = service;
    this.peer = peer;
    this.#tag = lowHalf(peer.peer);
    this.share = engine.shares.acquire(peer.peer);
    this.#admission = new Admission(engine, service, this.share);
    this.#early = new EarlyFrames(engine.timers, engine.counters, engine.early);
  }

  onFrame(bytes: Uint8Array, isOwned: boolean): void {
    const { engine, service, peer } = this;
    const head = this.#head;
    if (!head.read(bytes)) {
      engine.counters.malformed += 1;
      return;
    }
    if (head.originLow !== peer.packetOriginLow || head.originHigh !== peer.packetOriginHigh) {
      service.meter.packetOriginMismatchDropped += 1;
      return;
    }
    if (head.channelLow !== service.channelLow || head.channelHigh !== service.channelHigh) {
      engine.counters.misrouted += 1;
      return;
    }
    switch (head.dispatch) {
      case Dispatch.request:
        return this.#onRequest(bytes, isOwned);
      case Dispatch.requestChunk:
        return this.#onChunk(bytes, isOwned);
      case Dispatch.cancel:
        return this.#onCancel();
      case Dispatch.streamGrant: {
        const credits = readStreamGrant(bytes, FRAME_BYTES);
        if (credits === undefined) engine.counters.malformed += 1;
        else this.#onStreamGrant(credits);
        return;
      }
      default:
        engine.counters.malformed += 1;
    }
  }

  onRefused(frame: RefusedFrame): void {
    const { originLow, originHigh, callLow, callHigh, reason } = frame;
    const fault = reason === "budget"
      ? overloadFailure("there is no room to join a long body", frame.retryAfterMs)
      : failure(Status.unknownVersion, `malformed request: a long body is ${reason}`);
    const call = this.#calls.get(callLow, callHigh);
    if (call !== undefined) call.fail(fault);
    else if (frame.dispatch === Dispatch.request) {
      this.#answer(originLow, originHigh, callLow, callHigh, fault);
    }
  }

  onEnd(reason: LinkEnd): void {
    const why = LINK_END_TEXT[reason];
    for (const call of this.#calls.values()) call.onCallerLost(why);
    this.#early.clear();
    this.service.forget(this);
    this.engine.shares.release(this.share);
  }

  /** This node ends what runs. */
  stop(why: string): void {
    for (const call of this.#calls.values()) call.onStop(why);
    this.#early.clear();
  }

  /** Finds a call by its id from now on. */
  add(call: ServerCall): void {
    this.#calls.set(call.callLow, call.callHigh, call);
  }

  /** A call is over, and remembered for a while. */
  remove(call: ServerCall): void {
    const { callLow, callHigh } = call;
    this.engine.recent.add(callLow, callHigh, this.#tag);
    if (call.isBooked) {
      this.#calls.delete(callLow, callHigh);
      this.engine.timers.remove(call);
    }
    this.service.onCallEnd();
  }

  /** A body that outlasts its frame. */
  keep(body: Uint8Array, isOwned: boolean): Uint8Array {
    return isOwned ? body : this.engine.copies.copy(body);
  }

  /** A handler is through. */
  onHandlerEnd(call: ServerCall): void {
    this.running -= 1;
    this.share.release(call.heldBytes);
    this.share.end();
    this.service.onHandlerEnd(this.engine.clock.now() - call.startedAt);
  }

  /** Tells the observer of an answer, or that there will be none. */
  tell(call: ServerCall, outcome: CallOutcome, text: string | undefined): void {
    const { clock, meters, nodeId } = this.engine;
    if (!meters.isObserved) return;
    meters.tell({
      caller: this.peer.peer,
      callee: nodeId,
      method: this.service.name,
      latencyMs: clock.now() - call.startedAt,
      outcome,
      error: outcome === "error" ? text : undefined,
      requestBytes: call.requestBytes,
      responseBytes: call.responseBytes,
      direction: "inbound",
      unixMs: clock.wallMs(),
    });
  }

  #onRequest(bytes: Uint8Array, isOwned: boolean): void {
    const { engine, service } = this;
    const { callLow, callHigh } = this.#head;
    const request = this.#request;
    if (!request.read(bytes, FRAME_BYTES)) {
      return this.#refuse(
        failure(Status.unknownVersion, "malformed request: it cannot be read"),
      );
    }
    if (!service.isNamed(bytes, request.serviceAt, request.serviceLength)) {
      engine.counters.misnamed += 1;
      return;
    }
    if (callLow === 0 && callHigh === 0) {
      return this.#refuse(failure(Status.unknownVersion, "malformed request: its call id is 0"));
    }
    if (this.#calls.get(callLow, callHigh) !== undefined) {
      engine.counters.duplicates += 1;
      const text = "duplicate REQUEST for already-in-flight call_id";
      return this.#refuse(failure(Status.internal, text));
    }
    if (engine.recent.has(callLow, callHigh, this.#tag)) {
      engine.counters.duplicates += 1;
      return;
    }
    const fault = this.#admission.refusal(request, this.running);
    if (fault !== undefined) {
      engine.recent.add(callLow, callHigh, this.#tag);
      return this.#refuse(fault);
    }
    this.#begin(request, bytes.length, isOwned);
  }

  #begin(request: RequestBody, frameBytes: number, isOwned: boolean): void {
    const { service, engine } = this;
    const head = this.#head;
    const { callLow, callHigh } = head;
    const link = this.peer.replies(head.originLow, head.originHigh);
    if (link === undefined) {
      // Nobody would hear the answer.
      service.meter.responsesDropped += 1;
      return;
    }
    if (this.#isUntrustedUpload(request)) {
      service.meter.relayedFlowControlledRejected += 1;
      engine.recent.add(callLow, callHigh, this.#tag);
      return;
    }
    // The body of an upload is its first item, and booked as the others are.
    const heldBytes = service.isUpload ? frameBytes - request.body.length : frameBytes;
    if (!this.share.hold(heldBytes)) {
      service.meter.overloaded += 1;
      engine.recent.add(callLow, callHigh, this.#tag);
      const waitMs = retryAfterMs(service.meter.handlerDuration);
      return this.#refuse(overloadFailure("too many bytes of requests are being handled", waitMs));
    }
    const body = this.keep(request.body, isOwned);
    const call = this.#createCall(link, request);
    call.heldBytes = heldBytes;
    this.share.start();
    this.running += 1;
    service.onHandlerStart();
    try {
      call.run(body);
    } catch (error) {
      call.endHandler();
      call.failWith(error);
    }
    for (const early of this.#early.take(callLow, callHigh)) this.onFrame(early, true);
  }

  #createCall(link: FrameLink, request: RequestBody): ServerCall {
    switch (this.service.handler.shape) {
      case "unary":
        return new UnaryCall(this, link, this.#head, request);
      case "server_stream":
        return new ServerStreamCall(this, link, this.#head, request);
      case "client_stream":
        return new ClientStreamCall(this, link, this.#head, request);
      case "duplex":
        return new DuplexCall(this, link, this.#head, request);
    }
  }

  /** Grants to an origin that the session does not prove could reach somebody else (`nrpc.md` 8). */
  #isUntrustedUpload(request: RequestBody): boolean {
    if (!this.service.isUpload) return false;
    const { provenOriginLow, provenOriginHigh } = this.peer;
    const head = this.#head;
    if (head.originLow === provenOriginLow && head.originHigh === provenOriginHigh) return false;
    return request.headers.some(({ name }) => name === "nrpc-request-window-initial");
  }

  #onChunk(bytes: Uint8Array, isOwned: boolean): void {
    const { engine } = this;
    const head = this.#head;
    const { callLow, callHigh } = head;
    const call = this.#calls.get(callLow, callHigh);
    if (call === undefined) {
      // What comes after the end, or twice, is nobody's; what overtook its request is waited for.
      const isLate = engine.recent.has(callLow, callHigh, this.#tag) || head.item === 0;
      if (isLate) engine.counters.late += 1;
      else {
        const copy = isOwned ? bytes : bytes.slice();
        this.#early.keep(callLow, callHigh, copy, engine.clock.now());
      }
      return;
    }
    const chunk = this.#chunk;
    const isReadable = chunk.read(bytes, FRAME_BYTES) && chunk.callLow === callLow &&
      chunk.callHigh === callHigh;
    if (isReadable) call.onChunk(head, chunk, isOwned);
    else call.onBadChunk();
  }

  #onStreamGrant(credits: number): void {
    const { callLow, callHigh } = this.#head;
    const call = this.#calls.get(callLow, callHigh);
    // Behind the end of a stream grants are nothing unusual.
    if (call === undefined) this.engine.counters.late += 1;
    else call.onStreamGrant(credits);
  }

  #onCancel(): void {
    const { callLow, callHigh } = this.#head;
    const call = this.#calls.get(callLow, callHigh);
    if (call !== undefined) return call.onCancel();
    // It overtook its request, or the call is over: in both cases the request runs nothing from now on.
    this.engine.recent.add(callLow, callHigh, this.#tag);
    this.#early.take(callLow, callHigh);
  }

  #refuse(fault: Failure): void {
    const { originLow, originHigh, callLow, callHigh } = this.#head;
    this.#answer(originLow, originHigh, callLow, callHigh, fault);
  }

  /** Answers what does not run: only on the session it came from, as its sender is known by nothing else. */
  #answer(
    originLow: number,
    originHigh: number,
    callLow: number,
    callHigh: number,
    { status, headers, body, text }: Failure,
  ): void {
    const { peer, service, engine } = this;
    if (originLow !== peer.provenOriginLow || originHigh !== peer.provenOriginHigh) return;
    const link = peer.replies(originLow, originHigh);
    if (link === undefined) return;
    const { replies } = service;
    if (
      replies.isBehind(link) ||
      !trySendResponse(link, callLow, callHigh, 0, status, headers, body)
    ) replies.push(link, { callLow, callHigh, item: 0, status, headers, body });
    if (!engine.meters.isObserved) return;
    engine.meters.tell({
      caller: peer.peer,
      callee: engine.nodeId,
      method: service.name,
      latencyMs: 0,
      outcome: status === Status.timeout ? "timeout" : "error",
      error: text,
      requestBytes: 0,
      responseBytes: body.length,
      direction: "inbound",
      unixMs: engine.clock.wallMs(),
    });
  }
}
