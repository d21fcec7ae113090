/** Files of a log: manifests, notes, and whole folders that a store opens, appends to and opens again. */
import assert from "node:assert/strict";
import { openDiskRecordStore, RedexError, verifyFolder } from "../../../src/log/mod.ts";
import { DamageRuns } from "../../../src/log/redex/disk/damage_runs.ts";
import { decodeManifest, encodeManifest } from "../../../src/log/redex/disk/record_format.ts";
import {
  decodeSegmentNote,
  encodeSegmentNote,
  type SegmentNote,
} from "../../../src/log/redex/disk/segment_note.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { assertSame } from "../fuzz.ts";

const FOLDER = "ch";
const LIVE = `${FOLDER}/v0000000001`;
const NAMES = ["idx", "dat", "ts"] as const;
/** Lengths of the three files before the files; what is left is the checkpoint. */
const HEAD_BYTES = 6;
/** An index record. */
const RECORD_BYTES = 20;
/** Folders that wait to be opened; opening is asynchronous. */
const WAITING_MAX = 1024;

function manifestTarget(): FuzzTarget {
  return {
    corpus: [1, 2, 77, 0xffff_ffff].map(encodeManifest),
    feed: (bytes) => {
      const generation = decodeManifest(bytes);
      // Bytes behind the sixteenth are not looked at, nor are those between generation and checksum.
      if (generation !== undefined) assert.ok(bytes.length >= 16 && generation <= 0xffff_ffff);
      return generation;
    },
  };
}

function noteTarget(): FuzzTarget {
  return {
    corpus: [noteOf([]), noteOf([[0, 1]]), noteOf([[3, 2], [9, 1]])].map(encodeSegmentNote),
    feed: (bytes) => {
      const note = decodeSegmentNote(bytes);
      if (note !== undefined && view(bytes).getUint32(108, true) === 0) {
        assertSame(encodeSegmentNote(note), bytes);
      }
      return note;
    },
    growth: { factor: 32, base: 2048 },
  };
}

async function folderTarget(): Promise<FuzzTarget> {
  const corpus: Uint8Array[] = [];
  for (const count of [0, 1, 3, 40]) corpus.push(await folderOf(count));
  const waiting: Uint8Array[] = [];
  return {
    corpus,
    feed: (bytes) => {
      if (waiting.length < WAITING_MAX) waiting.push(bytes.slice());
      return recordsOf(bytes);
    },
    settle: async () => {
      for (const bytes of waiting.splice(0)) {
        await openFolder(bytes).catch((error) => {
          throw new Error(`the folder ${bytes.toHex()}`, { cause: error });
        });
      }
    },
  };
}

function noteOf(runs: readonly (readonly [number, number])[]): SegmentNote {
  const damage = new DamageRuns();
  for (const [start, count] of runs) damage.add(start, count);
  const sound = 10 - damage.total;
  return {
    generation: 1,
    lastRecordHash: 5,
    keepFrom: 0,
    nextSeq: 20,
    content: {
      records: 10,
      datBytes: 100,
      heapBytes: 50,
      firstSeq: 4,
      lastSeq: 15,
      damage,
      times: { entries: sound, unknownCount: 0, unknownNs: 0n, shift: 0 },
    },
  };
}

async function folderOf(count: number): Promise<Uint8Array> {
  const disk = new SimDisk();
  const store = await openDiskRecordStore({ disk, clock: new ManualClock(), folder: FOLDER });
  for (let i = 0; i < count; i++) store.append([new Uint8Array(i % 9).fill(i)], BigInt(i), false);
  if (count > 0) store.append([new Uint8Array(8)], 1n, true);
  await store.close();
  const [idx, dat, ts] = NAMES.map((name) => readFile(disk, `${LIVE}/${name}`)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const lengths = Uint16Array.of(idx.length, dat.length, ts.length);
  const note = readFile(disk, `${FOLDER}/@checkpoint`);
  return Uint8Array.from([...new Uint8Array(lengths.buffer), ...idx, ...dat, ...ts, ...note]);
}

/** Whole records that an input gives its index; `undefined` for none, or a torn one. */
function recordsOf(bytes: Uint8Array): number | undefined {
  const length = bytes.length < HEAD_BYTES ? 0 : view(bytes).getUint16(0, true);
  const isWhole = length > 0 && length % RECORD_BYTES === 0 && length <= bytes.length - HEAD_BYTES;
  return isWhole ? length / RECORD_BYTES : undefined;
}

/** Whatever the files hold, the log opens with sound records in order, goes on, and opens the same again. */
async function openFolder(bytes: Uint8Array): Promise<void> {
  const disk = new SimDisk();
  disk.makeFolder(LIVE);
  const lengths = NAMES.map((_, i) => {
    return bytes.length < HEAD_BYTES ? 0 : view(bytes).getUint16(i * 2, true);
  });
  let at = HEAD_BYTES;
  for (const [i, name] of NAMES.entries()) {
    const length = lengths[i] ?? 0;
    writeFile(disk, `${LIVE}/${name}`, bytes.subarray(at, at + length));
    at += length;
  }
  writeFile(disk, `${FOLDER}/manifest`, encodeManifest(1));
  if (at < bytes.length) writeFile(disk, `${FOLDER}/@checkpoint`, bytes.subarray(at));
  const clock = new ManualClock();
  await verifyFolder(disk, FOLDER, { clock });
  let records: unknown[] = [];
  try {
    const store = await openDiskRecordStore({ disk, clock, folder: FOLDER });
    records = readAll(store);
    const first = store.append([Uint8Array.of(1, 2, 3)], 5n);
    records.push([first, "010203"]);
    await store.close();
  } catch (error) {
    assert.ok(error instanceof RedexError && error.kind === "seq_out_of_range", String(error));
    return;
  }
  const again = await openDiskRecordStore({ disk, clock, folder: FOLDER });
  assert.deepEqual(readAll(again), records);
  await again.compact(0);
  assert.deepEqual(readAll(again), records);
  await again.close();
  const { damaged, isSound } = await verifyFolder(disk, FOLDER, { clock });
  assert.deepEqual([damaged, isSound], [0, true]);
  assert.equal(disk.openFiles, 0);
}

function readAll(store: Awaited<ReturnType<typeof openDiskRecordStore>>): unknown[] {
  const all: unknown[] = [];
  let last = -1;
  for (let from = 0; from < store.nextSeq;) {
    const { records, next } = store.read(from, store.nextSeq, 9, 64);
    for (const { seq, payload } of records) {
      assert.ok(seq > last && seq >= from && seq < store.nextSeq);
      last = seq;
      all.push([seq, payload.toHex()]);
    }
    assert.ok(next > from);
    from = next;
  }
  return all;
}

function readFile(disk: SimDisk, path: string): Uint8Array {
  const file = disk.open(path, { readOnly: true });
  const bytes = new Uint8Array(file.size());
  file.readAt(0, bytes);
  file.close();
  return bytes;
}

function writeFile(disk: SimDisk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, { create: true });
  file.writeAt(0, bytes);
  file.close();
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The table of this area. */
export const LOG_FILE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  log_manifest: manifestTarget,
  log_note: noteTarget,
  log_folder: folderTarget,
};
