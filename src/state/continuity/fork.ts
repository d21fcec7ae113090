/**
 * A chain that broke goes on as another entity's, with its descent on record (`storage.md` 8, `compute.md` 8.3):
 * nobody takes up a broken chain as if nothing had happened.
 *
 * A fork has a key of its own. Its genesis has as parent a hash that anybody can make of the original's origin
 * and the number it forked at. Forks share a past; they are never merged.
 */
import { concatBytes, utf8 } from "../../base/mod.ts";
import { xxh3 } from "../../core/crypto/mod.ts";
import {
  CAUSAL_LINK_BYTES,
  CausalChain,
  type CausalLink,
  decodeCausalLink,
  encodeCausalLink,
} from "../causal/mod.ts";
import { FORK_RECORD_BYTES } from "./limits.ts";

const LINK_AT = 24;
const FLAG_AT = LINK_AT + CAUSAL_LINK_BYTES;
const NO_PAYLOAD = new Uint8Array();

/** Where a fork comes from. */
export interface ForkRecord {
  readonly originalOrigin: bigint;
  readonly forkedOrigin: bigint;
  /** Number in the original chain from which on the fork goes its own way. */
  readonly forkSequence: bigint;
  /** Genesis of the fork. */
  readonly genesis: CausalLink;
  /** Number of the snapshot that the fork began with. */
  readonly snapshotSequence: bigint | undefined;
}

/** What {@linkcode forkEntity} needs. */
export interface ForkOptions {
  readonly originalOrigin: bigint;
  /** Origin of the fork's own, fresh identity. */
  readonly forkedOrigin: bigint;
  readonly forkSequence: bigint;
  readonly snapshotSequence?: bigint;
}

/** Parent hash of the genesis of a fork. */
export function forkSentinel(originalOrigin: bigint, forkSequence: bigint): bigint {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setBigUint64(0, originalOrigin, true);
  view.setBigUint64(8, forkSequence, true);
  return xxh3(concatBytes(head, utf8("fork")));
}

/**
 * Forks a chain: the record, and the chain that the fork's events go on.
 *
 * @throws RangeError when the fork has the origin of what it forks from.
 */
export function forkEntity(
  options: ForkOptions,
): { readonly record: ForkRecord; readonly chain: CausalChain } {
  const { originalOrigin, forkedOrigin, forkSequence, snapshotSequence } = options;
  if (originalOrigin === forkedOrigin) {
    throw new RangeError("Cannot fork entity: the fork has the same origin, must have its own key");
  }
  const genesis: CausalLink = {
    origin: forkedOrigin,
    horizon: 0n,
    sequence: 0n,
    parent: forkSentinel(originalOrigin, forkSequence),
  };
  const record = { originalOrigin, forkedOrigin, forkSequence, genesis, snapshotSequence };
  return { record, chain: CausalChain.after(genesis, NO_PAYLOAD) };
}

/** True when a record says nothing that it cannot prove: sentinel, origins and genesis fit. */
export function isValidFork(record: ForkRecord): boolean {
  const { originalOrigin, forkedOrigin, forkSequence, genesis } = record;
  return originalOrigin !== forkedOrigin && genesis.origin === forkedOrigin &&
    genesis.sequence === 0n && genesis.parent === forkSentinel(originalOrigin, forkSequence);
}

/** The 65 bytes of a record. */
export function encodeForkRecord(record: ForkRecord): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FORK_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, record.originalOrigin, true);
  view.setBigUint64(8, record.forkedOrigin, true);
  view.setBigUint64(16, record.forkSequence, true);
  bytes.set(encodeCausalLink(record.genesis), LINK_AT);
  bytes[FLAG_AT] = record.snapshotSequence === undefined ? 0 : 1;
  view.setBigUint64(FLAG_AT + 1, record.snapshotSequence ?? 0n, true);
  return bytes;
}

/** Reads a record; `undefined` unless it has 65 bytes of this form and is {@linkcode isValidFork}. */
export function decodeForkRecord(bytes: Uint8Array): ForkRecord | undefined {
  if (bytes.length !== FORK_RECORD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const genesis = decodeCausalLink(bytes.subarray(LINK_AT, FLAG_AT));
  const flag = bytes[FLAG_AT];
  const sequence = view.getBigUint64(FLAG_AT + 1, true);
  if (genesis === undefined || (flag !== 1 && (flag !== 0 || sequence !== 0n))) return undefined;
  const record: ForkRecord = {
    originalOrigin: view.getBigUint64(0, true),
    forkedOrigin: view.getBigUint64(8, true),
    forkSequence: view.getBigUint64(16, true),
    genesis,
    snapshotSequence: flag === 1 ? sequence : undefined,
  };
  return isValidFork(record) ? record : undefined;
}
