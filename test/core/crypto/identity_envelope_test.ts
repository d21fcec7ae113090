import assert from "node:assert/strict";
import fc from "fast-check";
import { blake2s } from "@noble/hashes/blake2.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concatBytes, utf8 } from "../../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  IDENTITY_ENVELOPE_BYTES,
  openIdentityEnvelope,
  sealIdentityEnvelope,
  verifySignature,
} from "../../../src/core/crypto/mod.ts";

const SEED = new Uint8Array(32).fill(5);
const SIGNER = createIdentity(SEED).entityId;
const TARGET = createNoiseKeyPair(new Uint8Array(32).fill(6));
const EPHEMERAL = createNoiseKeyPair(new Uint8Array(32).fill(7));
const LINK = utf8("step 9");

function seal(changes: Partial<Parameters<typeof sealIdentityEnvelope>[0]> = {}) {
  return sealIdentityEnvelope({
    seed: SEED,
    targetKey: TARGET.publicKey,
    causalLink: LINK,
    ephemeral: EPHEMERAL,
    ...changes,
  });
}

function open(
  bytes: Uint8Array,
  changes: Partial<Parameters<typeof openIdentityEnvelope>[1]> = {},
) {
  const opened = openIdentityEnvelope(bytes, {
    target: TARGET,
    signer: SIGNER,
    causalLink: LINK,
    ...changes,
  });
  return opened.ok ? opened.seed : opened.fault;
}

Deno.test("sealIdentityEnvelope() writes the fields where they belong", () => {
  const bytes = seal();
  assert.equal(bytes.length, IDENTITY_ENVELOPE_BYTES);
  assert.equal(IDENTITY_ENVELOPE_BYTES, 209);
  assert.equal(bytes[0], 1);
  assert.deepEqual(bytes.slice(1, 33), TARGET.publicKey);
  assert.deepEqual(bytes.slice(33, 65), EPHEMERAL.publicKey);
  assert.deepEqual(bytes.slice(113, 145), SIGNER);
  const signed = concatBytes(TARGET.publicKey, LINK);
  assert.ok(verifySignature(SIGNER, signed, bytes.slice(145)));
  const shared = EPHEMERAL.agree(TARGET.publicKey);
  assert.ok(shared);
  const key = blake2s(shared, { key: utf8("net-identity-envelope") });
  const nonce = blake2s(concatBytes(EPHEMERAL.publicKey, TARGET.publicKey), {
    key: utf8("net-identity-nonce"),
  }).slice(0, 24);
  assert.deepEqual(xchacha20poly1305(key, nonce, LINK).decrypt(bytes.slice(65, 113)), SEED);
});

Deno.test("openIdentityEnvelope() gives the seed to its target only", () => {
  assert.deepEqual(open(seal()), SEED);
  assert.deepEqual(open(seal({ ephemeral: undefined })), SEED);
  assert.equal(open(seal(), { target: EPHEMERAL }), "target");
  assert.equal(open(seal(), { signer: createIdentity(new Uint8Array(32)).entityId }), "signer");
  assert.equal(open(seal(), { causalLink: utf8("step 8") }), "signature");
});

Deno.test("openIdentityEnvelope() refuses a seed that is not the signer's", () => {
  // Signed for this target and step, around somebody else's sealed seed.
  const bytes = seal();
  bytes.set(seal({ seed: new Uint8Array(32).fill(8) }).subarray(65, 113), 65);
  assert.equal(open(bytes), "identity");
});

Deno.test("openIdentityEnvelope() refuses any changed bit", () => {
  const bytes = seal();
  fc.assert(fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    // The last bit of an X25519 key is not looked at, so that key is another name of the same point.
    if (bit === 33 * 8 + 255) assert.equal(open(changed), "sealed");
    else assert.equal(typeof open(changed), "string");
  }));
});

Deno.test("openIdentityEnvelope() refuses hostile bytes without throwing", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 220 }), (bytes) => {
    assert.equal(open(bytes), bytes.length === 209 ? "version" : "length");
  }));
  const lowOrder = seal();
  lowOrder.fill(0, 33, 65);
  assert.equal(open(lowOrder), "sealed");
});

Deno.test("sealIdentityEnvelope() refuses what is no key", () => {
  assert.throws(() => seal({ seed: new Uint8Array(31) }), RangeError);
  assert.throws(() => seal({ targetKey: new Uint8Array(31) }), RangeError);
  assert.throws(() => seal({ targetKey: new Uint8Array(32) }), RangeError);
});
