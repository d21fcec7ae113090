/**
 * When a blob counts as stored, and the receipt of it (`dataforts.md` 9): at once, when every chunk is synced
 * on this disk, or when so many peers hold every chunk too. One call, one receipt, which says what was really
 * reached and not what was asked for.
 *
 * Pure: events go in, actions come out; the caller stores, syncs, asks peers and keeps the time.
 */
import { NetError } from "../../base/mod.ts";
import { RECEIPT_CHUNKS_MAX, RECEIPT_HOLDERS_MAX } from "./limits.ts";

/** What counts as done. */
export type DurabilityTier =
  /** Stored; what the operating system lost in a crash is lost. */
  | { readonly kind: "best_effort" }
  /** Every chunk synced on this disk. */
  | { readonly kind: "durable_on_local" }
  /** That, and each chunk held by so many peers; this node does not count. */
  | { readonly kind: "replicated_to"; readonly peers: number };

/** What happened. */
export type DurabilityEvent =
  | { readonly kind: "stored" | "synced"; readonly chunk: string }
  /** A peer said after its own sync that it holds the chunk. */
  | { readonly kind: "held" | "lost"; readonly chunk: string; readonly nodeId: bigint }
  | { readonly kind: "tick" };

/** What is to be done now. */
export type DurabilityAction =
  | { readonly kind: "sync"; readonly chunk: string }
  /** So many more peers shall take it; not those that have it. */
  | {
    readonly kind: "replicate";
    readonly chunk: string;
    readonly missing: number;
    readonly holders: readonly bigint[];
  }
  /** The tier is reached: publish, answer, done. Given once. */
  | { readonly kind: "done"; readonly receipt: DurabilityReceipt }
  /** Time is over: the bytes stay, nothing is published. Given once. */
  | { readonly kind: "failed"; readonly error: NetError; readonly receipt: DurabilityReceipt };

/** What was reached. */
export interface DurabilityReceipt {
  readonly tier: DurabilityTier;
  readonly isReached: boolean;
  readonly chunks: number;
  readonly chunksStored: number;
  readonly chunksSynced: number;
  /** Peers that hold the chunk with the fewest holders. */
  readonly copiesMin: number;
  /** Peers that hold all of it, by id. */
  readonly holders: readonly bigint[];
  readonly elapsedMs: number;
}

interface ChunkState {
  isStored: boolean;
  isSynced: boolean;
  /** A peer that lost the chunk again is asked for anew. */
  isReplicating: boolean;
  readonly holders: Set<bigint>;
}

/**
 * Follows one blob to its tier.
 *
 * @example
 * ```ts
 * import { DurabilityWatch } from "./durability.ts";
 * const watch = new DurabilityWatch({ kind: "durable_on_local" }, ["ab"], 0, 30_000);
 * console.assert(watch.step({ kind: "stored", chunk: "ab" }, 1)[0]?.kind === "sync");
 * console.assert(watch.step({ kind: "synced", chunk: "ab" }, 2)[0]?.kind === "done");
 * ```
 */
export class DurabilityWatch {
  readonly #tier: DurabilityTier;
  readonly #chunks = new Map<string, ChunkState>();
  readonly #startMs: number;
  readonly #deadlineMs: number;
  #isOver = false;
  /** Chunks that do not meet the tier yet. */
  #open: number;

  /**
   * @param chunks Every chunk and node of the blob, by name.
   * @param waitMs Time until it is given up.
   * @throws RangeError for more chunks than a receipt waits for, none, or a number of peers outside 1 to 255.
   */
  constructor(tier: DurabilityTier, chunks: Iterable<string>, nowMs: number, waitMs: number) {
    for (const chunk of chunks) {
      this.#chunks.set(chunk, {
        isStored: false,
        isSynced: false,
        isReplicating: false,
        holders: new Set(),
      });
    }
    const { size } = this.#chunks;
    if (size === 0 || size > RECEIPT_CHUNKS_MAX) {
      throw new RangeError(`Cannot wait for ${size} chunks: must be 1..${RECEIPT_CHUNKS_MAX}`);
    }
    const peers = tier.kind === "replicated_to" ? tier.peers : 1;
    if (!Number.isInteger(peers) || peers < 1 || peers > RECEIPT_HOLDERS_MAX) {
      throw new RangeError(`Cannot wait for ${peers} peers: must be 1..${RECEIPT_HOLDERS_MAX}`);
    }
    this.#tier = tier;
    this.#open = size;
    this.#startMs = nowMs;
    this.#deadlineMs = nowMs + waitMs;
  }

  /** True once it was reached or given up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What is reached now. */
  receipt(nowMs: number): DurabilityReceipt {
    const states = [...this.#chunks.values()];
    const [first] = states;
    const holders = [...first?.holders ?? []]
      .filter((nodeId) => states.every((state) => state.holders.has(nodeId)));
    return {
      tier: this.#tier,
      isReached: this.#open === 0,
      chunks: states.length,
      chunksStored: states.filter(({ isStored }) => isStored).length,
      chunksSynced: states.filter(({ isSynced }) => isSynced).length,
      copiesMin: states.reduce((least, { holders }) => Math.min(least, holders.size), Infinity),
      holders: holders.sort((a, b) => a < b ? -1 : 1),
      elapsedMs: nowMs - this.#startMs,
    };
  }

  /** Takes an event in; events of other chunks, and those that come too late, do nothing. */
  step(event: DurabilityEvent, nowMs: number): DurabilityAction[] {
    if (this.#isOver) return [];
    const actions = event.kind === "tick" ? [] : this.#apply(event);
    if (this.#open === 0) {
      this.#isOver = true;
      return [...actions, { kind: "done", receipt: this.receipt(nowMs) }];
    }
    if (nowMs < this.#deadlineMs) return actions;
    this.#isOver = true;
    const receipt = this.receipt(nowMs);
    return [{ kind: "failed", error: timeoutError(receipt), receipt }];
  }

  #apply(event: Exclude<DurabilityEvent, { readonly kind: "tick" }>): DurabilityAction[] {
    const { chunk } = event;
    const state = this.#chunks.get(chunk);
    if (state === undefined) return [];
    const wasMet = this.#isMet(state);
    const actions: DurabilityAction[] = [];
    const wants = this.#tier.kind === "replicated_to" ? this.#tier.peers : 0;
    switch (event.kind) {
      case "stored":
        if (!state.isStored && this.#tier.kind !== "best_effort") {
          actions.push({ kind: "sync", chunk });
        }
        state.isStored = true;
        break;
      case "synced":
        state.isStored = state.isSynced = true;
        break;
      case "held":
        if (state.holders.size < RECEIPT_HOLDERS_MAX) state.holders.add(event.nodeId);
        break;
      case "lost":
        state.isReplicating &&= !state.holders.delete(event.nodeId);
        break;
    }
    // Peers are asked after the sync here: what they fetch is then sure to be still there.
    const missing = wants - state.holders.size;
    if (state.isSynced && missing > 0 && !state.isReplicating) {
      state.isReplicating = true;
      const holders = [...state.holders];
      actions.push({ kind: "replicate", chunk, missing, holders });
    }
    this.#open += Number(wasMet) - Number(this.#isMet(state));
    return actions;
  }

  #isMet({ isStored, isSynced, holders }: ChunkState): boolean {
    if (this.#tier.kind === "best_effort") return isStored;
    if (this.#tier.kind === "durable_on_local") return isSynced;
    return isSynced && holders.size >= this.#tier.peers;
  }
}

function timeoutError(receipt: DurabilityReceipt): NetError {
  const { tier, chunks, chunksStored, chunksSynced, copiesMin } = receipt;
  const reached = tier.kind === "replicated_to"
    ? `${copiesMin} of ${tier.peers} peers hold every chunk`
    : `${tier.kind === "best_effort" ? chunksStored : chunksSynced} of ${chunks} chunks are safe`;
  return new NetError("timeout", `Cannot store blob as durably as asked: ${reached}`, {
    next: "the bytes are kept here; connect to more nodes with storage, or ask for fewer copies",
    data: { tier: tier.kind, chunks, chunksStored, chunksSynced, copiesMin },
  });
}
