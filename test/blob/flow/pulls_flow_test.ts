/** Gravity, greedy caching and copies: what comes to a node by itself, and what goes again. */
import assert from "node:assert/strict";
import { createTreeBuilder, encodeBlobRef } from "../../../src/blob/mod.ts";
import { CHUNK, chunkOf, FlowWorld, HOUR_MS, type WorldNode } from "./flow_world.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const PULLING = [["greedy", "on"], ["gravity", "on"], ["gravity.chunk_half_life", "1h"]] as const;

function put(node: WorldNode, number: number): string {
  const { hash, bytes } = chunkOf(number);
  node.store.put(hash, bytes);
  node.store.refs.set(hash.toHex(), 1);
  return hash.toHex();
}

function eventOf(number: number): Uint8Array {
  const { hash } = chunkOf(number);
  return encodeBlobRef({ kind: "small", uri: `mesh://${hash.toHex()}`, hash, size: CHUNK });
}

Deno.test("what a peer reads comes here, and its heat is told and taken back", async () => {
  const world = new FlowWorld(1);
  const reader = await world.add(1n, { capacityBytes: 16 * GIB, settings: PULLING });
  const near = await world.add(2n, { capacityBytes: 16 * GIB, settings: PULLING });
  const off = await world.add(3n, { capacityBytes: 16 * GIB });
  const hot = put(reader, 1);
  put(reader, 2);
  for (let i = 0; i < 3; i++) reader.flow.noteRead(chunkOf(1).hash);
  await world.clock.advance(HOUR_MS / 2);
  assert.deepEqual([...near.store.rows.keys()], [hot]);
  assert.equal(off.store.rows.size, 0);
  assert.ok(world.tagsOf(1n).some((tag) => tag.startsWith(`heat:blob:${hot}=`)));
  assert.equal(near.flow.gravity.counters.pulled, 1);
  assert.equal(near.flow.greedyMetrics.prefetches.ok, 1);
  await world.clock.advance(24 * HOUR_MS);
  assert.ok(!world.tagsOf(1n).some((tag) => tag.startsWith("heat:")));
  assert.ok(reader.announced < 30, `${reader.announced} announcements`);
  world.stop();
});

Deno.test("gravity that is switched off stops at once, and on again it goes on", async () => {
  const world = new FlowWorld(2);
  const reader = await world.add(1n, { capacityBytes: 16 * GIB, settings: PULLING });
  const near = await world.add(2n, { capacityBytes: 16 * GIB, settings: PULLING });
  for (let i = 0; i < 40; i++) {
    put(reader, i);
    reader.flow.noteRead(chunkOf(i).hash);
  }
  await world.clock.advanceUntil(() => near.store.rows.size >= 3, HOUR_MS, 10);
  const { policy } = near.flow;
  const off = { ...policy, gravity: { ...policy.gravity, isEnabled: false } };
  near.flow.configure(off);
  const before = near.store.rows.size;
  near.flow.configure(off);
  await world.clock.advance(HOUR_MS / 4);
  assert.equal(near.store.rows.size, before);
  assert.ok(before < 40);
  assert.ok(!world.tagsOf(2n).some((tag) => tag.startsWith("dataforts.gravity")));
  near.flow.configure(policy);
  await world.clock.advance(HOUR_MS / 4);
  // Those that were cut off are not taken for done (row 51).
  assert.equal(near.store.rows.size, 40);
  world.stop();
});

Deno.test("a zone is a hard border for gravity, and nearer readers come first", async () => {
  const world = new FlowWorld(3);
  const settings = [...PULLING, ["gravity.scope", "zone"], ["greedy.scope", "zone"]] as const;
  const far = await world.add(1n, {
    capacityBytes: 16 * GIB,
    settings: PULLING,
    place: ["region:eu", "zone:b"],
  });
  const near = await world.add(2n, {
    capacityBytes: 16 * GIB,
    settings: PULLING,
    place: ["region:eu", "zone:a"],
  });
  const here = await world.add(3n, {
    capacityBytes: 16 * GIB,
    settings,
    place: ["region:eu", "zone:a"],
  });
  const inside = put(near, 1);
  put(far, 2);
  near.flow.noteRead(chunkOf(1).hash);
  for (let i = 0; i < 9; i++) far.flow.noteRead(chunkOf(2).hash);
  await world.clock.advance(HOUR_MS / 4);
  assert.deepEqual([...here.store.rows.keys()], [inside]);
  assert.ok(here.flow.gravity.counters.refused.scope_mismatch > 0);
  world.stop();
});

Deno.test("a pull that failed is tried again, each time later, and the next hour's moves bound it", async () => {
  const world = new FlowWorld(4);
  const node = await world.add(1n, {
    capacityBytes: 16 * GIB,
    settings: [...PULLING, ["moves.per_hour_max", "10"]],
  });
  const hex = "ab".repeat(32);
  world.hostile.set(9n, {
    tags: () => ["dataforts.gravity.enabled", `heat:blob:${hex}=1.00`],
  });
  await world.clock.advance(HOUR_MS);
  const { failed } = node.flow.pulls.counters;
  assert.ok(failed >= 4 && failed <= 10, `${failed} pulls`);
  assert.equal(node.store.rows.size, 0);
  world.stop();
});

Deno.test("greedy caching pulls what events refer to, within its budget, and lets the coldest channel go", async () => {
  const world = new FlowWorld(5);
  const publisher = await world.add(1n, { capacityBytes: 16 * GIB });
  const settings = [
    ["greedy", "on"],
    ["greedy.per_channel_cap", "16MiB"],
    ["greedy.total_cap", "32MiB"],
  ] as const;
  const node = await world.add(2n, { capacityBytes: 16 * GIB, settings });
  for (let i = 0; i < 20; i++) put(publisher, i);
  const publish = async (channel: string, number: number) => {
    const done = node.flow.observe({ channel, publisher: 1n, payload: eventOf(number) });
    await world.clock.advance(120_000);
    await done;
  };
  for (let i = 0; i < 3; i++) await publish("a", i);
  for (let i = 3; i < 6; i++) await publish("b", i);
  assert.equal(node.flow.greedy.size, 2);
  assert.equal(node.store.rows.size, 6);
  const held = node.store.holds.get(chunkOf(0).hash.toHex());
  assert.deepEqual([...held?.keys() ?? []], ["greedy:a"]);
  // Channel b is read; a goes for the newcomer, with its bytes.
  for (let i = 0; i < 5; i++) node.flow.noteRead(chunkOf(4).hash);
  for (let i = 6; i < 9; i++) await publish("c", i);
  assert.ok(!node.store.rows.has(chunkOf(0).hash.toHex()));
  assert.ok(node.store.rows.has(chunkOf(4).hash.toHex()));
  assert.ok(node.store.usedBytes <= 32 * MIB);
  const text = node.flow.greedyMetrics.render();
  assert.match(text, /dataforts_greedy_serve_count_total\{channel="b"\} 5/);
  assert.match(text, /dataforts_greedy_evictions_total\{channel="a"\} 1/);
  assert.match(text, /dataforts_greedy_bytes_resident\{channel="a"\} 0/);
  // Off: nothing is kept for the cache's sake, and nothing more is taken.
  const { policy } = node.flow;
  node.flow.configure({ ...policy, greedy: { ...policy.greedy, isEnabled: false } });
  await world.clock.advance(1_000);
  assert.equal(node.flow.greedy.size, 0);
  await publish("d", 9);
  assert.equal(node.flow.greedy.size, 0);
  world.stop();
});

Deno.test("greedy caching refuses for its reasons: far away, other labels, what is no reference", async () => {
  const world = new FlowWorld(6);
  const publisher = await world.add(1n, { capacityBytes: GIB, place: ["scope:tenant:acme"] });
  const node = await world.add(2n, {
    capacityBytes: 16 * GIB,
    settings: [["greedy", "on"], ["greedy.scopes", "tenant:other"], [
      "greedy.proximity_max_rtt",
      "10ms",
    ]],
  });
  put(publisher, 1);
  const { admitRejected } = node.flow.greedyMetrics;
  await node.flow.observe({ channel: "a", publisher: 1n, payload: eventOf(1) });
  assert.equal(admitRejected.scope, 1);
  const { policy } = node.flow;
  node.flow.configure({ ...policy, greedy: { ...policy.greedy, scopes: ["tenant:acme"] } });
  await node.flow.observe({ channel: "a", publisher: 1n, payload: eventOf(1) });
  assert.equal(admitRejected.proximity, 1);
  await node.flow.observe({ channel: "a", publisher: 1n, payload: new Uint8Array(9) });
  await node.flow.observe({
    channel: "a",
    publisher: 1n,
    payload: Uint8Array.of(0xb0, 0xb1, 0xb2, 0xb3, 2, 9),
  });
  assert.deepEqual(Object.values(admitRejected).reduce((sum, count) => sum + count, 0), 2);
  assert.equal(node.store.rows.size, 0);
  world.stop();
});

Deno.test("copies of what was fetched are kept by use, within the quota, and go on a full disk", async () => {
  const world = new FlowWorld(7);
  const settings = [["cache", "on"], ["cache.cap", "40MiB"], ["overflow", "on"]] as const;
  const node = await world.add(1n, { capacityBytes: 100 * CHUNK, settings });
  const fetched = async (number: number) => {
    const { hash, bytes } = chunkOf(number);
    node.store.put(hash, bytes);
    node.flow.noteFetched(hash, CHUNK);
    await world.clock.advance(120_000);
  };
  for (let i = 0; i < 10; i++) await fetched(i);
  assert.equal(node.flow.copies.size, 10);
  await fetched(10);
  assert.equal(node.flow.copies.size, 10);
  assert.equal(node.store.rows.size, 10);
  for (let i = 100; i < 180; i++) put(node, i);
  await world.clock.advance(120_000);
  assert.ok(node.store.usedBytes < 85 * CHUNK);
  assert.equal(node.flow.copies.size, node.store.rows.size - 80);
  world.stop();
});

Deno.test("greedy caching pulls all of a tree: its nodes, then what they list", async () => {
  const world = new FlowWorld(8);
  const publisher = await world.add(1n, { capacityBytes: 16 * GIB });
  const node = await world.add(2n, { capacityBytes: 16 * GIB, settings: [["greedy", "on"]] });
  const builder = createTreeBuilder();
  const store = (hash: Uint8Array, bytes: Uint8Array) => publisher.store.put(hash, bytes);
  for (let i = 0; i < 300; i++) {
    const { hash, bytes } = chunkOf(i);
    store(hash, bytes);
    for (const made of builder.addChunk({ hash, size: bytes.length })) store(made.hash, made.bytes);
  }
  const { ref, nodes } = builder.finish();
  for (const made of nodes) store(made.hash, made.bytes);
  const payload = encodeBlobRef(ref);
  const done = node.flow.observe({ channel: "trees", publisher: 1n, payload });
  await world.clock.advance(HOUR_MS);
  await done;
  assert.deepEqual(node.flow.greedyMetrics.prefetches, { ok: 1, err: 0 });
  // 300 chunks below three leaves and a root.
  assert.equal(node.store.rows.size, 304);
  assert.equal(node.store.holds.size, 304);
  // A tree whose nodes nobody has.
  const lost = encodeBlobRef({ ...ref, rootHash: new Uint8Array(32).fill(7) });
  const failed = node.flow.observe({ channel: "trees", publisher: 1n, payload: lost });
  await world.clock.advance(HOUR_MS);
  await failed;
  assert.deepEqual(node.flow.greedyMetrics.prefetches, { ok: 1, err: 1 });
  world.stop();
});
