/**
 * A daemon's state at one point of its chain, as it is kept and moved: `CDS1` (`storage.md` 7.1, `compute.md` 4).
 *
 * The horizon and the payload of the last event are not in it: after a restore the horizon is empty, and the next
 * event's parent hash is made over the state (see `CausalChain.afterSnapshot`). Bindings and envelope are opaque
 * here; `openIdentityEnvelope` takes the link's 32 bytes as its causal link.
 */
import {
  deriveOriginHash,
  ENTITY_ID_BYTES,
  IDENTITY_ENVELOPE_BYTES,
  IDENTITY_ENVELOPE_VERSION,
} from "../../core/crypto/mod.ts";
import { type CausalLink, readCausalLink, writeCausalLink } from "./causal_link.ts";
import { CausalError } from "./error.ts";
import { SNAPSHOT_PART_BYTES_MAX } from "./limits.ts";

const MAGIC = 0x31534443; // "CDS1"
const VERSION = 2;
const ENTITY_AT = 5;
const SEQUENCE_AT = ENTITY_AT + ENTITY_ID_BYTES;
const LINK_AT = SEQUENCE_AT + 8;
const CREATED_AT = 77;
const STATE_LENGTH_AT = 85;
const STATE_AT = 89;
/** Lengths of state and bindings, and the envelope flag, behind what is fixed. */
const BYTES_MIN = STATE_AT + 4 + 1;

/** A snapshot. */
export interface StateSnapshot {
  /** Ed25519 public key of the entity, 32 bytes. */
  readonly entityId: Uint8Array;
  /** Link of the last event whose effect is in the state; its number is `through_seq`. */
  readonly link: CausalLink;
  /** Unix time in nanoseconds. */
  readonly createdAtNs: bigint;
  readonly state: Uint8Array;
  /** Channel subscriptions of the daemon; empty when it has none. */
  readonly bindings: Uint8Array;
  /** Sealed seed of the entity, 209 bytes; only while it moves. */
  readonly envelope: Uint8Array | undefined;
}

/** Why bytes are no snapshot, in the order of the checks. */
export type SnapshotFault =
  | "length"
  | "magic"
  | "version"
  | "sequence"
  | "flag"
  | "trailing"
  | "envelope"
  | "origin";

/** What {@linkcode decodeStateSnapshot} found. */
export type DecodedSnapshot =
  | { readonly ok: true; readonly snapshot: StateSnapshot }
  | { readonly ok: false; readonly fault: SnapshotFault };

/**
 * The bytes of a snapshot.
 *
 * @throws CausalError `too_large` when state or bindings do not fit their length, `snapshot` when entity, link and
 * envelope do not belong together.
 */
export function encodeStateSnapshot(snapshot: StateSnapshot): Uint8Array<ArrayBuffer> {
  const { entityId, link, createdAtNs, state, bindings, envelope } = snapshot;
  checkParts(snapshot);
  const envelopeBytes = envelope?.length ?? 0;
  const bytes = new Uint8Array(BYTES_MIN + state.length + bindings.length + envelopeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  bytes[4] = VERSION;
  bytes.set(entityId, ENTITY_AT);
  view.setBigUint64(SEQUENCE_AT, link.sequence, true);
  writeCausalLink(view, LINK_AT, link);
  view.setBigUint64(CREATED_AT, createdAtNs, true);
  view.setUint32(STATE_LENGTH_AT, state.length, true);
  bytes.set(state, STATE_AT);
  const bindingsAt = STATE_AT + state.length;
  view.setUint32(bindingsAt, bindings.length, true);
  bytes.set(bindings, bindingsAt + 4);
  const flagAt = bindingsAt + 4 + bindings.length;
  bytes[flagAt] = envelope === undefined ? 0 : 1;
  if (envelope !== undefined) bytes.set(envelope, flagAt + 1);
  return bytes;
}

/**
 * Reads a snapshot; never throws.
 *
 * @param bytes Entity, state, bindings and envelope are views of it.
 *
 * @example
 * ```ts
 * import { decodeStateSnapshot } from "./state_snapshot.ts";
 * const decoded = decodeStateSnapshot(new Uint8Array(100));
 * console.assert(!decoded.ok && decoded.fault === "magic");
 * ```
 */
export function decodeStateSnapshot(bytes: Uint8Array): DecodedSnapshot {
  if (bytes.length < BYTES_MIN) return refuse("length");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return refuse("magic");
  if (bytes[4] !== VERSION) return refuse("version");
  const link = readCausalLink(view, LINK_AT);
  if (view.getBigUint64(SEQUENCE_AT, true) !== link.sequence) return refuse("sequence");
  const bindingsAt = STATE_AT + view.getUint32(STATE_LENGTH_AT, true);
  if (bindingsAt + 4 + 1 > bytes.length) return refuse("length");
  const flagAt = bindingsAt + 4 + view.getUint32(bindingsAt, true);
  if (flagAt + 1 > bytes.length) return refuse("length");
  const flag = bytes[flagAt];
  if (flag !== 0 && flag !== 1) return refuse("flag");
  const end = flagAt + 1 + (flag === 1 ? IDENTITY_ENVELOPE_BYTES : 0);
  if (end > bytes.length) return refuse("length");
  if (end < bytes.length) return refuse("trailing");
  const envelope = flag === 1 ? bytes.subarray(flagAt + 1) : undefined;
  if (envelope !== undefined && !isEnvelope(envelope)) return refuse("envelope");
  const entityId = bytes.subarray(ENTITY_AT, SEQUENCE_AT);
  if (deriveOriginHash(entityId) !== link.origin) return refuse("origin");
  return {
    ok: true,
    snapshot: {
      entityId,
      link,
      createdAtNs: view.getBigUint64(CREATED_AT, true),
      state: bytes.subarray(STATE_AT, bindingsAt),
      bindings: bytes.subarray(bindingsAt + 4, flagAt),
      envelope,
    },
  };
}

/** Bytes that {@linkcode encodeStateSnapshot} makes of it. */
export function stateSnapshotBytes({ state, bindings, envelope }: StateSnapshot): number {
  return BYTES_MIN + state.length + bindings.length + (envelope?.length ?? 0);
}

function checkParts({ entityId, link, state, bindings, envelope }: StateSnapshot): void {
  const largest = Math.max(state.length, bindings.length);
  if (largest > SNAPSHOT_PART_BYTES_MAX) {
    throw new CausalError(
      "too_large",
      `Cannot encode snapshot: a part is ${largest} bytes, must be at most ` +
        `${SNAPSHOT_PART_BYTES_MAX}`,
      "keep what is large in blobs and their references in the state",
    );
  }
  const wrong = entityId.length !== ENTITY_ID_BYTES
    ? `entity id is ${entityId.length} bytes, must be ${ENTITY_ID_BYTES}`
    : deriveOriginHash(entityId) !== link.origin
    ? "its link has another origin than its entity"
    : envelope !== undefined && !isEnvelope(envelope)
    ? "its envelope is none of version 1"
    : undefined;
  if (wrong === undefined) return;
  const next = "take entity, link and envelope of one and the same entity";
  throw new CausalError("snapshot", `Cannot encode snapshot: ${wrong}`, next);
}

/** True for what may be an envelope; whether it is one shows when it is opened. */
function isEnvelope(bytes: Uint8Array): boolean {
  return bytes.length === IDENTITY_ENVELOPE_BYTES && bytes[0] === IDENTITY_ENVELOPE_VERSION;
}

function refuse(fault: SnapshotFault): DecodedSnapshot {
  return { ok: false, fault };
}
