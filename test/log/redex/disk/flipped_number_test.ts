import assert from "node:assert/strict";
import { repairFolder, verifyFolder } from "../../../../src/log/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import type { SimDisk } from "../../../sim/sim_disk.ts";
import { FOLDER } from "./fault_run.ts";
import { createLog, readFile, writeFile } from "./folder_kit.ts";
import { openStore, payloadOf, readAll } from "./store_kit.ts";

const clock = new ManualClock();

/** Flips a bit of a number in an index file. */
function flip(disk: SimDisk, path: string, record: number, bit: number): void {
  const at = record * 20 + Math.floor(bit / 8);
  writeFile(disk, path, at, Uint8Array.of((readFile(disk, path)[at] ?? 0) ^ (1 << (bit % 8))));
}

/** The log as a crash leaves it that came before the first note. */
async function createUnnoted(count: number, segmentBytesMax?: number): Promise<SimDisk> {
  const disk = await createLog(count, segmentBytesMax);
  disk.remove(`${FOLDER}/@checkpoint`);
  return disk;
}

const liveIndexOf = (disk: SimDisk) =>
  disk.paths.find((path) => /\/v[0-9]+\/idx$/.test(path)) ?? "";

Deno.test("a bit flipped in any number costs one record at most, and no others get other numbers", async () => {
  for (
    const [count, segmentBytesMax] of [[1, undefined], [2, undefined], [9, undefined], [
      150,
      1024,
    ]] as const
  ) {
    const whole = await createUnnoted(count, segmentBytesMax);
    const records = readFile(whole, liveIndexOf(whole)).length / 20;
    for (let record = 0; record < records; record++) {
      for (let bit = 0; bit < 64; bit++) {
        const disk = await createUnnoted(count, segmentBytesMax);
        const live = liveIndexOf(disk);
        flip(disk, live, record, bit);
        const where = `${count} records, bit ${bit} of ${record}`;
        if (count === 1 && bit > 52) {
          await assert.rejects(openStore(FOLDER, { disk }), { kind: "seq_out_of_range" }, where);
          continue;
        }
        const store = await openStore(FOLDER, { disk, segmentBytesMax });
        const bad = count - records + record;
        const payloads = new Map(readAll(store));
        for (let seq = 0; seq < count; seq++) {
          if (seq !== bad) {
            assert.equal(payloads.get(seq), payloadOf(seq).toHex(), `${where}: ${seq}`);
          }
        }
        // The last one may pass for one behind a hole, as nothing comes after it.
        assert.ok(payloads.size <= count, where);
        assert.ok(store.append([payloadOf(7)], 1n) >= count - 1, where);
        await store.close();
      }
    }
  }
});

Deno.test("a log that has come beyond 2^53 is refused, and repair can still make it usable", async () => {
  for (const count of [1, 2, 5]) {
    const disk = await createUnnoted(count);
    const live = liveIndexOf(disk);
    for (let record = 0; record < count; record++) flip(disk, live, record, 60);
    const before = readFile(disk, live);
    await assert.rejects(openStore(FOLDER, { disk }), (error: Error) => {
      assert.match(error.message, /has the number 11529215046068469[0-9]{2}, must be below 2\^53/);
      return true;
    });
    assert.deepEqual(readFile(disk, live), before);
    assert.equal((await verifyFolder(disk, FOLDER, { clock })).damaged, count);
    const { after, taken } = await repairFolder(disk, FOLDER, { clock, isKeepingTaken: true });
    assert.deepEqual([after.isSound, after.records], [true, 0]);
    const kept = disk.paths.find((path) => path.startsWith(`${taken}/`) && path.endsWith("/idx"));
    assert.deepEqual(readFile(disk, kept ?? "").length, before.length);
    const store = await openStore(FOLDER, { disk });
    store.append([payloadOf(0)], 1n);
    await store.close();
  }
});

Deno.test("a bit flipped in a number of a full segment without its seal costs one record at most", async () => {
  for (let record = 0; record < 64; record += 9) {
    for (let bit = 0; bit < 64; bit++) {
      const disk = await createUnnoted(150, 1024);
      const full = disk.paths.filter((path) => /@sealed.*\/idx$/.test(path))[1] ?? "";
      disk.remove(full.replace(/idx$/, "seal"));
      flip(disk, full, record, bit);
      const store = await openStore(FOLDER, { disk, segmentBytesMax: 1024 });
      const payloads = new Map(readAll(store));
      for (let seq = 0; seq < 150; seq++) {
        if (seq === 64 + record) continue;
        assert.equal(payloads.get(seq), payloadOf(seq).toHex(), `${seq}, bit ${bit} of ${record}`);
      }
      assert.ok(payloads.size <= 150);
      await store.close();
    }
  }
});
