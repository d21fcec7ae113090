/**
 * Sends requests to publishers and matches their answers (`identity-and-channels.md` 10). When to ask is the
 * attachment's business, whom is the subscriber's.
 */
import {
  ACK_TIMEOUT_MS,
  type AckReason,
  type ChannelId,
  encodeMembership,
  type MembershipMessage,
  PendingRequests,
  SUBPROTOCOL_MEMBERSHIP,
} from "../../channel/mod.ts";
import type { ChannelParts } from "./channel_deps.ts";
import type { AttachedChannel } from "./wanted_channel.ts";

/** Counters of requests and answers. */
export interface AskCounters {
  subscribes_sent_total: number;
  acks_accepted_total: number;
  acks_refused_total: number;
  acks_missed_total: number;
  drop_ack_unknown_total: number;
  /** Answers from nodes that were not asked (promise 75); zero in normal life. */
  peer_auth_rejections_total: number;
}

/** What became of a request that another service made. */
export type MembershipAnswer =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly reason: AckReason }
  /** The session was lost or replaced. */
  | { readonly kind: "lost" };

/** A request that waits for its Ack. */
type Asked =
  | { readonly kind: "subscribe"; readonly attached: AttachedChannel }
  | { readonly kind: "service"; readonly onAnswer: (answer: MembershipAnswer) => void }
  | {
    readonly kind: "unsubscribe";
    readonly peer: bigint;
    readonly id: ChannelId;
    readonly tries: number;
  };

const STREAM_ID = BigInt(SUBPROTOCOL_MEMBERSHIP);
/** A publisher that misses all of these goes on sending until it notices, and nobody reads it. */
const UNSUBSCRIBE_TRIES = 3;
const NO_CHAIN = new Uint8Array(0);

/** Asks. */
export class Asker {
  readonly #deps: Pick<ChannelParts, "clock" | "random" | "transport">;
  readonly #counters: AskCounters;
  readonly #pending = new PendingRequests<Asked>();

  constructor(deps: Pick<ChannelParts, "clock" | "random" | "transport">, counters: AskCounters) {
    this.#deps = deps;
    this.#counters = counters;
  }

  /** True while an answer is awaited. */
  get isWaiting(): boolean {
    return this.#pending.size > 0;
  }

  /** True when no more can be asked now. */
  get isFull(): boolean {
    return this.#pending.isFull;
  }

  /** Asks a publisher for a channel. */
  subscribe(attached: AttachedChannel): void {
    const { wanted, peer, attachment, receiver } = attached;
    // Opened first, so that nothing that comes right behind the answer is missed.
    receiver.open();
    attachment.onAsked();
    const nonce = this.#nonce();
    const deadline = this.#deps.clock.now() + ACK_TIMEOUT_MS;
    this.#pending.add(nonce, peer, { kind: "subscribe", attached }, deadline);
    this.#counters.subscribes_sent_total += 1;
    this.#send(peer, {
      kind: "subscribe",
      nonce,
      channel: wanted.id,
      chain: wanted.chain ?? NO_CHAIN,
      queueGroup: wanted.queueGroup,
    });
  }

  /**
   * Asks a publisher for a channel on behalf of another service, which takes its events off the stream itself,
   * repeats the request as it sees fit, and gives it up in time.
   *
   * @returns Gives the request up; `undefined` when too many wait.
   */
  ask(
    peer: bigint,
    channel: ChannelId,
    onAnswer: (answer: MembershipAnswer) => void,
  ): (() => void) | undefined {
    if (this.isFull) return undefined;
    const nonce = this.#nonce();
    this.#pending.add(nonce, peer, { kind: "service", onAnswer }, Infinity);
    this.#counters.subscribes_sent_total += 1;
    this.#send(peer, { kind: "subscribe", nonce, channel, chain: NO_CHAIN, queueGroup: undefined });
    return () => this.#pending.remove(nonce);
  }

  /** Tells a publisher that nobody here wants the channel any more; some times, if it does not answer. */
  unsubscribe(peer: bigint, id: ChannelId, tries = 1): void {
    const nonce = this.#nonce();
    const isSent = this.#send(peer, { kind: "unsubscribe", nonce, channel: id });
    if (!isSent || this.#pending.isFull) return;
    const deadline = this.#deps.clock.now() + ACK_TIMEOUT_MS;
    this.#pending.add(nonce, peer, { kind: "unsubscribe", peer, id, tries }, deadline);
  }

  /** An answer came; the channel it was for, if it was to a request for one. */
  onAck(
    from: bigint,
    nonce: bigint,
    isAccepted: boolean,
    reason: AckReason,
  ): AttachedChannel | undefined {
    const counters = this.#counters;
    const matched = this.#pending.match(nonce, from);
    if (matched.kind === "not_asked") counters.peer_auth_rejections_total += 1;
    else if (matched.kind === "unknown") counters.drop_ack_unknown_total += 1;
    if (matched.kind !== "answer" || matched.request.kind === "unsubscribe") return undefined;
    if (isAccepted) counters.acks_accepted_total += 1;
    else counters.acks_refused_total += 1;
    if (matched.request.kind === "service") {
      matched.request.onAnswer(isAccepted ? { kind: "accepted" } : { kind: "refused", reason });
      return undefined;
    }
    const { attached } = matched.request;
    attached.attachment.onAck(isAccepted, reason, this.#deps.clock.now());
    return attached;
  }

  /**
   * Gives up what was not answered in time.
   *
   * @param isWantedOf Whether a channel that was unsubscribed from is wanted again.
   * @returns Channels whose request it was.
   */
  expire(isWantedOf: (peer: bigint, id: ChannelId) => boolean): AttachedChannel[] {
    const now = this.#deps.clock.now();
    const unanswered: AttachedChannel[] = [];
    for (const asked of this.#pending.expire(now)) {
      this.#counters.acks_missed_total += 1;
      if (asked.kind === "subscribe") {
        asked.attached.attachment.onUnanswered(now);
        unanswered.push(asked.attached);
      } else if (
        asked.kind === "unsubscribe" && asked.tries < UNSUBSCRIBE_TRIES &&
        !isWantedOf(asked.peer, asked.id)
      ) {
        this.unsubscribe(asked.peer, asked.id, asked.tries + 1);
      }
    }
    return unanswered;
  }

  /** Nothing that was asked of the peer will be answered. */
  forget(peer: bigint): void {
    for (const asked of this.#pending.takeOf(peer)) {
      if (asked.kind === "service") asked.onAnswer({ kind: "lost" });
    }
  }

  #send(peer: bigint, message: MembershipMessage): boolean {
    const bytes = encodeMembership(message);
    return this.#deps.transport.sendMessage(peer, SUBPROTOCOL_MEMBERSHIP, STREAM_ID, bytes);
  }

  #nonce(): bigint {
    const bytes = this.#deps.random(8);
    return new DataView(bytes.buffer).getBigUint64(0);
  }
}
