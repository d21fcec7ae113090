/** What tests of the bus share: buses over adapters that fail or wait as told. */
import assert from "node:assert/strict";
import {
  type Batch,
  type BusAdapter,
  BusError,
  type BusOptions,
  createEventBus,
  createMemoryAdapter,
  type EventBus,
} from "../../../src/log/mod.ts";
import { utf8 } from "../../../src/base/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** An adapter in memory that a test can stop, slow down and break. */
export interface TestAdapter extends BusAdapter {
  /** What the next writes do; then they succeed. */
  readonly outcomes: ("transient" | "fatal" | "hang" | "ok")[];
  /** Batches that were tried, failed ones too. */
  readonly tried: Batch[];
  readonly written: Batch[];
  flushes: number;
  /** While set, writes wait for it. */
  gate: Promise<void> | undefined;
}

/** Creates such an adapter. */
export function createTestAdapter(): TestAdapter {
  const memory = createMemoryAdapter({ eventsMax: 1 << 20 });
  const adapter: TestAdapter = {
    ...memory,
    name: "test",
    outcomes: [],
    tried: [],
    written: [],
    flushes: 0,
    gate: undefined,
    write: async (batch, signal) => {
      adapter.tried.push(batch);
      const outcome = adapter.outcomes.shift() ?? "ok";
      if (adapter.gate !== undefined) await adapter.gate;
      if (outcome === "hang") {
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      }
      if (outcome !== "ok" && outcome !== "hang") {
        throw new BusError(outcome, "Cannot write: told so");
      }
      await memory.write(batch, signal);
      adapter.written.push(batch);
    },
    flush: () => {
      adapter.flushes += 1;
      return Promise.resolve();
    },
  };
  return adapter;
}

/** A bus over it, with its clock; one shard that does not scale, unless told otherwise. */
export async function createTestBus(
  options: BusOptions = {},
): Promise<{ bus: EventBus; clock: ManualClock; adapter: TestAdapter }> {
  const clock = new ManualClock();
  const adapter = createTestAdapter();
  const bus = await createEventBus({ clock, adapter, processors: 4 }, {
    shards: 1,
    scaling: false,
    ...options,
  });
  return { bus, clock, adapter };
}

/** Runs a call of the bus while time goes on. */
export async function within<Value>(
  clock: ManualClock,
  call: Promise<Value>,
  limitMs = 120_000,
): Promise<Value> {
  let isDone = false;
  const watched = call.finally(() => isDone = true);
  watched.catch(() => {});
  assert.ok(await clock.advanceUntil(() => isDone, limitMs), "it takes too long");
  return await watched;
}

/** The one rule that always holds. */
export function assertConserved(bus: EventBus): void {
  const { ingested, dispatched, dropped, shards } = bus.stats();
  const waiting = shards.reduce((sum, shard) => sum + shard.waiting, 0);
  assert.equal(ingested, dispatched + dropped + BigInt(waiting));
}

/** The same when the bus has ended: nothing waits any more. */
export function assertSettled(bus: EventBus): void {
  const { ingested, dispatched, dropped } = bus.stats();
  assert.equal(ingested, dispatched + dropped);
}

/** Events `from` ≤ n < `to`, as JSON with their number. */
export function numbered(from: number, to: number): Uint8Array[] {
  return Array.from({ length: to - from }, (_, i) => utf8(`{"n":${from + i}}`));
}

/** Their numbers again. */
export function numbersOf(events: readonly { readonly raw: Uint8Array }[]): number[] {
  return events.map(({ raw }) => JSON.parse(new TextDecoder().decode(raw)).n);
}
