import assert from "node:assert/strict";
import { BusError } from "../../../src/log/mod.ts";
import {
  assertConserved,
  assertSettled,
  createTestBus,
  numbered,
  numbersOf,
  within,
} from "./bus_kit.ts";

const isKind = (kind: string) => (error: unknown) =>
  error instanceof BusError && error.kind === kind;

Deno.test("an event that was taken is given back by a poll, as it came", async () => {
  const { bus, clock } = await createTestBus();
  const { shard, insertionTs } = bus.ingest({ level: "error", n: 1 });
  await within(clock, bus.flush());
  const { events: [event] } = await bus.poll({ limit: 10 });
  assert.equal(new TextDecoder().decode(event?.raw), '{"level":"error","n":1}');
  assert.equal(event?.shard, shard);
  assert.equal(event?.insertionTs, insertionTs);
  await within(clock, bus.shutdown());
});

Deno.test("any bytes are taken raw, also none and no JSON", async () => {
  const { bus, clock } = await createTestBus();
  assert.equal(bus.ingestRawBatch([new Uint8Array(), new TextEncoder().encode("not json")]), 2);
  await within(clock, bus.flush());
  assert.equal((await bus.poll({ limit: 10 })).events.length, 2);
  await within(clock, bus.shutdown());
});

Deno.test("what has no JSON is refused as not serialisable, and nothing of its batch is taken", async () => {
  const { bus, clock } = await createTestBus();
  assert.throws(() => bus.ingest(undefined), isKind("serialization"));
  assert.throws(() => bus.ingestBatch([1, 2n]), isKind("serialization"));
  assert.equal(bus.stats().ingested, 0n);
  await within(clock, bus.shutdown());
});

Deno.test("a batch leaves at the latest after its delay", async () => {
  const { bus, clock, adapter } = await createTestBus({ batch: { delayMaxMs: 10 } });
  bus.ingestRawBatch(numbered(0, 3));
  await clock.advance(9);
  assert.equal(adapter.written.length, 0);
  await clock.advance(1);
  assert.deepEqual(adapter.written.map(({ events }) => events.length), [3]);
  await within(clock, bus.shutdown());
});

Deno.test("a batch leaves at once when it has its size", async () => {
  const { bus, clock, adapter } = await createTestBus({
    batch: { eventsMin: 10, eventsMax: 10, isAdaptive: false, delayMaxMs: 1_000 },
  });
  bus.ingestRawBatch(numbered(0, 25));
  await clock.advance(0);
  assert.deepEqual(adapter.written.map(({ events }) => events.length), [10, 10]);
  await within(clock, bus.shutdown());
  assert.deepEqual(adapter.written.map(({ sequenceStart }) => sequenceStart), [0n, 10n, 20n]);
});

Deno.test("a full ring holds one event fewer than it has slots, and refuses the newest", async () => {
  const { bus, clock } = await createTestBus({ ringSlots: 1_024, backpressure: "drop_newest" });
  assert.equal(bus.ingestRawBatch(numbered(0, 2_000)), 1_023);
  assert.throws(() => bus.ingestRaw(new Uint8Array(1)), isKind("backpressure"));
  const { ingested, refused, dropped } = bus.stats();
  assert.deepEqual([ingested, refused, dropped], [1_023n, 978n, 0n]);
  await within(clock, bus.shutdown());
  assertSettled(bus);
});

Deno.test("drop-oldest keeps the newest, and the bus counts what went", async () => {
  const { bus, clock } = await createTestBus({ ringSlots: 1_024, backpressure: "drop_oldest" });
  assert.equal(bus.ingestRawBatch(numbered(0, 2_000)), 2_000);
  assert.equal(bus.stats().dropped, 977n);
  assertConserved(bus);
  await within(clock, bus.flush());
  const { events } = await bus.poll({ limit: 10_000 });
  assert.deepEqual(numbersOf(events), Array.from({ length: 1_023 }, (_, i) => 977 + i));
  await within(clock, bus.shutdown());
  assertSettled(bus);
});

Deno.test("sampling takes all while there is room, then one of so many", async () => {
  const { bus, clock } = await createTestBus({ ringSlots: 1_024, backpressure: "sample:4" });
  const roomy = Math.ceil(1_023 * 0.75);
  assert.equal(bus.ingestRawBatch(numbered(0, roomy)), roomy);
  assert.equal(bus.ingestRawBatch(numbered(0, 400)), 100);
  assert.equal(bus.stats().sampled, 300n);
  bus.ingestRaw(new Uint8Array(1));
  assert.throws(() => bus.ingestRaw(new Uint8Array(1)), isKind("sampled"));
  await within(clock, bus.shutdown());
});

Deno.test("a ring is full by bytes too", async () => {
  const { bus, clock } = await createTestBus({ ringBytesMax: 100, backpressure: "drop_newest" });
  const event = new Uint8Array(40);
  assert.equal(bus.ingestRawBatch([event, event, event]), 2);
  await within(clock, bus.shutdown());
});

Deno.test("a transient failure is tried again, and order is kept", async () => {
  const { bus, clock, adapter } = await createTestBus({
    adapterRetries: 3,
    batch: { eventsMin: 10, eventsMax: 10, isAdaptive: false },
  });
  adapter.outcomes.push("transient", "transient");
  bus.ingestRawBatch(numbered(0, 30));
  await within(clock, bus.shutdown());
  assert.deepEqual(adapter.written.map(({ sequenceStart }) => sequenceStart), [0n, 10n, 20n]);
  assert.equal(adapter.tried.length, 5);
  assert.equal(bus.stats().dropped, 0n);
});

Deno.test("a batch is lost when the adapter refuses it for good, and the numbers go on", async () => {
  const { bus, clock, adapter } = await createTestBus({
    adapterRetries: 3,
    batch: { eventsMin: 10, eventsMax: 10, isAdaptive: false },
  });
  adapter.outcomes.push("fatal");
  bus.ingestRawBatch(numbered(0, 20));
  await assert.rejects(within(clock, bus.flush()), isKind("fatal"));
  assert.deepEqual(adapter.written.map(({ sequenceStart }) => sequenceStart), [10n]);
  assert.equal(bus.stats().dropped, 10n);
  await within(clock, bus.shutdown());
  assertSettled(bus);
});

Deno.test("an adapter that hangs runs out of time, and the batch is tried again", async () => {
  const { bus, clock, adapter } = await createTestBus({
    adapterRetries: 1,
    adapterTimeoutMs: 1_000,
  });
  adapter.outcomes.push("hang");
  bus.ingestRawBatch(numbered(0, 5));
  await within(clock, bus.flush());
  assert.equal(bus.stats().dispatched, 5n);
  await within(clock, bus.shutdown());
});

Deno.test("flush waits for what was taken before it, and for nothing that comes later", async () => {
  const { bus, clock, adapter } = await createTestBus();
  let open = () => {};
  adapter.gate = new Promise((resolve) => open = resolve);
  bus.ingestRawBatch(numbered(0, 5));
  let isFlushed = false;
  const flushed = bus.flush().then(() => isFlushed = true);
  bus.ingestRawBatch(numbered(5, 500));
  await clock.advance(50);
  assert.equal(isFlushed, false);
  adapter.gate = undefined;
  adapter.outcomes.push("hang");
  open();
  await within(clock, flushed);
  assert.deepEqual(adapter.written.map(({ events }) => events.length), [5]);
  assert.equal(adapter.flushes, 1);
  bus.abandon();
  await clock.advance(1);
  assertSettled(bus);
});

Deno.test("flush gives up when the adapter takes nothing, and says so", async () => {
  const { bus, clock, adapter } = await createTestBus();
  adapter.outcomes.push("hang");
  bus.ingest(1);
  await assert.rejects(within(clock, bus.flush()), isKind("transient"));
  bus.abandon();
  await clock.advance(1);
});

Deno.test("a forced shutdown counts as dropped what it could not hand over", async () => {
  const { bus, clock, adapter } = await createTestBus({
    ringSlots: 1_024,
    batch: { eventsMax: 10, eventsMin: 1 },
  });
  adapter.gate = new Promise(() => {});
  bus.ingestRawBatch(numbered(0, 100));
  await within(clock, bus.shutdown());
  const { ingested, dispatched, dropped, wasLossy } = bus.stats();
  assert.deepEqual([ingested, dispatched, dropped, wasLossy], [100n, 0n, 100n, true]);
});

Deno.test("a bus that is abandoned loses what waits, counts it, and takes nothing more", async () => {
  const { bus, clock } = await createTestBus();
  bus.ingestRawBatch(numbered(0, 7));
  bus.abandon();
  assert.equal(bus.stats().dropped, 7n);
  assert.equal(bus.stats().wasLossy, true);
  assert.throws(() => bus.ingest(1), isKind("shutting_down"));
  assert.equal(bus.pushWithHash(new Uint8Array(1), 1n), false);
  await assert.rejects(bus.poll({ limit: 1 }), isKind("shutting_down"));
  await within(clock, bus.shutdown());
});

Deno.test("a second shutdown waits for the first", async () => {
  const { bus, clock } = await createTestBus();
  bus.ingest(1);
  await within(clock, Promise.all([bus.shutdown(), bus.shutdown()]));
  assert.equal(bus.stats().dispatched, 1n);
  assert.equal(bus.stats().wasLossy, false);
});

Deno.test("a caller's own hash chooses the shard; one that is none is not taken", async () => {
  const { bus, clock } = await createTestBus({ shards: 4 });
  const event = new Uint8Array(1);
  assert.equal(bus.pushWithHash(event, (1n << 64n) - 1n), true);
  assert.equal(bus.pushWithHash(event, 1n << 62n), true);
  assert.equal(bus.pushWithHash(event, -1n), false);
  assert.equal(bus.pushWithHash(event, 1n << 64n), false);
  assert.deepEqual(bus.stats().shards.map(({ ingested }) => ingested), [0n, 1n, 0n, 1n]);
  await within(clock, bus.shutdown());
});

Deno.test("times of a shard rise strictly while the clock stands still", async () => {
  const { bus, clock } = await createTestBus();
  const times = numbered(0, 50).map((raw) => bus.ingestRaw(raw).insertionTs);
  assert.ok(times.every((time, i) => i === 0 || time > (times[i - 1] ?? time)));
  await clock.advance(1);
  assert.equal(bus.ingest(1).insertionTs, 1_000_000n);
  await within(clock, bus.shutdown());
});
