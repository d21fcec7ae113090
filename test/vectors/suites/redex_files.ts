/** Channel folders that the reference wrote, or opened, appended to and opened again (`storage.md` 3). */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { systemClock, systemDisk } from "../../../src/base/mod.ts";
import { openDiskRecordStore, type RecordStore } from "../../../src/log/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  hexBytes,
  integer,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Times in the vectors that are inputs; all others are of the run. */
const INPUT_TIME = 1_700_000_000_000_000_000n;
const INPUT_TIMES = 1_000_000_000n;
/** Our own files beside those of the reference. */
const OWN_NAME = /^@/;

export const REDEX_FILE_SUITES: Readonly<Record<string, VectorSuite>> = {
  "storage/redex_basic_dir.json": (document) => ({
    channels: { cases: [objectOf(document, "document")], check: checkWritten },
  }),
  "storage/redex_recovery.json": () => ({ cases: checkRecovered }),
};

/** The same appends give the same bytes, and the folder is read as it was written. */
async function checkWritten(vector: VectorObject): Promise<void> {
  const files = recordOf(vector, "files");
  const payloads = listOf(vector, "appends").map((entry) => {
    const append = objectOf(entry, "append");
    const batch = has(append, "batch") ? listOf(append, "batch") : [append.one];
    return batch.map((payload) => hexBytes(payload, "payload"));
  });
  const times = bytesOf(files, "v0000000001/ts");
  const view = new DataView(times.buffer);
  await inFolder(async (folder) => {
    const store = await open(folder);
    let seq = 0;
    for (const batch of payloads) {
      assert.equal(store.append(batch, view.getBigUint64(seq * 8, true)), seq);
      seq += batch.length;
    }
    await store.close();
    assert.deepEqual(readFolder(folder), files);
  });
  await inFolder(async (folder) => {
    writeFolder(folder, files);
    const store = await open(folder);
    const { records, damaged } = store.read(0, Infinity, 100, 1e6);
    assert.deepEqual(damaged, []);
    assert.deepEqual(records.map(({ payload }) => payload), payloads.flat());
    assert.deepEqual(
      records.map(({ timeNs }) => timeNs),
      records.map((_, i) => view.getBigUint64(i * 8, true)),
    );
    await store.close();
    assert.deepEqual(readFolder(folder), files);
  });
}

async function checkRecovered(vector: VectorObject): Promise<void> {
  await inFolder(async (folder) => {
    writeFolder(folder, recordOf(vector, "before"));
    const store = await open(folder);
    assertFiles(folder, vector, "after_open");
    const expected = listOf(vector, "events").map((event) => objectOf(event, "event"));
    const { records } = store.read(0, Infinity, 100, 1e6);
    assert.deepEqual(
      records.map(({ seq, payload }) => ({ seq, payload: payload.toHex() })),
      expected.map((event) => ({ seq: numberOf(event, "seq"), payload: textOf(event, "payload") })),
    );
    assert.ok(expected.every((event) => !booleanOf(event, "inline") || has(event, "payload")));
    assert.equal(store.count, numberOf(vector, "len"));
    const seq = store.append([bytesOf(vector, "append_payload")], BigInt(Date.now()) * 1_000_000n);
    assert.equal(seq, numberOf(vector, "append_seq"));
    await store.close();
    assertFiles(folder, vector, "after_append");
    // As the reference left it, not as we did, and with what only we know taken away.
    for (const isOwn of [true, false]) {
      if (!isOwn) removeOwnFiles(folder);
      const again = await open(folder);
      assert.deepEqual(
        again.read(0, Infinity, 100, 1e6).records.map((record) => record.seq),
        listOf(vector, "reopen_seqs").map((value) => Number(integer(value, "seq"))),
      );
      assertFiles(folder, vector, "after_reopen");
      await again.close();
    }
  });
}

function open(folder: string): Promise<RecordStore> {
  return openDiskRecordStore({ disk: systemDisk, clock: systemClock, folder });
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const base = await Deno.makeTempDir();
  try {
    await run(join(base, "ch"));
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

function writeFolder(folder: string, files: VectorObject): void {
  Deno.mkdirSync(folder, { recursive: true });
  for (const path of Object.keys(files)) {
    Deno.mkdirSync(dirname(join(folder, path)), { recursive: true });
    Deno.writeFileSync(join(folder, path), bytesOf(files, path));
  }
}

function assertFiles(folder: string, vector: VectorObject, field: string): void {
  assert.deepEqual(withoutTimes(readFolder(folder)), withoutTimes(recordOf(vector, field)), field);
}

/** Files of a folder that are not only ours, in hex, by path. */
function readFolder(folder: string, path = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(join(folder, path))) {
    if (OWN_NAME.test(name)) continue;
    const inner = path === "" ? name : `${path}/${name}`;
    if (isDirectory) Object.assign(files, readFolder(folder, inner));
    else files[inner] = Deno.readFileSync(join(folder, inner)).toHex();
  }
  return files;
}

function removeOwnFiles(folder: string): void {
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (OWN_NAME.test(name)) Deno.removeSync(join(folder, name), { recursive: true });
  }
}

/** The same with the times that are of a run replaced by a mark. */
function withoutTimes(files: VectorObject): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(files).map(([path, hex]) => {
      if (!path.endsWith("ts")) return [path, hex];
      const bytes = hexBytes(hex, path);
      const view = new DataView(bytes.buffer);
      for (let at = 0; at + 8 <= bytes.length; at += 8) {
        const time = view.getBigUint64(at, true) - INPUT_TIME;
        if (time < 0n || time > INPUT_TIMES) view.setBigUint64(at, 0n, true);
      }
      return [path, bytes.toHex()];
    }),
  );
}
