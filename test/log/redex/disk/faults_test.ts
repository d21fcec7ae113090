import assert from "node:assert/strict";
import {
  closeSegmentFiles,
  openSegmentFiles,
} from "../../../../src/log/redex/disk/segment_files.ts";
import { alignedTimes } from "../../../../src/log/redex/disk/segment_times.ts";
import { Slices } from "../../../../src/log/redex/disk/slices.ts";
import { writeFoundAgain } from "../../../../src/log/redex/disk/write_again.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import type { SimFault } from "../../../sim/sim_disk.ts";
import { simErrors } from "../../../sim/sim_inode.ts";
import { createSeededSource } from "../../../core/crypto/random_bytes.ts";
import { createFaultDisk, FOLDER, runWithFaults } from "./fault_run.ts";
import { openStore, payloadOf, readAll } from "./store_kit.ts";

const ERRORS = [simErrors.noSpace, simErrors.io, simErrors.readOnly, simErrors.denied];

Deno.test("each operation of the disk may fail once: memory and files agree, and the log goes on", async () => {
  for (let seed = 1; seed <= 1; seed++) {
    const { operations } = await runWithFaults({ seed, fault: () => undefined });
    for (let at = 1; at <= operations; at++) {
      const fault = (): SimFault => {
        const error = (ERRORS[at % ERRORS.length] ?? simErrors.io)();
        return { error, keep: at % 3 === 0 ? 0 : at * 7 % 50 };
      };
      const run = await runWithFaults({
        seed,
        fault: (_, number) => number === at ? fault() : undefined,
        isClosed: true,
      }).catch((error) => {
        throw new Error(`seed ${seed}, operation ${at}: ${error.message}`, { cause: error });
      });
      await assertReopened(run, `seed ${seed}, operation ${at}`);
    }
  }
});

Deno.test("any operation of the disk may fail: what was acknowledged is there, and nothing else", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = createSeededSource(seed * 7 + 3);
    const run = await runWithFaults({
      seed,
      fault: () => {
        if (random.below(12) > 0) return undefined;
        const error = (ERRORS[random.below(ERRORS.length)] ?? simErrors.io)();
        return { error, keep: random.below(60) };
      },
      isClosed: seed % 2 === 0,
    });
    await assertReopened(run, `seed ${seed}`);
  }
});

Deno.test("a sync that failed is not followed by one that pretends", async () => {
  const disk = createFaultDisk();
  const store = await openStore(FOLDER, { disk });
  store.append([payloadOf(1)], 1n);
  await store.sync();
  store.append([payloadOf(2)], 2n);
  let failures = 0;
  disk.fault = ({ kind, path }) => {
    if (kind !== "sync" || !path.endsWith("/dat") || failures > 0) return undefined;
    failures += 1;
    return { error: simErrors.io() };
  };
  await assert.rejects(store.sync(), /Cannot sync/);
  assert.equal(store.persistedSeq, 1);
  assert.throws(() => store.append([payloadOf(3)], 3n), /a sync failed/);
  assert.match(store.failure ?? "", /a sync failed/);
  await store.sync();
  assert.equal(store.persistedSeq, 2);
  assert.equal(store.failure, undefined);
  store.append([payloadOf(4)], 4n);
  // Nothing of what was not synced is kept by this crash, and all that was acknowledged is.
  const again = await openStore(FOLDER, { disk: disk.afterCrash(() => 0.34) });
  assert.deepEqual(readAll(again).slice(0, 2), [[0, payloadOf(1).toHex()], [
    1,
    payloadOf(2).toHex(),
  ]]);
  await again.close();
});

Deno.test("syncs that failed are remembered for whoever opens the log next", async () => {
  const disk = createFaultDisk();
  const isMarked = () => disk.paths.some((path) => path.endsWith("/@unsure"));
  const store = await openStore(FOLDER, { disk });
  store.append([payloadOf(1)], 1n);
  disk.fault = ({ kind }) => kind === "sync" ? { error: simErrors.io() } : undefined;
  await assert.rejects(store.sync(), /Cannot sync/);
  disk.fault = undefined;
  assert.ok(isMarked());
  await store.sync();
  assert.ok(!isMarked());
  store.append([payloadOf(2)], 2n);
  disk.fault = ({ kind }) => kind === "sync" ? { error: simErrors.io() } : undefined;
  await assert.rejects(store.close(), /Cannot sync/);
  disk.fault = undefined;
  assert.ok(isMarked());
  const second = await openStore(FOLDER, { disk });
  assert.deepEqual([second.persistedSeq, isMarked()], [2, false]);
  // Nothing of what was not synced is kept by this crash.
  const again = await openStore(FOLDER, { disk: disk.afterCrash(() => 0.34) });
  assert.deepEqual(readAll(again), [[0, payloadOf(1).toHex()], [1, payloadOf(2).toHex()]]);
  await again.close();
});

Deno.test("much that was found is written again only after a sync that failed", async () => {
  const disk = createFaultDisk();
  const store = await openStore(FOLDER, { disk });
  store.append([payloadOf(1)], 1n);
  await store.close();
  const files = openSegmentFiles(disk, `${FOLDER}/v0000000001`);
  const none = { records: 0, datBytes: 0, times: alignedTimes(0) };
  const all = { records: 1, datBytes: 16, times: alignedTimes(1) };
  const slices = new Slices(new ManualClock());
  const before = disk.operations;
  await writeFoundAgain(files, none, all, slices, 35);
  assert.equal(disk.operations, before);
  await writeFoundAgain(files, none, all, slices, Infinity);
  assert.equal(disk.operations, before + 3);
  closeSegmentFiles(files);
});

Deno.test("a write that cannot be taken back closes the log to appends, and says why", async () => {
  const disk = createFaultDisk();
  const store = await openStore(FOLDER, { disk });
  store.append([payloadOf(1)], 1n);
  disk.fault = ({ kind, path }) => {
    if (kind === "truncate") return { error: simErrors.io() };
    return kind === "write" && path.endsWith("/idx")
      ? { error: simErrors.noSpace(), keep: 7 }
      : undefined;
  };
  assert.throws(() => store.append([payloadOf(2)], 2n), /no space left/);
  disk.fault = undefined;
  assert.match(store.failure ?? "", /No space left.*could not be taken back.*Input\/output/);
  assert.throws(() => store.append([payloadOf(2)], 2n), /could not be taken back/);
  await assert.rejects(store.compact(0), /could not be taken back/);
  assert.deepEqual(readAll(store), [[0, payloadOf(1).toHex()]]);
  await store.close();
  const again = await openStore(FOLDER, { disk });
  assert.equal(again.append([payloadOf(2)], 2n), 1);
  await again.close();
});

/** After the process is gone, and after a crash, the folder holds what was acknowledged. */
async function assertReopened(
  { disk, expected, persisted }: Awaited<ReturnType<typeof runWithFaults>>,
  label: string,
): Promise<void> {
  disk.fault = undefined;
  const killed = disk.afterCrash(() => 0);
  const store = await openStore(FOLDER, { disk: killed, segmentBytesMax: 2048 });
  const there = new Map(readAll(store));
  for (const [seq, payload] of expected) assert.equal(there.get(seq), payload, label);
  assert.ok(store.nextSeq >= (expected.at(-1)?.[0] ?? -1) + 1, label);
  await store.close();
  assert.equal(killed.openFiles, 0, label);
  void persisted;
}
