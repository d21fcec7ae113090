import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeIdentityState,
  encodeIdentityState,
  IDENTITY_STATE_BYTES,
} from "../../../src/core/crypto/mod.ts";

const anyState = fc.record({
  seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  issuerGeneration: fc.integer({ min: 0, max: 0xffff_ffff }),
}, { noNullPrototype: true });

Deno.test("encodeIdentityState() writes version, seed and generation", () => {
  const seed = new Uint8Array(32).fill(0x21);
  assert.equal(
    encodeIdentityState({ seed, issuerGeneration: 7 }).toHex(),
    `01${"21".repeat(32)}07000000`,
  );
});

Deno.test("decodeIdentityState() gives back what encodeIdentityState() wrote", () => {
  fc.assert(fc.property(anyState, (state) => {
    const bytes = encodeIdentityState(state);
    assert.deepEqual(decodeIdentityState(bytes), { ok: true, state });
  }));
});

Deno.test("decodeIdentityState() refuses other lengths and versions", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    const decoded = decodeIdentityState(bytes);
    if (bytes.length !== IDENTITY_STATE_BYTES) {
      assert.deepEqual(decoded, { ok: false, fault: "length" });
    } else assert.equal(decoded.ok, bytes[0] === 1);
  }));
  const newer = new Uint8Array(IDENTITY_STATE_BYTES).fill(2);
  assert.deepEqual(decodeIdentityState(newer), { ok: false, fault: "version" });
});

Deno.test("encodeIdentityState() refuses what is no state", () => {
  const seed = new Uint8Array(32);
  for (const issuerGeneration of [-1, 0.5, 2 ** 32, NaN]) {
    assert.throws(() => encodeIdentityState({ seed, issuerGeneration }), RangeError);
  }
  assert.throws(
    () => encodeIdentityState({ seed: new Uint8Array(31), issuerGeneration: 0 }),
    RangeError,
  );
});
