/** A full segment: on disk, opened when it is read. */
import type { Disk } from "../../../base/mod.ts";
import { xxh3Low32 } from "../../../core/crypto/mod.ts";
import { SEAL_NAME } from "./own_names.ts";
import { INDEX_BYTES } from "./record_format.ts";
import { Segment } from "./segment.ts";
import type { SegmentContent } from "./segment_content.ts";
import { openSegmentFiles, type SegmentFiles } from "./segment_files.ts";
import { encodeSegmentNote, type SegmentNote } from "./segment_note.ts";

/** One full segment. */
export class SealedSegment {
  readonly folder: string;
  readonly generation: number;
  readonly content: SegmentContent;
  readonly #disk: Disk;
  #segment: Segment | undefined;
  #isSealed: boolean;

  /**
   * @param segment Open, and not yet on the device; a sealed one is opened when it is read.
   */
  constructor(
    disk: Disk,
    folder: string,
    generation: number,
    content: SegmentContent,
    segment?: Segment,
  ) {
    this.#disk = disk;
    this.folder = folder;
    this.generation = generation;
    this.content = content;
    this.#segment = segment;
    this.#isSealed = segment === undefined;
  }

  /** It is on the device, and a note says so. */
  get isSealed(): boolean {
    return this.#isSealed;
  }

  get isOpen(): boolean {
    return this.#segment !== undefined;
  }

  /** The open segment. */
  open(): Segment {
    if (this.#segment !== undefined) return this.#segment;
    const files = openSegmentFiles(this.#disk, this.folder, { readOnly: true });
    this.#segment = new Segment(files, this.content);
    return this.#segment;
  }

  /** Writes the note; all must be on the device. */
  async seal(): Promise<void> {
    if (this.#isSealed) return;
    await writeSeal(this.#disk, this.folder, this.generation, this.open());
    this.#isSealed = true;
  }

  close(): void {
    this.#segment?.close();
    this.#segment = undefined;
  }
}

/** Writes the note of a full segment that is on the device. */
export async function writeSeal(
  disk: Disk,
  folder: string,
  generation: number,
  { files, content }: Pick<Segment, "files" | "content">,
): Promise<void> {
  await writeNote(disk, folder, SEAL_NAME, {
    generation,
    content,
    lastRecordHash: hashLastRecord(files, content.records),
    keepFrom: 0,
    nextSeq: content.lastSeq + 1,
  });
  disk.syncFolder(folder);
}

/** Writes a note aside, puts it on the device, and gives it its name. */
export async function writeNote(
  disk: Disk,
  folder: string,
  name: string,
  note: SegmentNote,
): Promise<void> {
  const path = `${folder}/${name}`;
  const file = disk.open(`${path}.tmp`, { create: true });
  try {
    file.truncate(0);
    file.writeAt(0, encodeSegmentNote(note));
    await file.sync();
  } finally {
    file.close();
  }
  disk.rename(`${path}.tmp`, path);
}

/** Hash of the last of `records` index records; 0 without one. */
export function hashLastRecord({ idx }: SegmentFiles, records: number): number {
  if (records === 0) return 0;
  const bytes = new Uint8Array(INDEX_BYTES);
  const length = idx.readAt((records - 1) * INDEX_BYTES, bytes);
  return length === INDEX_BYTES ? xxh3Low32(bytes) : -1;
}
