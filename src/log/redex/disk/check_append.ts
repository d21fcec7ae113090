/** What may be appended at once. */
import { RedexError } from "../error.ts";
import { SEGMENT_RECORDS_MAX, SEQ_MAX } from "./limits.ts";
import { INLINE_BYTES } from "./record_format.ts";

/** A batch that is to be appended. */
export interface AppendRequest {
  readonly payloads: readonly Uint8Array[];
  readonly isInline: boolean;
  readonly nextSeq: number;
  readonly segmentBytesMax: number;
  /** The channel's folder, for errors. */
  readonly folder: string;
}

/**
 * Bytes that go into the payload file.
 *
 * @throws RedexError `encode`, `payload_too_large`, `seq_out_of_range`.
 */
export function checkAppend(request: AppendRequest): number {
  const { payloads, isInline, nextSeq, segmentBytesMax, folder } = request;
  let bytes = 0;
  let isInlineWrong = false;
  for (let i = 0; i < payloads.length; i++) {
    const { length } = payloads[i] as Uint8Array;
    bytes += length;
    isInlineWrong ||= isInline && length !== INLINE_BYTES;
  }
  const action = () => `Cannot append to log "${folder}"`;
  if (isInlineWrong) {
    throw new RedexError("encode", `${action()}: an inline payload has ${INLINE_BYTES} bytes`);
  }
  if (bytes > segmentBytesMax || payloads.length > SEGMENT_RECORDS_MAX) {
    throw new RedexError(
      "payload_too_large",
      `${action()}: ${payloads.length} payloads of ${bytes} bytes, must be at most ` +
        `${segmentBytesMax}`,
      { next: "append less at once" },
    );
  }
  if (nextSeq + payloads.length > SEQ_MAX) {
    throw new RedexError("seq_out_of_range", `${action()}: ${nextSeq} is the last number`);
  }
  return isInline ? 0 : bytes;
}
