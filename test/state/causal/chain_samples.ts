/** Chains to test with. */
import fc from "fast-check";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { CausalChain, type CausalEvent, type StateSnapshot } from "../../../src/state/mod.ts";

/** Somebody whose chain is looked at. */
export const WRITER = createIdentity(new Uint8Array(32).fill(7));

/** Events 1 to `count` of an origin, each with a payload of its own. */
export function eventsOf(origin: bigint, count: number): CausalEvent[] {
  const chain = new CausalChain(origin);
  return Array.from(
    { length: count },
    (_, index) => chain.append(Uint8Array.of(index + 1, Number(origin & 0xffn))),
  );
}

/** A snapshot of {@linkcode WRITER} behind an event of its own. */
export function snapshotBehind(
  { link }: Pick<CausalEvent, "link">,
  state: Uint8Array = Uint8Array.of(1, 2, 3),
): StateSnapshot {
  return {
    entityId: WRITER.entityId,
    link,
    createdAtNs: 1_700_000_000_000_000_000n,
    state,
    bindings: new Uint8Array(),
    envelope: undefined,
  };
}

/** Unsigned numbers of 64 bits, small and large. */
export const anyNumber = fc.oneof(fc.bigInt(0n, 8n), fc.bigInt(0n, 0xffff_ffff_ffff_ffffn));
export const anyPayload = fc.uint8Array({ maxLength: 300 });
/** Payloads of a chain. */
export const anyPayloads = fc.array(anyPayload, { minLength: 1, maxLength: 12 });
/** A link of any numbers. */
export const anyLink = fc.record({
  origin: anyNumber,
  horizon: anyNumber,
  sequence: anyNumber,
  parent: anyNumber,
}, { noNullPrototype: true });

/** A copy with one bit changed. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const changed = bytes.slice();
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}
