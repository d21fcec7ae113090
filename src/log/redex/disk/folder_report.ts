/** What {@linkcode verifyFolder} says of a channel's folder. */
import type { DamageReason } from "./scan_segment.ts";

/** A record that is not given, or will not be once the log is opened. */
export interface DamagedRecord {
  /** Segment it is in, by its name. */
  readonly segment: string;
  /** Place in the index file, from 0 on. */
  readonly record: number;
  /** Its number as the index has it; may be part of the damage. */
  readonly seq: bigint;
  /** Its payload is another one, is not all there, or its number is not above the one before. */
  readonly reason: DamageReason | "order";
}

/** Bytes at the end of a segment's files that belong to no record. */
export interface TornBytes {
  readonly idx: number;
  readonly dat: number;
  readonly ts: number;
}

/**
 * Times of a segment: one for each record, fewer, more, or so many that they belong to the sound ones. Of a
 * segment with fewer it is not known which belongs to which.
 */
export type TimesState = "complete" | "short" | "long" | "missing";

/** A note about what was verified: there and right, not there, not readable, or about other files. */
export type NoteState = "valid" | "missing" | "damaged" | "stale";

/** A segment of a channel. */
export interface SegmentReport {
  /** Its folder, below that of the channel. */
  readonly name: string;
  readonly kind: "full" | "live";
  readonly generation: number;
  /** Sound records. */
  readonly records: number;
  /** 20 per sound record, and its payload. */
  readonly bytes: number;
  /** Numbers of the first and last sound record; `undefined` without one. */
  readonly firstSeq: bigint | undefined;
  readonly lastSeq: bigint | undefined;
  readonly damaged: number;
  /** Records at the end whose payload was not written, and those from the first that is out of order on. */
  readonly recordsCut: number;
  readonly torn: TornBytes;
  readonly times: TimesState;
  readonly note: NoteState;
}

/** A channel's folder. */
export interface FolderReport {
  readonly folder: string;
  /** Opening would change nothing, and nothing is damaged. */
  readonly isSound: boolean;
  /** `undefined` when the folder holds no channel. */
  readonly generation: number | undefined;
  /** The manifest names the generation. */
  readonly isManifestSound: boolean;
  /** Oldest first; the live one is last. */
  readonly segments: readonly SegmentReport[];
  readonly records: number;
  readonly bytes: number;
  readonly damaged: number;
  /** The first of them, at most so many as was asked for. */
  readonly damagedRecords: readonly DamagedRecord[];
  /** What opening removes, or does not look at: other generations, what a crash left, segments set aside. */
  readonly leftovers: readonly string[];
}
