import assert from "node:assert/strict";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2s } from "@noble/hashes/blake2.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import fc from "fast-check";
import {
  createNoiseInitiator,
  createNoiseKeyPair,
  createNoiseResponder,
  handshakePrologue,
  NOISE_MESSAGE_BYTES_MAX,
  NOISE_PAYLOAD_BYTES_MAX,
} from "../../../src/core/crypto/mod.ts";
import { concatBytes, NetError, utf8 } from "../../../src/base/mod.ts";

const NOTHING = new Uint8Array(0);
const psk = new Uint8Array(32).fill(9);
const prologue = handshakePrologue(0xfedcba98, 2);
const staticKey = createNoiseKeyPair(new Uint8Array(32).fill(1));
const responderStatic = staticKey.publicKey;
const any32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function pair() {
  return {
    initiator: createNoiseInitiator({ prologue, psk, responderStatic }),
    responder: createNoiseResponder({ prologue, psk, staticKey }),
  };
}

Deno.test("handshakePrologue() writes the label and both routing ids as 64-bit words", () => {
  assert.equal(
    prologue.toHex(),
    utf8("net-handshake-v1").toHex() + "98badcfe00000000" + "0200000000000000",
  );
});

Deno.test("handshake gives both sides the payloads, one hash and one pair of keys", () => {
  const anyPayload = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(anyPayload, anyPayload, (payload1, payload2) => {
      const { initiator, responder } = pair();
      const message1 = initiator.writeMessage1(payload1);
      assert.equal(message1.length, 48 + payload1.length);
      assert.deepEqual(responder.readMessage1(message1)?.payload, payload1);
      assert.ok(!responder.isComplete && !initiator.isComplete);
      const message2 = responder.writeMessage2(payload2);
      assert.equal(message2.length, 48 + payload2.length);
      assert.deepEqual(initiator.readMessage2(message2)?.payload, payload2);
      assert.ok(responder.isComplete && initiator.isComplete);
      assert.deepEqual(initiator.handshakeHash, responder.handshakeHash);
      assert.deepEqual(initiator.splitKeys, responder.splitKeys);
    }),
    { numRuns: 30 },
  );
});

Deno.test("handshake agrees with a straight reading of the Noise specification", () => {
  fc.assert(
    fc.property(any32, any32, any32, any32, (secret, ours, theirs, fixed) => {
      const keys = [ours, theirs, fixed].map((key) => createNoiseKeyPair(key));
      const [ephemeral1, ephemeral2, responderKey] = keys;
      assert.ok(ephemeral1 && ephemeral2 && responderKey);
      const initiator = createNoiseInitiator({
        prologue,
        psk: secret,
        responderStatic: responderKey.publicKey,
        ephemeral: ephemeral1,
      });
      const responder = createNoiseResponder({
        prologue,
        psk: secret,
        staticKey: responderKey,
        ephemeral: ephemeral2,
      });
      const expected = readingOfTheSpecification(secret, ours, theirs, fixed, utf8("one"));
      assert.deepEqual(initiator.writeMessage1(utf8("one")), expected.message1);
      assert.ok(responder.readMessage1(expected.message1));
      assert.deepEqual(responder.writeMessage2(NOTHING), expected.message2);
      assert.deepEqual(responder.handshakeHash, expected.hash);
      assert.deepEqual(responder.splitKeys.initiatorToResponder, expected.first);
      assert.deepEqual(responder.splitKeys.responderToInitiator, expected.second);
    }),
    { numRuns: 10 },
  );
});

Deno.test("readMessage2() refuses hostile messages and still reads the true one", () => {
  const { initiator, responder } = pair();
  responder.readMessage1(initiator.writeMessage1(NOTHING));
  const message2 = responder.writeMessage2(utf8("yes"));
  refuseHostile(message2, (message) => initiator.readMessage2(message));
  assert.ok(!initiator.isComplete);
  assert.deepEqual(initiator.readMessage2(message2)?.payload, utf8("yes"));
  assert.deepEqual(initiator.handshakeHash, responder.handshakeHash);
  assert.equal(initiator.readMessage2(message2), undefined);
});

Deno.test("readMessage1() refuses hostile messages and still reads the true one", () => {
  const { initiator, responder } = pair();
  const message1 = initiator.writeMessage1(new Uint8Array(8));
  refuseHostile(message1, (message) => responder.readMessage1(message));
  assert.deepEqual(responder.readMessage1(message1)?.payload, new Uint8Array(8));
  assert.equal(responder.readMessage1(message1), undefined);
  assert.ok(initiator.readMessage2(responder.writeMessage2(NOTHING)));
});

Deno.test("readMessage1() refuses a wrong mesh secret, prologue or static key", () => {
  const message = pair().initiator.writeMessage1(NOTHING);
  const wrong = [
    { prologue, psk: new Uint8Array(32), staticKey },
    { prologue: handshakePrologue(0xfedcba98, 3), psk, staticKey },
    { prologue: NOTHING, psk, staticKey },
    { prologue, psk, staticKey: createNoiseKeyPair() },
  ];
  for (const options of wrong) {
    assert.equal(createNoiseResponder(options).readMessage1(message), undefined);
  }
});

Deno.test("readMessage2() refuses the answer to another attempt", () => {
  const [first, second] = [pair(), pair()];
  first.initiator.writeMessage1(NOTHING);
  second.responder.readMessage1(second.initiator.writeMessage1(NOTHING));
  assert.equal(first.initiator.readMessage2(second.responder.writeMessage2(NOTHING)), undefined);
});

Deno.test("handshake refuses low-order keys on both sides", () => {
  const { initiator, responder } = pair();
  const lowOrder = concatBytes(new Uint8Array(32), new Uint8Array(16));
  assert.equal(responder.readMessage1(lowOrder), undefined);
  initiator.writeMessage1(NOTHING);
  assert.equal(initiator.readMessage2(lowOrder), undefined);
  const aimed = createNoiseInitiator({ prologue, psk, responderStatic: new Uint8Array(32) });
  assert.throws(
    () => aimed.writeMessage1(NOTHING),
    (error) => error instanceof NetError && error.code === "config_invalid",
  );
});

Deno.test("handshake works with the empty prologue of the point-to-point adapter", () => {
  const shared = { prologue: NOTHING, psk };
  const initiator = createNoiseInitiator({ ...shared, responderStatic });
  const responder = createNoiseResponder({ ...shared, staticKey });
  assert.ok(responder.readMessage1(initiator.writeMessage1(NOTHING)));
  assert.ok(initiator.readMessage2(responder.writeMessage2(NOTHING)));
});

Deno.test("handshake refuses steps out of order", () => {
  const { initiator, responder } = pair();
  assert.throws(() => initiator.readMessage2(new Uint8Array(48)), TypeError);
  assert.throws(() => responder.writeMessage2(NOTHING), TypeError);
  assert.throws(() => initiator.handshakeHash, TypeError);
  assert.throws(() => responder.splitKeys, TypeError);
  responder.readMessage1(initiator.writeMessage1(NOTHING));
  assert.throws(() => initiator.writeMessage1(NOTHING), TypeError);
  responder.writeMessage2(NOTHING);
  assert.throws(() => responder.writeMessage2(NOTHING), TypeError);
});

Deno.test("handshake bounds lengths", () => {
  const { initiator, responder } = pair();
  const tooLong = new Uint8Array(NOISE_PAYLOAD_BYTES_MAX + 1);
  assert.throws(() => initiator.writeMessage1(tooLong), RangeError);
  const longest = initiator.writeMessage1(new Uint8Array(NOISE_PAYLOAD_BYTES_MAX));
  assert.equal(longest.length, NOISE_MESSAGE_BYTES_MAX);
  assert.equal(responder.readMessage1(concatBytes(longest, Uint8Array.of(0))), undefined);
  assert.equal(responder.readMessage1(longest)?.payload.length, NOISE_PAYLOAD_BYTES_MAX);
  assert.throws(() => responder.writeMessage2(tooLong), RangeError);
  const short = new Uint8Array(31);
  assert.throws(
    () => createNoiseInitiator({ prologue, psk: short, responderStatic }),
    RangeError,
  );
  assert.throws(() => createNoiseInitiator({ prologue, psk, responderStatic: short }), RangeError);
  assert.throws(() => createNoiseResponder({ prologue, psk: short, staticKey }), RangeError);
});

/** Every truncation, one extra byte, flipped bits and noise. */
function refuseHostile(message: Uint8Array, read: (message: Uint8Array) => unknown): void {
  for (let length = 0; length < message.length; length++) {
    assert.equal(read(message.subarray(0, length)), undefined);
  }
  assert.equal(read(concatBytes(message, Uint8Array.of(0))), undefined);
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.nat(7), (place, bit) => {
      // X25519 ignores the top bit of a key, but the transcript does not.
      const changed = message.slice();
      changed[place] = (changed[place] ?? 0) ^ (1 << bit);
      assert.equal(read(changed), undefined);
    }),
    { numRuns: 60 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
    assert.equal(read(noise), undefined);
  }));
}

/** NKpsk0 written out token by token, with nothing but the reference primitives. */
function readingOfTheSpecification(
  secret: Uint8Array,
  ephemeral1: Uint8Array,
  ephemeral2: Uint8Array,
  fixed: Uint8Array,
  payload1: Uint8Array,
) {
  const hkdf = (salt: Uint8Array, input: Uint8Array) => {
    const output = expand(blake2s, extract(blake2s, input, salt), NOTHING, 96);
    return [output.slice(0, 32), output.slice(32, 64), output.slice(64)] as const;
  };
  const mix = (hash: Uint8Array, data: Uint8Array) => blake2s(concatBytes(hash, data));
  const seal = (key: Uint8Array, hash: Uint8Array, plaintext: Uint8Array) =>
    chacha20poly1305(key, new Uint8Array(12), hash).encrypt(plaintext);
  const [e1, e2, rs] = [ephemeral1, ephemeral2, fixed].map((key) => x25519.getPublicKey(key));
  assert.ok(e1 && e2 && rs);

  const h0 = blake2s(utf8("Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s"));
  const h1 = mix(mix(h0, prologue), rs);
  const [ck1, pskHash] = hkdf(h0, secret);
  const h2 = mix(mix(h1, pskHash), e1);
  const [ck2] = hkdf(ck1, e1);
  const [ck3, k3] = hkdf(ck2, x25519.getSharedSecret(ephemeral1, rs));
  const sealed1 = seal(k3, h2, payload1);
  const h3 = mix(mix(h2, sealed1), e2);
  const [ck4] = hkdf(ck3, e2);
  const [ck5, k5] = hkdf(ck4, x25519.getSharedSecret(ephemeral2, e1));
  const sealed2 = seal(k5, h3, NOTHING);
  const [first, second] = hkdf(ck5, NOTHING);
  return {
    message1: concatBytes(e1, sealed1),
    message2: concatBytes(e2, sealed2),
    hash: mix(h3, sealed2),
    first,
    second,
  };
}
