/** What keeps what others hold in a node's stead: renewal, loss, and giving back. */
import assert from "node:assert/strict";
import { CHUNK, chunkOf, FlowWorld, HOUR_MS } from "./flow_world.ts";

const ON = [["overflow", "on"], ["overflow.spill_holders_min", "1"]] as const;
const GIB = 1024 ** 3;
const DAY_MS = 24 * HOUR_MS;

async function spilledWorld(seed: number) {
  const world = new FlowWorld(seed);
  const full = await world.add(1n, { capacityBytes: 100 * CHUNK, settings: ON });
  const roomy = await world.add(2n, { capacityBytes: 16 * GIB, settings: ON });
  for (let i = 0; i < 90; i++) {
    const { hash, bytes } = chunkOf(i);
    full.store.put(hash, bytes);
    full.store.refs.set(hash.toHex(), 1);
  }
  await world.clock.advance(HOUR_MS);
  assert.equal(full.store.spills.size, 20);
  // It is for the promises alone to keep it from here on.
  const { policy } = full.flow;
  full.flow.configure({ ...policy, overflow: { ...policy.overflow, isEnabled: false } });
  return { world, full, roomy };
}

Deno.test("promises are renewed with overflow off on both sides, and end when nobody renews them", async () => {
  const { world, full, roomy } = await spilledWorld(1);
  const off = roomy.flow.policy;
  roomy.flow.configure({ ...off, overflow: { ...off.overflow, isEnabled: false } });
  await world.clock.advance(40 * DAY_MS);
  assert.equal(roomy.flow.leases.size, 20);
  assert.equal(full.store.spills.size, 20);
  assert.ok(full.flow.promises.counters.renewed >= 80);
  full.isOnline = false;
  await world.clock.advance(31 * DAY_MS);
  assert.equal(roomy.flow.leases.size, 0);
  world.stop();
});

Deno.test("a promise is given back when no blob refers to the chunk any more", async () => {
  const { world, full, roomy } = await spilledWorld(2);
  const [hex = ""] = full.store.spills.keys();
  full.store.refs.delete(hex);
  await world.clock.advance(HOUR_MS);
  assert.equal(full.store.spills.has(hex), false);
  assert.equal(roomy.flow.leases.size, 19);
  assert.equal(full.flow.promises.counters.givenBack, 1);
  world.stop();
});

Deno.test("what a holder lost comes back from another one", async () => {
  const { world, full, roomy } = await spilledWorld(3);
  const third = await world.add(3n, { capacityBytes: 16 * GIB });
  const [hex = ""] = full.store.spills.keys();
  const row = roomy.store.rows.get(hex);
  assert.ok(row !== undefined);
  third.store.put(row.hash, row.bytes);
  roomy.store.rows.delete(hex);
  await world.clock.advance(9 * DAY_MS);
  assert.ok(full.store.rows.has(hex));
  assert.equal(full.flow.promises.counters.lost, 1);
  assert.equal(full.store.spills.size, 19);
  world.stop();
});

Deno.test("promises that were given hold over a restart", async () => {
  const { world, roomy } = await spilledWorld(4);
  roomy.flow.stop();
  const again = await world.add(2n, { capacityBytes: 16 * GIB, settings: ON, store: roomy.store });
  assert.equal(again.flow.leases.size, 20);
  assert.equal(again.flow.leases.bytes, 20 * CHUNK);
  world.stop();
});
