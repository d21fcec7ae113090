import assert from "node:assert/strict";
import { blake2s } from "@noble/hashes/blake2.js";
import fc from "fast-check";
import { blake2s256, blake2sKeyed, hmacBlake2s } from "../../../src/core/crypto/mod.ts";
import { concatBytes, utf8 } from "../../../src/base/mod.ts";

Deno.test("blake2s256() agrees with the published digest of abc", () => {
  assert.equal(
    blake2s256(utf8("abc")).toHex(),
    "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
  );
});

Deno.test("blake2sKeyed() agrees with the published keyed digest of the empty message", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  assert.equal(
    blake2sKeyed(key, new Uint8Array(0)).toHex(),
    "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49",
  );
});

Deno.test("blake2sKeyed() takes a label as its ASCII bytes and refuses impossible keys", () => {
  assert.deepEqual(
    blake2sKeyed("net-origin-v1", utf8("x")),
    blake2sKeyed(utf8("net-origin-v1"), utf8("x")),
  );
  assert.throws(() => blake2sKeyed("", utf8("x")), RangeError);
  assert.throws(() => blake2sKeyed(new Uint8Array(33), utf8("x")), RangeError);
});

Deno.test("hmacBlake2s() is HMAC as RFC 2104 writes it", () => {
  const anyBytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(fc.property(anyBytes, anyBytes, (key, message) => {
    const block = new Uint8Array(64);
    block.set(key.length > 64 ? blake2s(key) : key);
    const inner = blake2s(concatBytes(block.map((byte) => byte ^ 0x36), message));
    const expected = blake2s(concatBytes(block.map((byte) => byte ^ 0x5c), inner));
    assert.deepEqual(hmacBlake2s(key, message), expected);
  }));
});
