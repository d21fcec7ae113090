/** Reading all of an open log, to find what of it can't be read. */
import type { Clock } from "../../base/mod.ts";
import { RedexError, type RedexFile, type RedexStat } from "../../log/mod.ts";
import { READ_EVENTS } from "./limits.ts";

/** How far long work is, in bytes as {@linkcode RedexStat} counts them. */
export type OnLogProgress = (doneBytes: number, totalBytes: number) => void;

/** What reading a whole log found. */
export interface LogVerdict {
  readonly events: number;
  readonly bytes: number;
  /** Numbers that could not be read, as ranges. */
  readonly damaged: readonly { readonly from: bigint; readonly to: bigint }[];
  readonly stat: RedexStat;
}

/** Options of {@linkcode verifyFile}. */
export interface VerifyFileOptions {
  readonly onProgress?: OnLogProgress;
  readonly signal?: AbortSignal;
}

/** Why a log cannot be opened that repair may help. */
const DAMAGE_KINDS: ReadonlySet<string> = new Set(["decode", "seq_out_of_range", "io"]);
/** Bytes of an event's index record. */
const RECORD_BYTES = 20;
/** Damaged ranges that are told one by one. */
const DAMAGED_RANGES_MAX = 1_000;

/** Reads what a log has now; others have their turn meanwhile. */
export async function verifyFile(
  file: RedexFile,
  clock: Clock,
  { onProgress, signal }: VerifyFileOptions = {},
): Promise<LogVerdict> {
  const { bytes: totalBytes } = file.stat();
  const end = file.nextSeq;
  using tail = file.tail({ from: file.firstSeq });
  const damaged: { from: bigint; to: bigint }[] = [];
  let events = 0;
  let bytes = 0;
  while (tail.position < end) {
    signal?.throwIfAborted();
    const items = tail.takeNow(READ_EVENTS);
    if (items.length === 0) break;
    for (const item of items) {
      if (item.kind === "event") {
        events += 1;
        bytes += item.payload.length + RECORD_BYTES;
      } else if (item.reason === "damage" && damaged.length < DAMAGED_RANGES_MAX) {
        damaged.push({ from: item.from, to: item.to });
      }
    }
    onProgress?.(bytes, Math.max(bytes, totalBytes));
    await new Promise<void>((resolve) => clock.soon(resolve));
  }
  return { events, bytes, damaged, stat: file.stat() };
}

/** What is known of a log; `undefined` when it is there and so damaged that it cannot be opened. */
export async function statUnlessDamaged(
  open: () => Promise<RedexFile>,
): Promise<RedexStat | undefined> {
  try {
    return (await open()).stat();
  } catch (error) {
    if (error instanceof RedexError && DAMAGE_KINDS.has(error.kind)) return undefined;
    throw error;
  }
}
