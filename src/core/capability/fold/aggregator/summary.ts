/**
 * Summaries of folds: how much there is of what in a subnet, for those outside (`capabilities.md` 14).
 *
 * The form is the reference's; which buckets there are is up to whoever counts, and readers take them by
 * name.
 */
import { NetError, PostcardReader, PostcardWriter } from "../../../../base/mod.ts";
import { SUMMARY_BYTES_MAX } from "./limits.ts";

/** One count. */
export interface SummaryBucket {
  readonly name: string;
  readonly count: bigint;
}

/** What one aggregator counted at a time. */
export interface FoldSummary {
  /** Id of the subnet that was counted; 0 for everything. */
  readonly sourceSubnet: number;
  readonly foldKind: number;
  /** Grows with every count of the aggregator. */
  readonly generation: bigint;
  /** Ascending by name. */
  readonly buckets: readonly SummaryBucket[];
}

const KIND_COUNT = 0x1_0000;
/** Subnet, kind, generation and an empty list. */
export const SUMMARY_BYTES_MIN = 4;
const BUCKET_BYTES_MIN = 2;

/** The channel that summaries of a kind are published on. */
export function summaryChannel(kind: number): string {
  return `summary/0x${kind.toString(16).padStart(4, "0")}`;
}

/**
 * Bytes to publish.
 *
 * @throws NetError `limit` when they do not fit in one event.
 */
export function encodeSummary(summary: FoldSummary): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256);
  writeSummary(writer, summary);
  const bytes = writer.finish();
  if (bytes.length <= SUMMARY_BYTES_MAX) return bytes;
  throw new NetError(
    "limit",
    `Cannot encode summary: length is ${bytes.length}, must be at most ${SUMMARY_BYTES_MAX}`,
    { next: "count fewer things" },
  );
}

/** Reads a summary; `undefined` for anything else. */
export function decodeSummary(bytes: Uint8Array): FoldSummary | undefined {
  if (bytes.length > SUMMARY_BYTES_MAX) return undefined;
  const reader = new PostcardReader(bytes);
  const summary = readSummary(reader);
  return reader.failure === undefined ? summary : undefined;
}

/** Appends a summary. */
export function writeSummary(writer: PostcardWriter, summary: FoldSummary): void {
  writer.varint(summary.sourceSubnet).varint(summary.foldKind).varint(summary.generation);
  writer.list(summary.buckets, ({ name, count }) => writer.text(name).varint(count));
}

/** Reads a summary; a failure shows in the reader. */
export function readSummary(reader: PostcardReader): FoldSummary {
  return {
    sourceSubnet: reader.u32(),
    foldKind: reader.variant(KIND_COUNT),
    generation: reader.u64(),
    buckets: reader.list(
      BUCKET_BYTES_MIN,
      () => ({ name: reader.text(), count: reader.u64() }),
    ),
  };
}
