/** What the blob verbs share: targets, progress of a call, sizes in answers. */
import { NetError } from "../src/base/mod.ts";
import type { CallOptions } from "./doors.ts";
import { numberOf, recordOf, textOf } from "./format.ts";
import { createProgress, type Progress } from "./progress.ts";
import type { NetContext } from "./context.ts";

/** A blob reference is at least this many hex digits and at most that many (`dataforts.md` 2). */
const REFERENCE_DIGITS_MIN = 16;
const REFERENCE_DIGITS_MAX = 1 << 20;

/** The argument that names a blob. */
export const TARGET_ARGUMENT = {
  parse: String,
  placeholder: "TARGET",
  brief: "Address (b3:…), hash of a chunk, or blob reference in hex",
} as const;

/**
 * A blob's address or reference, checked and in lower case.
 *
 * @throws NetError `usage` when the text is neither.
 */
export function parseTarget(text: string): string {
  const target = text.toLowerCase();
  if (/^b3:[0-9a-f]{64}$/.test(target)) return target;
  const isReference = /^[0-9a-f]+$/.test(target) && target.length % 2 === 0 &&
    target.length >= REFERENCE_DIGITS_MIN && target.length <= REFERENCE_DIGITS_MAX;
  if (isReference) return target;
  throw new NetError(
    "usage",
    `Cannot read blob target "${text.slice(0, 100)}": must be b3: and 64 hex digits, or a blob ` +
      "reference in hex",
    { next: "list what is here with net blob ls" },
  );
}

/**
 * File name for a blob that nobody named: the first 12 hex digits of its hash.
 *
 * A reference holds that hash in its locator, `mesh://` and 64 digits (`dataforts.md` 2); one without
 * a locator is named after its own first digits.
 */
export function defaultName(target: string): string {
  const [, digits] = /6d6573683a2f2f((?:3[0-9]|6[1-6]){12})/.exec(target) ?? [];
  if (digits !== undefined) return new TextDecoder().decode(Uint8Array.fromHex(digits));
  return target.replace(/^b3:/, "").slice(0, 12);
}

/** Shows the progress that a node reports of one call. */
export function showProgress(
  context: NetContext,
  label: string,
  isQuiet: boolean,
): { readonly progress: Progress; readonly onProgress: NonNullable<CallOptions["onProgress"]> } {
  const progress = createProgress(context.io, { label, isQuiet });
  return {
    progress,
    onProgress: (report) => {
      const { done_bytes, total_bytes } = recordOf(report);
      const doneBytes = numberOf(done_bytes);
      if (doneBytes !== undefined) progress.update(doneBytes, numberOf(total_bytes));
    },
  };
}

/** Time of a blob's creation in an answer: Unix milliseconds or ISO text. */
export function timeText(value: unknown): string {
  const wallMs = numberOf(value);
  const isTime = wallMs !== undefined && Math.abs(wallMs) <= 8.64e15;
  return (isTime ? new Date(wallMs).toISOString() : textOf(value)).replace(/\.\d{3}Z$/, "Z");
}
