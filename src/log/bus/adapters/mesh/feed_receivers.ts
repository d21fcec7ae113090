/** Takes what other nodes feed: who may is asked when a stream begins, and who may not is told so. */
import { idToHex } from "../../../../base/mod.ts";
import type { AcceptedStream, MeshTransport } from "../../../../core/transport/mod.ts";
import type { Log } from "../../../../observe/mod.ts";
import type { BusAdapter } from "../../types.ts";
import { FeedReceiver, type FeedSums, type SourceCounters } from "./feed_receiver.ts";
import type { FeedStreams, SenderLink } from "./feed_sender.ts";
import { SOURCES_MAX, TURNED_AWAY_MAX } from "./limits.ts";
import { decodeFeedMessage, encodeFeedMessage } from "./messages.ts";

/** The part of the transport that feeds use. */
export type FeedLink = SenderLink & Pick<MeshTransport, "acceptStream">;

/** What {@linkcode FeedReceivers} needs. */
export interface FeedReceiversDeps {
  readonly link: FeedLink;
  readonly streams: FeedStreams;
  readonly sums: FeedSums;
  readonly log: Log;
  /** Keeps the events; left out, nobody may feed. */
  readonly inner?: BusAdapter;
  /** Why a node may not feed this one; `undefined` when it may. */
  readonly refusalOf: (peer: bigint) => string | undefined;
}

/** A node that feeds this one. */
export interface FeedSource extends Readonly<SourceCounters> {
  readonly node: bigint;
  /** True while there is a stream from it. */
  readonly isListening: boolean;
}

/** All directions to this node. */
export class FeedReceivers {
  readonly #deps: FeedReceiversDeps;
  readonly #bySource = new Map<bigint, FeedReceiver>();
  readonly #turnedAway = new Set<bigint>();
  #endAccepting = () => {};

  constructor(deps: FeedReceiversDeps) {
    this.#deps = deps;
  }

  /** Who feeds this node, or did so. */
  sources(): FeedSource[] {
    return [...this.#bySource].map(([node, { counters, isListening }]) => ({
      node,
      isListening,
      ...counters,
    }));
  }

  start(): void {
    const { link, streams, refusalOf } = this.#deps;
    this.#endAccepting = link.acceptStream(streams.events, (peer) => this.#accept(peer));
    // A stream that is there already, from before this was started, begins with no first packet.
    const there = link.connectedPeers().filter((peer) => refusalOf(peer) === undefined);
    for (const peer of there.slice(0, SOURCES_MAX)) this.#receiverOf(peer)?.listen();
  }

  async stop(): Promise<void> {
    this.#endAccepting();
    const receivers = [...this.#bySource.values()];
    this.#bySource.clear();
    await Promise.all(receivers.map((receiver) => receiver.stop()));
  }

  #accept(peer: bigint): AcceptedStream | undefined {
    const refusal = this.#deps.refusalOf(peer);
    if (refusal !== undefined) return this.#turnAway(peer, refusal);
    return this.#receiverOf(peer)?.accept() ?? this.#turnAway(peer, "too many nodes feed it");
  }

  #receiverOf(peer: bigint): FeedReceiver | undefined {
    const { link, streams, sums, log, inner } = this.#deps;
    const known = this.#bySource.get(peer);
    if (known !== undefined || inner === undefined) return known;
    if (this.#bySource.size >= SOURCES_MAX && !this.#makeRoom()) return undefined;
    const receiver = new FeedReceiver({ link, streams, sums, log, inner }, peer);
    this.#bySource.set(peer, receiver);
    return receiver;
  }

  /** Forgets a node that feeds no more. */
  #makeRoom(): boolean {
    const [idle] = [...this.#bySource].find(([, { isListening }]) => !isListening) ?? [];
    if (idle === undefined) return false;
    void this.#bySource.get(idle)?.stop();
    return this.#bySource.delete(idle);
  }

  /** Answers each batch that it is not taken, as long as the session lasts. */
  #turnAway(peer: bigint, reason: string): AcceptedStream | undefined {
    const { link, streams, sums, log } = this.#deps;
    if (this.#turnedAway.size >= TURNED_AWAY_MAX && !this.#turnedAway.has(peer)) return undefined;
    this.#turnedAway.add(peer);
    log.warn("bus_feed_refused", { peer: idToHex(peer), reason });
    const onEvent = (_sequence: number, payload: Uint8Array) => {
      const message = decodeFeedMessage(payload);
      if (message?.kind !== "piece" || message.offset > 0) return;
      sums.counters.notAllowed += 1;
      const { shard, producerNonce, sequence } = message;
      const key = { shard, producerNonce, sequence };
      try {
        // Without room for the answer the batch runs out of time, and comes again.
        link.openSendStream(peer, streams.answers, { isKept: true })
          .trySend(encodeFeedMessage({ kind: "refused", ...key, refusal: "not_allowed", reason }));
      } catch (error) {
        log.debug("bus_feed_answer_lost", { error: String(error) });
      }
    };
    return {
      handler: { onEvent, onEnd: () => void this.#turnedAway.delete(peer) },
      options: { isOrdered: true, isKept: true },
    };
  }
}

/** The refusal of a node that takes nothing from anybody, or only from others. */
export const NOT_ACCEPTED = "it does not take events from this node";
