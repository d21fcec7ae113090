/** A state with its writer's count, as bytes: postcard `{app_seq u64, inner bytes}` (`storage.md` 9). */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { FoldDecodeError } from "./fold_error.ts";

/** What is in a snapshot. */
export interface CortexSnapshotParts {
  /** First count that the writer has not used. */
  readonly appSeq: bigint;
  /** The state as its model writes it; a view of the bytes that were read. */
  readonly inner: Uint8Array;
}

/** Writes a snapshot. */
export function encodeCortexSnapshot(parts: CortexSnapshotParts): Uint8Array<ArrayBuffer> {
  return new PostcardWriter(parts.inner.length + 20)
    .varint(parts.appSeq).byteVector(parts.inner).finish();
}

/**
 * Reads a snapshot; bytes behind it are not looked at.
 *
 * @throws FoldDecodeError
 */
export function decodeCortexSnapshot(bytes: Uint8Array): CortexSnapshotParts {
  const reader = new PostcardReader(bytes);
  const parts = { appSeq: reader.u64(), inner: reader.byteVector() };
  if (reader.failure !== undefined) {
    throw new FoldDecodeError(`Cannot read snapshot: ${reader.failure}`);
  }
  return parts;
}
