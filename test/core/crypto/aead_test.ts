import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { openAead, sealAead } from "../../../src/core/crypto/aead.ts";
import { createSeededSource } from "./random_bytes.ts";

const NONE = new Uint8Array();

/** RFC 8439, section 2.8.2. */
const RFC_SEAL = {
  key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
  nonce: "070000004041424344454647",
  aad: "50515253c0c1c2c3c4c5c6c7",
  plaintext: "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
    "the future, sunscreen would be it.",
  sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
    "3ff4def08e4b7a9de576d26586cec64b6116" + "1ae10b594f09e26a7e902ecbd0600691",
};

/** RFC 8439, appendix A.5. */
const RFC_OPEN = {
  key: "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
  nonce: "000000000102030405060708",
  aad: "f33388860000000000004e91",
  sealed: "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2" +
    "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf" +
    "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855" +
    "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4" +
    "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e" +
    "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a" +
    "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10" +
    "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29" +
    "a6ad5cb4022b02709b" + "eead9d67890cbb22392336fea1851f38",
  start: "Internet-Drafts are draft documents valid for a maximum of six months",
};

Deno.test("sealAead() and openAead() follow RFC 8439", () => {
  const hex = Uint8Array.fromHex.bind(Uint8Array);
  const { key, nonce, aad, plaintext, sealed } = RFC_SEAL;
  const message = new TextEncoder().encode(plaintext);
  assert.equal(sealAead(hex(key), hex(nonce), hex(aad), message).toHex(), sealed);
  assert.deepEqual(openAead(hex(key), hex(nonce), hex(aad), hex(sealed)), message);
  const other = RFC_OPEN;
  const opened = openAead(hex(other.key), hex(other.nonce), hex(other.aad), hex(other.sealed));
  assert.ok(new TextDecoder().decode(opened).startsWith(other.start));
});

Deno.test("sealAead() equals the reference for every length up to 1024 and longer ones", () => {
  const source = createSeededSource(0x5eed);
  const lengths = Array.from({ length: 1025 }, (_, i) => i);
  for (let i = 0; i < 60; i++) lengths.push(1025 + source.below(8000));
  for (const length of [65536, 128 * 1024 - 2200, 128 * 1024 - 2000, 200_001]) lengths.push(length);
  for (const length of lengths) {
    const key = source.bytes(32);
    const nonce = source.bytes(12);
    const aad = source.bytes(source.below(70));
    const plaintext = source.bytes(length);
    const reference = chacha20poly1305(key, nonce, aad).encrypt(plaintext);
    const sealed = sealAead(key, nonce, aad, plaintext);
    assert.ok(Buffer.compare(sealed, reference) === 0, `length ${length}, aad ${aad.length}`);
    const opened = openAead(key, nonce, aad, sealed);
    assert.ok(opened !== undefined && Buffer.compare(opened, plaintext) === 0, `open ${length}`);
  }
});

Deno.test("sealAead() equals the reference for every aad length, also when it does not fit", () => {
  const source = createSeededSource(7);
  for (const length of [...Array(130).keys(), 1000, 128 * 1024 - 2100, 128 * 1024]) {
    const [key, nonce] = [source.bytes(32), source.bytes(12)];
    const aad = source.bytes(length);
    const plaintext = source.bytes(33);
    const reference = chacha20poly1305(key, nonce, aad).encrypt(plaintext);
    assert.ok(Buffer.compare(sealAead(key, nonce, aad, plaintext), reference) === 0, `${length}`);
  }
});

Deno.test("sealAead() carries right where the accumulator is at its extremes", () => {
  // Ciphertexts of all ones and all zeros drive the limbs to their bounds.
  const source = createSeededSource(99);
  for (let round = 0; round < 200; round++) {
    const [key, nonce] = [source.bytes(32), source.bytes(12)];
    const length = 16 * (1 + source.below(64));
    const stream = chacha20poly1305(key, nonce).encrypt(new Uint8Array(length)).subarray(0, length);
    const wanted = round % 2 === 0 ? 0xff : 0;
    const plaintext = stream.map((byte) => byte ^ wanted);
    const aad = new Uint8Array(32).fill(0xff);
    const reference = chacha20poly1305(key, nonce, aad).encrypt(plaintext);
    assert.ok(Buffer.compare(sealAead(key, nonce, aad, plaintext), reference) === 0);
  }
});

Deno.test("openAead() refuses every flipped bit and every truncation", () => {
  const source = createSeededSource(3);
  for (const length of [0, 1, 16, 47, 200]) {
    const [key, nonce, aad] = [source.bytes(32), source.bytes(12), source.bytes(13)];
    const sealed = sealAead(key, nonce, aad, source.bytes(length));
    for (const part of [sealed, aad, nonce, key]) {
      for (let bit = 0; bit < part.length * 8; bit++) {
        part[bit >> 3] = (part[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(openAead(key, nonce, aad, sealed), undefined);
        part[bit >> 3] = (part[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      }
    }
    for (let end = 0; end < sealed.length; end++) {
      assert.equal(openAead(key, nonce, aad, sealed.subarray(0, end)), undefined);
    }
    assert.equal(openAead(key, nonce, NONE, sealed), undefined);
    assert.equal(openAead(key, nonce, aad, sealed)?.length, length);
  }
});

Deno.test("openAead() refuses a large message that is not authentic", () => {
  const sealed = sealAead(new Uint8Array(32), new Uint8Array(12), NONE, new Uint8Array(200_000));
  sealed[100_000] = (sealed[100_000] ?? 0) ^ 1;
  assert.equal(openAead(new Uint8Array(32), new Uint8Array(12), NONE, sealed), undefined);
});

Deno.test("sealAead() throws on wrong lengths of key and nonce", () => {
  const nonce = new Uint8Array(12);
  assert.throws(() => sealAead(new Uint8Array(31), nonce, NONE, NONE), RangeError);
  assert.throws(() => openAead(new Uint8Array(32), nonce.subarray(1), NONE, NONE), RangeError);
});
