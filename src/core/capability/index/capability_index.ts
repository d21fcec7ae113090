/**
 * Who can do what: the index over the capabilities of all known nodes (`capabilities.md` 8, 12).
 *
 * Its owner feeds it with verified facts only, and takes away what expired; signatures, times to live and
 * the wire are not known here. Questions are functions beside it (`find.ts`, `composite.ts` and others),
 * answered from postings. A refresh that changes little costs little: only what differs is moved.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { NODE_STATES, type NodeState } from "../fold/membership.ts";
import { GPU_VENDORS } from "../views/hardware_view.ts";
import { INDEX_ROWS_MAX, INDEX_TERMS_MAX, MEMBER_TERMS_SHARE } from "./limits.ts";
import type { Term } from "./dictionary.ts";
import { IndexTables } from "./index_tables.ts";
import { Posting } from "./posting.ts";
import {
  gatherHardware,
  gatherModels,
  type HardwareFacts,
  NO_MODELS,
  type Trait,
} from "./traits.ts";

/** Class of what nodes announced. */
const ANNOUNCED = 0n;

/** What is known of a node, in one class. */
export interface NodeFacts {
  /** As it may be believed: ingested, not as it was announced. */
  readonly capabilities: CapabilitySet;
  /** Class of a fold entry; 0 when left out, as for announcements. */
  readonly classHash?: bigint;
  /** `idle` when left out. */
  readonly state?: NodeState;
  /** In place of the first that the tags `scope:region:…` tell; likewise the hardware. */
  readonly region?: string;
  readonly hardware?: HardwareFacts;
  /** From before a restart and not heard again since. */
  readonly isStale?: boolean;
}

/** One entry of the index. */
export interface IndexEntry {
  readonly nodeId: bigint;
  readonly classHash: bigint;
  readonly capabilities: CapabilitySet;
  readonly state: NodeState;
  readonly region: string | undefined;
  readonly hardware: HardwareFacts;
  readonly isStale: boolean;
}

/** Options of {@linkcode CapabilityIndex}. */
export interface CapabilityIndexOptions {
  /** Entries kept; 32768 when left out. */
  readonly rowsMax?: number;
  /** Distinct tags and metadata entries kept; 524288 when left out. */
  readonly termsMax?: number;
}

/** Figures of an index. */
export interface IndexCounters {
  readonly entries: number;
  readonly nodes: number;
  readonly stale: number;
  readonly terms: number;
  /** Entries not taken in for want of room. */
  readonly refused_total: number;
}

/**
 * The index.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * import { findNodes } from "./find.ts";
 * const index = new CapabilityIndex();
 * index.set(7n, { capabilities: createCapabilitySet(["software.os=linux"]) });
 * const found = findNodes(index, { requireTags: ["software.os:linux"] });
 * console.assert(found.ids().join() === "7");
 * ```
 */
export class CapabilityIndex {
  /** For the queries of this folder. */
  readonly tables = new IndexTables();
  readonly #rowsMax: number;
  readonly #termsMax: number;
  #refused = 0;
  /** Terms that came with other classes than that of announcements. */
  #memberTerms = 0;

  constructor(options: CapabilityIndexOptions = {}) {
    this.#rowsMax = options.rowsMax ?? INDEX_ROWS_MAX;
    this.#termsMax = options.termsMax ?? INDEX_TERMS_MAX;
  }

  /** Moves on everything that is set, marked or removed: what was derived from another version is old. */
  get version(): number {
    return this.tables.version;
  }

  /** Entries: nodes, counted once per class. */
  get size(): number {
    return this.tables.table.size;
  }

  /** What is in here. */
  get counters(): IndexCounters {
    const { table, stale, dictionary } = this.tables;
    return {
      entries: table.size,
      nodes: table.nodes,
      stale: stale.size,
      terms: dictionary.size,
      refused_total: this.#refused,
    };
  }

  /**
   * Takes in what is known of a node, in place of what was known. Half of the entries and most of the terms
   * are for announcements alone: whoever is a member of many classes keeps nobody out.
   *
   * @returns False when there is no room: nothing is known of the node in this class then.
   */
  set(nodeId: bigint, facts: NodeFacts): boolean {
    const { tables } = this;
    const { table } = tables;
    const { capabilities, classHash = ANNOUNCED } = facts;
    const known = table.find(nodeId, classHash);
    const isSame = known !== undefined && table.rows[known]?.capabilities === capabilities;
    const hasRow = known !== undefined || this.#hasRow(classHash);
    if (!hasRow || !(isSame || this.#hasTerms(capabilities, classHash))) {
      this.#refused += 1;
      if (known !== undefined) this.#release(known);
      return false;
    }
    tables.version += 1;
    const slot = known ?? table.assign(nodeId, classHash, tables.version);
    if (known === undefined) {
      tables.all.add(slot, table.capacity);
      addTo(tables.classes, classHash, slot, table.capacity);
    }
    if (isSame && this.#hasFacts(slot, facts)) this.#markStale(slot, facts.isStale ?? false);
    else {
      this.#setTerms(slot, facts);
      this.#setFacts(slot, facts, known === undefined);
    }
    return true;
  }

  /**
   * Forgets a node.
   *
   * @param classHash Only its entry in this class.
   * @returns False when it was not known.
   */
  remove(nodeId: bigint, classHash?: bigint): boolean {
    const { table } = this.tables;
    let isKnown = false;
    for (const slot of table.slotsOf(nodeId)) {
      if (classHash !== undefined && table.classHashes[slot] !== classHash) continue;
      this.#release(slot);
      isKnown = true;
    }
    return isKnown;
  }

  /** Marks what is known of a node as from before a restart, or as heard again. */
  setStale(nodeId: bigint, isStale: boolean): void {
    const { table, stale } = this.tables;
    for (const slot of table.slotsOf(nodeId)) {
      if (stale.has(slot) === isStale) continue;
      this.#markStale(slot, isStale);
      this.tables.version += 1;
    }
  }

  /** What is known of a node, one entry per class. */
  get(nodeId: bigint): readonly IndexEntry[] {
    return this.tables.table.slotsOf(nodeId).map((slot) => readEntry(this.tables, slot));
  }

  /** All entries, in no order. */
  *values(): Generator<IndexEntry, void, undefined> {
    for (const [slot, row] of this.tables.table.rows.entries()) {
      if (row !== undefined) yield readEntry(this.tables, slot);
    }
  }

  #hasRow(classHash: bigint): boolean {
    const { table, classes } = this.tables;
    if (table.size >= this.#rowsMax) return false;
    const announced = classes.get(ANNOUNCED)?.size ?? 0;
    return classHash === ANNOUNCED || table.size - announced < this.#rowsMax / 2;
  }

  /** True when there is room for the terms that no entry has yet. */
  #hasTerms({ tags, metadata }: CapabilitySet, classHash: bigint): boolean {
    const { dictionary } = this.tables;
    const inAll = this.#termsMax - dictionary.size;
    const ofMembers = this.#termsMax * MEMBER_TERMS_SHARE - this.#memberTerms;
    const left = classHash === ANNOUNCED ? inAll : Math.min(inAll, ofMembers);
    if (tags.length + metadata.size <= left) return true;
    let fresh = 0;
    for (const tag of tags) if (dictionary.tag(tag) === undefined) fresh += 1;
    for (const [key, value] of metadata) {
      if (dictionary.entry(key, value) === undefined) fresh += 1;
    }
    // An entry that brings in nothing new makes nothing worse.
    return fresh === 0 || fresh <= left;
  }

  #markStale(slot: number, isStale: boolean): void {
    const { stale, table } = this.tables;
    if (isStale) stale.add(slot, table.capacity);
    else stale.delete(slot);
  }

  /** True when what was set apart from tags and metadata is the same. */
  #hasFacts(slot: number, { state = "idle", region, hardware }: NodeFacts): boolean {
    const { table } = this.tables;
    const row = table.rows[slot];
    return row?.hardware === hardware && row?.region === region &&
      NODE_STATES[table.states[slot] ?? 0] === state;
  }

  /** Moves the slot from the terms it had to those it has now. */
  #setTerms(slot: number, facts: NodeFacts): void {
    const { capabilities, classHash = ANNOUNCED, hardware, region } = facts;
    const { table, dictionary, version } = this.tables;
    const old = table.rows[slot]?.terms ?? [];
    const terms: Term[] = [];
    // Both are in the same order, and most of a refresh is what was there before.
    let at = 0;
    const take = (text: string, key?: string): Term => {
      for (const step of [at, at + 1]) {
        const term = old[step];
        if (term?.text !== text || term.metadataKey !== key) continue;
        at = step + 1;
        return term;
      }
      const term = key === undefined
        ? dictionary.ensureTag(text)
        : dictionary.ensureEntry(key, text);
      if (term.size === 0 && classHash !== ANNOUNCED) {
        term.isMembers = true;
        this.#memberTerms += 1;
      }
      if (term.add(slot, table.capacity)) term.group?.rows.add(slot, table.capacity);
      return term;
    };
    for (const tag of capabilities.tags) terms.push(take(tag));
    for (const [key, value] of capabilities.metadata) terms.push(take(value, key));
    for (const term of terms) {
      term.mark = version;
      if (term.group !== undefined) term.group.mark = version;
    }
    for (const term of old) {
      if (term.mark !== version) this.#leave(slot, term, term.group?.mark === version);
    }
    table.rows[slot] = { capabilities, terms, hardware, region };
  }

  /** Takes the slot away from a term; from its group too, unless the entry has another one of it. */
  #leave(slot: number, term: Term, isInGroup: boolean): void {
    term.delete(slot);
    if (!isInGroup) term.group?.rows.delete(slot);
    if (term.size > 0) return;
    if (term.isMembers) this.#memberTerms -= 1;
    this.tables.dictionary.drop(term);
  }

  #setFacts(slot: number, facts: NodeFacts, isNew: boolean): void {
    const { tables } = this;
    const { table } = tables;
    const { capacity } = table;
    const traits = traitsOf(table.rows[slot]?.terms ?? []);
    const hardware = facts.hardware ?? gatherHardware(traits);
    const models = gatherModels(traits);
    if (!isNew) this.#clearFacts(slot);

    const state = NODE_STATES.indexOf(facts.state ?? "idle");
    table.states[slot] = state;
    tables.states[state]?.add(slot, capacity);
    const region = facts.region ?? regionOf(facts.capabilities);
    table.regions[slot] = region;
    if (region !== undefined) addTo(tables.regions, region, slot, capacity);

    const { memoryGb, vramGb, gpuVendor } = hardware;
    const vendor = gpuVendor === undefined ? -1 : GPU_VENDORS.indexOf(gpuVendor);
    table.gpuVendors[slot] = vendor + 1;
    tables.gpuVendors[vendor]?.add(slot, capacity);
    if (gpuVendor !== undefined) tables.gpus.add(slot, capacity);
    table.memoryGb[slot] = memoryGb;
    table.vramGb[slot] = vramGb;
    if (memoryGb > 0) tables.memoryGb.add(memoryGb, slot, capacity);
    if (vramGb > 0) tables.vramGb.add(vramGb, slot, capacity);

    table.tokensPerSecond[slot] = models.tokensPerSecond;
    table.contextLength[slot] = models.contextLength;
    table.modalities[slot] = models.modalities;
    table.loadedShare[slot] = models.loadedShare;
    if (models !== NO_MODELS) tables.models.add(slot, capacity);

    this.#markStale(slot, facts.isStale ?? false);
    tables.scores.update(slot, table);
  }

  /** Takes the slot out of everything that is not a term or its class. */
  #clearFacts(slot: number): void {
    const { tables } = this;
    const { table } = tables;
    tables.states[table.states[slot] ?? 0]?.delete(slot);
    const region = table.regions[slot];
    if (region !== undefined) deleteFrom(tables.regions, region, slot);
    tables.gpuVendors[(table.gpuVendors[slot] ?? 0) - 1]?.delete(slot);
    tables.gpus.delete(slot);
    tables.memoryGb.delete(table.memoryGb[slot] ?? 0, slot);
    tables.vramGb.delete(table.vramGb[slot] ?? 0, slot);
    tables.models.delete(slot);
  }

  #release(slot: number): void {
    const { tables } = this;
    const { table } = tables;
    for (const term of table.rows[slot]?.terms ?? []) this.#leave(slot, term, false);
    this.#clearFacts(slot);
    tables.stale.delete(slot);
    deleteFrom(tables.classes, table.classHashes[slot] ?? 0n, slot);
    tables.all.delete(slot);
    table.release(slot);
    tables.scores.update(slot, table);
    tables.version += 1;
  }
}

function traitsOf(terms: readonly Term[]): readonly Trait[] {
  const traits: Trait[] = [];
  for (const { trait } of terms) if (trait !== undefined) traits.push(trait);
  return traits;
}

function regionOf({ tags }: CapabilitySet): string | undefined {
  const tag = tags.find((text) => text.length > REGION_TAG.length && text.startsWith(REGION_TAG));
  return tag?.slice(REGION_TAG.length);
}

function addTo<Key>(postings: Map<Key, Posting>, key: Key, slot: number, capacity: number): void {
  let posting = postings.get(key);
  if (posting === undefined) postings.set(key, posting = new Posting());
  posting.add(slot, capacity);
}

function deleteFrom<Key>(postings: Map<Key, Posting>, key: Key, slot: number): void {
  const posting = postings.get(key);
  posting?.delete(slot);
  if (posting?.size === 0) postings.delete(key);
}

/** The entry in a slot that is in use. */
export function readEntry(tables: IndexTables, slot: number): IndexEntry {
  const { table, stale } = tables;
  return {
    nodeId: table.nodeIds[slot] ?? 0n,
    classHash: table.classHashes[slot] ?? 0n,
    capabilities: table.rows[slot]?.capabilities ?? EMPTY_SET,
    state: NODE_STATES[table.states[slot] ?? 0] ?? "idle",
    region: table.regions[slot],
    hardware: {
      memoryGb: table.memoryGb[slot] ?? 0,
      vramGb: table.vramGb[slot] ?? 0,
      gpuVendor: GPU_VENDORS[(table.gpuVendors[slot] ?? 0) - 1],
    },
    isStale: stale.has(slot),
  };
}

const REGION_TAG = "scope:region:";
const EMPTY_SET: CapabilitySet = { tags: [], metadata: new Map() };
