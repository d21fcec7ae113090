/** The checkpoint of a channel: when it is due, and writing it (`docs/redex.md`). */
import type { Disk } from "../../../base/mod.ts";
import { DamageRuns } from "./damage_runs.ts";
import { CHECKPOINT_BYTES, CHECKPOINT_RECORDS, NOTE_RUNS_MAX } from "./limits.ts";
import { CHECKPOINT_NAME } from "./own_names.ts";
import { hashLastRecord, writeNote } from "./sealed_segment.ts";
import type { Segment } from "./segment.ts";
import type { SegmentContent } from "./segment_content.ts";
import { alignedTimes } from "./segment_times.ts";

/** What a checkpoint says besides what is in the live segment. */
export interface CheckpointPlace {
  readonly generation: number;
  /** Records below are forgotten. */
  readonly keepFrom: number;
  /** Number of the next record if some were passed over, else the one behind the last that is on the device. */
  readonly nextSeq: number;
}

/** Writes the checkpoints of one channel. */
export class Checkpoint {
  readonly #disk: Disk;
  readonly #folder: string;
  /** What the last one vouches for. */
  #written: SegmentContent | undefined;

  constructor(disk: Disk, folder: string, written: SegmentContent | undefined) {
    this.#disk = disk;
    this.#folder = folder;
    this.#written = written;
  }

  /** Much was put on the device since the last one. */
  isDue({ synced }: Segment): boolean {
    const before = this.#written;
    return synced.records - (before?.records ?? 0) >= CHECKPOINT_RECORDS ||
      synced.datBytes - (before?.datBytes ?? 0) >= CHECKPOINT_BYTES;
  }

  /** It vouches for all that is there. */
  isComplete({ records }: Segment): boolean {
    return this.#written?.records === records;
  }

  /** The live segment is another one: nothing vouches for it yet. */
  forget(): void {
    this.#written = undefined;
  }

  /** Writes one about what of the live segment is on the device. */
  async write(live: Segment, place: CheckpointPlace): Promise<void> {
    // More damage than a note holds: the next open looks at all of it.
    const isTooDamaged = live.synced.damage.runs > NOTE_RUNS_MAX;
    const content = isTooDamaged ? NOTHING : live.synced;
    await writeNote(this.#disk, this.#folder, CHECKPOINT_NAME, {
      ...place,
      content,
      lastRecordHash: hashLastRecord(live.files, content.records),
    });
    this.#written = content;
  }

  /** The same; without it the next open reads more, and the next one is tried after the next sync. */
  async writeIfPossible(live: Segment, place: CheckpointPlace): Promise<void> {
    try {
      await this.write(live, place);
    } catch {
      // What is not vouched for is verified.
    }
  }
}

const NOTHING: SegmentContent = {
  records: 0,
  datBytes: 0,
  heapBytes: 0,
  firstSeq: -1,
  lastSeq: -1,
  damage: new DamageRuns(),
  times: alignedTimes(0),
};
