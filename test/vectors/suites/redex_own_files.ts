/** What our channel folders hold besides the reference's files (docs/redex.md). */
import assert from "node:assert/strict";
import type { Disk } from "../../../src/base/mod.ts";
import { openDiskRecordStore } from "../../../src/log/mod.ts";
import { DamageRuns } from "../../../src/log/redex/disk/damage_runs.ts";
import {
  decodeSegmentNote,
  encodeSegmentNote,
  type SegmentNote,
} from "../../../src/log/redex/disk/segment_note.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

const FOLDER = "ch";

/** Cases of `docs/vectors/redex_files.json`. */
export const REDEX_OWN_FILES_SUITE: VectorSuite = () => ({
  notes: checkNote,
  malformed: (vector) => assert.equal(decodeSegmentNote(bytesOf(vector, "bytes")), undefined),
  folders: checkFolder,
});

function checkNote(vector: VectorObject): void {
  const damage = new DamageRuns();
  for (const run of listOf(vector, "damage")) {
    assert.ok(Array.isArray(run));
    damage.add(Number(run[0]), Number(run[1]));
  }
  const times = recordOf(vector, "times");
  const note: SegmentNote = {
    generation: numberOf(vector, "generation"),
    content: {
      records: numberOf(vector, "records"),
      datBytes: numberOf(vector, "dat_bytes"),
      heapBytes: numberOf(vector, "heap_bytes"),
      firstSeq: has(vector, "first_seq") ? numberOf(vector, "first_seq") : -1,
      lastSeq: has(vector, "last_seq") ? numberOf(vector, "last_seq") : -1,
      damage,
      times: {
        entries: numberOf(times, "entries"),
        unknownCount: numberOf(times, "unknown_count"),
        unknownNs: integerOf(times, "unknown_ns"),
        shift: numberOf(times, "shift"),
      },
    },
    lastRecordHash: numberOf(vector, "last_record_hash"),
    keepFrom: numberOf(vector, "keep_from"),
    nextSeq: numberOf(vector, "next_seq"),
  };
  const bytes = bytesOf(vector, "bytes");
  assert.deepEqual(encodeSegmentNote(note), bytes);
  const decoded = decodeSegmentNote(bytes);
  assert.deepEqual([...decoded?.content.damage ?? []], [...damage]);
  assert.deepEqual(
    { ...decoded, content: { ...decoded?.content, damage: undefined } },
    { ...note, content: { ...note.content, damage: undefined } },
  );
}

async function checkFolder(vector: VectorObject): Promise<void> {
  const disk = new SimDisk();
  const before = recordOf(vector, "before");
  writeFolder(disk, FOLDER, before);
  const clock = new ManualClock();
  const store = await openDiskRecordStore({ disk, clock, folder: FOLDER });
  const after: Record<string, unknown> = { ...before, ...recordOf(vector, "changed") };
  for (const [path, hex] of Object.entries(after)) if (hex === null) delete after[path];
  assert.deepEqual(readFolder(disk, FOLDER), after);
  assert.equal(store.generation, numberOf(vector, "generation"));
  assert.equal(store.nextSeq, numberOf(vector, "next_seq"));
  assert.equal(store.damaged, numberOf(vector, "damaged_known"));
  const records: unknown[] = [];
  const damaged: number[] = [];
  for (let from = 0; from < store.nextSeq;) {
    const read = store.read(from, store.nextSeq, 7, 1e6);
    records.push(...read.records.map(({ seq, payload, timeNs }) => {
      return { seq, payload: payload.toHex(), time: String(timeNs) };
    }));
    damaged.push(...read.damaged);
    from = read.next;
  }
  assert.deepEqual(records, listOf(vector, "records").map((record) => objectOf(record, "record")));
  assert.deepEqual(damaged, listOf(vector, "damaged_met"));
  assert.ok(store.count >= records.length && store.count <= records.length + damaged.length);
  textOf(vector, "why");
  await store.close();
  assert.equal(disk.openFiles, 0);
}

/** Writes the files of a folder, in hex by path. */
export function writeFolder(disk: Disk, folder: string, files: VectorObject): void {
  disk.makeFolder(folder);
  for (const path of Object.keys(files)) {
    const at = path.lastIndexOf("/");
    if (at > 0) disk.makeFolder(`${folder}/${path.slice(0, at)}`);
    const file = disk.open(`${folder}/${path}`, { create: true });
    file.writeAt(0, bytesOf(files, path));
    file.close();
  }
}

/** The files of a folder, in hex by path. */
export function readFolder(disk: Disk, folder: string, path = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isFolder } of disk.list(path === "" ? folder : `${folder}/${path}`)) {
    const inner = path === "" ? name : `${path}/${name}`;
    if (isFolder) {
      Object.assign(files, readFolder(disk, folder, inner));
      continue;
    }
    const file = disk.open(`${folder}/${inner}`, { readOnly: true });
    const bytes = new Uint8Array(file.size());
    file.readAt(0, bytes);
    file.close();
    files[inner] = bytes.toHex();
  }
  return files;
}
