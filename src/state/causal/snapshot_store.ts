/**
 * The newest snapshot of each entity (`storage.md` 7.1), in memory.
 *
 * Of every entity the highest number ever stored is remembered, also once its snapshot was removed, so that an
 * old one that comes late does not take its place.
 */
import { toHex } from "../../base/mod.ts";
import { STORE_BYTES_MAX, STORE_ENTITIES_MAX, STORE_MARKS_MAX } from "./limits.ts";
import { type StateSnapshot, stateSnapshotBytes } from "./state_snapshot.ts";

/** Bounds of a store. */
export interface SnapshotStoreOptions {
  readonly entitiesMax?: number;
  readonly bytesMax?: number;
  readonly marksMax?: number;
}

/**
 * What became of a snapshot: `stale` when one as new or newer was stored before, `full` when there is no room for
 * it. Nothing changes then.
 */
export type StoreOutcome = "stored" | "stale" | "full";

/** Snapshots by entity. */
export class SnapshotStore {
  readonly #snapshots = new Map<string, StateSnapshot>();
  /** Those without a snapshot in the order in which they lost it. */
  readonly #marks = new Map<string, bigint>();
  readonly #options: Required<SnapshotStoreOptions>;
  #bytes = 0;
  #marksForgotten = 0;

  constructor(options: SnapshotStoreOptions = {}) {
    this.#options = {
      entitiesMax: options.entitiesMax ?? STORE_ENTITIES_MAX,
      bytesMax: options.bytesMax ?? STORE_BYTES_MAX,
      marksMax: options.marksMax ?? STORE_MARKS_MAX,
    };
  }

  get size(): number {
    return this.#snapshots.size;
  }

  /** Bytes of all snapshots, encoded. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Marks of removed snapshots that made room for others. */
  get marksForgotten(): number {
    return this.#marksForgotten;
  }

  /**
   * Stores a snapshot that is newer than all before it.
   *
   * @param snapshot Kept, not copied.
   */
  put(snapshot: StateSnapshot): StoreOutcome {
    const key = toHex(snapshot.entityId);
    const mark = this.#marks.get(key);
    if (mark !== undefined && snapshot.link.sequence <= mark) return "stale";
    const before = this.#snapshots.get(key);
    const bytes = this.#bytes - (before === undefined ? 0 : stateSnapshotBytes(before)) +
      stateSnapshotBytes(snapshot);
    const entities = this.#snapshots.size + (before === undefined ? 1 : 0);
    if (entities > this.#options.entitiesMax || bytes > this.#options.bytesMax) return "full";
    this.#snapshots.set(key, snapshot);
    this.#bytes = bytes;
    this.#setMark(key, snapshot.link.sequence);
    return "stored";
  }

  /** The newest snapshot of an entity. */
  get(entityId: Uint8Array): StateSnapshot | undefined {
    return this.#snapshots.get(toHex(entityId));
  }

  /** Highest number that was ever stored of an entity; `undefined` for none. */
  highestSequence(entityId: Uint8Array): bigint | undefined {
    return this.#marks.get(toHex(entityId));
  }

  /** Removes a snapshot; its mark stays. */
  remove(entityId: Uint8Array): StateSnapshot | undefined {
    const key = toHex(entityId);
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) return undefined;
    this.#snapshots.delete(key);
    this.#bytes -= stateSnapshotBytes(snapshot);
    this.#setMark(key, snapshot.link.sequence);
    return snapshot;
  }

  values(): IterableIterator<StateSnapshot> {
    return this.#snapshots.values();
  }

  #setMark(key: string, sequence: bigint): void {
    this.#marks.delete(key);
    this.#marks.set(key, sequence);
    // Marks of snapshots that are here stay: `entitiesMax` bounds them.
    if (this.#marks.size <= this.#options.marksMax + this.#snapshots.size) return;
    for (const oldest of this.#marks.keys()) {
      if (this.#snapshots.has(oldest)) continue;
      this.#marks.delete(oldest);
      this.#marksForgotten += 1;
      return;
    }
  }
}
