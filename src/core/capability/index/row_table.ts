/**
 * Entries of the index by slot, as columns (`capabilities.md` 12: an entry is a node in a class).
 *
 * Slots are used again. When a slot got its entry is kept beside it, so that an answer given before can
 * tell that its node is gone.
 */
import { PairMap } from "../../../base/mod.ts";
import type { CapabilitySet } from "../capability_set.ts";
import type { Term } from "./dictionary.ts";
import type { HardwareFacts } from "./traits.ts";

/** What is kept of an entry beside the columns. */
export interface Row {
  readonly capabilities: CapabilitySet;
  /** Of the tags, then of the metadata, each in the order of the set. */
  readonly terms: readonly Term[];
  /** As they were stated; `undefined` when the tags tell. */
  readonly hardware: HardwareFacts | undefined;
  readonly region: string | undefined;
}

const CAPACITY_MIN = 64;
const NONE = -1;

/** The columns. */
export class RowTable {
  readonly rows: (Row | undefined)[] = [];
  readonly regions: (string | undefined)[] = [];
  nodeIds = new BigUint64Array(CAPACITY_MIN);
  /** The same memory as {@linkcode RowTable.nodeIds}: low half, then high half. */
  nodeHalves = new Uint32Array(this.nodeIds.buffer);
  classHashes = new BigUint64Array(CAPACITY_MIN);
  /** Index version at which the slot got its node; infinite while it is free. */
  assignedAt = new Float64Array(CAPACITY_MIN).fill(Infinity);
  /** Index in `NODE_STATES`. */
  states = new Uint8Array(CAPACITY_MIN);
  /** One more than the index of the vendor, 0 without a GPU. */
  gpuVendors = new Uint8Array(CAPACITY_MIN);
  memoryGb = new Float64Array(CAPACITY_MIN);
  vramGb = new Float64Array(CAPACITY_MIN);
  tokensPerSecond = new Float64Array(CAPACITY_MIN);
  loadedShare = new Float64Array(CAPACITY_MIN);
  contextLength = new Float64Array(CAPACITY_MIN);
  modalities = new Uint8Array(CAPACITY_MIN);
  /** Next entry of the same node. */
  #next = new Int32Array(CAPACITY_MIN).fill(NONE);
  /** First entry of each node. */
  readonly #first = new PairMap<number>();
  /** An id, and the same memory as two halves: no numbers are made on the way. */
  readonly #whole = new BigUint64Array(1);
  readonly #halves = new Uint32Array(this.#whole.buffer);
  readonly #free: number[] = [];
  #used = 0;
  #size = 0;

  /** Entries. */
  get size(): number {
    return this.#size;
  }

  /** Nodes with at least one entry. */
  get nodes(): number {
    return this.#first.size;
  }

  /** Slots there is room for. */
  get capacity(): number {
    return this.states.length;
  }

  /** Slot of an entry. */
  find(nodeId: bigint, classHash: bigint): number | undefined {
    for (let slot = this.#firstOf(nodeId); slot !== NONE; slot = this.#next[slot] ?? NONE) {
      if (this.classHashes[slot] === classHash) return slot;
    }
    return undefined;
  }

  /** Slots of all entries of a node. */
  slotsOf(nodeId: bigint): readonly number[] {
    const slots: number[] = [];
    for (let slot = this.#firstOf(nodeId); slot !== NONE; slot = this.#next[slot] ?? NONE) {
      slots.push(slot);
    }
    return slots;
  }

  /** True when a node has more than one entry. */
  get hasSharedNodes(): boolean {
    return this.#size > this.#first.size;
  }

  /** A slot for a new entry. */
  assign(nodeId: bigint, classHash: bigint, version: number): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.capacity) this.#grow();
    this.#size += 1;
    this.nodeIds[slot] = nodeId;
    this.classHashes[slot] = classHash;
    this.assignedAt[slot] = version;
    this.#next[slot] = this.#firstOf(nodeId);
    this.#first.set(this.#halves[0] ?? 0, this.#halves[1] ?? 0, slot);
    return slot;
  }

  /** Frees the slot of an entry. */
  release(slot: number): void {
    const nodeId = this.nodeIds[slot] ?? 0n;
    const next = this.#next[slot] ?? NONE;
    const first = this.#firstOf(nodeId);
    const [low = 0, high = 0] = this.#halves;
    if (first !== slot) {
      let before = first;
      while (this.#next[before] !== slot) before = this.#next[before] ?? NONE;
      this.#next[before] = next;
    } else if (next === NONE) this.#first.delete(low, high);
    else this.#first.set(low, high, next);
    this.rows[slot] = undefined;
    this.regions[slot] = undefined;
    this.assignedAt[slot] = Infinity;
    this.#free.push(slot);
    this.#size -= 1;
  }

  /** First slot of a node; leaves the id in the halves. */
  #firstOf(nodeId: bigint): number {
    this.#whole[0] = nodeId;
    return this.#first.get(this.#halves[0] ?? 0, this.#halves[1] ?? 0) ?? NONE;
  }

  #grow(): void {
    const capacity = 2 * this.capacity;
    this.nodeIds = grown(this.nodeIds, new BigUint64Array(capacity));
    this.nodeHalves = new Uint32Array(this.nodeIds.buffer);
    this.classHashes = grown(this.classHashes, new BigUint64Array(capacity));
    this.assignedAt = grown(this.assignedAt, new Float64Array(capacity).fill(Infinity));
    this.states = grown(this.states, new Uint8Array(capacity));
    this.gpuVendors = grown(this.gpuVendors, new Uint8Array(capacity));
    this.memoryGb = grown(this.memoryGb, new Float64Array(capacity));
    this.vramGb = grown(this.vramGb, new Float64Array(capacity));
    this.tokensPerSecond = grown(this.tokensPerSecond, new Float64Array(capacity));
    this.loadedShare = grown(this.loadedShare, new Float64Array(capacity));
    this.contextLength = grown(this.contextLength, new Float64Array(capacity));
    this.modalities = grown(this.modalities, new Uint8Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity).fill(NONE));
  }
}

function grown<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
