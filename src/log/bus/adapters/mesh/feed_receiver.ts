/** Takes batches from one node and keeps them in an adapter; each event once, as long as this process lives. */
import type { Log } from "../../../../observe/mod.ts";
import type { EndReceiving, MeshLink, SendStream } from "../../../../core/transport/mod.ts";
import { toBusError } from "../../dispatch.ts";
import type { Batch, BusAdapter } from "../../types.ts";
import type { FeedStreams } from "./feed_sender.ts";
import { HELD_BYTES_MAX, PRODUCERS_MAX, WINDOW_BYTES } from "./limits.ts";
import {
  decodeFeedMessage,
  decodeParcel,
  encodeFeedMessage,
  type FeedMessage,
  type ParcelKey,
} from "./messages.ts";

/** What a receiver needs. */
export interface FeedReceiverDeps {
  readonly link: MeshLink;
  readonly streams: FeedStreams;
  /** Keeps the events. */
  readonly inner: BusAdapter;
  readonly log: Log;
  /** Counts, shared by all receivers of an adapter. */
  readonly counters: FeedCounters;
  /** Number of the next event by producer and shard, shared too: a producer may come back through another session. */
  readonly nextOf: Map<string, bigint>;
}

/** What came, and what was not kept. */
export interface FeedCounters {
  events: number;
  /** Events that came again and were kept already. */
  repeats: number;
  /** Events that their producer gave up before they came here. */
  gaps: number;
  /** Messages that could not be read. */
  malformed: number;
  /** Batches that could not be kept. */
  refused: number;
}

interface Assembly {
  readonly key: ParcelKey;
  readonly bytes: Uint8Array;
  filled: number;
}

/** One direction from one peer. */
export class FeedReceiver {
  readonly #deps: FeedReceiverDeps;
  readonly #peer: bigint;
  readonly #assemblies = new Map<number, Assembly>();
  readonly #abort = new AbortController();
  #held = 0;
  /** What is being kept; one after the other. */
  #work: Promise<void> = Promise.resolve();
  #answers: SendStream | undefined;
  #end: EndReceiving | undefined;

  constructor(deps: FeedReceiverDeps, peer: bigint) {
    this.#deps = deps;
    this.#peer = peer;
  }

  /** Listens for the peer's events, if there is a session with it; called again when there is a new one. */
  listen(): void {
    const { link, streams } = this.#deps;
    if (this.#end !== undefined || this.#abort.signal.aborted) return;
    if (!link.connectedPeers().includes(this.#peer)) return;
    let isEnded = false;
    const end = link.openReceiveStream(this.#peer, streams.events, {
      onEvent: (_sequence, payload) => this.#take(payload),
      onEnd: () => {
        isEnded = true;
        this.#forget();
        // A session that took the place of another one may be there already.
        queueMicrotask(() => this.listen());
      },
    }, { windowBytes: WINDOW_BYTES, isOrdered: true, isKept: true });
    if (!isEnded) this.#end = end;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#end?.();
    this.#forget();
    await this.#work;
  }

  #forget(): void {
    this.#end = undefined;
    this.#answers?.abort();
    this.#answers = undefined;
    for (const { bytes } of this.#assemblies.values()) this.#held -= bytes.length;
    this.#assemblies.clear();
  }

  #take(payload: Uint8Array): void {
    const message = decodeFeedMessage(payload);
    if (message?.kind === "piece") this.#assemble(message);
    else if (message?.kind === "flush") this.#queue(() => this.#flush(message.token));
    else this.#deps.counters.malformed += 1;
  }

  #assemble(piece: Extract<FeedMessage, { kind: "piece" }>): void {
    const { shard, producerNonce, sequence, total, offset } = piece;
    if (offset === 0) {
      this.#drop(shard);
      if (this.#held + total > HELD_BYTES_MAX) return this.#refuse(piece, true, "it is busy");
      this.#held += total;
      const key = { shard, producerNonce, sequence };
      this.#assemblies.set(shard, { key, bytes: new Uint8Array(total), filled: 0 });
    }
    const assembly = this.#assemblies.get(shard);
    // The first piece was refused, or another parcel took its place.
    if (assembly?.key.sequence !== sequence || assembly.key.producerNonce !== producerNonce) return;
    if (assembly.filled !== offset || assembly.bytes.length !== total) {
      this.#deps.counters.malformed += 1;
      return this.#drop(shard);
    }
    assembly.bytes.set(piece.bytes, offset);
    assembly.filled += piece.bytes.length;
    if (assembly.filled < total) return;
    this.#assemblies.delete(shard);
    this.#queue(() => this.#keep(assembly));
  }

  #drop(shard: number): void {
    const assembly = this.#assemblies.get(shard);
    if (assembly === undefined) return;
    this.#assemblies.delete(shard);
    this.#held -= assembly.bytes.length;
  }

  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => {
      this.#deps.log.warn("bus_feed_failed", { error: String(error) });
    });
  }

  async #keep({ key, bytes }: Assembly): Promise<void> {
    const { inner, counters } = this.#deps;
    this.#held -= bytes.length;
    const events = decodeParcel(bytes);
    if (events === undefined) {
      counters.malformed += 1;
      return this.#refuse(key, false, "it can't be read");
    }
    const batch = this.#withoutRepeats(key, events);
    const end = key.sequence + BigInt(events.length);
    if (batch !== undefined) {
      try {
        await inner.write(batch, this.#abort.signal);
      } catch (thrown) {
        const error = toBusError(thrown, "Cannot keep events");
        counters.refused += 1;
        return this.#refuse(key, error.isRetryable, error.message);
      }
      counters.events += batch.events.length;
      this.#remember(key, end);
    }
    await this.#say(encodeFeedMessage({ kind: "kept", ...key, sequence: end }));
  }

  /** What of it is new; `undefined` when nothing is. */
  #withoutRepeats({ shard, producerNonce, sequence }: ParcelKey, events: Batch["events"]) {
    const { counters, nextOf } = this.#deps;
    const next = nextOf.get(`${producerNonce}:${shard}`);
    const known = next === undefined || next <= sequence ? 0 : Number(next - sequence);
    if (next !== undefined && next < sequence) counters.gaps += Number(sequence - next);
    counters.repeats += Math.min(known, events.length);
    if (known >= events.length) return undefined;
    const sequenceStart = sequence + BigInt(known);
    return { shard, producerNonce, sequenceStart, events: events.slice(known) };
  }

  #remember({ shard, producerNonce }: ParcelKey, next: bigint): void {
    const { nextOf } = this.#deps;
    const name = `${producerNonce}:${shard}`;
    nextOf.delete(name);
    nextOf.set(name, next);
    const [oldest] = nextOf.keys();
    if (nextOf.size > PRODUCERS_MAX && oldest !== undefined) nextOf.delete(oldest);
  }

  async #flush(token: bigint): Promise<void> {
    await this.#deps.inner.flush(this.#abort.signal);
    await this.#say(encodeFeedMessage({ kind: "flushed", token }));
  }

  #refuse({ shard, producerNonce, sequence }: ParcelKey, isRetryable: boolean, reason: string) {
    const message = {
      kind: "refused",
      shard,
      producerNonce,
      sequence,
      isRetryable,
      reason,
    } as const;
    this.#queue(() => this.#say(encodeFeedMessage(message)));
  }

  /** Answers on a stream of its own; a peer that is gone needs no answer. */
  async #say(message: Uint8Array): Promise<void> {
    const { link, streams } = this.#deps;
    if (this.#end === undefined) return;
    try {
      this.#answers ??= link.openSendStream(this.#peer, streams.answers, { isKept: true });
      const stream = this.#answers;
      while (!stream.trySend(message)) await stream.ready({ signal: this.#abort.signal });
    } catch (error) {
      this.#answers = undefined;
      this.#deps.log.debug("bus_feed_answer_lost", { error: String(error) });
    }
  }
}
