import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  BusError,
  createEventBus,
  createLogAdapter,
  openRedex,
  type Redex,
  RedexError,
  type RedexFile,
  skipEvent,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { numbered, numbersOf, within } from "./bus_kit.ts";

const IN_MEMORY = { channels: { isPersistent: false } };
const SIGNAL = new AbortController().signal;

async function createBus(clock: ManualClock, redex: Redex) {
  const adapter = createLogAdapter(redex, { name: "test", ...IN_MEMORY });
  return await createEventBus({ clock, adapter }, { shards: 2, scaling: false });
}

Deno.test("events are in the channels of the log, and a later bus finds them", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  const first = await createBus(clock, redex);
  first.ingestRawBatch(numbered(0, 20));
  await within(clock, first.shutdown());
  assert.deepEqual(await redex.names(), ["bus/test/0", "bus/test/1"]);
  const second = await createBus(clock, redex);
  const { events, nextId, hasMore } = await second.poll({ limit: 50, ordering: "insertion_ts" });
  assert.deepEqual(
    numbersOf(events).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i),
  );
  assert.equal(hasMore, false);
  second.ingestRawBatch(numbered(20, 30));
  await within(clock, second.flush());
  const more = await second.poll({ limit: 50, fromId: nextId });
  assert.equal(more.events.length, 10);
  await within(clock, second.shutdown());
});

Deno.test("times of a shard rise over restarts", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  let last = -1n;
  for (let life = 0; life < 3; life++) {
    const adapter = createLogAdapter(redex, IN_MEMORY);
    const bus = await createEventBus({ clock, adapter }, { shards: 1, scaling: false });
    const { insertionTs } = bus.ingest({ life });
    assert.ok(insertionTs > last);
    last = insertionTs;
    await clock.advance(100);
    await within(clock, bus.shutdown());
  }
});

Deno.test("shards of an earlier, larger bus are polled too", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  const adapter = () => createLogAdapter(redex, IN_MEMORY);
  const large = await createEventBus({ clock, adapter: adapter() }, { shards: 4, scaling: false });
  large.ingestRawBatch(numbered(0, 40));
  await within(clock, large.shutdown());
  const small = await createEventBus({ clock, adapter: adapter() }, { shards: 1, scaling: false });
  assert.equal((await small.poll({ limit: 100 })).events.length, 40);
  await within(clock, small.shutdown());
});

Deno.test("any bytes come back as they went in", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  const bus = await createBus(clock, redex);
  const events = [new Uint8Array(), utf8("not json"), new Uint8Array([0, 255]), utf8('{"a": 1.0}')];
  bus.ingestRawBatch(events);
  await within(clock, bus.flush());
  const page = await bus.poll({ limit: 10 });
  const sorted = (list: readonly Uint8Array[]) => list.map((raw) => raw.toHex()).sort();
  assert.deepEqual(sorted(page.events.map(({ raw }) => raw)), sorted(events));
  await within(clock, bus.shutdown());
});

Deno.test("what retention took between two polls is told as missed", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  const adapter = createLogAdapter(redex, {
    channels: { isPersistent: false, retention: { eventsMax: 10 } },
  });
  const bus = await createEventBus({ clock, adapter }, { shards: 1, scaling: false });
  bus.ingestRawBatch(numbered(0, 5));
  await within(clock, bus.flush());
  const { nextId } = await bus.poll({ limit: 2 });
  bus.ingestRawBatch(numbered(5, 100));
  await within(clock, bus.flush());
  await redex.get("bus/default/0")?.sweep();
  const page = await bus.poll({ limit: 100, fromId: nextId });
  assert.deepEqual(page.missed, [{ shard: 0, events: 88n }]);
  assert.deepEqual(numbersOf(page.events), Array.from({ length: 10 }, (_, i) => 90 + i));
  assert.deepEqual((await bus.poll({ limit: 100, fromId: page.nextId })).missed, []);
  await within(clock, bus.shutdown());
});

Deno.test("a record that is no event is reported behind those in front of it, and can be passed", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  const adapter = createLogAdapter(redex, IN_MEMORY);
  const bus = await createEventBus({ clock, adapter }, { shards: 2, scaling: false });
  assert.equal(bus.pushWithHash(utf8("1"), 0n), true);
  await within(clock, bus.flush());
  redex.get("bus/default/0")?.append(utf8("broken"));
  assert.equal(bus.pushWithHash(utf8("2"), 0n), true);
  await within(clock, bus.flush());
  const first = await bus.poll({ limit: 10 });
  assert.equal(first.events.length, 1);
  assert.equal(first.hasMore, true);
  const second = await bus.poll({ limit: 10, fromId: first.nextId });
  assert.deepEqual(second.failedShards.map(({ shard, damagedId }) => [shard, damagedId]), [[
    0,
    "1",
  ]]);
  const third = await bus.poll({ limit: 10, fromId: skipEvent(second.nextId, 0, "1") });
  assert.equal(third.events.length, 1);
  await within(clock, bus.shutdown());
});

Deno.test("a full disk is worth another try, a damaged call is not", async () => {
  const failing = (kind: "no_space" | "closed") => {
    const file = {
      name: "bus/default/0",
      appendBatch: () => {
        throw new RedexError(kind, "Cannot append: told so");
      },
    } as unknown as RedexFile;
    return {
      names: () => Promise.resolve([]),
      open: () => Promise.resolve(file),
      get: () => file,
    } as unknown as Redex;
  };
  const batch = { shard: 0, events: [], sequenceStart: 0n, producerNonce: 1n };
  for (const [kind, expected] of [["no_space", "transient"], ["closed", "fatal"]] as const) {
    const adapter = createLogAdapter(failing(kind));
    await adapter.start();
    await assert.rejects(
      adapter.write(batch, SIGNAL),
      (error) => error instanceof BusError && error.kind === expected,
    );
  }
});

Deno.test("a page of large events ends early, and the next one goes on", async () => {
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  const adapter = createLogAdapter(redex, IN_MEMORY);
  const bus = await createEventBus({ clock, adapter }, { shards: 1, scaling: false });
  const large = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 40; n++) bus.ingestRaw(large);
  await within(clock, bus.flush());
  const sizes: number[] = [];
  let fromId: string | undefined;
  for (;;) {
    const page = await bus.poll({ limit: 100, fromId });
    sizes.push(page.events.length);
    fromId = page.nextId;
    if (!page.hasMore) break;
  }
  assert.equal(sizes.reduce((sum, size) => sum + size, 0), 40);
  assert.ok(sizes.length > 1);
  await within(clock, bus.shutdown());
});

Deno.test("a disk that is full for a while costs no event, if batches are tried again", async () => {
  const clock = new ManualClock();
  const disk = new SimDisk();
  const redex = openRedex({ clock, disk }, { folder: "data/log" });
  const adapter = createLogAdapter(redex);
  const bus = await createEventBus({ clock, adapter }, {
    shards: 1,
    scaling: false,
    adapterRetries: 10,
  });
  bus.ingestRawBatch(numbered(0, 10));
  await within(clock, bus.flush());
  disk.fault = ({ kind }) =>
    kind === "write"
      ? { error: new Error("No space left on device (os error 28)"), keep: 3 }
      : undefined;
  bus.ingestRawBatch(numbered(10, 3_000));
  await clock.advance(2_000);
  assert.equal(bus.stats().dispatched, 10n);
  disk.fault = undefined;
  await within(clock, bus.flush());
  const { events } = await bus.poll({ limit: 10_000 });
  assert.deepEqual(numbersOf(events), Array.from({ length: 3_000 }, (_, i) => i));
  assert.equal(bus.stats().dropped, 0n);
  await within(clock, bus.shutdown());
  await redex.close();
});
