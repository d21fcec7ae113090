import assert from "node:assert/strict";
import { type FolderReport, repairFolder, verifyFolder } from "../../../../src/log/mod.ts";
import { SimDisk } from "../../../sim/sim_disk.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { createLog, readFile, writeFile } from "./folder_kit.ts";
import { FOLDER } from "./fault_run.ts";
import { openStore, payloadOf, readAll } from "./store_kit.ts";

const LIVE = `${FOLDER}/v0000000001`;
const clock = new ManualClock();

const verify = (disk: SimDisk) => verifyFolder(disk, FOLDER, { clock });
const operationsOf = (disk: SimDisk) => disk.operations;

Deno.test("verifyFolder() says what a sound log holds, and changes nothing", async () => {
  const disk = await createLog(10, 1024);
  const before = operationsOf(disk);
  const report = await verify(disk);
  assert.equal(operationsOf(disk), before);
  assert.equal(disk.openFiles, 0);
  assert.deepEqual(report, {
    folder: FOLDER,
    isSound: true,
    generation: 1,
    isManifestSound: true,
    segments: [{
      name: "v0000000001",
      kind: "live",
      generation: 1,
      records: 10,
      bytes: 360,
      firstSeq: 0n,
      lastSeq: 9n,
      damaged: 0,
      recordsCut: 0,
      torn: { idx: 0, dat: 0, ts: 0 },
      times: "complete",
      note: "valid",
    }],
    records: 10,
    bytes: 360,
    damaged: 0,
    damagedRecords: [],
    leftovers: [],
  });
});

Deno.test("verifyFolder() of a folder without a channel finds none", async () => {
  const report = await verifyFolder(new SimDisk(), "nowhere", { clock });
  assert.deepEqual([report.generation, report.segments, report.isSound], [undefined, [], false]);
});

Deno.test("verifyFolder() lists damage, torn ends, short times and what is left over", async () => {
  const disk = await createLog(10);
  writeFile(disk, `${LIVE}/dat`, 16 * 3 + 2, Uint8Array.of(0xee));
  writeFile(disk, `${LIVE}/dat`, -1, Uint8Array.of(1, 2, 3));
  writeFile(disk, `${LIVE}/idx`, -1, Uint8Array.of(1, 2, 3, 4));
  const ts = disk.open(`${LIVE}/ts`);
  ts.truncate(7 * 8 + 5);
  ts.close();
  writeFile(disk, `${FOLDER}/manifest.tmp`, 0, Uint8Array.of(1));
  disk.makeFolder(`${FOLDER}/v0000000009`);
  writeFile(disk, `${FOLDER}/@checkpoint`, 20, Uint8Array.of(0xff));
  const report = await verify(disk);
  const [segment] = report.segments;
  assert.equal(report.isSound, false);
  assert.deepEqual(report.damagedRecords, [
    { segment: "v0000000001", record: 3, seq: 3n, reason: "checksum" },
  ]);
  assert.deepEqual([report.records, report.damaged], [9, 1]);
  assert.deepEqual(segment?.torn, { idx: 4, dat: 3, ts: 5 });
  assert.deepEqual([segment?.times, segment?.note], ["short", "damaged"]);
  assert.deepEqual(report.leftovers, ["v0000000009", "manifest.tmp"]);
});

Deno.test("verifyFolder() tells records without payload and numbers that are out of order", async () => {
  const disk = await createLog(10);
  const dat = disk.open(`${LIVE}/dat`);
  dat.truncate(16 * 8 + 4);
  dat.close();
  const cut = await verify(disk);
  assert.deepEqual([cut.records, cut.segments[0]?.recordsCut], [8, 2]);
  const other = await createLog(10);
  for (const at of [6, 7]) writeFile(other, `${LIVE}/idx`, 20 * at, Uint8Array.of(2));
  const report = await verify(other);
  assert.deepEqual([report.records, report.segments[0]?.recordsCut], [6, 4]);
  assert.deepEqual(report.damagedRecords, [
    { segment: "v0000000001", record: 6, seq: 2n, reason: "order" },
  ]);
});

Deno.test("one damaged number costs its record, not those behind it", async () => {
  for (const count of [10, 2500]) {
    for (
      const [record, byte, value] of [[6, 0, 2], [6, 3, 0xff], [6, 7, 0xff], [1023, 2, 9]] as const
    ) {
      if (record >= count) continue;
      const disk = await createLog(count);
      writeFile(disk, `${LIVE}/idx`, 20 * record + byte, Uint8Array.of(value));
      const report = await verify(disk);
      assert.deepEqual([report.records, report.damaged], [count - 1, 1]);
      assert.deepEqual(report.damagedRecords.map((damaged) => [damaged.record, damaged.reason]), [
        [record, "number"],
      ]);
      // With a checkpoint nobody looks, so reading meets it.
      const store = await openStore(FOLDER, { disk });
      assert.equal(readAll(store).length, count - 1);
      await store.compact(0);
      assert.equal(readAll(store).length, count - 1);
      await store.close();
      assert.equal((await verify(disk)).isSound, true);
    }
  }
});

Deno.test("repairFolder() takes out what is damaged, in the live segment and in full ones", async () => {
  const disk = await createLog(300, 1024);
  const full = disk.paths.filter((path) => /@sealed.*\/dat$/.test(path));
  assert.equal(full.length, 4);
  writeFile(disk, full[1] ?? "", 17, Uint8Array.of(0xee));
  const live = disk.paths.find((path) => /v00.*\/dat$/.test(path)) ?? "";
  writeFile(disk, live, 3, Uint8Array.of(0xee));
  writeFile(disk, live, -1, Uint8Array.of(9, 9));
  const { before, after, taken } = await repairFolder(disk, FOLDER, {
    clock,
    isKeepingTaken: true,
  });
  assert.deepEqual([before.records, before.damaged, before.isSound], [298, 2, false]);
  assert.deepEqual([after.records, after.damaged, after.isSound], [298, 0, true]);
  assert.deepEqual(withoutPlaces(after), withoutPlaces(before));
  assert.equal(taken, `${FOLDER}/@taken/000001`);
  const kept = disk.paths.filter((path) => path.startsWith(`${taken}/`));
  const sizes = kept.map((path) => [path.slice(taken.length + 1), readFile(disk, path).length]);
  assert.deepEqual(sizes.map(([, size]) => size), [16, 20, 16, 2, 20]);
  assert.equal(disk.openFiles, 0);
  const store = await openStore(FOLDER, { disk, segmentBytesMax: 1024 });
  assert.equal(readAll(store).length, 298);
  assert.equal(store.append([payloadOf(1)], 1n), 300);
  await store.close();
  const again = await repairFolder(disk, FOLDER, { clock });
  assert.equal(again.before, again.after);
});

Deno.test("repairFolder() leaves a clean file where opening passes over damage at every time", async () => {
  const disk = await createLog(5);
  writeFile(disk, `${LIVE}/dat`, 16, Uint8Array.of(0xee));
  const ts = disk.open(`${LIVE}/ts`);
  ts.truncate(16);
  ts.close();
  const { after } = await repairFolder(disk, FOLDER, { clock });
  assert.equal(after.isSound, true);
  assert.equal(readFile(disk, `${FOLDER}/v0000000002/idx`).length, 80);
  assert.equal(readFile(disk, `${FOLDER}/v0000000002/ts`).length, 32);
});

Deno.test("repairFolder() of nothing says so", async () => {
  await assert.rejects(repairFolder(new SimDisk(), "nowhere", { clock }), /there is none/);
});

function withoutPlaces({ segments }: FolderReport): unknown {
  return segments.map(({ records, firstSeq, lastSeq, kind }) => ({
    records,
    firstSeq,
    lastSeq,
    kind,
  }));
}
