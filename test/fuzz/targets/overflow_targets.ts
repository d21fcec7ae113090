/** Decoders of overflow: offers of chunks, questions for proofs, and the answers; and the tags by which nodes claim room and heat. */

import {
  dataClaimTags,
  decodeHoldReply,
  decodeHoldRequest,
  decodeOverflowOffer,
  decodeOverflowReply,
  encodeHoldReply,
  encodeHoldRequest,
  encodeOverflowOffer,
  encodeOverflowReply,
  HOLD_KINDS,
  NO_PULL,
  OVERFLOW_REFUSALS,
  parseBlobHeat,
  readDataClaims,
} from "../../../src/blob/mod.ts";
import { utf8 } from "../../../src/base/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

/** Targets of this file. */
export const OVERFLOW_TARGETS: Readonly<Record<string, CreateTarget>> = {
  overflow_offer: () =>
    stable(
      [
        encodeOverflowOffer({
          hash: new Uint8Array(32).fill(7),
          sizeBytes: 4_194_304n,
          senderId: 1n << 63n,
        }),
      ],
      decodeOverflowOffer,
      encodeOverflowOffer,
    ),
  overflow_reply: () =>
    stable(
      [
        Uint8Array.of(0),
        Uint8Array.of(2),
        ...OVERFLOW_REFUSALS.map((reason) => encodeOverflowReply({ kind: "rejected", reason })),
      ],
      decodeOverflowReply,
      encodeOverflowReply,
    ),
  hold_request: () =>
    stable(
      HOLD_KINDS.map((kind) => {
        const bytes = new Uint8Array(32).fill(9);
        return encodeHoldRequest({ kind, hash: bytes, nonce: bytes });
      }),
      decodeHoldRequest,
      encodeHoldRequest,
    ),
  hold_reply: () =>
    stable(
      [
        encodeHoldReply({ kind: "proven", proof: new Uint8Array(32).fill(3) }),
        encodeHoldReply({ kind: "absent" }),
        encodeHoldReply({ kind: "refused" }),
      ],
      decodeHoldReply,
      encodeHoldReply,
    ),
  data_claims: () => ({
    corpus: [
      utf8(
        dataClaimTags({
          hasStorage: true,
          isUnhealthy: true,
          diskTotalGib: 100,
          diskFreeGib: 3,
          isOverflowing: true,
          greedy: { isEnabled: true, scope: "zone", proximity: 9 },
          gravity: NO_PULL,
        }).join("\n"),
      ),
      utf8(`heat:blob:${"ab".repeat(32)}=0.42`),
    ],
    feed: (bytes) => {
      const tags = new TextDecoder().decode(bytes).split("\n");
      const claims = readDataClaims(tags);
      const again = readDataClaims(dataClaimTags(claims));
      // What is claimed of a way that is off is not told.
      for (const name of ["hasStorage", "isUnhealthy", "diskFreeGib", "isOverflowing"] as const) {
        if (again[name] !== claims[name]) throw new Error(`${name} reads otherwise than written`);
      }
      const heat = tags.map(parseBlobHeat).filter((value) => value !== undefined);
      for (const { rate } of heat) if (!Number.isFinite(rate)) throw new Error(`Heat is ${rate}`);
      return claims.hasStorage || heat.length > 0 ? { claims, heat } : undefined;
    },
  }),
};

/** What a decoder reads, its encoder writes so that it reads the same again. */
function stable<T>(
  corpus: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (value: T) => Uint8Array,
): FuzzTarget {
  return {
    corpus,
    feed: (bytes) => {
      const value = decode(bytes);
      if (value === undefined) return undefined;
      const once = encode(value);
      const again = decode(once);
      if (again === undefined) throw new Error(`What was accepted is refused as ${once.toHex()}`);
      assertSame(encode(again), once);
      return value;
    },
  };
}
