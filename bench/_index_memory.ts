/**
 * What a known node costs in memory: its announcement in the store with tags and metadata, and its entry in
 * the index. Run with `--v8-flags=--expose-gc` and the number of nodes; prints one line of JSON.
 */
import {
  AnnouncementStore,
  CapabilityIndex,
  encodeAnnouncement,
  ingestCapabilities,
  localAnnouncement,
} from "../src/core/capability/mod.ts";
import { createIdentity } from "../src/core/crypto/mod.ts";
import { createSampleNodes } from "./_index_data.ts";

/** Bytes per node. */
export interface IndexMemoryFigures {
  /** Index alone, without the tags and metadata that the store holds too. */
  readonly indexBytes: number;
  /** Store and index. */
  readonly allBytes: number;
}

declare const gc: () => void;

const NEIGHBORS = 100;
const WALL_MS = 1_767_225_600_000;
/** A neighbour passes on so many at once, then needs a second for 500. */
const PER_SECOND = NEIGHBORS * 500;

if (import.meta.main) console.log(JSON.stringify(measure(Number(Deno.args[0]))));

function measure(count: number): IndexMemoryFigures {
  const store = new AnnouncementStore({
    nodeId: 1n,
    originsMax: count,
    originsPerNeighborMax: count,
  });
  const index = new CapabilityIndex();
  const empty = usedBytes();
  // In slices, so that what was sent is gone.
  for (let start = 0; start < count; start += 1_000) {
    takeIn(store, start, Math.min(count, start + 1_000));
  }
  const stored = usedBytes();
  for (const { nodeId, capabilities } of store.values(0)) {
    index.set(nodeId, { capabilities: ingestCapabilities(capabilities) });
  }
  const all = usedBytes();
  if (store.size !== count || index.size !== count) {
    throw new Error("Cannot measure: nodes are missing");
  }
  return {
    indexBytes: Math.round((all - stored) / count),
    allBytes: Math.round((all - empty) / count),
  };
}

function takeIn(store: AnnouncementStore, start: number, end: number): void {
  for (const [at, { capabilities }] of createSampleNodes(end - start, start + 1).entries()) {
    const i = start + at;
    const seed = new Uint8Array(32);
    new DataView(seed.buffer).setUint32(0, i + 1);
    const announcement = localAnnouncement({
      identity: createIdentity(seed),
      tags: capabilities.tags,
      metadata: capabilities.metadata,
      version: 1n,
      wallMs: WALL_MS,
    });
    const bytes = encodeAnnouncement({ ...announcement, hopCount: 1 });
    const { kind } = store.receive(bytes, BigInt(2 + i % NEIGHBORS), Math.floor(i / PER_SECOND));
    if (kind !== "accepted") throw new Error(`Cannot measure: announcement ${i} was ${kind}`);
  }
}

/** Heap and buffers. */
function usedBytes(): number {
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
