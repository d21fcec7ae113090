import assert from "node:assert/strict";
import { blake2s } from "@noble/hashes/blake2.js";
import fc from "fast-check";
import {
  createResetTagger,
  packResetTag,
  unpackResetTag,
} from "../../../../src/core/crypto/mod.ts";

const any32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyHalf = fc.integer({ min: 0, max: 0xffffffff });

Deno.test("createResetTagger() follows its definition and needs nothing but seed and id", () => {
  const text = (value: string) => new TextEncoder().encode(value);
  fc.assert(fc.property(any32, anyHalf, anyHalf, (seed, low, high) => {
    const id = new Uint8Array(new Uint32Array([low, high]).buffer);
    const key = blake2s(text("net-sealed-reset-key-v1"), { key: seed });
    const tag = blake2s(new Uint8Array([...text("net-sealed-reset-tag-v1"), ...id]), { key });
    assert.deepEqual(createResetTagger(seed)(low, high), tag.slice(0, 16));
  }));
});

Deno.test("createResetTagger() does not keep the seed", () => {
  const seed = new Uint8Array(32).fill(1);
  const tagOf = createResetTagger(seed);
  const before = tagOf(1, 2);
  seed.fill(0);
  assert.deepEqual(tagOf(1, 2), before);
});

Deno.test("createResetTagger() refuses a seed of another length", () => {
  assert.throws(() => createResetTagger(new Uint8Array(31)), RangeError);
});

Deno.test("unpackResetTag() gives back what packResetTag() took, leading zeros too", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (tag) => {
    assert.deepEqual(unpackResetTag(packResetTag(tag)), tag);
  }));
  assert.deepEqual(unpackResetTag(packResetTag(new Uint8Array(16))), new Uint8Array(16));
});
