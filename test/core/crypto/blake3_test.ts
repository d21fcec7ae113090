import assert from "node:assert/strict";
import { blake3 as reference } from "@noble/hashes/blake3.js";
import {
  blake3,
  blake3Keyed,
  blake3Many,
  blake3Subtree,
  blake3Xof,
  createBlake3,
  isBlake3Subtree,
} from "../../../src/core/crypto/blake3.ts";
import { instantiateBlake3 } from "../../../src/core/crypto/wasm/blake3.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { createSeededSource } from "./random_bytes.ts";

const MIB = 1024 * 1024;

/** The pattern of the official test vectors: bytes counting 0..250. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

const MESSAGE = pattern(3 * MIB + 77);

Deno.test("blake3() gives the published hashes", () => {
  const empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
  const one = "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213";
  const chunkAndOne = "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444";
  assert.equal(blake3(new Uint8Array()).toHex(), empty);
  assert.equal(blake3(pattern(1)).toHex(), one);
  assert.equal(blake3(pattern(1025)).toHex(), chunkAndOne);
});

Deno.test("blake3() equals the reference for every length up to 1024", () => {
  for (let length = 0; length <= 1024; length++) {
    const bytes = MESSAGE.subarray(length, 2 * length);
    assert.equal(blake3(bytes).toHex(), reference(bytes).toHex(), `length ${length}`);
  }
});

Deno.test("blake3Many() gives each message the hash it has alone", () => {
  // Every length of a short message with every other, long ones between them, and no message at all.
  const sizes = Array.from(
    { length: 2_000 },
    (_, i) => i % 97 === 3 ? 1_025 + 31 * i : (i * 389) % 1_025,
  );
  const bytes = pattern(sizes.reduce((sum, size) => sum + size, 0));
  const hashes = blake3Many(bytes, sizes, sizes.length);
  let at = 0;
  for (const [i, size] of sizes.entries()) {
    const message = bytes.subarray(at, at + size);
    assert.equal(hashes.subarray(32 * i, 32 * i + 32).toHex(), blake3(message).toHex(), `${size}`);
    at += size;
  }
  for (const count of [1, 3, 7, 8, 9, 63, 64, 65]) {
    const some = blake3Many(bytes.subarray(3_000), sizes.slice(100), count);
    assert.equal(some.length, 32 * count);
    const first = bytes.subarray(3_000, 3_000 + (sizes[100] ?? 0));
    assert.equal(some.subarray(0, 32).toHex(), reference(first).toHex());
  }
  assert.equal(blake3Many(bytes, [], 0).length, 0);
});

Deno.test("blake3() equals the reference around every chunk boundary up to 140 chunks", () => {
  for (let chunks = 1; chunks <= 140; chunks++) {
    for (const extra of [-1, 0, 1, (chunks * 331) % 1024]) {
      const bytes = MESSAGE.subarray(0, chunks * 1024 + extra);
      assert.equal(blake3(bytes).toHex(), reference(bytes).toHex(), `${chunks} chunks ${extra}`);
    }
  }
});

Deno.test("blake3() equals the reference for messages of several MiB", () => {
  for (const length of [MIB - 1, MIB, MIB + 1, 2 * MIB + 65536, MESSAGE.length]) {
    const bytes = MESSAGE.subarray(0, length);
    assert.equal(blake3(bytes).toHex(), reference(bytes).toHex(), `length ${length}`);
  }
});

Deno.test("createBlake3() gives the same hash however the message is split", () => {
  const source = createSeededSource(0xb1a3e3);
  const lengths = [0, 1, 64, 1024, 1025, 16384, 16385, 32768, 65536, 65537, 131072, 500_000];
  for (const length of lengths) {
    const bytes = MESSAGE.subarray(0, length);
    const expected = blake3(bytes).toHex();
    for (const most of [1 + length / 900 | 0, 1000, 1024, 16384, 16385, 65536, 200_000]) {
      for (const isFixed of [true, false]) {
        const hash = createBlake3();
        for (let at = 0; at < length;) {
          const step = isFixed ? most : source.below(most + 1);
          hash.update(bytes.subarray(at, at + step));
          at += step;
        }
        assert.equal(hash.digest().toHex(), expected, `length ${length}, steps to ${most}`);
      }
    }
  }
});

Deno.test("createBlake3() keeps concurrent instances apart", () => {
  const source = createSeededSource(11);
  const work = Array.from({ length: 20 }, () => {
    const start = source.below(MIB);
    const bytes = MESSAGE.subarray(start, start + source.below(400_000));
    return { bytes, at: 0, hash: createBlake3() };
  });
  for (let left = work.length; left > 0;) {
    left = 0;
    for (const item of work) {
      const step = source.below(50_000);
      item.hash.update(item.bytes.subarray(item.at, item.at + step));
      item.at += step;
      if (item.at < item.bytes.length) left++;
      blake3(item.bytes.subarray(0, 3000));
    }
  }
  for (const { bytes, hash } of work) {
    assert.equal(hash.digest().toHex(), reference(bytes).toHex());
  }
});

Deno.test("createBlake3() copies what update() is given", () => {
  const bytes = pattern(5000);
  const hash = createBlake3().update(bytes);
  const expected = blake3(bytes).toHex();
  bytes.fill(0);
  assert.equal(hash.digest().toHex(), expected);
});

Deno.test("createBlake3() refuses use after digest()", () => {
  const hash = createBlake3();
  hash.digest();
  assert.throws(() => hash.digest(), TypeError);
  assert.throws(() => hash.update(new Uint8Array(1)), TypeError);
});

Deno.test("blake3Xof() begins with the hash and equals the reference", () => {
  for (const length of [0, 1, 32, 64, 131, 1000]) {
    const bytes = pattern(2049);
    const output = blake3Xof(bytes, length);
    assert.equal(output.length, length);
    const expected = reference(bytes, { dkLen: 1000 }).subarray(0, length);
    assert.deepEqual(new Uint8Array(output), new Uint8Array(expected));
  }
  assert.deepEqual(new Uint8Array(blake3Xof(pattern(70), 32)), blake3(pattern(70)));
  assert.throws(() => blake3Xof(pattern(1), -1), RangeError);
  assert.throws(() => blake3Xof(pattern(1), 1 << 21), RangeError);
});

Deno.test("pushSubtree() counts chunks beyond 32 bits alike in lanes and alone", () => {
  const wasm = instantiateBlake3();
  wasm.input.set(MESSAGE.subarray(0, 65536));
  for (const chunks of [2, 4, 8, 16, 64]) {
    wasm.input.set(MESSAGE.subarray(0, 65536));
    assert.equal(wasm.pushSubtree(chunks, 0, 5, 1, 0), 2);
    const inLanes = wasm.stack.slice(32, 64).toHex();
    let stacked = 1;
    for (let i = 0; i < chunks; i++) {
      wasm.input.set(MESSAGE.subarray(i * 1024, (i + 1) * 1024));
      stacked = wasm.pushSubtree(1, i, 5, stacked, 0);
    }
    assert.equal(stacked, 2);
    assert.equal(wasm.stack.slice(32, 64).toHex(), inLanes);
    wasm.input.set(MESSAGE.subarray(0, 65536));
    wasm.pushSubtree(chunks, 0, 0, 0, 0);
    assert.notEqual(wasm.stack.slice(0, 32).toHex(), inLanes);
  }
});

Deno.test("addSubtree() of parts hashed elsewhere gives the hash of the whole, whatever comes between", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 60; round++) {
    const total = Math.floor(random() * 1_500_000) + 131_072;
    const bytes = MESSAGE.subarray(0, total);
    const hash = createBlake3();
    let at = 0;
    while (at < total) {
      const length = 65_536 << Math.floor(random() * 4);
      const isPart = isBlake3Subtree(length, at) && at + length <= total && random() < 0.7 &&
        (at > 0 || at + length < total);
      if (isPart) {
        hash.addSubtree(blake3Subtree(bytes.subarray(at, at + length), at), length);
        at += length;
      } else {
        const size = random() < 0.5 ? 65_536 : Math.floor(random() * 70_000) + 1;
        hash.update(bytes.subarray(at, at + size));
        at += size;
      }
    }
    assert.equal(hash.digest().toHex(), blake3(bytes).toHex(), `round ${round}, ${total} bytes`);
  }
});

Deno.test("blake3Subtree() counts chunks beyond 32 bits, and refuses what is no subtree", () => {
  const bytes = MESSAGE.slice(0, 131_072);
  const start = 2 ** 43;
  const whole = instantiateBlake3();
  whole.input.set(bytes.subarray(0, 65_536));
  let stacked = whole.pushSubtree(64, 0, 2, 0, 0);
  whole.input.set(bytes.subarray(65_536));
  stacked = whole.pushSubtree(64, 64, 2, stacked, 0);
  assert.equal(stacked, 1);
  assert.equal(blake3Subtree(bytes, start).toHex(), whole.stack.slice(0, 32).toHex());
  assert.throws(() => blake3Subtree(bytes, 65_536), RangeError);
  assert.throws(() => blake3Subtree(bytes.subarray(1), 0), RangeError);
  assert.throws(() => blake3Subtree(bytes.subarray(0, 1024), 0), RangeError);
  const hash = createBlake3().update(bytes.subarray(0, 5));
  assert.throws(() => hash.addSubtree(new Uint8Array(32), 65_536), RangeError);
  const alone = createBlake3().addSubtree(new Uint8Array(32), 65_536);
  assert.throws(() => alone.digest(), TypeError);
});

Deno.test("blake3Keyed() gives the keyed hashes of the official vectors, and wants 32 bytes of key", () => {
  const key = new TextEncoder().encode("whats the Elvish word for friend");
  const vectors: Readonly<Record<number, string>> = {
    0: "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
    1: "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
  };
  for (const [length, hash] of Object.entries(vectors)) {
    assert.equal(blake3Keyed(key, pattern(Number(length))).toHex(), hash);
  }
  assert.throws(() => blake3Keyed(key.subarray(1), pattern(1)), RangeError);
});
