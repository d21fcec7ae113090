/** A stream of events through a whole bus into a server that is killed and started again and again. */
import assert from "node:assert/strict";
import { systemClock } from "../../../../src/base/mod.ts";
import {
  type BusAdapter,
  createEventBus,
  type EventBus,
  type StoredEvent,
} from "../../../../src/log/bus/mod.ts";
import { type Log, silentLog } from "../../../../src/observe/mod.ts";
import { bytesOf, pollAll, textOf } from "./adapter_kit.ts";
import type { ServerProcess } from "./server_process.ts";

const EVENTS = 20_000;
const SHARDS = 2;
const KILLS = 5;
const DOWN_MS = 60;
/** A producer that sends all at once would be done before the first kill. */
const BURST_EVENTS = 50;
/** Longest pause between tries is 3.2 s; so many of them outlast every restart here. */
const RETRIES = 12;

/** Sends 20,000 events through a bus while the server is killed five times; gives the shards as they are then. */
export async function streamThroughKills(
  server: ServerProcess,
  createAdapter: (log: Pick<Log, "warn">) => BusAdapter,
): Promise<StoredEvent[][]> {
  const warnings: string[] = [];
  const warn: Log["warn"] = (event, fields) => {
    warnings.push(`${event} ${Deno.inspect(fields)}`);
  };
  const adapter = createAdapter({ warn });
  const log: Log = { ...silentLog, warn, error: warn, child: () => log };
  const bus = await createEventBus({ clock: systemClock, adapter, log }, {
    shards: SHARDS,
    scaling: false,
    adapterRetries: RETRIES,
    batch: { eventsMin: 100, eventsMax: 500, delayMaxMs: 2 },
  });
  await Promise.all([produce(bus), killAgainAndAgain(server, bus)]);
  await untilDispatched(bus);
  await bus.flush();
  const { ingested, dispatched, dropped } = bus.stats();
  const wanted = [BigInt(EVENTS), BigInt(EVENTS), 0n];
  assert.deepEqual([ingested, dispatched, dropped], wanted, warnings.join("\n"));
  const shards = [];
  for (let shard = 0; shard < SHARDS; shard++) shards.push(await pollAll(adapter, shard, 2_000));
  await bus.shutdown();
  return shards;
}

/** Every event is there once, and each shard has its own in the order they were sent. */
export function assertComplete(shards: readonly (readonly StoredEvent[])[]): void {
  const numbers = shards.map((events) => events.map(({ raw }) => Number(textOf(raw))));
  for (const each of numbers) assert.deepEqual(each, each.toSorted((a, b) => a - b));
  const all = numbers.flat().sort((a, b) => a - b);
  assert.deepEqual(all, Array.from({ length: EVENTS }, (_, i) => i));
}

async function produce(bus: EventBus): Promise<void> {
  for (let i = 0; i < EVENTS; i++) {
    bus.ingestRaw(bytesOf(String(i)));
    if (i % BURST_EVENTS === 0) await sleep(1);
  }
}

async function killAgainAndAgain(server: ServerProcess, bus: EventBus): Promise<void> {
  for (let kill = 1; kill <= KILLS; kill++) {
    while (bus.stats().dispatched < kill * EVENTS / (KILLS + 1)) await sleep(1);
    await server.kill();
    await sleep(DOWN_MS);
    await server.start();
  }
}

async function untilDispatched(bus: EventBus): Promise<void> {
  for (;;) {
    const { ingested, dispatched, dropped } = bus.stats();
    if (dispatched + dropped >= ingested) return;
    await sleep(5);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
