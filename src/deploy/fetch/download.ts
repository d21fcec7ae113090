/** Brings one file into its part: goes on where an earlier attempt stopped, checks while it comes. */
import { NetError } from "../../base/mod.ts";
import { EXECUTABLE_HEAD_BYTES, readExecutableHead, requireExecutableFor } from "../elf.ts";
import type { Platform } from "../platform.ts";
import type { PartFile } from "./part_file.ts";
import { PassingError, retrying, type RetryPolicy } from "./retry.ts";
import type { OpenedFile, RemoteFile } from "./source.ts";

/** Options of {@linkcode download}. */
export interface DownloadOptions {
  readonly platform: Platform;
  /** Largest file, in bytes. */
  readonly sizeMax: number;
  /** True when a checksum decides in the end: then bytes may be put together without a validator. */
  readonly hasChecksum: boolean;
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Told how many of how many bytes are here. */
  readonly onBytes?: (length: number, size: number | undefined) => void;
}

/**
 * Fills `part` from `file`.
 *
 * @returns How many bytes were there before, and whether they came in more than one answer.
 * @throws NetError `not_found`, `network`, `limit`, or `integrity` for another machine's executable.
 */
export async function download(
  file: RemoteFile,
  part: PartFile,
  options: DownloadOptions,
): Promise<{ readonly resumedBytes: number; readonly isJoined: boolean }> {
  const { policy, signal, platform } = options;
  const had = canGoOn(file, part, options) ? part.length : 0;
  const state = { resumedBytes: had, isFromStart: false, isJoined: had > 0 };
  // A run that was killed between the last byte and the new name has nothing left to bring.
  if (state.resumedBytes === 0 || part.length !== part.origin?.size) {
    await retrying(() => attempt(file, part, state, options), {
      policy,
      progress: () => part.length,
      what: "Cannot fetch",
      signal,
    });
  }
  requireExecutableFor(platform, readExecutableHead(part.head), file.place);
  return { resumedBytes: state.resumedBytes, isJoined: state.isJoined };
}

/** What attempts tell each other. */
interface DownloadState {
  /** Bytes of earlier runs that still count. */
  resumedBytes: number;
  isFromStart: boolean;
  /** True when the bytes came in more than one answer. */
  isJoined: boolean;
}

/** True when what is here may be the beginning of `file`. */
function canGoOn(file: RemoteFile, part: PartFile, { hasChecksum, sizeMax }: DownloadOptions) {
  const { origin, length } = part;
  return length > 0 && origin?.place === file.place &&
    (hasChecksum || origin.validator !== undefined) &&
    length <= Math.min(origin.size ?? Infinity, sizeMax);
}

async function attempt(
  file: RemoteFile,
  part: PartFile,
  state: DownloadState,
  options: DownloadOptions,
): Promise<void> {
  const isGoingOn = !state.isFromStart && canGoOn(file, part, options);
  state.isFromStart = false;
  try {
    const from = isGoingOn
      ? { offset: part.length, validator: part.origin?.validator }
      : { offset: 0, validator: undefined };
    const opened = await file.open(from, options.signal);
    try {
      // A part is given up only when there is something to put in its place.
      if (!isGoingOn || isAnother(opened, part)) await startAnew(file, part, state, opened);
      else state.isJoined = true;
      await fill(file, part, opened, options);
    } catch (error) {
      await opened.body.cancel().catch(() => {});
      throw error;
    }
  } catch (error) {
    state.isFromStart = error instanceof PassingError && error.isFromStart;
    throw error;
  }
}

async function startAnew(
  { place }: RemoteFile,
  part: PartFile,
  state: DownloadState,
  { start, size, validator }: OpenedFile,
): Promise<void> {
  if (start > 0) throw new PassingError(`${place}: it has changed`, { isFromStart: true });
  state.resumedBytes = 0;
  state.isJoined = false;
  await part.restart({ place, validator, size });
}

async function fill(
  file: RemoteFile,
  part: PartFile,
  { size, body }: OpenedFile,
  options: DownloadOptions,
): Promise<void> {
  if (size !== undefined && size > options.sizeMax) throw tooLarge(file, options.sizeMax);
  for await (const bytes of body) {
    options.signal.throwIfAborted();
    if (part.length + bytes.length > Math.min(size ?? Infinity, options.sizeMax)) {
      throw tooLarge(file, size ?? options.sizeMax);
    }
    await part.append(bytes);
    // The wrong machine is known before the rest has come.
    if (part.head.length === EXECUTABLE_HEAD_BYTES) {
      requireExecutableFor(options.platform, readExecutableHead(part.head), file.place);
    }
    options.onBytes?.(part.length, size);
  }
  if (size !== undefined && part.length < size) {
    throw new PassingError(`${file.place}: it ended after ${part.length} of ${size} bytes`);
  }
}

/** True unless the bytes that come are those behind the ones that are here. */
function isAnother({ start, size, validator }: OpenedFile, { length, origin }: PartFile): boolean {
  if (start !== length) return true;
  if (origin?.size !== undefined && size !== undefined && origin.size !== size) return true;
  return origin?.validator !== undefined && validator !== undefined &&
    origin.validator !== validator;
}

function tooLarge(file: RemoteFile, sizeMax: number): NetError {
  return new NetError("limit", `${file.place} has more than ${sizeMax} bytes`, {
    next: "check the source, or allow more with --max-size",
  });
}
