/**
 * One service and its callers. It outlasts its closing as long as callers are connected: their streams go on, and
 * who calls what is not served any more is told so at once.
 */
import { joinHalves, PairMap } from "../../base/mod.ts";
import type { AcceptedStream } from "../../core/transport/mod.ts";
import {
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  FrameIntake,
  type FrameLink,
  type FrameSink,
  type JoinBudget,
  type LinkEnd,
  NO_HEADERS,
  NO_LINK_ROOM,
  type OutLink,
  replyChannelName,
  responseLength,
  type ServerPeer,
  type ServerSink,
  Status,
  writeFrameHead,
  writeResponse,
} from "../../rpc/mod.ts";
import { UNPROVEN_REPLIES_MAX } from "./limits.ts";
import { LINK_END_TEXT } from "./link_errors.ts";
import type { LocalCaller, LocalService } from "./loopback_links.ts";
import type { LinkParts } from "./rpc_parts.ts";
import { openReplies, ServedPeer, type ServedPeerOwner } from "./served_peer.ts";

const encoder = new TextEncoder();

/** A service. */
export class ServedService implements ServedPeerOwner, LocalService {
  readonly service: string;
  readonly #parts: LinkParts;
  readonly #onUnused: () => void;
  readonly #peers = new Map<bigint, ServedPeer>();
  /** The engine's end of each caller, made when its first frame comes. */
  readonly #sinks = new Map<ServerPeer, FrameSink>();
  /** Ways to subscribers of the answers for origins that no session proves. */
  readonly #unproven = new PairMap<OutLink>();
  #sink: ServerSink | undefined;

  constructor(parts: LinkParts, service: string, onUnused: () => void) {
    this.#parts = parts;
    this.service = service;
    this.#onUnused = onUnused;
  }

  /** True while somebody takes requests. */
  get isServed(): boolean {
    return this.#sink !== undefined;
  }

  /** Callers that are connected. */
  get callers(): number {
    return this.#peers.size;
  }

  /** Takes requests from now on. */
  serve(sink: ServerSink): void {
    this.#sinks.clear();
    this.#sink = sink;
  }

  /** Takes none any more. */
  close(sink: ServerSink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    for (const frameSink of this.#sinks.values()) frameSink.onEnd("closed");
    this.#sinks.clear();
  }

  /** Ends everything. */
  stop(): void {
    for (const peer of [...this.#peers.values()]) peer.end("closed");
    if (this.#sink !== undefined) this.close(this.#sink);
    for (const [low, high, link] of this.#unproven.entries()) this.#dropUnproven(low, high, link);
  }

  /** A peer begins to call. */
  accept(peer: bigint): AcceptedStream {
    this.#peers.get(peer)?.end("replaced");
    const served = new ServedPeer(this.#parts, this, peer);
    this.#peers.set(peer, served);
    return served.accepted;
  }

  sinkOf(peer: ServerPeer): FrameSink {
    let sink = this.#sinks.get(peer);
    if (sink === undefined) {
      sink = this.#sink?.onPeer(peer) ?? new UnservedSink(this.service, peer);
      this.#sinks.set(peer, sink);
    }
    return sink;
  }

  onEnd(peer: ServedPeer): void {
    this.#sinks.delete(peer);
    if (this.#peers.get(peer.peer) === peer) this.#peers.delete(peer.peer);
    if (this.#peers.size === 0) this.#onUnused();
  }

  unprovenReplies(originLow: number, originHigh: number): FrameLink | undefined {
    const known = this.#unproven.get(originLow, originHigh);
    if (known?.isOpen) return known;
    if (known !== undefined) this.#dropUnproven(originLow, originHigh, known);
    const origin = joinHalves(originLow, originHigh);
    for (const peer of this.#parts.channels.peersOn(replyChannelName(this.service, origin))) {
      if (this.#unproven.size >= UNPROVEN_REPLIES_MAX) {
        for (const [low, high, link] of this.#unproven.entries()) {
          this.#dropUnproven(low, high, link);
          break;
        }
      }
      const link = openReplies(this.#parts, peer, this.service, origin);
      if (link !== undefined) this.#unproven.set(originLow, originHigh, link);
      return link;
    }
    return undefined;
  }

  connect(replies: () => FrameLink, budget: JoinBudget): LocalCaller {
    const { transport, originHash, clock, counters } = this.#parts;
    const peer = new LocalPeer(transport.nodeId, originHash, replies);
    const intake = new FrameIntake({
      clock,
      budget,
      counters,
      onFrame: (bytes, isOwned) => this.sinkOf(peer).onFrame(bytes, isOwned),
      onRefused: (frame) => this.sinkOf(peer).onRefused(frame),
    }, peer.peer);
    return {
      take: (frame) => intake.take(frame),
      end: () => {
        intake.end();
        this.sinkOf(peer).onEnd("closed");
        this.#sinks.delete(peer);
      },
    };
  }

  #dropUnproven(low: number, high: number, link: OutLink): void {
    this.#unproven.delete(low, high);
    link.end(LINK_END_TEXT.closed);
    this.#parts.allowances.release(link.peer);
  }
}

/** This node as a caller of its own service. */
class LocalPeer implements ServerPeer {
  readonly peer: bigint;
  readonly provenOriginLow: number;
  readonly provenOriginHigh: number;
  readonly packetOriginLow: number;
  readonly packetOriginHigh: number;
  readonly isRelayed = false;
  readonly #open: () => FrameLink;
  #link: FrameLink | undefined;

  constructor(peer: bigint, originHash: bigint, open: () => FrameLink) {
    this.peer = peer;
    this.provenOriginLow = this.packetOriginLow = Number(originHash & 0xffff_ffffn);
    this.provenOriginHigh = this.packetOriginHigh = Number(originHash >> 32n);
    this.#open = open;
  }

  replies(originLow: number, originHigh: number): FrameLink | undefined {
    const isOwn = originLow === this.provenOriginLow && originHigh === this.provenOriginHigh;
    return isOwn ? this.#link ??= this.#open() : undefined;
  }
}

/** Answers requests for a service that is not served any more. */
class UnservedSink implements FrameSink {
  readonly #peer: ServerPeer;
  readonly #body: Uint8Array;
  readonly #head = new FrameHead();

  constructor(service: string, peer: ServerPeer) {
    this.#peer = peer;
    this.#body = encoder.encode(`no service "${service}" here`);
  }

  onFrame(bytes: Uint8Array): void {
    const head = this.#head;
    if (!head.read(bytes) || head.dispatch !== Dispatch.request) return;
    this.#answer(head.originLow, head.originHigh, head.callLow, head.callHigh);
  }

  onRefused(frame: Parameters<FrameSink["onRefused"]>[0]): void {
    if (frame.dispatch !== Dispatch.request) return;
    this.#answer(frame.originLow, frame.originHigh, frame.callLow, frame.callHigh);
  }

  onEnd(_reason: LinkEnd): void {}

  /** Only on the session the request came from: others asked for nothing. */
  #answer(originLow: number, originHigh: number, callLow: number, callHigh: number): void {
    const { provenOriginLow, provenOriginHigh } = this.#peer;
    if (originLow !== provenOriginLow || originHigh !== provenOriginHigh) return;
    const link = this.#peer.replies(originLow, originHigh);
    if (link === undefined) return;
    const start = link.reserve(FRAME_BYTES + responseLength(NO_HEADERS, this.#body));
    if (start === NO_LINK_ROOM) return;
    const { bytes, route } = link;
    const at = writeFrameHead(bytes, start, Dispatch.response, route, callLow, callHigh, 0);
    writeResponse(bytes, at, Status.notFound, NO_HEADERS, this.#body);
  }
}
