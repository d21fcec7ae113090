/** Runs a store through a fixed course of calls on a simulated disk on which operations fail. */
import assert from "node:assert/strict";
import { RedexError } from "../../../../src/log/mod.ts";
import type { RecordStore } from "../../../../src/log/redex/record_store.ts";
import { type DiskOperation, SimDisk, type SimFault } from "../../../sim/sim_disk.ts";
import { createSeededSource } from "../../../core/crypto/random_bytes.ts";
import { openStore, payloadOf, readAll } from "./store_kit.ts";

export const FOLDER = "log/channel";

/** A simulated disk with the channel's folder on the device, which is for whoever opens the store to see to. */
export function createFaultDisk(): SimDisk {
  const disk = new SimDisk();
  disk.makeFolder(FOLDER);
  for (const path of ["log", ""]) disk.syncFolder(path);
  return disk;
}

const SEGMENT_BYTES = 2048;
const STEPS = 60;

/** How a run went. */
export interface FaultRun {
  readonly disk: SimDisk;
  /** Records that were acknowledged by an append and not forgotten. */
  readonly expected: readonly (readonly [number, string])[];
  /** All below was acknowledged by a sync. */
  readonly persisted: number;
  readonly failures: number;
  readonly operations: number;
}

/** What a run is made of. */
export interface FaultRunOptions {
  readonly seed: number;
  /** Asked before each operation of the disk, with its number from 1 on. */
  readonly fault: (operation: DiskOperation, number: number) => SimFault | undefined;
  readonly isClosed?: boolean;
}

/** Appends, reads, syncs, forgets and compacts; after each call the store has to be what it says. */
export async function runWithFaults(options: FaultRunOptions): Promise<FaultRun> {
  const disk = createFaultDisk();
  let number = 0;
  let failures = 0;
  const random = createSeededSource(options.seed);
  let store = await openStore(FOLDER, { disk, segmentBytesMax: SEGMENT_BYTES });
  const fault = (operation: DiskOperation) => {
    if (operation.kind === "read") return undefined;
    number += 1;
    const found = options.fault(operation, number);
    if (found !== undefined) failures += 1;
    return found;
  };
  disk.fault = fault;
  let expected: (readonly [number, string])[] = [];
  let nextSeq = 0;
  let persisted = 0;
  for (let step = 0; step < STEPS; step++) {
    const kind = random.below(20);
    if (kind < 13) {
      const count = 1 + random.below(4);
      const isInline = random.below(5) === 0;
      const batch = Array.from({ length: count }, (_, i) => {
        return payloadOf(step * 10 + i, isInline ? 8 : random.below(300));
      });
      const before = nextSeq;
      await expectFailure(() => {
        const first = store.append(batch, BigInt(step), isInline);
        assert.equal(first, before);
        expected.push(...batch.map((payload, i) => [first + i, payload.toHex()] as const));
        nextSeq += count;
      });
    } else if (kind < 17) {
      const upTo = nextSeq;
      await expectFailure(async () => {
        await store.sync();
        persisted = upTo;
      });
    } else if (kind < 19) {
      const first = store.firstToKeep({ eventsMax: 20 });
      await expectFailure(() => store.compact(first, kind === 18));
      // Forgetting may have happened though taking the bytes off the disk failed.
      assert.ok(store.firstSeq <= first);
      expected = expected.filter(([seq]) => seq >= store.firstSeq);
    } else if (store.failure !== undefined) {
      await store.close().catch(() => {});
      disk.fault = undefined;
      store = await openStore(FOLDER, { disk, segmentBytesMax: SEGMENT_BYTES });
      // An append that failed and could not be taken back may be there all the same.
      const there = readAll(store);
      assert.deepEqual(there.slice(0, expected.length), expected, `step ${step}`);
      expected = there;
      nextSeq = store.nextSeq;
      disk.fault = fault;
    }
    assert.deepEqual(readAll(store), expected, `step ${step}`);
    assert.deepEqual([store.nextSeq, store.count], [nextSeq, expected.length], `step ${step}`);
    assert.ok(store.persistedSeq >= persisted && store.persistedSeq <= nextSeq);
    assert.equal(store.damaged, 0);
  }
  await finish(disk, store, options.isClosed === true);
  return { disk, expected, persisted, failures, operations: number };
}

async function finish(disk: SimDisk, store: RecordStore, isClosed: boolean): Promise<void> {
  if (!isClosed) return;
  await store.close().catch(() => {});
  assert.equal(disk.openFiles, 0);
}

async function expectFailure(action: () => void | Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof RedexError)) throw error;
    assert.ok(["io", "no_space"].includes(error.kind), error.message);
    assert.notEqual(error.next, undefined);
  }
}
