/**
 * Proof that a chain is whole between two of its events (`storage.md` 8), 40 bytes: whoever has the events
 * themselves can check that theirs are the same ones.
 *
 * The hashes are XXH3: a proof finds chains that went apart, it does not convict forgers.
 */
import { eventHash } from "../causal/mod.ts";
import type { EntityLog } from "../causal/mod.ts";
import { CONTINUITY_PROOF_BYTES, PROOF_SPAN_MAX } from "./limits.ts";

/** Two events of a chain and their hashes. */
export interface ContinuityProof {
  readonly origin: bigint;
  readonly fromSequence: bigint;
  readonly toSequence: bigint;
  readonly fromHash: bigint;
  readonly toHash: bigint;
}

/** Why a proof does not hold, in the order of the checks. */
export type ProofFault =
  | { readonly kind: "origin_mismatch"; readonly expected: bigint; readonly found: bigint }
  | { readonly kind: "invalid_range" | "span_too_large" }
  | { readonly kind: "missing_event"; readonly sequence: bigint }
  | {
    readonly kind: "hash_mismatch";
    readonly sequence: bigint;
    readonly expected: bigint;
    readonly found: bigint;
  };

/**
 * A proof of what a log has of a range; `undefined` when that is nothing.
 *
 * @param from First number wanted; the first that still fits a proof when left out.
 * @param to Last number wanted; the head when left out.
 *
 * @example
 * ```ts
 * import { CausalChain, EntityLog } from "../causal/mod.ts";
 * import { proveContinuity, verifyContinuity } from "./proof.ts";
 * const log = new EntityLog(new Uint8Array(32));
 * const chain = new CausalChain(log.origin);
 * for (const text of ["one", "two"]) log.append(chain.append(new TextEncoder().encode(text)));
 * const proof = proveContinuity(log);
 * console.assert(proof?.toSequence === 2n && verifyContinuity(proof, log) === undefined);
 * ```
 */
export function proveContinuity(
  log: EntityLog,
  from?: bigint,
  to: bigint = log.head.link.sequence,
): ContinuityProof | undefined {
  const earliest = to - BigInt(PROOF_SPAN_MAX - 1);
  const events = log.range(from ?? (earliest < 0n ? 0n : earliest), to);
  const first = events[0];
  const last = events.at(-1);
  if (first === undefined || last === undefined) return undefined;
  return {
    origin: log.origin,
    fromSequence: first.link.sequence,
    toSequence: last.link.sequence,
    fromHash: eventHash(first.link, first.payload),
    toHash: eventHash(last.link, last.payload),
  };
}

/** What is wrong with a proof, against the events of this log; `undefined` when it holds. */
export function verifyContinuity(proof: ContinuityProof, log: EntityLog): ProofFault | undefined {
  const { origin, fromSequence, toSequence, fromHash, toHash } = proof;
  if (origin !== log.origin) {
    return { kind: "origin_mismatch", expected: log.origin, found: origin };
  }
  if (fromSequence > toSequence) return { kind: "invalid_range" };
  if (toSequence - fromSequence >= BigInt(PROOF_SPAN_MAX)) return { kind: "span_too_large" };
  const events = log.range(fromSequence, toSequence);
  let expected = fromSequence;
  let before = events[0];
  for (const event of events) {
    const { sequence } = event.link;
    if (sequence !== expected) return { kind: "missing_event", sequence: expected };
    if (event === before) {
      const fault = checkEnd(sequence, fromHash, eventHash(event.link, event.payload));
      if (fault !== undefined) return fault;
    } else if (before !== undefined) {
      const fault = log.checkNext(before, event.link);
      if (fault !== undefined) return { ...fault, kind: "hash_mismatch", sequence };
    }
    before = event;
    expected += 1n;
  }
  if (before === undefined || expected !== toSequence + 1n) {
    return { kind: "missing_event", sequence: expected };
  }
  return checkEnd(toSequence, toHash, eventHash(before.link, before.payload));
}

/** The 40 bytes of a proof. */
export function encodeContinuityProof(proof: ContinuityProof): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(CONTINUITY_PROOF_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, proof.origin, true);
  view.setBigUint64(8, proof.fromSequence, true);
  view.setBigUint64(16, proof.toSequence, true);
  view.setBigUint64(24, proof.fromHash, true);
  view.setBigUint64(32, proof.toHash, true);
  return bytes;
}

/** Reads a proof; `undefined` unless there are exactly 40 bytes. Whether it holds is another question. */
export function decodeContinuityProof(bytes: Uint8Array): ContinuityProof | undefined {
  if (bytes.length !== CONTINUITY_PROOF_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    origin: view.getBigUint64(0, true),
    fromSequence: view.getBigUint64(8, true),
    toSequence: view.getBigUint64(16, true),
    fromHash: view.getBigUint64(24, true),
    toHash: view.getBigUint64(32, true),
  };
}

function checkEnd(sequence: bigint, expected: bigint, found: bigint): ProofFault | undefined {
  return expected === found ? undefined : { kind: "hash_mismatch", sequence, expected, found };
}
