/**
 * A node is killed at every step of an overflow, on either side (issue 7): the process ends between two operations
 * on its store, starts again later, and what blobs refer to is where it should be at every moment.
 */
import assert from "node:assert/strict";
import type { FlowStore } from "../../../src/blob/mod.ts";
import {
  CHUNK,
  chunkOf,
  FlowWorld,
  HOUR_MS,
  type WorldNode,
  type WorldStore,
} from "./flow_world.ts";

const MINUTE_MS = 60_000;
const GIB = 1024 ** 3;
const CHUNKS = 9;
const SETTINGS = [
  ["overflow", "on"],
  ["overflow.spill_holders_min", "1"],
  ["overflow.tick_interval", "10s"],
  ["moves.rest", "1m"],
] as const;

/** A store of a process that ends at one of its operations: nothing is done by it from there on. */
function mortal(
  store: WorldStore,
  life: { operations: number; readonly endsAt: number; onEnd: () => void },
): FlowStore {
  const step = () => {
    life.operations += 1;
    if (life.operations === life.endsAt) life.onEnd();
    return life.operations >= life.endsAt;
  };
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (_, name) => {
        const value = Reflect.get(target, name);
        if (typeof value === "object" && value !== null && name === "spilled") return wrap(value);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          // What is asked without waiting needs no operation.
          if (name === "room") return value.apply(target, args);
          return step() ? new Promise(() => {}) : value.apply(target, args);
        };
      },
    });
  return wrap<FlowStore>(store);
}

interface Outcome {
  /** Operations of the side that was to die. */
  readonly operations: number;
  readonly spilled: number;
}

async function run(victim: 1n | 2n, endsAt: number): Promise<Outcome> {
  const world = new FlowWorld(endsAt);
  const { clock } = world;
  const life = { operations: 0, endsAt, onEnd: () => {} };
  const nodes = new Map<bigint, WorldNode>();
  const capacities = new Map([[1n, 10 * CHUNK], [2n, 16 * GIB]]);
  const start = async (id: bigint, store?: WorldStore, isMortal = false) => {
    const node = await world.add(id, {
      capacityBytes: capacities.get(id) ?? 0,
      settings: SETTINGS,
      store,
      through: isMortal ? (inner) => mortal(inner, life) : undefined,
    });
    nodes.set(id, node);
    return node;
  };
  let isDead = false;
  life.onEnd = () => {
    isDead = true;
    const node = nodes.get(victim);
    if (node !== undefined) node.isOnline = false;
  };
  const full = await start(1n, undefined, victim === 1n);
  await start(2n, undefined, victim === 2n);
  const hexes = Array.from({ length: CHUNKS }, (_, i) => {
    const { hash, bytes } = chunkOf(i);
    full.store.put(hash, bytes);
    full.store.refs.set(hash.toHex(), 1);
    return hash.toHex();
  });
  const check = (when: string) => {
    for (const hex of hexes) {
      if (full.store.rows.has(hex)) continue;
      const where = `killed ${victim} at ${endsAt}, ${when}: ${hex.slice(0, 8)}`;
      assert.deepEqual([...full.store.spills.get(hex)?.keys() ?? []], [2n], where);
      const peer = nodes.get(2n)?.store;
      assert.ok(peer?.rows.has(hex), where);
      // Promised durably, so that no collection takes it.
      assert.equal(peer?.standingOf(hex)?.isReplica, true, where);
    }
  };
  for (let passedMs = 0; passedMs < 6 * MINUTE_MS; passedMs += 1_000) {
    await clock.advance(1_000);
    check(`after ${passedMs} ms`);
    const node = nodes.get(victim);
    if (!isDead || node === undefined) continue;
    isDead = false;
    node.isOnline = false;
    node.flow.stop();
    await clock.advance(MINUTE_MS);
    check("while it was down");
    for (const { store, flow } of nodes.values()) store.collect(flow.policy);
    await start(victim, node.store);
    check("restarted");
  }
  await clock.advance(2 * HOUR_MS);
  check("at the end");
  const { size } = full.store.spills;
  // Below the high mark; whether it goes on to the low one is forgotten with the process.
  const { size: left } = full.store.rows;
  assert.ok(left <= 8, `killed ${victim} at ${endsAt}: ${left} are still here`);
  world.stop();
  return { operations: life.operations, spilled: size };
}

for (const [side, victim] of [["sender", 1n], ["receiver", 2n]] as const) {
  Deno.test(`a ${side} that is killed at any step of an overflow loses nothing, and goes on`, async () => {
    const { operations, spilled } = await run(victim, Infinity);
    assert.ok(spilled >= 2);
    // Every step of the first pushes; the later ones are the same again.
    const last = Math.min(operations, 140);
    for (let endsAt = 1; endsAt <= last; endsAt++) await run(victim, endsAt);
    console.log(`${side}: killed at ${last} of ${operations} operations`);
  });
}
