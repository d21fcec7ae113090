/**
 * One caller of one service (`nrpc.md` 1, 5): what comes from it goes to the server's engine, and answers go back
 * on the session it came from, as far as the caller is who it says.
 */
import { highHalf, joinHalves, lowHalf, NetError } from "../../base/mod.ts";
import { requireChannelId } from "../../channel/mod.ts";
import type { AcceptedStream, ReceiveStreamHandle } from "../../core/transport/mod.ts";
import {
  FrameIntake,
  type FrameLink,
  type FrameSink,
  type LinkEnd,
  OutLink,
  replyChannelName,
  type ServerPeer,
} from "../../rpc/mod.ts";
import { isExtendedPeer } from "./extension.ts";
import { WINDOW_BYTES } from "./limits.ts";
import { LINK_END_TEXT, linkEndOf } from "./link_errors.ts";
import type { LinkParts } from "./rpc_parts.ts";
import { StreamPort } from "./stream_port.ts";

/** What {@linkcode ServedPeer} asks of the service. */
export interface ServedPeerOwner {
  readonly service: string;
  /** Takes what comes; another one when the service is served anew. */
  sinkOf(peer: ServedPeer): FrameSink;
  /** The way to whoever subscribed to the answers for an origin that no session proves. */
  unprovenReplies(originLow: number, originHigh: number): FrameLink | undefined;
  /** The caller is gone. */
  onEnd(peer: ServedPeer): void;
}

/** A caller. */
export class ServedPeer implements ServerPeer {
  readonly peer: bigint;
  readonly #parts: LinkParts;
  readonly #owner: ServedPeerOwner;
  readonly #isSealed: boolean;
  readonly #intake: FrameIntake;
  readonly #stopWatch: () => void;
  #handle: ReceiveStreamHandle | undefined;
  #origin: bigint | undefined;
  #originLow = 0;
  #originHigh = 0;
  #replies: OutLink | undefined;
  #hasEnded = false;

  constructor(parts: LinkParts, owner: ServedPeerOwner, peer: bigint) {
    const { clock, budget, counters, transport, watch } = parts;
    this.#parts = parts;
    this.#owner = owner;
    this.peer = peer;
    this.#isSealed = transport.peer(peer)?.isSealed === true;
    this.#intake = new FrameIntake({
      clock,
      budget,
      counters,
      onFrame: (bytes, isOwned) => owner.sinkOf(this).onFrame(bytes, isOwned),
      onRefused: (frame) => owner.sinkOf(this).onRefused(frame),
    }, peer);
    this.#stopWatch = watch.add(peer, () => this.end("peer_lost"));
  }

  get provenOriginLow(): number | undefined {
    return this.#knowsOrigin() ? this.#originLow : undefined;
  }

  get provenOriginHigh(): number | undefined {
    return this.#knowsOrigin() ? this.#originHigh : undefined;
  }

  get packetOriginLow(): number {
    if (this.#isSealed && this.#knowsOrigin()) return this.#originLow;
    return this.#handle?.packetOriginLow ?? 0;
  }

  get packetOriginHigh(): number {
    if (this.#isSealed && this.#knowsOrigin()) return this.#originHigh;
    return this.#handle?.packetOriginHigh ?? 0;
  }

  get isRelayed(): boolean {
    return this.#parts.transport.peer(this.peer)?.isRelayed === true;
  }

  /** How its stream is taken. */
  get accepted(): AcceptedStream {
    const isOurs = this.#parts.facts.isOurs(this.peer);
    return {
      handler: {
        onEvent: (_sequence, payload, index) => {
          if (this.#hasEnded) return;
          if (index === 0) this.#replies?.noteArrival();
          this.#intake.take(payload);
        },
        // It begins anew with the next packet, if there is one.
        onEnd: (reason) => this.end(reason === "idle" ? "closed" : linkEndOf(reason)),
      },
      options: {
        isKept: isOurs,
        isFlagIgnored: !isOurs,
        windowBytes: isOurs ? WINDOW_BYTES : undefined,
      },
      attach: (handle) => this.#handle = handle,
    };
  }

  replies(originLow: number, originHigh: number): FrameLink | undefined {
    const isProven = this.#knowsOrigin() && originLow === this.#originLow &&
      originHigh === this.#originHigh;
    if (!isProven) return this.#owner.unprovenReplies(originLow, originHigh);
    if (this.#replies?.isOpen) return this.#replies;
    if (this.#hasEnded) return undefined;
    if (this.#replies !== undefined) this.#dropReplies("reset");
    const origin = joinHalves(originLow, originHigh);
    return this.#replies = openReplies(this.#parts, this.peer, this.#owner.service, origin);
  }

  /** The caller is gone, or silent for too long. */
  end(reason: LinkEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopWatch();
    this.#intake.end();
    this.#dropReplies(reason);
    this.#owner.sinkOf(this).onEnd(reason);
    this.#owner.onEnd(this);
    // Whatever comes later finds a new caller.
    this.#handle?.end();
  }

  #dropReplies(reason: LinkEnd): void {
    if (this.#replies === undefined) return;
    this.#replies.end(LINK_END_TEXT[reason]);
    this.#replies = undefined;
    this.#parts.allowances.release(this.peer);
  }

  #knowsOrigin(): boolean {
    if (this.#origin !== undefined) return true;
    this.#origin = this.#parts.facts.originHashOf(this.peer);
    if (this.#origin === undefined) return false;
    this.#originLow = lowHalf(this.#origin);
    this.#originHigh = highHalf(this.#origin);
    return true;
  }
}

/** Opens the way of answers to a peer; `undefined` when there is none. */
export function openReplies(
  parts: LinkParts,
  peer: bigint,
  service: string,
  origin: bigint,
): OutLink | undefined {
  const channel = requireChannelId(replyChannelName(service, origin));
  const { originHash, counters, allowances } = parts;
  let port: StreamPort;
  try {
    port = new StreamPort(parts, {
      peer,
      channel,
      onEnd: (reason) => out.end(LINK_END_TEXT[linkEndOf(reason)]),
    });
  } catch (error) {
    if (error instanceof NetError) return undefined;
    throw error;
  }
  const route = {
    originLow: lowHalf(originHash),
    originHigh: highHalf(originHash),
    channelLow: lowHalf(channel.hash),
    channelHigh: highHalf(channel.hash),
  };
  const isExtended = isExtendedPeer(parts, peer);
  const out = new OutLink({ port, counters, allowance: allowances.acquire(peer) }, {
    peer,
    route,
    isExtended,
  });
  return out;
}
