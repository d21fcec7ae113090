import assert from "node:assert/strict";
import { backoffMs } from "../../../src/log/bus/dispatch.ts";
import { createTestBus, numbered, within } from "./bus_kit.ts";

const batch = (sequenceStart: bigint, producerNonce = 5n) => ({
  shard: 1,
  events: [],
  sequenceStart,
  producerNonce,
});

Deno.test("pauses double five times, give or take a quarter, and are the same for the same batch", () => {
  const steps = new Set<number>();
  for (let attempt = 0; attempt < 10; attempt++) {
    const base = 100 * 2 ** Math.min(attempt, 5);
    for (let start = 0n; start < 300n; start++) {
      const ms = backoffMs(attempt, batch(start));
      assert.ok(ms >= base * 0.75 && ms <= base * 1.25, `${attempt} ${ms}`);
      assert.equal(backoffMs(attempt, batch(start)), ms);
      steps.add(Math.round(ms / base * 100));
    }
  }
  assert.ok(steps.size > 40);
});

Deno.test("a batch has its retries and one first try, each within the adapter's time", async () => {
  const { bus, clock, adapter } = await createTestBus({ adapterRetries: 2, adapterTimeoutMs: 100 });
  adapter.outcomes.push("hang", "hang", "hang");
  bus.ingestRawBatch(numbered(0, 3));
  await clock.advance(10 + 3 * 100 + 125 + 250);
  assert.equal(adapter.tried.length, 3);
  assert.equal(bus.stats().dropped, 3n);
  await within(clock, bus.shutdown());
});

Deno.test("what does not help is not tried again", async () => {
  const { bus, clock, adapter } = await createTestBus({ adapterRetries: 5 });
  adapter.outcomes.push("fatal");
  bus.ingestRawBatch(numbered(0, 3));
  await clock.advance(5_000);
  assert.equal(adapter.tried.length, 1);
  await within(clock, bus.shutdown());
});

Deno.test("one shard that is stuck does not stop another", async () => {
  const { bus, clock, adapter } = await createTestBus({ shards: 2 });
  const write = adapter.write;
  adapter.write = (batch, signal) =>
    batch.shard === 0 ? new Promise(() => {}) : write(batch, signal);
  bus.ingestRawBatch(numbered(0, 100));
  await clock.advance(50);
  const { shards, dispatched } = bus.stats();
  assert.ok(dispatched > 0n);
  assert.equal(shards[1]?.waiting, 0);
  await within(clock, bus.shutdown());
});

Deno.test("an engine that takes batches at once keeps up with a producer that does not let go", async () => {
  const { bus, clock, adapter } = await createTestBus({
    ringSlots: 1_024,
    backpressure: "drop_newest",
    batch: { eventsMin: 500, eventsMax: 500 },
  });
  const taken: bigint[] = [];
  let isWilling = true;
  adapter.writeNow = ({ events, sequenceStart }) => {
    if (!isWilling) throw new Error("not now");
    taken.push(sequenceStart + BigInt(events.length));
    return true;
  };
  assert.equal(bus.ingestRawBatch(numbered(0, 10_000)), 10_000);
  assert.equal(bus.stats().dispatched, 10_000n);
  isWilling = false;
  // The batch that was not taken at once is on its way, and as many as the ring holds wait behind it.
  assert.equal(bus.ingestRawBatch(numbered(0, 2_000)), 1_523);
  await within(clock, bus.shutdown());
  const { ingested, dispatched, dropped } = bus.stats();
  assert.deepEqual([ingested, dispatched, dropped], [11_523n, 11_523n, 0n]);
  assert.equal(adapter.written[0]?.sequenceStart, taken.at(-1));
});
