import assert from "node:assert/strict";
import { BusError } from "../../../src/log/mod.ts";
import { assertSettled, createTestBus, numbered, within } from "./bus_kit.ts";

const isConfig = (error: unknown) => error instanceof BusError && error.kind === "config";
const states = (bus: { stats(): { shards: readonly { state: string }[] } }) =>
  bus.stats().shards.map(({ state }) => state);

Deno.test("a bus whose rings fill gets more shards, not more than its most, and not too fast", async () => {
  const { bus, clock, adapter } = await createTestBus({
    ringSlots: 1_024,
    scaling: { shardsMax: 3, cooldownMs: 1_000 },
  });
  adapter.gate = new Promise(() => {});
  const fill = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      bus.ingestRawBatch(numbered(0, 3_000));
      await clock.advance(50);
    }
  };
  await fill(150);
  assert.equal(bus.shardCount, 2);
  await fill(800);
  assert.equal(bus.shardCount, 2);
  await fill(400);
  assert.equal(bus.shardCount, 3);
  await fill(3_000);
  assert.equal(bus.shardCount, 3);
  await within(clock, bus.shutdown());
  assertSettled(bus);
});

Deno.test("events go to shards that are not much fuller than the emptiest", async () => {
  const { bus, clock, adapter } = await createTestBus({
    shards: 2,
    ringSlots: 1_024,
    scaling: { isAutomatic: false },
  });
  const write = adapter.write;
  adapter.write = (batch, signal) =>
    batch.shard === 0 ? new Promise(() => {}) : write(batch, signal);
  const raw = numbered(0, 400);
  bus.ingestRawBatch(raw);
  await clock.advance(50);
  for (const event of numbered(400, 800)) bus.ingestRaw(event);
  await clock.advance(150);
  const before = bus.stats().shards[0]?.ingested;
  bus.ingestRawBatch(numbered(800, 1_200));
  assert.equal(bus.stats().shards[0]?.ingested, before);
  await within(clock, bus.shutdown());
});

Deno.test("idle shards go one after the other until the least there have to be", async () => {
  const { bus, clock } = await createTestBus({
    shards: 3,
    scaling: { shardsMin: 1, scaleDownDelayMs: 10_000 },
  });
  await clock.advance(9_000);
  assert.equal(bus.shardCount, 3);
  await clock.advance(20_000);
  assert.equal(bus.shardCount, 1);
  assert.deepEqual(states(bus), ["active", "stopped", "stopped"]);
  await within(clock, bus.shutdown());
});

Deno.test("shards that are removed by hand hand over what they have, and may come back", async () => {
  const { bus, clock, adapter } = await createTestBus({
    shards: 1,
    scaling: { isAutomatic: false, shardsMax: 4 },
    batch: { delayMaxMs: 60_000 },
  });
  assert.equal(bus.scaleUp(3), 4);
  bus.ingestRawBatch(numbered(0, 400));
  const times = bus.stats().shards.map(({ ingested }) => ingested);
  assert.ok(times.every((count) => count > 0n));
  assert.equal(await within(clock, bus.scaleDown(3)), 1);
  assert.deepEqual(states(bus), ["active", "stopped", "stopped", "stopped"]);
  assert.equal(
    BigInt(adapter.written.reduce((sum, { events }) => sum + events.length, 0)),
    400n - (times[0] ?? 0n),
  );
  assert.equal(bus.scaleUp(2), 3);
  bus.ingestRawBatch(numbered(0, 300));
  await within(clock, bus.flush());
  for (const shard of [1, 2]) {
    let next = 0n;
    for (const { sequenceStart, events } of adapter.written.filter((b) => b.shard === shard)) {
      assert.equal(sequenceStart, next);
      next += BigInt(events.length);
    }
  }
  assert.equal((await bus.poll({ limit: 10_000 })).events.length, 700);
  await within(clock, bus.shutdown());
  assertSettled(bus);
});

Deno.test("by hand there are never more, nor fewer, than the policy says, and none without one", async () => {
  const { bus, clock } = await createTestBus({
    shards: 2,
    scaling: { shardsMax: 3, shardsMin: 2 },
  });
  assert.throws(() => bus.scaleUp(2), isConfig);
  assert.throws(() => bus.scaleUp(0), isConfig);
  await assert.rejects(bus.scaleDown(1), isConfig);
  await within(clock, bus.shutdown());
  const fixed = await createTestBus({ scaling: false });
  assert.throws(() => fixed.bus.scaleUp(1), isConfig);
  await within(fixed.clock, fixed.bus.shutdown());
});

Deno.test("removing a shard gives up waiting after two seconds; the shard goes on draining", async () => {
  const { bus, clock, adapter } = await createTestBus({
    shards: 2,
    scaling: { isAutomatic: false },
  });
  let open = () => {};
  adapter.gate = new Promise((resolve) => open = resolve);
  bus.ingestRawBatch(numbered(0, 100));
  const startMs = clock.now();
  assert.equal(await within(clock, bus.scaleDown(1)), 1);
  assert.ok(clock.now() - startMs >= 2_000 && clock.now() - startMs < 2_200);
  assert.deepEqual(states(bus), ["active", "draining"]);
  adapter.gate = undefined;
  open();
  await clock.advance(500);
  assert.deepEqual(states(bus), ["active", "stopped"]);
  await within(clock, bus.shutdown());
  assertSettled(bus);
});
