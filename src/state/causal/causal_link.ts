/**
 * The link that stands in front of every event of a chain (`storage.md` 7): who wrote it, what its writer had
 * seen, which number it has, and the hash of the event before it.
 *
 * The hash is XXH3, which finds damage and mixed-up chains and stops nobody who forges on purpose. Who an event
 * comes from is proven by the session it came on.
 */
import { equalBytes, idToHex } from "../../base/mod.ts";
import { xxh3Joined } from "../../core/crypto/mod.ts";
import { CAUSAL_LINK_BYTES, SEQUENCE_MAX } from "./limits.ts";

/** Place of an event in the chain of its origin; all four are unsigned 64-bit numbers. */
export interface CausalLink {
  /** Origin hash of the entity that wrote it. */
  readonly origin: bigint;
  /** Bloom bits of the origins its writer had seen; see {@linkcode horizonBits}. */
  readonly horizon: bigint;
  /** 0 for genesis, then one more each. */
  readonly sequence: bigint;
  /** Hash of the event before: {@linkcode eventHash}. */
  readonly parent: bigint;
}

/** An event of a chain. */
export interface CausalEvent {
  readonly link: CausalLink;
  /** Never changes; do not write to it. */
  readonly payload: Uint8Array;
}

/** Why a link does not continue a chain, in the order of the checks. */
export type ChainFault = {
  readonly kind: "origin_mismatch" | "sequence_gap" | "parent_hash_mismatch";
  readonly expected: bigint;
  readonly found: bigint;
};

const NO_PAYLOAD = new Uint8Array();

/** The event in front of the first: number 0, nothing seen, no parent, no payload. */
export function genesisEvent(origin: bigint): CausalEvent {
  return { link: { origin, horizon: 0n, sequence: 0n, parent: 0n }, payload: NO_PAYLOAD };
}

/** The 32 bytes of a link. */
export function encodeCausalLink(link: CausalLink): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(CAUSAL_LINK_BYTES);
  writeCausalLink(new DataView(bytes.buffer), 0, link);
  return bytes;
}

/** Writes the 32 bytes of a link at an offset. */
export function writeCausalLink(view: DataView, offset: number, link: CausalLink): void {
  view.setBigUint64(offset, link.origin, true);
  view.setBigUint64(offset + 8, link.horizon, true);
  view.setBigUint64(offset + 16, link.sequence, true);
  view.setBigUint64(offset + 24, link.parent, true);
}

/** Reads a link; `undefined` unless there are exactly 32 bytes. */
export function decodeCausalLink(bytes: Uint8Array): CausalLink | undefined {
  if (bytes.length !== CAUSAL_LINK_BYTES) return undefined;
  return readCausalLink(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

/** Reads the 32 bytes of a link at an offset. */
export function readCausalLink(view: DataView, offset: number): CausalLink {
  return {
    origin: view.getBigUint64(offset, true),
    horizon: view.getBigUint64(offset + 8, true),
    sequence: view.getBigUint64(offset + 16, true),
    parent: view.getBigUint64(offset + 24, true),
  };
}

/** Hash of an event, which the next one has as its parent: XXH3-64 of link and payload. */
export function eventHash(link: CausalLink, payload: Uint8Array): bigint {
  return xxh3Joined(encodeCausalLink(link), payload);
}

/**
 * What is wrong with a link as the one after `previous`; `undefined` when nothing is.
 *
 * @param parents Further hashes that are right for its parent; see {@linkcode EntityLog.noteRestore}.
 *
 * @example
 * ```ts
 * import { CausalChain } from "./causal_chain.ts";
 * import { checkLink } from "./causal_link.ts";
 * const chain = new CausalChain(7n);
 * const [first, second] = [chain.append(new Uint8Array([1])), chain.append(new Uint8Array([2]))];
 * console.assert(checkLink(first, second.link) === undefined);
 * console.assert(checkLink(first, first.link)?.kind === "sequence_gap");
 * ```
 */
export function checkLink(
  previous: CausalEvent,
  link: CausalLink,
  parents: readonly bigint[] = [],
): ChainFault | undefined {
  const fault = checkPlace(previous.link, link);
  if (fault !== undefined) return fault;
  const parent = eventHash(previous.link, previous.payload);
  return parents.includes(link.parent) ? undefined : checkParent(parent, link);
}

/** As {@linkcode checkLink}, with the hash of the event before, but without its payload. */
export function checkLinkAfter(
  previous: CausalLink,
  parent: bigint,
  link: CausalLink,
): ChainFault | undefined {
  return checkPlace(previous, link) ?? checkParent(parent, link);
}

/** True when both links are the same in all four fields. */
export function isSameLink(left: CausalLink, right: CausalLink): boolean {
  return left.origin === right.origin && left.sequence === right.sequence &&
    left.parent === right.parent && left.horizon === right.horizon;
}

/** True when link and payload are the same. */
export function isSameEvent(left: CausalEvent, right: CausalEvent): boolean {
  return isSameLink(left.link, right.link) && equalBytes(left.payload, right.payload);
}

/** A fault for people. */
export function describeChainFault({ kind, expected, found }: ChainFault): string {
  if (kind === "sequence_gap") return `sequence is ${found}, must be ${expected}`;
  const what = kind === "origin_mismatch" ? "origin" : "parent hash";
  return `${what} is ${idToHex(found)}, must be ${idToHex(expected)}`;
}

function checkPlace(previous: CausalLink, link: CausalLink): ChainFault | undefined {
  if (link.origin !== previous.origin) {
    return { kind: "origin_mismatch", expected: previous.origin, found: link.origin };
  }
  // Nothing follows the last number; the gap is said to be at it.
  const isLast = previous.sequence === SEQUENCE_MAX;
  const expected = isLast ? SEQUENCE_MAX : previous.sequence + 1n;
  if (isLast || link.sequence !== expected) {
    return { kind: "sequence_gap", expected, found: link.sequence };
  }
  return undefined;
}

function checkParent(expected: bigint, { parent }: CausalLink): ChainFault | undefined {
  if (parent === expected) return undefined;
  return { kind: "parent_hash_mismatch", expected, found: parent };
}
