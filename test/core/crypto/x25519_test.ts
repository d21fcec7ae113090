import assert from "node:assert/strict";
import { x25519 as reference } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { createNoiseKeyPair, isUsableNoiseKey, x25519 } from "../../../src/core/crypto/mod.ts";

const any32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** Low-order points, canonical and not (RFC 7748 section 6.1; Curve25519's list of points to refuse). */
const LOW_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

Deno.test("x25519() gives the result of RFC 7748 section 5.2", () => {
  const scalar = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4";
  const point = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";
  assert.equal(
    x25519(Uint8Array.fromHex(scalar), Uint8Array.fromHex(point))?.toHex(),
    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
  );
});

Deno.test("x25519() agrees with the reference implementation", () => {
  fc.assert(
    fc.property(any32, any32, (privateKey, otherPrivate) => {
      const other = createNoiseKeyPair(otherPrivate);
      assert.deepEqual(other.publicKey, reference.getPublicKey(otherPrivate));
      const expected = reference.getSharedSecret(privateKey, other.publicKey);
      assert.deepEqual(x25519(privateKey, other.publicKey), expected);
      assert.deepEqual(createNoiseKeyPair(privateKey).agree(other.publicKey), expected);
    }),
    { numRuns: 30 },
  );
});

Deno.test("x25519() accepts any public bytes the reference accepts", () => {
  fc.assert(
    fc.property(any32, any32, (privateKey, publicKey) => {
      assert.deepEqual(
        x25519(privateKey, publicKey),
        reference.getSharedSecret(privateKey, publicKey),
      );
    }),
    { numRuns: 30 },
  );
});

Deno.test("x25519() refuses low-order keys, with and without the unused top bit", () => {
  const pair = createNoiseKeyPair();
  for (const hex of LOW_ORDER) {
    const key = Uint8Array.fromHex(hex);
    const highBit = key.slice();
    highBit[31] = (highBit[31] ?? 0) | 0x80;
    for (const lowOrder of [key, highBit]) {
      assert.equal(x25519(pair.privateKey, lowOrder), undefined, hex);
      assert.equal(pair.agree(lowOrder), undefined, hex);
      assert.ok(!isUsableNoiseKey(lowOrder), hex);
    }
  }
  assert.ok(isUsableNoiseKey(pair.publicKey));
});

Deno.test("createNoiseKeyPair() copies its key and refuses other lengths", () => {
  const privateKey = new Uint8Array(32).fill(4);
  const pair = createNoiseKeyPair(privateKey);
  privateKey.fill(0);
  assert.deepEqual(pair.privateKey, new Uint8Array(32).fill(4));
  assert.throws(() => createNoiseKeyPair(new Uint8Array(31)), RangeError);
  assert.throws(() => x25519(new Uint8Array(33), pair.publicKey), RangeError);
  for (const length of [0, 31, 33]) assert.equal(pair.agree(new Uint8Array(length)), undefined);
});

Deno.test("createNoiseKeyPair() makes a different pair each time", () => {
  assert.notDeepEqual(createNoiseKeyPair().privateKey, createNoiseKeyPair().privateKey);
});
