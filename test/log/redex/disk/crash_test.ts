import assert from "node:assert/strict";
import { CrashedError, type SimDisk } from "../../../sim/sim_disk.ts";
import { createSeededSource, type SeededSource } from "../../../core/crypto/random_bytes.ts";
import { createFaultDisk, FOLDER } from "./fault_run.ts";
import { openStore, payloadOf, readAll } from "./store_kit.ts";

const SEGMENT_BYTES = 1536;
const LIVES = 4;

/** What the writer knows, whatever the disk has. */
interface Knowledge {
  /** Every payload that was ever handed to an append, by number. */
  readonly attempted: Map<number, Set<string>>;
  /** All below is on the device, as far as the store said. */
  persisted: number;
  /** Numbers that an earlier crash took, which was allowed. */
  readonly lost: Set<number>;
  /** All below was forgotten, as far as the store said. */
  forgotten: number;
  /** A forgetting that was begun. */
  forgetting: number;
}

Deno.test("after any crash what was synced is there, in order, and nothing that was never written", async () => {
  for (let seed = 1; seed <= 250; seed++) {
    const random = createSeededSource(seed * 2 + 1);
    const known: Knowledge = {
      attempted: new Map(),
      lost: new Set(),
      persisted: 0,
      forgotten: 0,
      forgetting: 0,
    };
    let disk = createFaultDisk();
    for (let life = 0; life < LIVES; life++) {
      disk.crashAt = 1 + random.below(life === 0 ? 400 : 250);
      await live(disk, random, known).catch((error) => {
        if (!disk.isCrashed) throw new Error(`seed ${seed}, life ${life}`, { cause: error });
      });
      const chance = () => random.below(1000) / 1000;
      disk = random.below(4) === 0 ? disk.afterCrash(() => 0) : disk.afterCrash(chance);
      await check(disk, known, `seed ${seed}, life ${life}`);
    }
  }
});

/** Works until the machine crashes, or for a while. */
async function live(disk: SimDisk, random: SeededSource, known: Knowledge): Promise<void> {
  const store = await openStore(FOLDER, { disk, segmentBytesMax: SEGMENT_BYTES });
  for (let step = 0; step < 80 && !disk.isCrashed; step++) {
    const kind = random.below(20);
    if (kind < 14) {
      const batch = Array.from({ length: 1 + random.below(4) }, () => {
        return payloadOf(random.below(1000), random.below(200));
      });
      for (const [i, payload] of batch.entries()) {
        const seq = store.nextSeq + i;
        const payloads = known.attempted.get(seq) ?? new Set();
        known.attempted.set(seq, payloads.add(payload.toHex()));
      }
      store.append(batch, BigInt(step));
    } else if (kind < 18) {
      const upTo = store.nextSeq;
      await store.sync();
      known.persisted = Math.max(known.persisted, upTo);
    } else {
      const first = store.firstToKeep({ eventsMax: 15 });
      known.forgetting = Math.max(known.forgetting, first);
      await store.compact(first, kind === 19);
      known.forgotten = Math.max(known.forgotten, first);
    }
  }
  await store.close();
}

async function check(disk: SimDisk, known: Knowledge, label: string): Promise<void> {
  const store = await openStore(FOLDER, { disk, segmentBytesMax: SEGMENT_BYTES });
  const records = readAll(store);
  const there = new Set(records.map(([seq]) => seq));
  assert.ok(store.nextSeq >= known.persisted, `${label}: numbers were lost`);
  assert.ok(store.firstSeq >= known.forgotten, `${label}: what was forgotten is back`);
  for (let seq = Math.max(known.forgetting, 0); seq < known.persisted; seq++) {
    assert.ok(there.has(seq) || known.lost.has(seq), `${label}: ${seq} is gone`);
  }
  for (let seq = known.persisted; seq < store.nextSeq; seq++) {
    if (!there.has(seq)) known.lost.add(seq);
  }
  let last = -1;
  for (const [seq, payload] of records) {
    assert.ok(seq > last, `${label}: order`);
    assert.ok(known.attempted.get(seq)?.has(payload), `${label}: ${seq} was never written`);
    last = seq;
  }
  assert.equal(store.count, records.length, label);
  known.persisted = Math.max(known.persisted, store.nextSeq);
  await store.close().catch((error) => {
    if (!(error.cause instanceof CrashedError)) throw error;
  });
}
