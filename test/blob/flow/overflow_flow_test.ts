/** Overflow between two and three nodes: who gives what to whom, and when the copy goes. */
import assert from "node:assert/strict";
import { CHUNK, chunkOf, FlowWorld, HOUR_MS, type WorldNode } from "./flow_world.ts";

const ON = [["overflow", "on"], ["overflow.spill_holders_min", "1"]] as const;
const GIB = 1024 ** 3;

function fill(node: WorldNode, from: number, count: number, isReferred = true): string[] {
  return Array.from({ length: count }, (_, i) => {
    const { hash, bytes } = chunkOf(from + i);
    assert.ok(node.store.put(hash, bytes));
    if (isReferred) node.store.refs.set(hash.toHex(), 1);
    return hash.toHex();
  });
}

Deno.test("a full node spills what is referred to when a peer proved and promised it, down to its low mark", async () => {
  const world = new FlowWorld(1);
  const full = await world.add(1n, { capacityBytes: 100 * CHUNK, settings: ON });
  const roomy = await world.add(2n, { capacityBytes: 16 * GIB, settings: ON });
  const hexes = fill(full, 0, 90);
  await world.clock.advance(HOUR_MS);
  assert.equal(full.store.rows.size, 70);
  assert.equal(full.store.spills.size, 20);
  assert.equal(roomy.flow.leases.size, 20);
  assert.ok(hexes.every((hex) => full.store.rows.has(hex) || roomy.store.rows.has(hex)));
  const { metrics, shedder } = full.flow;
  assert.equal(metrics.overflowPushesAdmittedTotal, 20);
  assert.equal(metrics.overflowPushedBytesTotal, 20 * CHUNK);
  assert.deepEqual([metrics.overflowHighWaterTotal, metrics.overflowLowWaterTotal], [1, 1]);
  assert.equal(shedder.counters.dropped, 20);
  assert.ok(!shedder.state.isActive);
  world.stop();
});

Deno.test("without a wish to spill, only what nobody refers to is pushed, and its copy goes", async () => {
  const world = new FlowWorld(2);
  const full = await world.add(1n, { capacityBytes: 100 * CHUNK, settings: [["overflow", "on"]] });
  const roomy = await world.add(2n, { capacityBytes: 16 * GIB, settings: [["overflow", "on"]] });
  fill(full, 0, 80);
  const loose = fill(full, 100, 10, false);
  await world.clock.advance(HOUR_MS);
  assert.equal(full.store.rows.size, 80);
  assert.ok(loose.every((hex) => roomy.store.rows.has(hex) && !full.store.rows.has(hex)));
  assert.equal(roomy.flow.leases.size, 0);
  assert.ok(full.flow.shedder.state.isActive);
  world.stop();
});

Deno.test("two full nodes that hold the same chunk never both drop it", async () => {
  const world = new FlowWorld(3);
  const settings = [...ON, ["overflow.high_water_ratio", "0.5"], [
    "overflow.low_water_ratio",
    "0.1",
  ]] as const;
  const nodes = [
    await world.add(1n, { capacityBytes: 16 * GIB, settings }),
    await world.add(2n, { capacityBytes: 16 * GIB, settings }),
  ];
  // Both are far above their marks, and each is the only peer of the other.
  for (const node of nodes) fill(node, 0, 60);
  for (const { store } of nodes) {
    Object.defineProperty(store, "room", {
      value: () => ({ usedBytes: 90 * CHUNK, capacityBytes: 100 * CHUNK, freeBytes: 4 * GIB }),
    });
  }
  await world.clock.advance(3 * HOUR_MS);
  const all = Array.from({ length: 60 }, (_, i) => chunkOf(i).hash.toHex());
  assert.ok(all.every((hex) => nodes.some(({ store }) => store.rows.has(hex))));
  const dropped = nodes.map(({ flow }) => flow.shedder.counters.dropped);
  const sum = dropped.reduce((total, count) => total + count, 0);
  assert.ok(dropped.every((count) => count > 0) && sum <= 60, `${dropped}`);
  world.stop();
});

Deno.test("the copy stays when the peer lies, loses the chunk, or does not promise", async () => {
  for (const lie of ["wrong proof", "absent", "refused", "silent"] as const) {
    const world = new FlowWorld(4);
    const full = await world.add(1n, { capacityBytes: 100 * CHUNK, settings: ON });
    world.hostile.set(9n, {
      tags: () => [
        "dataforts.blob.storage",
        "dataforts.blob.disk_free_gb=1000",
        "dataforts.blob.overflow",
      ],
      onOffer: () => Promise.resolve({ kind: "accepted" }),
      onHold: () => {
        if (lie === "silent") return new Promise(() => {});
        if (lie === "wrong proof") {
          return Promise.resolve({ kind: "proven", proof: new Uint8Array(32) });
        }
        return Promise.resolve({ kind: lie });
      },
    });
    fill(full, 0, 95);
    await world.clock.advance(6 * HOUR_MS);
    assert.equal(full.store.rows.size, 95, lie);
    // A peer that lies is left alone for longer and longer.
    assert.ok(full.flow.metrics.overflowPushesAdmittedTotal < 100, lie);
    world.stop();
  }
});

Deno.test("a push is refused with the reason that the receiver counts", async () => {
  const world = new FlowWorld(5);
  const node = await world.add(1n, { capacityBytes: 16 * GIB, settings: ON });
  const { hash } = chunkOf(7);
  const offer = { hash, sizeBytes: BigInt(CHUNK), senderId: 9n };
  const overflowing = ["dataforts.blob.storage", "dataforts.blob.overflow"];
  let tags: string[] = [];
  world.hostile.set(9n, { tags: () => tags });
  const reasonOf = async (from = 9n, sizeBytes = BigInt(CHUNK)) => {
    const reply = await node.flow.onOffer(from, { ...offer, sizeBytes });
    return reply.kind === "rejected" ? reply.reason : reply.kind;
  };
  assert.equal(await reasonOf(), "sender_not_overflowing");
  tags = overflowing;
  assert.equal(await reasonOf(9n, 2n ** 40n), "insufficient_disk");
  world.hostile.set(8n, { tags: () => overflowing });
  // In the name of another.
  assert.equal(await reasonOf(8n), "sender_not_overflowing");
  node.flow.configure({
    ...node.flow.policy,
    overflow: { ...node.flow.policy.overflow, isEnabled: false },
  });
  assert.equal(await reasonOf(), "not_participating");
  assert.deepEqual(
    Object.entries(node.flow.metrics.overflowRejectedTotal).filter(([, count]) => count > 0),
    [["not_participating", 1], ["sender_not_overflowing", 2], ["insufficient_disk", 1]],
  );
  world.stop();
});

Deno.test("overflow that is switched off stops pushes under way and loses nothing", async () => {
  const world = new FlowWorld(6);
  const full = await world.add(1n, { capacityBytes: 100 * CHUNK, settings: ON });
  const roomy = await world.add(2n, { capacityBytes: 16 * GIB, settings: ON });
  const hexes = fill(full, 0, 95);
  await world.clock.advanceUntil(() => full.flow.shedder.counters.dropped > 2, HOUR_MS, 10);
  const { policy } = full.flow;
  full.flow.configure({ ...policy, overflow: { ...policy.overflow, isEnabled: false } });
  const before = full.store.rows.size;
  assert.ok(before < 95 && before > 70);
  await world.clock.advance(HOUR_MS);
  assert.equal(full.store.rows.size, before);
  assert.ok(hexes.every((hex) => full.store.rows.has(hex) || roomy.store.rows.has(hex)));
  full.flow.configure(policy);
  await world.clock.advance(HOUR_MS);
  assert.equal(full.store.rows.size, 70);
  world.stop();
});

Deno.test("scope keeps chunks within a zone, and a promise is renewed before it ends", async () => {
  const world = new FlowWorld(7);
  const settings = [...ON, ["overflow.scope", "zone"]] as const;
  const full = await world.add(1n, {
    capacityBytes: 100 * CHUNK,
    settings,
    place: ["region:eu", "zone:a"],
  });
  const near = await world.add(2n, {
    capacityBytes: 8 * GIB,
    settings,
    place: ["region:eu", "zone:a"],
  });
  const far = await world.add(3n, {
    capacityBytes: 64 * GIB,
    settings,
    place: ["region:eu", "zone:b"],
  });
  const hexes = fill(full, 0, 90);
  await world.clock.advance(HOUR_MS);
  assert.equal(far.store.rows.size, 0);
  assert.equal(near.store.rows.size, 20);
  world.stop();
  const ends = hexes.flatMap((hex) => [...near.store.holds.get(hex)?.values() ?? []]);
  assert.equal(ends.length, 20);
  assert.ok(
    ends.every(({ expiresAtMs }) => (expiresAtMs ?? 0) > world.clock.wallMs() + 29 * 24 * HOUR_MS),
  );
});

Deno.test("a peer that asks for proofs without end is answered so many times an hour", async () => {
  const world = new FlowWorld(8);
  const node = await world.add(1n, { capacityBytes: 16 * GIB, settings: ON });
  const [hex = ""] = fill(node, 1, 1);
  const overflowing = ["dataforts.blob.storage", "dataforts.blob.overflow"];
  world.hostile.set(8n, { tags: () => overflowing });
  world.hostile.set(9n, { tags: () => overflowing });
  const ask = (from: bigint) =>
    node.flow.onHold(from, {
      kind: "prove",
      hash: Uint8Array.fromHex(hex),
      nonce: new Uint8Array(32),
    });
  for (let i = 0; i < 10_000; i++) await ask(8n);
  assert.equal(node.flow.responder.counters.proven, 4_096);
  assert.equal((await ask(8n)).kind, "refused");
  assert.equal((await ask(9n)).kind, "proven");
  await world.clock.advance(HOUR_MS);
  assert.equal((await ask(8n)).kind, "proven");
  world.stop();
});
