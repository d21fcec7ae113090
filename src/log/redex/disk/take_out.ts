/**
 * Keeps a copy of what repair takes out of a channel's folder (`docs/redex.md`): of each segment the records that
 * go, as a segment of their own, and the torn ends of its files.
 */
import type { Disk, DiskFile } from "../../../base/mod.ts";
import type { FolderReport, SegmentReport } from "./folder_report.ts";
import { findGeneration } from "./generations.ts";
import { PAGE_RECORDS, REPAIR_RUNS_MAX } from "./limits.ts";
import { TAKEN_NAME } from "./own_names.ts";
import { INDEX_BYTES, TIME_BYTES } from "./record_format.ts";
import { copyBytes } from "./recover_segment.ts";
import { nothingVerified, readIndex, scanSegment } from "./scan_segment.ts";
import { closeSegmentFiles, type SegmentFiles } from "./segment_files.ts";
import type { Slices } from "./slices.ts";
import { openForReading, placesOf } from "./verify_folder.ts";

const NAMES_MAX = 1_000_000;

/** Copies what will go; the folder it is in, or `undefined` when nothing will. */
export async function takeOut(
  disk: Disk,
  folder: string,
  report: FolderReport,
  slices: Slices,
): Promise<string | undefined> {
  const wanted = new Set(report.segments.filter(losesBytes).map(({ name }) => name));
  if (wanted.size === 0) return undefined;
  const taken = freeFolder(disk, `${folder}/${TAKEN_NAME}`);
  for (const { name } of placesOf(disk, folder, findGeneration(disk, folder))) {
    if (!wanted.has(name)) continue;
    const leaf = name === "." ? "flat" : name.slice(name.lastIndexOf("/") + 1);
    const files = openForReading(disk, `${folder}/${name}`);
    try {
      await takeSegment(disk, files, `${taken}/${leaf}`, slices);
    } finally {
      closeSegmentFiles(files);
    }
  }
  disk.syncFolder(`${folder}/${TAKEN_NAME}`);
  disk.syncFolder(folder);
  return taken;
}

function losesBytes({ damaged, recordsCut, torn }: SegmentReport): boolean {
  return damaged + recordsCut + torn.idx + torn.dat + torn.ts > 0;
}

function freeFolder(disk: Disk, above: string): string {
  const names = new Set(disk.list(above).map(({ name }) => name));
  for (let number = 1; number < NAMES_MAX; number++) {
    const name = String(number).padStart(6, "0");
    if (names.has(name)) continue;
    disk.makeFolder(`${above}/${name}`);
    return `${above}/${name}`;
  }
  throw new Error(`"${above}" has ${NAMES_MAX} entries`);
}

async function takeSegment(
  disk: Disk,
  files: SegmentFiles,
  path: string,
  slices: Slices,
): Promise<void> {
  disk.makeFolder(path);
  const opened: DiskFile[] = [];
  const open = (name: string): DiskFile => {
    const file = disk.open(`${path}/${name}`, { createNew: true });
    opened.push(file);
    return file;
  };
  try {
    const copy = new TakenRecords(files, open("idx"), open("dat"), slices);
    const scan = await scanSegment(files, nothingVerified(REPAIR_RUNS_MAX), slices, undefined, {
      isLargeSeqDamage: true,
    });
    for (const { start, count } of scan.damage) {
      for (let record = start; record < start + count; record++) await copy.add(record);
    }
    const whole = scan.records + scan.recordsWithoutPayload;
    for (let record = scan.disorderAt ?? scan.records; record < whole; record++) {
      await copy.add(record);
    }
    const tails = [
      ["idx", files.idx, whole * INDEX_BYTES],
      ["dat", files.dat, scan.datBytes],
      ["ts", files.ts, files.ts.size() - files.ts.size() % TIME_BYTES],
    ] as const;
    for (const [name, file, from] of tails) {
      if (file.size() > from) {
        await copyBytes(file, from, file.size(), open(`${name}.torn`), 0, slices);
      }
    }
    for (const file of opened) file.syncNow();
    disk.syncFolder(path);
  } finally {
    for (const file of opened) file.close();
  }
}

/** Copies records one by one, with as much of their payloads as there is. */
class TakenRecords {
  readonly #files: SegmentFiles;
  readonly #idx: DiskFile;
  readonly #dat: DiskFile;
  readonly #slices: Slices;
  readonly #datFileBytes: number;
  #count = 0;
  #datBytes = 0;
  #page: { readonly start: number; readonly records: ReturnType<typeof readIndex> } | undefined;

  constructor(files: SegmentFiles, idx: DiskFile, dat: DiskFile, slices: Slices) {
    this.#files = files;
    this.#idx = idx;
    this.#dat = dat;
    this.#slices = slices;
    this.#datFileBytes = files.dat.size();
  }

  async add(record: number): Promise<void> {
    const start = record - record % PAGE_RECORDS;
    if (this.#page?.start !== start) {
      this.#page = { start, records: readIndex(this.#files.idx, start, PAGE_RECORDS) };
    }
    const { records } = this.#page;
    const at = record - start;
    const raw = records.raw(at).slice();
    if (!records.isInline(at)) {
      const from = Math.min(records.offset(at), this.#datFileBytes);
      const to = Math.min(records.heapEnd(at), this.#datFileBytes);
      new DataView(raw.buffer).setUint32(8, this.#datBytes, true);
      this.#datBytes += await copyBytes(
        this.#files.dat,
        from,
        to,
        this.#dat,
        this.#datBytes,
        this.#slices,
      );
    }
    this.#idx.writeAt(this.#count * INDEX_BYTES, raw);
    this.#count += 1;
  }
}
