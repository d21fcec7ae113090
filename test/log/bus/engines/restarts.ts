/** A stream of events into a server that is killed and started again and again. */
import assert from "node:assert/strict";
import { type BusAdapter, BusError, type StoredEvent } from "../../../../src/log/bus/mod.ts";
import { batchOf, bytesOf, pollAll, SIGNAL, textOf } from "./adapter_kit.ts";
import type { ServerProcess } from "./server_process.ts";

const EVENTS = 20_000;
const SHARDS = 2;
const BATCH_EVENTS = 125;
const KILLS = 5;
const DOWN_MS = 60;
/** Nobody would wait longer than this for a server that comes back. */
const GIVE_UP_MS = 30_000;

/** What came of it. */
export interface StreamOutcome {
  /** Events of each shard as the adapter gives them. */
  readonly shards: readonly (readonly StoredEvent[])[];
  /** Attempts to write a batch that failed. */
  readonly retries: number;
}

/** Writes 20,000 events, trying again what failed, while the server is killed five times; reads all of them. */
export async function streamThroughKills(
  server: ServerProcess,
  adapter: BusAdapter,
): Promise<StreamOutcome> {
  let written = 0;
  let retries = 0;
  const isOver = () => written >= EVENTS;
  const killing = (async () => {
    for (let kill = 1; kill <= KILLS && !isOver(); kill++) {
      while (written < kill * EVENTS / (KILLS + 1)) await sleep(1);
      await server.kill();
      await sleep(DOWN_MS);
      await server.start();
    }
  })();
  const producing = Array.from({ length: SHARDS }, async (_, shard) => {
    for (let first = 0; first < EVENTS / SHARDS; first += BATCH_EVENTS) {
      const raws = Array.from({ length: BATCH_EVENTS }, (_, i) => bytesOf(`${first + i}`));
      retries += await writeUntilDone(
        adapter,
        batchOf(raws, { shard, sequenceStart: BigInt(first) }),
      );
      written += BATCH_EVENTS;
    }
  });
  await Promise.all([killing, ...producing]);
  const shards = await Promise.all(
    Array.from({ length: SHARDS }, (_, shard) => pollAll(adapter, shard, 2_000)),
  );
  return { shards, retries };
}

/** Every event is there once, in order. */
export function assertComplete(shards: readonly (readonly StoredEvent[])[]): void {
  const wanted = Array.from({ length: EVENTS / SHARDS }, (_, i) => String(i));
  assert.equal(shards.length, SHARDS);
  for (const events of shards) assert.deepEqual(events.map(({ raw }) => textOf(raw)), wanted);
}

async function writeUntilDone(
  adapter: BusAdapter,
  batch: Parameters<BusAdapter["write"]>[0],
): Promise<number> {
  const untilMs = performance.now() + GIVE_UP_MS;
  for (let retries = 0;; retries++) {
    try {
      await adapter.write(batch, SIGNAL);
      return retries;
    } catch (error) {
      const mayRetry = error instanceof BusError && error.isRetryable;
      if (!mayRetry || performance.now() > untilMs) throw error;
      await sleep(20);
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
