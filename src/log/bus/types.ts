/**
 * The event bus as its users see it: events go into sharded rings, leave in batches to an adapter, and are
 * polled back with cursors and filters (`storage.md` 2).
 */
import type { FilterValue } from "./json.ts";

/** What happens when a ring is full. */
export type BackpressureMode =
  /** The newest is refused with `backpressure`. */
  | { readonly kind: "drop-newest" }
  /** The oldest goes, and is counted as dropped. */
  | { readonly kind: "drop-oldest" }
  /** As `drop-newest`, for those who want every refusal to be an error of theirs. */
  | { readonly kind: "fail-producer" }
  /** One of `rate` events is taken from three quarters full on; the others are refused with `sampled`. */
  | { readonly kind: "sample"; readonly rate: number };

/** How events are gathered into batches. */
export interface BatchConfig {
  readonly eventsMin: number;
  readonly eventsMax: number;
  readonly delayMaxMs: number;
  readonly isAdaptive: boolean;
  readonly velocityWindowMs: number;
}

/** An event as an adapter gives it back. */
export interface StoredEvent {
  /** The adapter's own: `ms-seq`, decimal, or text. */
  readonly id: string;
  /** The event's bytes as they came. */
  readonly raw: Uint8Array;
  /** Nanoseconds on the shard's clock, strictly increasing per shard. */
  readonly insertionTs: bigint;
  readonly shard: number;
  readonly dedupId?: string;
}

/** Events that leave together. */
export interface Batch {
  readonly shard: number;
  readonly events: readonly { readonly raw: Uint8Array; readonly insertionTs: bigint }[];
  /** Number of the first event; without gaps per shard and producer. */
  readonly sequenceStart: bigint;
  /** Who produced it, over restarts: with shard, number and place it names an event for good. */
  readonly producerNonce: bigint;
}

/** What a shard has behind a cursor. */
export interface ShardPoll {
  readonly events: readonly StoredEvent[];
  /** Id of the last event looked at; `undefined` when there was none. */
  readonly nextId: string | undefined;
  readonly hasMore: boolean;
  /** Events right behind the cursor that are gone, by retention or damage; none when left out. */
  readonly missed?: bigint;
}

/** How far another node's bus got here. */
export interface FedMark {
  /** The node that the events came from. */
  readonly source: bigint;
  readonly producerNonce: bigint;
  readonly shard: number;
  /** Number of the event that comes next. */
  readonly next: bigint;
}

/**
 * An engine that keeps batches. Errors are {@linkcode BusError}s: `transient` and `backpressure` are tried again,
 * others drop the batch. Secrets of its address are in no error and no log.
 */
export interface BusAdapter {
  readonly name: string;
  /** Bytes of the largest event it takes; the bus takes no larger ones in. */
  readonly eventBytesMax?: number;
  /** Connects; an adapter that was shut down may be started again. */
  start(): Promise<void>;
  /** Resolves when the engine has acknowledged all of it. Repeats of a batch are told by its dedup ids. */
  write(batch: Batch, signal: AbortSignal): Promise<void>;
  /**
   * As `write`, without waiting, for an engine that can: a producer that does not let go of the event loop does not
   * fill the rings then. False, or an error, has the batch handed to `write`.
   */
  writeNow?(batch: Batch): boolean;
  /**
   * As `write`, for a batch of another node's bus, with a mark of how far that bus got that is there after a crash
   * if the batch is, and not otherwise. An engine without it tells repeats by its dedup ids, or not at all.
   */
  writeFed?(batch: Batch, source: bigint, signal: AbortSignal): Promise<void>;
  /** The marks, as they were when the engine was started. */
  fedMarks?(signal: AbortSignal): Promise<readonly FedMark[]>;
  poll(
    shard: number,
    fromId: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<ShardPoll>;
  /** Resolves when what was written is as safe as the engine makes it. */
  flush(signal: AbortSignal): Promise<void>;
  /** Ends connections; idempotent. Later calls fail with `fatal`. */
  stop(): Promise<void>;
  isHealthy(signal: AbortSignal): Promise<boolean>;
  /** Shards it keeps events of, if it can tell: a poll of all shards asks these too. */
  shards?(signal: AbortSignal): Promise<readonly number[]>;
  /** Greatest `insertionTs` it keeps of a shard, if it can tell: the shard's clock goes on behind it. */
  lastInsertionTs?(shard: number, signal: AbortSignal): Promise<bigint | undefined>;
}

/** An exact match, or a combination (`storage.md` 2.5). */
export type BusFilter =
  | { readonly kind: "eq"; readonly path: string; readonly value: FilterValue }
  | { readonly kind: "and" | "or"; readonly filters: readonly BusFilter[] }
  | { readonly kind: "not"; readonly filter: BusFilter }
  /** Ours, and only in the text form: the reference's JSON has no word for it. */
  | {
    readonly kind: "compare";
    readonly path: string;
    readonly operator: FilterOperator;
    readonly value: number | string;
  }
  /** Ours, as `compare`: the path leads somewhere. */
  | { readonly kind: "exists"; readonly path: string };

/** How two numbers, or two texts, are compared; `*=` asks whether the text holds the other. */
export type FilterOperator = "<" | "<=" | ">" | ">=" | "==" | "*=";

/** What is wanted of a poll. */
export interface PollRequest {
  /** Cursor of the poll before; from the oldest when left out. */
  readonly fromId?: string;
  readonly limit: number;
  readonly filter?: BusFilter;
  readonly ordering?: "none" | "insertion_ts";
  /** All when left out. */
  readonly shards?: readonly number[];
}

/** Outcome of a poll. */
export interface PollResponse {
  readonly events: readonly StoredEvent[];
  /** Cursor to go on with; `undefined` when there is nothing to remember. */
  readonly nextId: string | undefined;
  readonly hasMore: boolean;
  readonly isCutAtShardCap: boolean;
  /** Shards whose cursor did not move although they have more. */
  readonly stalledShards: readonly number[];
  readonly failedShards: readonly {
    readonly shard: number;
    readonly error: string;
    /** An event that cannot be read: {@linkcode skipEvent} makes a cursor that goes on behind it. */
    readonly damagedId?: string;
  }[];
  /** Shards that have lost events behind the cursor, and how many; reported once, with the cursor moved over them. */
  readonly missed: readonly { readonly shard: number; readonly events: bigint }[];
}

/** Life of a shard: it takes events while it is active, and hands over what it has while it drains. */
export type ShardState = "provisioning" | "active" | "draining" | "stopped";

/** Counts since the start; at every moment ingested = dispatched + dropped + what is still in rings and batches. */
export interface BusStats {
  readonly ingested: bigint;
  /** Taken and lost: evicted, refused by the adapter, or left over at a shutdown. */
  readonly dropped: bigint;
  readonly dispatched: bigint;
  readonly batches: bigint;
  /** Never taken: the ring was full. */
  readonly refused: bigint;
  /** Never taken: no shard was there for them. */
  readonly unrouted: bigint;
  /** Never taken: thinned out. */
  readonly sampled: bigint;
  /** Something was still there when the bus ended. */
  readonly wasLossy: boolean;
  readonly shards: readonly {
    readonly shard: number;
    readonly state: ShardState;
    readonly ingested: bigint;
    readonly dropped: bigint;
    readonly waiting: number;
    readonly batchTarget: number;
  }[];
}

/** Where an event went. */
export interface Ingested {
  readonly shard: number;
  readonly insertionTs: bigint;
}

/** The bus. */
export interface EventBus extends AsyncDisposable {
  readonly shardCount: number;
  /** @throws BusError `backpressure`, `sampled`, `unrouted`, `shutting_down`, `serialization`. */
  ingest(event: unknown): Ingested;
  /** Takes any bytes. */
  ingestRaw(raw: Uint8Array): Ingested;
  /** How many were taken. */
  ingestBatch(events: readonly unknown[]): number;
  ingestRawBatch(events: readonly Uint8Array[]): number;
  /** Lets the caller choose the shard by a hash of its own (0..2^64-1); false when not taken. */
  pushWithHash(raw: Uint8Array, hash: bigint): boolean;
  /** @throws BusError `cursor`, `filter`, `fatal`, `transient`. */
  poll(request: PollRequest, signal?: AbortSignal): Promise<PollResponse>;
  /**
   * Resolves when all that was taken before the call was handed to the adapter and flushed there; later events
   * neither delay nor satisfy it.
   *
   * @throws BusError `transient` when that takes too long (5 s and the time of the batches), the adapter's error
   * when it refused some of them or could not flush.
   */
  flush(): Promise<void>;
  /**
   * Takes nothing more, hands over what is left within 10 s, counts as dropped what was not, and ends the adapter.
   *
   * @throws BusError the adapter's error when its last flush or its stop failed; all is ended then too.
   */
  shutdown(): Promise<void>;
  /** Ends at once: what was not handed over is lost and counted as dropped. The adapter is stopped behind it. */
  abandon(): void;
  stats(): BusStats;
  /** Adds shards at once; the new number of them. @throws BusError `config` beyond the policy's most. */
  scaleUp(shards: number): number;
  /**
   * Drains shards, and waits 2 s at most until they are gone; the number of those that go on taking events.
   *
   * @throws BusError `config` below the policy's least.
   */
  scaleDown(shards: number): Promise<number>;
}
