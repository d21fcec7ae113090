/**
 * What two buses of ours say to each other over reliable streams of the mesh (`docs/bus.md`). All numbers are
 * little-endian.
 *
 * A parcel is a run of events of one shard: u32 count, then for each u64 time, u32 length, bytes. It travels in
 * pieces. The receiver answers when it has kept a parcel, or why it could not.
 */
import type { Batch } from "../../types.ts";
import { MESSAGE_BYTES_MAX, PARCEL_BYTES_MAX, REASON_MAX } from "./limits.ts";

const VERSION = 1;
const KIND = { piece: 1, kept: 2, refused: 3, flush: 4, flushed: 5 } as const;
const PIECE_HEAD = 28;
const EVENT_HEAD = 12;
/** Bytes of a parcel that one event takes besides its own. */
export const EVENT_OVERHEAD = EVENT_HEAD;

/** Whose events a message is about. */
export interface ParcelKey {
  readonly shard: number;
  readonly producerNonce: bigint;
  /** Number of the first event; of the next one in an answer. */
  readonly sequence: bigint;
}

/** Why events are not kept: it may pass, it will not, or the sender may not feed this node. */
export type Refusal = (typeof REFUSALS)[number];
const REFUSALS = ["for_good", "for_now", "not_allowed"] as const;

/** A message. */
export type FeedMessage =
  | (ParcelKey & {
    readonly kind: "piece";
    readonly total: number;
    readonly offset: number;
    /** Valid only as long as what was decoded. */
    readonly bytes: Uint8Array;
  })
  | (ParcelKey & { readonly kind: "kept" })
  | (ParcelKey & {
    readonly kind: "refused";
    readonly refusal: Refusal;
    readonly reason: string;
  })
  | { readonly kind: "flush" | "flushed"; readonly token: bigint };

/** The messages that carry a parcel, one after the other. */
export function* encodePieces(key: ParcelKey, parcel: Uint8Array): Generator<Uint8Array> {
  const room = MESSAGE_BYTES_MAX - PIECE_HEAD;
  for (let offset = 0; offset < parcel.length; offset += room) {
    const part = parcel.subarray(offset, offset + room);
    const bytes = new Uint8Array(PIECE_HEAD + part.length);
    const view = startMessage(bytes, KIND.piece);
    writeKey(view, key);
    view.setUint32(20, parcel.length, true);
    view.setUint32(24, offset, true);
    bytes.set(part, PIECE_HEAD);
    yield bytes;
  }
}

/** Any message but a piece. */
export function encodeFeedMessage(message: Exclude<FeedMessage, { kind: "piece" }>): Uint8Array {
  switch (message.kind) {
    case "kept": {
      const bytes = new Uint8Array(20);
      writeKey(startMessage(bytes, KIND.kept), message);
      return bytes;
    }
    case "refused": {
      const reason = new TextEncoder().encode(message.reason.slice(0, REASON_MAX).toWellFormed());
      const bytes = new Uint8Array(21 + reason.length);
      const view = startMessage(bytes, KIND.refused);
      writeKey(view, message);
      view.setUint8(20, REFUSALS.indexOf(message.refusal));
      bytes.set(reason, 21);
      return bytes;
    }
    default: {
      const bytes = new Uint8Array(10);
      startMessage(bytes, KIND[message.kind]).setBigUint64(2, message.token, true);
      return bytes;
    }
  }
}

/** Reads a message; `undefined` when it is none, or not of this version. */
export function decodeFeedMessage(bytes: Uint8Array): FeedMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 10 || bytes[0] !== VERSION) return undefined;
  const kind = bytes[1];
  if (kind === KIND.flush || kind === KIND.flushed) {
    if (bytes.length !== 10) return undefined;
    const token = view.getBigUint64(2, true);
    return { kind: kind === KIND.flush ? "flush" : "flushed", token };
  }
  if (bytes.length < 20) return undefined;
  const key = {
    shard: view.getUint16(2, true),
    producerNonce: view.getBigUint64(4, true),
    sequence: view.getBigUint64(12, true),
  };
  switch (kind) {
    case KIND.piece:
      return decodePiece(key, view, bytes);
    case KIND.kept:
      return bytes.length === 20 ? { kind: "kept", ...key } : undefined;
    case KIND.refused:
      return decodeRefused(key, bytes);
    default:
      return undefined;
  }
}

/** Packs the events `from` ≤ i < `to` of a batch. */
export function encodeParcel(events: Batch["events"], from: number, to: number): Uint8Array {
  let length = 4;
  for (let i = from; i < to; i++) length += EVENT_HEAD + (events[i]?.raw.length ?? 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, to - from, true);
  let at = 4;
  for (let i = from; i < to; i++) {
    const { raw, insertionTs } = events[i] ?? { raw: new Uint8Array(), insertionTs: 0n };
    view.setBigUint64(at, insertionTs, true);
    view.setUint32(at + 8, raw.length, true);
    bytes.set(raw, at + EVENT_HEAD);
    at += EVENT_HEAD + raw.length;
  }
  return bytes;
}

/** The events of a parcel, as views of it; `undefined` when it is none. */
export function decodeParcel(bytes: Uint8Array): Batch["events"] | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(0, true);
  // Before room is made for them: so many have to be there.
  if (count > (bytes.length - 4) / EVENT_HEAD) return undefined;
  const events: Batch["events"][number][] = [];
  let at = 4;
  for (let i = 0; i < count; i++) {
    if (at + EVENT_HEAD > bytes.length) return undefined;
    const insertionTs = view.getBigUint64(at, true);
    const end = at + EVENT_HEAD + view.getUint32(at + 8, true);
    if (end > bytes.length) return undefined;
    events.push({ raw: bytes.subarray(at + EVENT_HEAD, end), insertionTs });
    at = end;
  }
  return at === bytes.length ? events : undefined;
}

function decodePiece(key: ParcelKey, view: DataView, bytes: Uint8Array): FeedMessage | undefined {
  if (bytes.length <= PIECE_HEAD) return undefined;
  const total = view.getUint32(20, true);
  const offset = view.getUint32(24, true);
  const part = bytes.subarray(PIECE_HEAD);
  if (total > PARCEL_BYTES_MAX || offset + part.length > total) return undefined;
  return { kind: "piece", ...key, total, offset, bytes: part };
}

function decodeRefused(key: ParcelKey, bytes: Uint8Array): FeedMessage | undefined {
  const refusal = REFUSALS[bytes[20] ?? REFUSALS.length];
  if (refusal === undefined || bytes.length > 21 + 4 * REASON_MAX) return undefined;
  const reason = new TextDecoder().decode(bytes.subarray(21)).slice(0, REASON_MAX);
  return { kind: "refused", ...key, refusal, reason };
}

function startMessage(bytes: Uint8Array, kind: number): DataView {
  bytes[0] = VERSION;
  bytes[1] = kind;
  return new DataView(bytes.buffer);
}

function writeKey(view: DataView, { shard, producerNonce, sequence }: ParcelKey): void {
  view.setUint16(2, shard, true);
  view.setBigUint64(4, producerNonce, true);
  view.setBigUint64(12, sequence, true);
}
