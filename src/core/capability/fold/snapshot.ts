/**
 * A fold on disk: its entries with the life they have left (`capabilities.md` 11, promise C3).
 *
 * A file of this node's own making. Entries keep their signatures and are not verified again; what is
 * alive already, and what expired while the node was away, is left out. The form is ours: version 1,
 * kind, number of entries; of each the life left in microseconds, the publisher's entity if it is known,
 * and the envelope as it was on the wire.
 */
import { PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { ENTITY_ID_BYTES } from "../../crypto/mod.ts";
import type { FoldTime } from "./entry.ts";
import { type AnyFoldEnvelope, decodeFoldEnvelope, encodeFoldEnvelope } from "./envelope.ts";
import type { FoldKindNumber } from "./kinds.ts";

const VERSION = 1;
/** Life, no publisher, length, and the shortest envelope. */
const RECORD_BYTES_MIN = 1 + 1 + 1 + 74;

/** One entry of a snapshot. */
export interface FoldRecord {
  readonly envelope: AnyFoldEnvelope;
  /** Life left when the snapshot was taken, in milliseconds. */
  readonly leftMs: number;
  readonly publisher: Uint8Array | undefined;
  readonly wireBytes: number;
}

/** An entry of any fold, as a snapshot needs it. */
export interface SnapshotEntry {
  readonly envelope: AnyFoldEnvelope;
  readonly expiresAt: number;
  readonly publisher: Uint8Array | undefined;
}

/** Bytes of a snapshot. Unsigned entries are left out: they are put together again from what they are made of. */
export function encodeFoldSnapshot(
  kind: FoldKindNumber,
  entries: Iterable<SnapshotEntry>,
  { nowMs }: FoldTime,
): Uint8Array<ArrayBuffer> {
  const kept = [...entries].filter(({ envelope, expiresAt }) =>
    envelope.signature !== undefined && expiresAt > nowMs
  );
  const writer = new PostcardWriter(256 * (kept.length + 1)).u8(VERSION).varint(kind);
  writer.list(kept, ({ envelope, expiresAt, publisher }) => {
    writer.varint(Math.round((expiresAt - nowMs) * 1000));
    writer.option(publisher, (entityId) => writer.bytes(entityId));
    writer.byteVector(encodeFoldEnvelope(envelope));
  });
  return writer.finish();
}

/**
 * Entries of a snapshot; `undefined` when the bytes are none of this kind. Entries that this program
 * does not understand are left out.
 */
export function decodeFoldSnapshot(
  kind: FoldKindNumber,
  bytes: Uint8Array,
): FoldRecord[] | undefined {
  const reader = new PostcardReader(bytes);
  if (reader.u8() !== VERSION || reader.u32() !== kind) return undefined;
  const records = reader.list(RECORD_BYTES_MIN, (): FoldRecord | undefined => {
    const leftMs = Number(reader.u64()) / 1000;
    const publisher = reader.option(() => reader.bytes(ENTITY_ID_BYTES).slice());
    const wire = reader.byteVector();
    const decoded = decodeFoldEnvelope(wire);
    if (!decoded.ok || decoded.envelope.kind !== kind) return undefined;
    return { envelope: decoded.envelope, leftMs, publisher, wireBytes: wire.length };
  });
  if (reader.failure !== undefined) return undefined;
  return records.filter((record) => record !== undefined);
}
