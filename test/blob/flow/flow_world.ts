/**
 * A mesh of nodes that are nothing but their flows: stores in memory, calls with delays and losses, one clock that
 * a test moves. Chunks count as 4 MiB and hold 64 bytes, so that a day of many nodes fits in memory.
 */
import {
  BlobFlow,
  type ChunkStanding,
  type DataPolicy,
  DEFAULT_DATA_POLICY,
  type FlowMesh,
  type FlowPeer,
  type FlowStore,
  type HoldOptions,
  type HoldReply,
  type HoldRequest,
  isDeletable,
  type OverflowOffer,
  type OverflowReply,
  setDataPolicy,
  type Spill,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

export const CHUNK = 4 * 1024 ** 2;
export const HOUR_MS = 3_600_000;

/** One move of a chunk by a node's own decision. */
export interface Move {
  readonly node: bigint;
  readonly hex: string;
  readonly atMs: number;
  readonly kind: "arrived" | "dropped";
}

/** How a node behaves in the place of a flow. */
export interface Behaviour {
  readonly tags: () => readonly string[];
  readonly onOffer?: (from: bigint, offer: OverflowOffer) => Promise<OverflowReply>;
  readonly onHold?: (from: bigint, request: HoldRequest) => Promise<HoldReply>;
  readonly serve?: (hash: Uint8Array) => Uint8Array | undefined;
}

/** Numbers that look random and are the same for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A chunk of that number. */
export function chunkOf(number: number): { readonly hash: Uint8Array; readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(64);
  new DataView(bytes.buffer).setUint32(0, number);
  return { hash: blake3(bytes), bytes };
}

interface Row {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
  firstSeenMs: number;
  lastSeenMs: number;
}

/** Chunks of one node. */
export class WorldStore implements FlowStore {
  readonly rows = new Map<string, Row>();
  /** Blobs that refer to each chunk. */
  readonly refs = new Map<string, number>();
  readonly holds = new Map<string, Map<string, { reason: string; expiresAtMs?: number }>>();
  readonly spills = new Map<string, Map<bigint, Spill>>();
  onArrived: (hex: string) => void = () => {};
  onDropped: (hex: string) => void = () => {};
  readonly #clock: ManualClock;
  readonly #capacityBytes: number;

  constructor(clock: ManualClock, capacityBytes: number) {
    this.#clock = clock;
    this.#capacityBytes = capacityBytes;
  }

  get usedBytes(): number {
    return this.rows.size * CHUNK;
  }

  room() {
    const { usedBytes } = this;
    const capacityBytes = this.#capacityBytes;
    return { usedBytes, capacityBytes, freeBytes: Math.max(0, capacityBytes - usedBytes) };
  }

  has(hash: Uint8Array) {
    return Promise.resolve(this.rows.has(hash.toHex()) ? CHUNK : undefined);
  }

  read(hash: Uint8Array) {
    return Promise.resolve(this.rows.get(hash.toHex())?.bytes);
  }

  add(hash: Uint8Array, bytes: Uint8Array) {
    const known = this.rows.get(hash.toHex());
    if (known !== undefined) return Promise.resolve("present" as const);
    if (this.usedBytes + CHUNK > this.#capacityBytes) return Promise.reject(new Error("no space"));
    this.put(hash, bytes);
    this.onArrived(hash.toHex());
    return Promise.resolve("stored" as const);
  }

  /** A chunk that somebody here stores; false when there is no room. */
  put(hash: Uint8Array, bytes: Uint8Array): boolean {
    const nowMs = this.#clock.wallMs();
    const hex = hash.toHex();
    if (!this.rows.has(hex) && this.usedBytes + CHUNK > this.#capacityBytes) return false;
    this.rows.set(hex, { hash, bytes, firstSeenMs: nowMs, lastSeenMs: nowMs });
    return true;
  }

  standing(hash: Uint8Array) {
    return Promise.resolve(this.standingOf(hash.toHex()));
  }

  standingOf(hex: string): ChunkStanding | undefined {
    const row = this.rows.get(hex);
    if (row === undefined) return undefined;
    const holds = [...this.#holdsOf(hex)];
    const copies = holds.filter(([, { reason }]) => reason === "cache").length;
    return {
      refcount: (this.refs.get(hex) ?? 0) + copies,
      isPinned: false,
      firstSeenMs: row.firstSeenMs,
      isReplica: holds.some(([, { reason }]) => reason === "replica"),
    };
  }

  hold(hashes: readonly Uint8Array[], { owner, reason, expiresAtMs }: HoldOptions) {
    for (const hash of hashes) {
      const holds = this.holds.get(hash.toHex()) ?? new Map();
      holds.set(owner, { reason, expiresAtMs });
      this.holds.set(hash.toHex(), holds);
    }
    return Promise.resolve();
  }

  release(owner: string, hashes?: readonly Uint8Array[]) {
    let count = 0;
    const chosen = hashes?.map((hash) => hash.toHex()) ?? [...this.holds.keys()];
    for (const hex of chosen) if (this.holds.get(hex)?.delete(owner)) count += 1;
    return Promise.resolve(count);
  }

  discard(hash: Uint8Array) {
    const hex = hash.toHex();
    const isKept = (this.refs.get(hex) ?? 0) > 0 || [...this.#holdsOf(hex)].length > 0;
    return Promise.resolve(!isKept && this.rows.delete(hex) ? CHUNK : undefined);
  }

  oldest({ limit, isReferredToo }: { limit: number; isReferredToo: boolean }) {
    const chosen = [...this.rows].filter(([hex]) => {
      const standing = this.standingOf(hex);
      return standing?.isReplica !== true && (isReferredToo || (this.refs.get(hex) ?? 0) === 0);
    }).sort(([a, left], [b, right]) => left.lastSeenMs - right.lastSeenMs || (a < b ? -1 : 1));
    return Promise.resolve(
      chosen.slice(0, limit).map(([, { hash }]) => ({ hash, size: CHUNK })),
    );
  }

  present(hashes: readonly Uint8Array[]) {
    return Promise.resolve(hashes.filter((hash) => this.rows.has(hash.toHex())));
  }

  /** Every node knows the references of every blob, as if they had been published. */
  sizes(hashes: readonly Uint8Array[]) {
    return Promise.resolve(new Map(hashes.map((hash) => [hash.toHex(), CHUNK])));
  }

  drop(hash: Uint8Array) {
    const hex = hash.toHex();
    if (this.standingOf(hex)?.isReplica === true || !this.rows.delete(hex)) {
      return Promise.resolve(undefined);
    }
    this.onDropped(hex);
    return Promise.resolve(CHUNK);
  }

  heldBy(prefix: string) {
    const found = [...this.holds].flatMap(([hex, holds]) =>
      [...holds].filter(([owner]) => owner.startsWith(prefix)).map(([owner, { expiresAtMs }]) => ({
        hash: Uint8Array.fromHex(hex),
        owner,
        expiresAtMs,
        size: this.rows.has(hex) ? CHUNK : undefined,
      }))
    );
    return Promise.resolve(found);
  }

  readonly spilled = {
    write: (spills: readonly Spill[]) => {
      for (const spill of spills) {
        const hex = spill.hash.toHex();
        const holders = this.spills.get(hex) ?? new Map();
        holders.set(spill.holder, spill);
        this.spills.set(hex, holders);
      }
      return Promise.resolve();
    },
    remove: (hash: Uint8Array, holder?: bigint) => {
      const holders = this.spills.get(hash.toHex());
      if (holder !== undefined) holders?.delete(holder);
      if (holder === undefined || holders?.size === 0) this.spills.delete(hash.toHex());
      return Promise.resolve();
    },
    unneeded: (limit: number) =>
      Promise.resolve(
        [...this.spills.values()].flatMap((holders) => [...holders.values()])
          .filter(({ hash }) => (this.refs.get(hash.toHex()) ?? 0) === 0).slice(0, limit),
      ),
    holders: (hash: Uint8Array) =>
      Promise.resolve([...this.spills.get(hash.toHex())?.keys() ?? []]),
    oldest: (beforeMs: number, limit: number) =>
      Promise.resolve(
        [...this.spills.values()].flatMap((holders) => [...holders.values()])
          .filter(({ provenAtMs }) => provenAtMs < beforeMs)
          .sort((a, b) => a.provenAtMs - b.provenAtMs).slice(0, limit),
      ),
    count: () => Promise.resolve(this.spills.size),
  };

  /** Removes what nothing keeps any more. */
  collect(policy: DataPolicy): number {
    const nowMs = this.#clock.wallMs();
    const isUnderPressure = this.usedBytes >= policy.gc.pressureRatio * this.#capacityBytes;
    const rule = { retentionFloorMs: policy.gc.retentionFloorMs, isUnderPressure };
    let count = 0;
    for (const hex of [...this.rows.keys()]) {
      const standing = this.standingOf(hex);
      if (standing !== undefined && isDeletable(standing, rule, nowMs)) {
        this.rows.delete(hex);
        count += 1;
      }
    }
    return count;
  }

  *#holdsOf(hex: string) {
    for (const [owner, hold] of this.holds.get(hex) ?? []) {
      if ((hold.expiresAtMs ?? Infinity) > this.#clock.wallMs()) yield [owner, hold] as const;
    }
  }
}

/** One node. */
export interface WorldNode {
  readonly id: bigint;
  readonly store: WorldStore;
  readonly flow: BlobFlow;
  readonly tags: Map<string, readonly string[]>;
  readonly place: readonly string[];
  isOnline: boolean;
  /** Times that this node's announcement changed. */
  announced: number;
}

/** Options of a node. */
export interface WorldNodeOptions {
  readonly capacityBytes: number;
  readonly settings?: readonly (readonly [string, string])[];
  readonly place?: readonly string[];
  /** The store of before a restart. */
  readonly store?: WorldStore;
  /** What the flow gets in the place of the store itself. */
  readonly through?: (store: WorldStore) => FlowStore;
}

/** Bytes per second between two nodes. */
const LINK_BYTES_PER_SECOND = 20_000_000;
const DELAY_MS = 20;

/** Nodes and what is between them. */
export class FlowWorld {
  readonly clock = new ManualClock();
  readonly nodes = new Map<bigint, WorldNode>();
  readonly hostile = new Map<bigint, Behaviour>();
  readonly moves: Move[] = [];
  /** Bytes that were fetched, by who gave them. */
  readonly fetchedFrom = new Map<bigint, number>();
  /** Fetches that nobody answered. */
  fetchesFailed = 0;
  lossRatio = 0;
  readonly random: () => number;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  async add(id: bigint, options: WorldNodeOptions): Promise<WorldNode> {
    const { clock } = this;
    const store = options.store ?? new WorldStore(clock, options.capacityBytes);
    const tags = new Map<string, readonly string[]>();
    const policy = setDataPolicy(DEFAULT_DATA_POLICY, options.settings ?? []);
    const random = (length: number) =>
      Uint8Array.from({ length }, () => Math.floor(this.random() * 256));
    const flow = new BlobFlow({
      clock,
      random,
      log: silentLog,
      store: options.through?.(store) ?? store,
      mesh: this.#meshOf(id, tags, options.place ?? []),
      greedyView: { satisfiesIntent: () => undefined, intents: [], isChainCached: () => false },
    }, policy);
    const node: WorldNode = {
      id,
      store,
      flow,
      tags,
      place: options.place ?? [],
      isOnline: true,
      announced: 0,
    };
    store.onArrived = (hex) =>
      this.moves.push({ node: id, hex, atMs: clock.now(), kind: "arrived" });
    store.onDropped = (hex) =>
      this.moves.push({ node: id, hex, atMs: clock.now(), kind: "dropped" });
    this.nodes.set(id, node);
    const started = flow.start();
    // A process that dies while it starts is not waited for.
    if (options.through === undefined) await started;
    return node;
  }

  stop(): void {
    for (const { flow } of this.nodes.values()) flow.stop();
  }

  /** Tags of a node's announcement. */
  tagsOf(id: bigint): readonly string[] {
    const node = this.nodes.get(id);
    if (node === undefined) return this.hostile.get(id)?.tags() ?? [];
    return [...node.place, ...[...node.tags.values()].flat()];
  }

  isOnline(id: bigint): boolean {
    return this.nodes.get(id)?.isOnline ?? this.hostile.has(id);
  }

  /** Somebody on the node reads a chunk: from here, or from whoever has it; false when nobody has. */
  async read(node: WorldNode, hash: Uint8Array): Promise<boolean> {
    const hex = hash.toHex();
    const row = node.store.rows.get(hex);
    if (row !== undefined) {
      row.lastSeenMs = this.clock.wallMs();
      node.flow.noteRead(hash);
      return true;
    }
    const source = [...this.nodes.values()].find((other) =>
      other !== node && other.isOnline && other.store.rows.has(hex)
    );
    const bytes = source?.store.rows.get(hex)?.bytes;
    if (source === undefined || bytes === undefined) return false;
    source.flow.noteRead(hash);
    if (node.store.put(hash, bytes)) node.flow.noteFetched(hash, CHUNK);
    await Promise.resolve();
    return true;
  }

  #meshOf(
    id: bigint,
    tags: Map<string, readonly string[]>,
    place: readonly string[],
  ): FlowMesh {
    const { clock } = this;
    const peerOf = (nodeId: bigint): FlowPeer => ({
      nodeId,
      tags: this.tagsOf(nodeId),
      isConnected: this.isOnline(nodeId) && this.isOnline(id),
      rttMs: 2 * DELAY_MS,
    });
    const others = () =>
      [...this.nodes.keys(), ...this.hostile.keys()].filter((other) =>
        other !== id && this.isOnline(other)
      );
    const delay = (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const onAbort = () => {
          cancel();
          reject(signal.reason);
        };
        const cancel = clock.after(ms, () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        });
        signal.addEventListener("abort", onAbort, { once: true });
      });
    const reach = async (peer: bigint, signal: AbortSignal) => {
      await delay(DELAY_MS, signal);
      if (!this.isOnline(peer) || !this.isOnline(id) || this.random() < this.lossRatio) {
        throw new Error("unreachable");
      }
    };
    return {
      nodeId: id,
      ownTags: () => place,
      peers: () => others().map(peerOf),
      peer: (nodeId) => this.isOnline(nodeId) ? peerOf(nodeId) : undefined,
      say: (source, said) => {
        tags.set(source, said);
        const node = this.nodes.get(id);
        if (node !== undefined) node.announced += 1;
        return true;
      },
      fetch: async (hash, { sources, isOnlyThese, signal }) => {
        const rest = isOnlyThese ? [] : others().filter((other) => !sources.includes(other));
        for (const source of [...sources, ...rest]) {
          try {
            await reach(source, signal);
          } catch {
            signal.throwIfAborted();
            continue;
          }
          const node = this.nodes.get(source);
          const bytes = node === undefined
            ? this.hostile.get(source)?.serve?.(hash)
            : node.store.rows.get(hash.toHex())?.bytes;
          if (bytes === undefined) continue;
          await delay(CHUNK / LINK_BYTES_PER_SECOND * 1000, signal);
          this.fetchedFrom.set(source, (this.fetchedFrom.get(source) ?? 0) + CHUNK);
          if (blake3(bytes).toHex() !== hash.toHex()) continue;
          node?.flow.noteRead(hash);
          return bytes;
        }
        this.fetchesFailed += 1;
        throw new Error("nobody has it");
      },
      offer: async (peer, offer, signal) => {
        await reach(peer, signal);
        const node = this.nodes.get(peer);
        const answer = node === undefined
          ? this.hostile.get(peer)?.onOffer?.(id, offer)
          : node.flow.onOffer(id, offer);
        const reply = await until(answer ?? Promise.reject(new Error("no such service")), signal);
        await reach(peer, signal);
        return reply;
      },
      hold: async (peer, request, signal) => {
        await reach(peer, signal);
        const node = this.nodes.get(peer);
        const answer = node === undefined
          ? this.hostile.get(peer)?.onHold?.(id, request)
          : node.flow.onHold(id, request);
        const reply = await until(answer ?? Promise.reject(new Error("no such service")), signal);
        await reach(peer, signal);
        return reply;
      },
    };
  }
}

/** What a call answers, unless it is given up first. */
function until<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    answer.then(resolve, reject);
  });
}

/** The most moves that a node made within any hour. */
export function busiestHour(moves: readonly Move[]): number {
  const times = moves.map(({ atMs }) => atMs).sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (let last = 0; last < times.length; last++) {
    while ((times[first] ?? 0) <= (times[last] ?? 0) - HOUR_MS) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
