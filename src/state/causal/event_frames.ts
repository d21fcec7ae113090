/**
 * Events of chains one behind the other, as they travel (`storage.md` 7): `u32 (32 + payload)`, link, payload.
 * How many there are is said elsewhere.
 */
import {
  type CausalEvent,
  type CausalLink,
  readCausalLink,
  writeCausalLink,
} from "./causal_link.ts";
import { CausalError } from "./error.ts";
import { CAUSAL_LINK_BYTES, EVENT_PAYLOAD_BYTES_MAX } from "./limits.ts";

const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + CAUSAL_LINK_BYTES;

/** What {@linkcode decodeEventFrames} read. */
export interface DecodedFrames {
  /** Events in front of the first malformed one. */
  readonly events: readonly CausalEvent[];
  /** Bytes they took. */
  readonly bytesRead: number;
  /** True when as many as were announced were read. */
  readonly isComplete: boolean;
}

/**
 * Frames events.
 *
 * @throws CausalError `too_large` when a payload is too long for the length in front of it.
 */
export function encodeEventFrames(events: readonly CausalEvent[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const { payload } of events) {
    if (payload.length > EVENT_PAYLOAD_BYTES_MAX) {
      throw new CausalError(
        "too_large",
        `Cannot frame event: its payload is ${payload.length} bytes, must be at most ` +
          `${EVENT_PAYLOAD_BYTES_MAX}`,
        "store it as a blob and append its reference",
      );
    }
    length += HEAD_BYTES + payload.length;
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const { link, payload } of events) {
    view.setUint32(offset, CAUSAL_LINK_BYTES + payload.length, true);
    writeCausalLink(view, offset + LENGTH_BYTES, link);
    bytes.set(payload, offset + HEAD_BYTES);
    offset += HEAD_BYTES + payload.length;
  }
  return bytes;
}

/**
 * Reads at most `count` events, up to the first that is malformed; never throws.
 *
 * @param bytes Payloads are views of it; who keeps an event copies its payload.
 */
export function decodeEventFrames(bytes: Uint8Array, count: number): DecodedFrames {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: CausalEvent[] = [];
  let offset = 0;
  while (events.length < count && bytes.length - offset >= HEAD_BYTES) {
    const length = view.getUint32(offset, true);
    const end = offset + LENGTH_BYTES + length;
    if (length < CAUSAL_LINK_BYTES || end > bytes.length) break;
    const link: CausalLink = readCausalLink(view, offset + LENGTH_BYTES);
    events.push({ link, payload: bytes.subarray(offset + HEAD_BYTES, end) });
    offset = end;
  }
  return { events, bytesRead: offset, isComplete: events.length === count };
}
