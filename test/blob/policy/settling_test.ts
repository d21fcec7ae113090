import assert from "node:assert/strict";
import {
  type DataClaims,
  DEFAULT_DATA_POLICY,
  HeatRegistry,
  MoveLedger,
  OVERFLOW_START,
  refuseOverflow,
  roomBelow,
  tickMigration,
  tickOverflow,
} from "../../../src/blob/mod.ts";
import { blobHeatTag } from "../../../src/core/capability/mod.ts";

const MIB = 1024 ** 2;
const HOUR_MS = 3_600_000;
const CHUNK = 4 * MIB;
const CAPACITY = 200 * CHUNK;
const PULL = { isEnabled: true, scope: "mesh", proximity: 255 } as const;
const MOVES_PER_HOUR = 60;
const TICK_MS = 600_000;

/** Numbers that look random and are the same for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function createNode(id: number, chunks: readonly string[]) {
  return {
    id: BigInt(id),
    chunks: new Set(chunks),
    heat: new HeatRegistry({
      isEnabled: true,
      thresholdRatio: 2,
      halfLifeMs: 600_000,
    }),
    ledger: new MoveLedger({ perHourMax: MOVES_PER_HOUR, restMs: HOUR_MS }),
    overflow: OVERFLOW_START,
    /** When something was moved from or to this node by its own decision. */
    moves: [] as number[],
  };
}

type SimNode = ReturnType<typeof createNode>;

function claimsOf(node: SimNode): DataClaims {
  const used = node.chunks.size * CHUNK;
  return {
    hasStorage: true,
    isUnhealthy: used / CAPACITY >= 0.95,
    diskTotalGib: 1,
    diskFreeGib: used < CAPACITY ? 1 : 0,
    isOverflowing: true,
    greedy: PULL,
    gravity: PULL,
  };
}

function roomOf(node: SimNode, mark: "highWaterRatio" | "lowWaterRatio"): number {
  const disk = { used: node.chunks.size * CHUNK, capacity: CAPACITY };
  // A full chunk below the mark: the push itself must not set the next one off.
  return roomBelow(disk, DEFAULT_DATA_POLICY.overflow[mark] - CHUNK / CAPACITY);
}

/** One look of a node at its disk and its peers. */
function tick(node: SimNode, nodes: readonly SimNode[], nowMs: number): void {
  const others = nodes.filter((other) => other !== node);
  const peers = others.map((other) => ({
    nodeId: other.id,
    claims: claimsOf(other),
    tags: other.heat.announced().map(({ key, rate }) => blobHeatTag(Uint8Array.fromHex(key), rate)),
  }));
  const known = new Map(node.heat.coldest(nowMs).map(({ key, rate }) => [key, rate]));
  const coldest = [...node.chunks].sort((a, b) => (known.get(a) ?? 0) - (known.get(b) ?? 0));
  const shed = tickOverflow(
    node.overflow,
    { ...DEFAULT_DATA_POLICY.overflow, isEnabled: true },
    {
      disk: { used: node.chunks.size * CHUNK, capacity: CAPACITY },
      local: claimsOf(node),
      candidates: coldest.map((key) => ({ key, sizeBytes: CHUNK, refcount: 0, isPinned: false })),
      peers,
    },
    node.ledger,
    nowMs,
  );
  node.overflow = shed.state;
  for (const { key, sizeBytes, nodeId } of shed.pushes) {
    const target = others.find(({ id }) => id === nodeId);
    node.moves.push(nowMs);
    if (target === undefined) continue;
    const local = { claims: claimsOf(target), roomBytes: roomOf(target, "highWaterRatio") };
    if (refuseOverflow(local, { claims: claimsOf(node) }, sizeBytes) !== undefined) continue;
    target.chunks.add(key);
    target.ledger.rest(key, nowMs);
    node.chunks.delete(key);
  }
  const pulled = tickMigration(
    {
      local: { claims: claimsOf(node), roomBytes: roomOf(node, "lowWaterRatio") },
      isOverflowActive: node.overflow.isActive,
      peers,
      sizeOf: () => CHUNK,
      isHere: (hex) => node.chunks.has(hex),
    },
    node.ledger,
    nowMs,
  );
  for (const { hex } of pulled.pulls) {
    node.moves.push(nowMs);
    node.chunks.add(hex);
  }
}

Deno.test("five nodes under a day of random reads stay within their moves and their disks", () => {
  for (const seed of [1, 2]) {
    const random = createRandom(seed);
    const all = Array.from({ length: 500 }, (_, i) => i.toString(16).padStart(64, "0"));
    const nodes = Array.from({ length: 5 }, (_, id) =>
      // The first two are almost full, the others have room.
      createNode(id, all.slice(id * 60, id * 60 + (id < 2 ? 180 : 40))));
    let lastHour = 0;
    for (let nowMs = 0; nowMs < 24 * HOUR_MS; nowMs += TICK_MS) {
      // Writes and reads go on for twelve hours, then it is quiet.
      for (const node of nodes) {
        if (nowMs >= 12 * HOUR_MS) break;
        for (let i = 0; i < 20; i++) {
          const hex = all[Math.floor(random() ** 3 * all.length)];
          if (hex !== undefined) node.heat.bump(hex, nowMs);
        }
        node.heat.settle(node.heat.tick(nowMs), true, nowMs);
      }
      if (nowMs >= 12 * HOUR_MS) {
        for (const { heat } of nodes) heat.settle(heat.tick(nowMs), true, nowMs);
      }
      for (const node of nodes) tick(node, nodes, nowMs);
      for (const node of nodes) assert.ok(node.chunks.size * CHUNK <= CAPACITY, `seed ${seed}`);
    }
    const moved = nodes.reduce((sum, { moves }) => sum + moves.length, 0);
    assert.ok(moved > 100, `seed ${seed}: only ${moved} moves`);
    for (const { moves, overflow } of nodes) {
      for (const atMs of moves) {
        const within = moves.filter((other) => other > atMs - HOUR_MS && other <= atMs).length;
        assert.ok(within <= MOVES_PER_HOUR, `seed ${seed}: ${within} moves in an hour`);
      }
      lastHour += moves.filter((atMs) => atMs >= 23 * HOUR_MS).length;
      assert.ok(overflow.diskRatio < 0.85, `seed ${seed}: ${overflow.diskRatio} of the disk`);
    }
    assert.equal(lastHour, 0, `seed ${seed}: it settled`);
    const kept = new Set(nodes.flatMap(({ chunks }) => [...chunks]));
    assert.equal(all.slice(0, 240).every((hex) => kept.has(hex)), true, `seed ${seed}: none lost`);
  }
});
