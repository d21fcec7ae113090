/** Takes batches from one node and keeps them in an adapter, each event once. */
import type { Log } from "../../../../observe/mod.ts";
import type { AcceptedStream, EndReceiving, SendStream } from "../../../../core/transport/mod.ts";
import { toBusError } from "../../dispatch.ts";
import type { Batch, BusAdapter } from "../../types.ts";
import type { FeedMarks } from "./feed_marks.ts";
import type { FeedStreams, SenderLink } from "./feed_sender.ts";
import { HELD_BYTES_IN_ALL_MAX, HELD_BYTES_MAX, WINDOW_BYTES } from "./limits.ts";
import {
  decodeFeedMessage,
  decodeParcel,
  encodeFeedMessage,
  type FeedMessage,
  type ParcelKey,
  type Refusal,
} from "./messages.ts";

/** What a receiver needs. */
export interface FeedReceiverDeps {
  readonly link: SenderLink;
  readonly streams: FeedStreams;
  /** Keeps the events. */
  readonly inner: BusAdapter;
  readonly log: Log;
  /** Shared by all receivers of an adapter. */
  readonly sums: FeedSums;
}

/** What the receivers of an adapter share. */
export interface FeedSums {
  readonly counters: FeedCounters;
  readonly marks: FeedMarks;
  /** Bytes of parcels that are not kept yet. */
  heldBytes: number;
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
  /** Batches of nodes that may not feed this one. */
  notAllowed: number;
}

/** The counters of one node. */
export type SourceCounters = Pick<FeedCounters, "events" | "repeats" | "gaps" | "refused">;

interface Assembly {
  readonly key: ParcelKey;
  readonly bytes: Uint8Array;
  filled: number;
}

/** One direction from one peer. */
export class FeedReceiver {
  readonly counters: SourceCounters = { events: 0, repeats: 0, gaps: 0, refused: 0 };
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

  /** True while there is a stream of the peer's. */
  get isListening(): boolean {
    return this.#end !== undefined;
  }

  /** Listens on the session that there is; for what came before anybody asked. */
  listen(): void {
    const { link, streams } = this.#deps;
    const { handler, options, begin } = this.#stream();
    begin(link.openReceiveStream(this.#peer, streams.events, handler, options));
  }

  /** How a stream is taken that the peer begins. */
  accept(): AcceptedStream {
    const { handler, options, begin } = this.#stream();
    return { handler, options, attach: ({ end }) => begin(end) };
  }

  /** A stream of the peer's; the end of one that another has taken the place of is no end of that. */
  #stream() {
    let own: EndReceiving | undefined;
    let isEnded = false;
    return {
      handler: {
        onEvent: (_sequence: number, payload: Uint8Array) => this.#take(payload),
        onEnd: () => {
          isEnded = true;
          if (own !== undefined && this.#end === own) this.#forget();
        },
      },
      options: { windowBytes: WINDOW_BYTES, isOrdered: true, isKept: true },
      begin: (end: EndReceiving) => {
        if (isEnded) return;
        this.#forget();
        own = this.#end = end;
      },
    };
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
    for (const shard of [...this.#assemblies.keys()]) this.#drop(shard);
  }

  #take(payload: Uint8Array): void {
    const message = decodeFeedMessage(payload);
    if (message?.kind === "piece") this.#assemble(message);
    else if (message?.kind === "flush") this.#queue(() => this.#flush(message.token));
    else this.#deps.sums.counters.malformed += 1;
  }

  #assemble(piece: Extract<FeedMessage, { kind: "piece" }>): void {
    const { shard, producerNonce, sequence, total, offset } = piece;
    if (offset === 0) {
      this.#drop(shard);
      const isFull = this.#held + total > HELD_BYTES_MAX ||
        this.#deps.sums.heldBytes + total > HELD_BYTES_IN_ALL_MAX;
      if (isFull) return this.#refuse(piece, "for_now", "it is busy");
      this.#hold(total);
      const key = { shard, producerNonce, sequence };
      this.#assemblies.set(shard, { key, bytes: new Uint8Array(total), filled: 0 });
    }
    const assembly = this.#assemblies.get(shard);
    // The first piece was refused, or another parcel took its place.
    if (assembly?.key.sequence !== sequence || assembly.key.producerNonce !== producerNonce) return;
    if (assembly.filled !== offset || assembly.bytes.length !== total) {
      this.#deps.sums.counters.malformed += 1;
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
    this.#hold(-assembly.bytes.length);
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    this.#deps.sums.heldBytes += bytes;
  }

  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => {
      this.#deps.log.warn("bus_feed_failed", { error: String(error) });
    });
  }

  async #keep({ key, bytes }: Assembly): Promise<void> {
    const { inner, sums } = this.#deps;
    this.#hold(-bytes.length);
    const events = decodeParcel(bytes);
    if (events === undefined) {
      sums.counters.malformed += 1;
      return this.#refuse(key, "for_good", "it can't be read");
    }
    const batch = this.#withoutRepeats(key, events);
    const end = key.sequence + BigInt(events.length);
    if (batch !== undefined) {
      const { signal } = this.#abort;
      try {
        await (inner.writeFed?.(batch, this.#peer, signal) ?? inner.write(batch, signal));
      } catch (thrown) {
        const error = toBusError(thrown, "Cannot keep events");
        this.#count("refused", 1);
        return this.#refuse(key, error.isRetryable ? "for_now" : "for_good", error.message);
      }
      this.#count("events", batch.events.length);
      sums.marks.set({ source: this.#peer, ...key, next: end });
    }
    await this.#say(encodeFeedMessage({ kind: "kept", ...key, sequence: end }));
  }

  /** What of it is new; `undefined` when nothing is. */
  #withoutRepeats({ shard, producerNonce, sequence }: ParcelKey, events: Batch["events"]) {
    const next = this.#deps.sums.marks.next(this.#peer, producerNonce, shard);
    const known = next === undefined || next <= sequence ? 0 : Number(next - sequence);
    if (next !== undefined && next < sequence) this.#count("gaps", Number(sequence - next));
    this.#count("repeats", Math.min(known, events.length));
    if (known >= events.length) return undefined;
    const sequenceStart = sequence + BigInt(known);
    return { shard, producerNonce, sequenceStart, events: events.slice(known) };
  }

  #count(what: keyof SourceCounters, amount: number): void {
    this.counters[what] += amount;
    this.#deps.sums.counters[what] += amount;
  }

  async #flush(token: bigint): Promise<void> {
    await this.#deps.inner.flush(this.#abort.signal);
    await this.#say(encodeFeedMessage({ kind: "flushed", token }));
  }

  #refuse({ shard, producerNonce, sequence }: ParcelKey, refusal: Refusal, reason: string) {
    const message = { kind: "refused", shard, producerNonce, sequence, refusal, reason } as const;
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
