/** Sends batches to one node and waits until it has kept them. */
import { xxh3Low32 } from "../../../../core/crypto/mod.ts";
import type { EndReceiving, MeshLink, SendStream } from "../../../../core/transport/mod.ts";
import { idToHex, NetError, utf8 } from "../../../../base/mod.ts";
import { BusError } from "../../error.ts";
import type { Batch } from "../../types.ts";
import { PARCEL_BYTES, WINDOW_BYTES } from "./limits.ts";
import {
  decodeFeedMessage,
  encodeFeedMessage,
  encodeParcel,
  encodePieces,
  EVENT_OVERHEAD,
  type FeedMessage,
} from "./messages.ts";

/** Streams of a bus: one for events and questions, one for answers. */
export interface FeedStreams {
  readonly events: bigint;
  readonly answers: bigint;
}

/** "bus" in front of two bytes of the name's hash: no stream that others give a meaning (`wire.md` 7.1). */
const STREAM_BASE = 0x0000_6275_7300_0000n;

/** The streams of a bus of this name. */
export function feedStreams(name: string): FeedStreams {
  const events = STREAM_BASE | BigInt(xxh3Low32(utf8(name)) & 0xffff) << 1n;
  return { events, answers: events | 1n };
}

interface Waiter {
  /** The answer that is waited for is at least this; of a flush its token. */
  readonly sequence: bigint;
  readonly producerNonce: bigint;
  readonly settle: (error: BusError | undefined) => void;
}

/** The part of the transport that a sender uses. */
export type SenderLink = Pick<
  MeshLink,
  "nodeId" | "connectedPeers" | "openSendStream" | "openReceiveStream"
>;

/** One direction to one peer. */
export class FeedSender {
  readonly #link: SenderLink;
  readonly #peer: bigint;
  readonly #streams: FeedStreams;
  readonly #reach: ((peer: bigint, signal: AbortSignal) => Promise<void>) | undefined;
  #stream: SendStream | undefined;
  #endAnswers: EndReceiving = () => {};
  /** Who waits, by shard; a shard has one batch on its way. */
  readonly #batches = new Map<number, Waiter>();
  readonly #flushes = new Map<bigint, Waiter>();
  #token = 0n;
  #isStopped = false;
  /** The peer has kept something since its last flush. */
  #isUnsafe = false;

  constructor(
    link: SenderLink,
    peer: bigint,
    streams: FeedStreams,
    reach?: (peer: bigint, signal: AbortSignal) => Promise<void>,
  ) {
    this.#link = link;
    this.#peer = peer;
    this.#streams = streams;
    this.#reach = reach;
  }

  /** True when there is a session with the peer. */
  get isConnected(): boolean {
    return this.#link.connectedPeers().includes(this.#peer);
  }

  /**
   * Resolves when the peer has kept all of the batch. One parcel is on its way at a time: were one refused and the
   * next one kept, the first would be taken for a repeat when it comes again.
   *
   * @throws BusError `transient`, or what the peer says.
   */
  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const { events } = batch;
    for (let from = 0; from < events.length;) {
      const to = parcelEnd(events, from);
      await this.#sendParcel(batch, from, to, signal);
      from = to;
    }
  }

  /** Resolves when what the peer has kept is as safe as it can make it. */
  async flush(signal: AbortSignal): Promise<void> {
    if (!this.#isUnsafe) return;
    const stream = await this.#open(signal);
    this.#isUnsafe = false;
    const token = ++this.#token;
    const flushed = this.#wait(
      this.#flushes,
      token,
      { sequence: token, producerNonce: 0n },
      signal,
    );
    try {
      await this.#put(stream, encodeFeedMessage({ kind: "flush", token }), signal);
    } catch (error) {
      this.#flushes.get(token)?.settle(asBusError(error));
    }
    try {
      await flushed;
    } catch (error) {
      this.#isUnsafe = true;
      throw error;
    }
  }

  async #sendParcel(batch: Batch, from: number, to: number, signal: AbortSignal): Promise<void> {
    const { shard, events, producerNonce, sequenceStart } = batch;
    const stream = await this.#open(signal);
    const end = sequenceStart + BigInt(to);
    const kept = this.#wait(this.#batches, shard, { sequence: end, producerNonce }, signal);
    const key = { shard, producerNonce, sequence: sequenceStart + BigInt(from) };
    try {
      for (const piece of encodePieces(key, encodeParcel(events, from, to))) {
        await this.#put(stream, piece, signal);
      }
    } catch (error) {
      // What waits for the answer fails with it, or has failed already.
      this.#batches.get(shard)?.settle(asBusError(error));
    }
    await kept;
    this.#isUnsafe = true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#endAnswers();
    this.#stream?.abort();
    this.#stream = undefined;
    this.#failAll(stopped());
  }

  async #open(signal: AbortSignal): Promise<SendStream> {
    if (this.#stream !== undefined) return this.#stream;
    try {
      if (!this.isConnected) await this.#reach?.(this.#peer, signal);
      signal.throwIfAborted();
      if (this.#isStopped) throw stopped();
      // Another shard may have opened it meanwhile.
      if (this.#stream !== undefined) return this.#stream;
      const stream = this.#link.openSendStream(this.#peer, this.#streams.events, {
        windowBytes: WINDOW_BYTES,
        isKept: true,
        onEnd: (reason) => this.#lose(stream, reason),
      });
      this.#stream = stream;
      this.#endAnswers = this.#link.openReceiveStream(this.#peer, this.#streams.answers, {
        onEvent: (_sequence, payload) => this.#answer(decodeFeedMessage(payload)),
        onEnd: (reason) => this.#lose(stream, reason),
      }, { isOrdered: true, isKept: true });
      return stream;
    } catch (error) {
      throw asBusError(error);
    }
  }

  async #put(stream: SendStream, message: Uint8Array, signal: AbortSignal): Promise<void> {
    while (!stream.trySend(message)) await stream.ready({ signal });
  }

  #answer(message: FeedMessage | undefined): void {
    if (message?.kind === "flushed") this.#flushes.get(message.token)?.settle(undefined);
    if (message?.kind !== "kept" && message?.kind !== "refused") return;
    const waiter = this.#batches.get(message.shard);
    if (waiter === undefined || waiter.producerNonce !== message.producerNonce) return;
    if (message.kind === "kept") {
      if (message.sequence >= waiter.sequence) waiter.settle(undefined);
      return;
    }
    waiter.settle(this.#refusal(message));
  }

  #refusal({ refusal, reason }: Extract<FeedMessage, { kind: "refused" }>): BusError {
    const why = `Cannot keep events at node ${idToHex(this.#peer)}: ${reason}`;
    if (refusal !== "not_allowed") {
      return new BusError(refusal === "for_now" ? "transient" : "fatal", why);
    }
    const next = `allow it there: net node start --bus-accept ${idToHex(this.#link.nodeId)}`;
    return new BusError("not_allowed", why, { next });
  }

  #lose(stream: SendStream, reason: string): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#endAnswers();
    stream.abort();
    this.#failAll(new BusError("transient", `Cannot send to peer: the stream ended: ${reason}`));
  }

  #failAll(error: BusError): void {
    for (const waiter of [...this.#batches.values(), ...this.#flushes.values()]) {
      waiter.settle(error);
    }
  }

  #wait<Key>(
    waiters: Map<Key, Waiter>,
    key: Key,
    what: Pick<Waiter, "sequence" | "producerNonce">,
    signal: AbortSignal,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => waiter.settle(asBusError(signal.reason));
    const waiter: Waiter = {
      ...what,
      settle: (error) => {
        signal.removeEventListener("abort", onAbort);
        if (waiters.get(key) === waiter) waiters.delete(key);
        if (error === undefined) resolve();
        else reject(error);
      },
    };
    waiters.get(key)?.settle(new BusError("transient", "Cannot send to peer: it was tried again"));
    waiters.set(key, waiter);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.catch(() => {});
    return promise;
  }
}

/** Index behind the last event of a parcel that begins with `from`. */
function parcelEnd(events: Batch["events"], from: number): number {
  let bytes = 0;
  let to = from;
  for (; to < events.length; to++) {
    bytes += EVENT_OVERHEAD + (events[to]?.raw.length ?? 0);
    if (bytes > PARCEL_BYTES && to > from) break;
  }
  return to;
}

function stopped(): BusError {
  return new BusError("shutting_down", "Cannot send to peer: the adapter was stopped");
}

function asBusError(error: unknown): BusError {
  if (error instanceof BusError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const next = error instanceof NetError ? error.next : undefined;
  return new BusError("transient", `Cannot send to peer: ${message}`, { cause: error, next });
}
