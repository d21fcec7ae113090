/**
 * Fold envelopes, the messages of subprotocol 0x1000 (`capabilities.md` 11): one signed statement of one
 * node, as bytes.
 *
 * Whether the statement is true to its publisher is `envelope_signature.ts`, what it changes is
 * `fold.ts`. The decoder takes only the one form of bytes an envelope has (shortest numbers, sorted
 * units, nothing behind the signature), so that what was accepted can be passed on as it was signed.
 */
import { equalBytes, NetError, PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { SIGNATURE_BYTES } from "../../crypto/mod.ts";
import { type IslandTopology, isSoundIsland, readIsland, writeIsland } from "./island.ts";
import { type FoldKind, type FoldKindNumber, isFoldKind } from "./kinds.ts";
import { FOLD_ENVELOPE_BYTES_MAX } from "./limits.ts";
import {
  type CapabilityMembership,
  isSoundMembership,
  readMembership,
  writeMembership,
} from "./membership.ts";
import { readReservation, type ReservationClaim, writeReservation } from "./reservation.ts";
import { readRoute, type RouteClaim, writeRoute } from "./route.ts";

/** Subprotocol and stream of fold envelopes. */
export const SUBPROTOCOL_FOLD = 0x1000;

/** Payload of each kind. */
export interface FoldPayloads {
  readonly [FoldKind.Capability]: CapabilityMembership;
  readonly [FoldKind.Route]: RouteClaim;
  readonly [FoldKind.Reservation]: ReservationClaim;
  readonly [FoldKind.Island]: IslandTopology;
}

/** What one node says. */
export interface FoldEnvelope<Kind extends FoldKindNumber = FoldKindNumber> {
  readonly kind: Kind;
  /** Sub-bucket of the kind. */
  readonly classHash: bigint;
  /** The publisher. */
  readonly nodeId: bigint;
  /** Grows with every statement of the publisher; 0 is none. */
  readonly generation: bigint;
  /** Unix microseconds by the publisher's clock. */
  readonly announcedAtUs: bigint;
  /** Life from arrival; the kind's own when left out. */
  readonly ttlSeconds: number | undefined;
  readonly flags: number;
  readonly payload: FoldPayloads[Kind];
  /** 64 bytes; `undefined` for what this node put together itself. */
  readonly signature: Uint8Array | undefined;
}

/** An envelope of any kind; `kind` tells which. */
export type AnyFoldEnvelope = { [Kind in FoldKindNumber]: FoldEnvelope<Kind> }[FoldKindNumber];

/** Why bytes are no envelope. */
export type FoldFault =
  | "too_long"
  | "malformed"
  /** No fold is registered for it. */
  | "unknown_kind"
  | "signature_length"
  /** Reads well, but says what no honest node says. */
  | "unsound"
  /** Another form of bytes than the one that is signed. */
  | "not_canonical";

/** What {@linkcode decodeFoldEnvelope} found. */
export type DecodedFoldEnvelope =
  | { readonly ok: true; readonly envelope: AnyFoldEnvelope }
  | { readonly ok: false; readonly fault: FoldFault };

/** Options of {@linkcode decodeFoldEnvelope}. */
export interface DecodeFoldEnvelopeOptions {
  /** True where the word of whoever hands it over is enough; false when left out. */
  readonly isUnsignedTaken?: boolean;
}

const NO_SIGNATURE = new Uint8Array(0);

/**
 * Bytes to send; an unsigned envelope has a signature of no bytes, which nobody accepts.
 *
 * @throws NetError `limit` when it does not fit in one event of 8104 bytes.
 */
export function encodeFoldEnvelope(envelope: AnyFoldEnvelope): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256);
  writeSigned(writer, envelope);
  const bytes = writer.byteVector(envelope.signature ?? NO_SIGNATURE).finish();
  if (bytes.length <= FOLD_ENVELOPE_BYTES_MAX) return bytes;
  throw new NetError(
    "limit",
    `Cannot encode fold envelope: length is ${bytes.length}, must be at most ${FOLD_ENVELOPE_BYTES_MAX}`,
    { next: "say less in one entry: fewer tags, units or metadata" },
  );
}

/** The bytes that the signature covers: all in front of it. */
export function foldSigningBytes(envelope: AnyFoldEnvelope): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256);
  writeSigned(writer, envelope);
  return writer.finish();
}

/**
 * Reads an envelope; never throws. The result keeps nothing of `bytes`.
 *
 * @example
 * ```ts
 * import { decodeFoldEnvelope } from "./envelope.ts";
 * const decoded = decodeFoldEnvelope(Uint8Array.of(9, 0, 1));
 * console.assert(!decoded.ok && decoded.fault === "unknown_kind");
 * ```
 */
export function decodeFoldEnvelope(
  bytes: Uint8Array,
  options: DecodeFoldEnvelopeOptions = {},
): DecodedFoldEnvelope {
  if (bytes.length > FOLD_ENVELOPE_BYTES_MAX) return fail("too_long");
  const reader = new PostcardReader(bytes);
  const kind = reader.u32();
  if (reader.failure !== undefined) return fail("malformed");
  if (!isFoldKind(kind)) return fail("unknown_kind");
  const head = {
    classHash: reader.u64(),
    nodeId: reader.u64(),
    generation: reader.u64(),
    announcedAtUs: reader.u64(),
    ttlSeconds: reader.option(() => reader.u32()),
    flags: reader.u8(),
  };
  const body = readBody(reader, kind);
  const signature = reader.byteVector().slice();
  if (reader.failure !== undefined) return fail("malformed");
  const isUnsigned = signature.length === 0 && options.isUnsignedTaken === true;
  if (!isUnsigned && signature.length !== SIGNATURE_BYTES) return fail("signature_length");
  const envelope: AnyFoldEnvelope = {
    ...head,
    ...body,
    signature: isUnsigned ? undefined : signature,
  };
  if (!isSound(envelope)) return fail("unsound");
  return equalBytes(encodeFoldEnvelope(envelope), bytes)
    ? { ok: true, envelope }
    : fail("not_canonical");
}

/** False for a payload that no honest node writes, whatever its signature. */
export function isSound(envelope: AnyFoldEnvelope): boolean {
  switch (envelope.kind) {
    case 1:
      // One class in two places: the entry is found under the one, the question may ask for the other.
      return envelope.payload.classHash === envelope.classHash &&
        isSoundMembership(envelope.payload);
    case 4:
      return isSoundIsland(envelope.payload);
    default:
      return true;
  }
}

function writeSigned(writer: PostcardWriter, envelope: AnyFoldEnvelope): void {
  writer.varint(envelope.kind).varint(envelope.classHash).varint(envelope.nodeId);
  writer.varint(envelope.generation).varint(envelope.announcedAtUs);
  writer.option(envelope.ttlSeconds, (seconds) => writer.varint(seconds)).u8(envelope.flags);
  switch (envelope.kind) {
    case 1:
      return writeMembership(writer, envelope.payload);
    case 2:
      return writeRoute(writer, envelope.payload);
    case 3:
      return writeReservation(writer, envelope.payload);
    case 4:
      return writeIsland(writer, envelope.payload);
  }
}

/** Kind and payload, tied together for the compiler. */
type FoldBody = {
  [Kind in FoldKindNumber]: { readonly kind: Kind; readonly payload: FoldPayloads[Kind] };
}[FoldKindNumber];

function readBody(reader: PostcardReader, kind: FoldKindNumber): FoldBody {
  switch (kind) {
    case 1:
      return { kind, payload: readMembership(reader) };
    case 2:
      return { kind, payload: readRoute(reader) };
    case 3:
      return { kind, payload: readReservation(reader) };
    case 4:
      return { kind, payload: readIsland(reader) };
  }
}

function fail(fault: FoldFault): DecodedFoldEnvelope {
  return { ok: false, fault };
}
