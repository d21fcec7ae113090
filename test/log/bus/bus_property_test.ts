import assert from "node:assert/strict";
import fc from "fast-check";
import type { Batch, EventBus, PollRequest, StoredEvent } from "../../../src/log/mod.ts";
import {
  assertConserved,
  assertSettled,
  createTestBus,
  numbered,
  numbersOf,
  within,
} from "./bus_kit.ts";

const MODES = ["drop_newest", "drop_oldest", "fail_producer", "sample:3"];

Deno.test("ingested = dispatched + dropped at the end of any life", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 400 }) }),
    fc.record({
      kind: fc.constant("break" as const),
      outcome: fc.constantFrom("transient" as const, "fatal" as const, "hang" as const),
    }),
    fc.record({ kind: fc.constant("flush" as const) }),
    fc.record({ kind: fc.constant("scale" as const), isUp: fc.boolean() }),
  );
  const life = fc.record({
    backpressure: fc.constantFrom(...MODES),
    shards: fc.integer({ min: 1, max: 3 }),
    retries: fc.integer({ min: 0, max: 2 }),
    eventsMin: fc.integer({ min: 1, max: 400 }),
    steps: fc.array(step, { maxLength: 12 }),
    isPrompt: fc.boolean(),
    end: fc.constantFrom("shutdown", "abandon", "stuck", "abandon-in-shutdown"),
  });
  await fc.assert(
    fc.asyncProperty(life, async (life) => {
      const { backpressure, shards, retries, eventsMin, steps, isPrompt, end } = life;
      const { bus, clock, adapter } = await createTestBus({
        backpressure,
        shards,
        adapterRetries: retries,
        adapterTimeoutMs: 200,
        ringSlots: 1_024,
        batch: { eventsMin, eventsMax: 500 },
        scaling: { shardsMax: 4 },
      });
      // Takes batches at once, as the log does, unless it is broken or stuck; keeps what it was given.
      const prompt: Batch[] = [];
      if (isPrompt) {
        adapter.writeNow = (batch) => {
          if (adapter.outcomes.length > 0 || adapter.gate !== undefined) return false;
          assert.ok(batch.events.length > 0);
          prompt.push(batch);
          return true;
        };
      }
      let taken = 0;
      for (const step of steps) {
        if (step.kind === "push") taken += bus.ingestRawBatch(numbered(0, step.count));
        else if (step.kind === "wait") await clock.advance(step.ms);
        else if (step.kind === "break") adapter.outcomes.push(step.outcome);
        else if (step.kind === "flush") bus.flush().catch(() => {});
        else if (!step.isUp) bus.scaleDown(1).catch(() => {});
        else if (bus.shardCount < 4) bus.scaleUp(1);
        assertConserved(bus);
      }
      if (end === "stuck") adapter.gate = new Promise(() => {});
      const isAbandoned = end.startsWith("abandon");
      const closing = end === "abandon" ? undefined : bus.shutdown();
      if (isAbandoned) {
        await clock.advance(3);
        bus.abandon();
        assertSettled(bus);
      }
      await within(clock, closing ?? bus.shutdown());
      assertSettled(bus);
      assert.equal(bus.stats().ingested, BigInt(taken));
      if (end === "shutdown") {
        const kept = [...adapter.written, ...prompt].reduce(
          (n, { events }) => n + events.length,
          0,
        );
        assert.ok(BigInt(kept) >= bus.stats().dispatched);
      }
      assertGapFree([...adapter.tried, ...prompt]);
      await clock.advance(10_000);
      assertSettled(bus);
    }),
    { numRuns: Number(Deno.env.get("NET_BUS_LIVES") ?? 60) },
  );
});

Deno.test("polling with any limits, orders and filters gives each event once and in order", async () => {
  const scenario = fc.record({
    events: fc.integer({ min: 0, max: 300 }),
    shards: fc.integer({ min: 1, max: 5 }),
    limits: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
    ordering: fc.constantFrom("none" as const, "insertion_ts" as const),
    isFiltered: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ events, shards, limits, ordering, isFiltered }) => {
      const { bus, clock } = await createTestBus({ shards });
      for (const raw of numbered(0, events)) {
        bus.ingestRaw(raw);
        if (events % 3 === 0) await clock.advance(0.01);
      }
      await within(clock, bus.flush());
      const isOdd = isFiltered
        ? { kind: "compare", path: "n", operator: ">=", value: 40 } as const
        : undefined;
      const got = await pollAll(bus, limits, { ordering, filter: isOdd });
      const expected = Array.from({ length: events }, (_, n) => n)
        .filter((n) => !isFiltered || n >= 40);
      assert.deepEqual(numbersOf(got).sort((a, b) => a - b), expected);
      const lastOf = new Map<number, bigint>();
      for (const { shard, insertionTs } of got) {
        assert.ok(insertionTs > (lastOf.get(shard) ?? -1n));
        lastOf.set(shard, insertionTs);
      }
      await within(clock, bus.shutdown());
    }),
    { numRuns: 100 },
  );
});

/** Numbers of a shard's batches follow each other, and so do the times of its events. */
function assertGapFree(batches: readonly Batch[]): void {
  const shards = new Map<number, Map<bigint, Batch>>();
  for (const batch of batches) {
    const seen = shards.get(batch.shard) ?? new Map();
    shards.set(batch.shard, seen.set(batch.sequenceStart, batch));
  }
  for (const seen of shards.values()) {
    let next = 0n;
    let last = -1n;
    for (const [start, { events }] of [...seen].sort(([a], [b]) => a < b ? -1 : 1)) {
      assert.equal(start, next);
      next += BigInt(events.length);
      for (const { insertionTs } of events) {
        assert.ok(insertionTs > last);
        last = insertionTs;
      }
    }
  }
}

async function pollAll(
  bus: EventBus,
  limits: readonly number[],
  request: Omit<PollRequest, "limit">,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let fromId: string | undefined;
  for (let turn = 0; turn < 2_000; turn++) {
    const limit = limits[turn % limits.length] ?? 1;
    const page = await bus.poll({ ...request, limit, fromId });
    assert.ok(page.events.length <= limit);
    events.push(...page.events);
    fromId = page.nextId;
    if (!page.hasMore) return events;
  }
  throw new Error("the poll does not end");
}
