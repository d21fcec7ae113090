import assert from "node:assert/strict";
import fc from "fast-check";
import { createXXHash128 } from "hash-wasm";
import { PostcardWriter, utf8 } from "../../../../src/base/mod.ts";
import {
  BloomFilter,
  createBloomFilter,
  decodeBloomFilter,
} from "../../../../src/core/capability/mod.ts";

Deno.test("BloomFilter.mayHave() is never wrong with no", () => {
  const entries = fc.array(fc.string({ unit: "binary", maxLength: 40 }), { maxLength: 60 });
  fc.assert(fc.property(entries, fc.nat(80), fc.double({ noNaN: true }), (texts, size, rate) => {
    const filter = createBloomFilter(size, rate);
    for (const text of texts) filter.add(text);
    for (const text of texts) assert.ok(filter.mayHave(text) && filter.mayHave(utf8(text)));
    const decoded = decodeBloomFilter(filter.encode());
    assert.ok(decoded.ok);
    for (const text of texts) assert.ok(decoded.filter.mayHave(text));
    assert.deepEqual(decoded.filter.encode(), filter.encode());
  }));
});

Deno.test("createBloomFilter() keeps 1 % at 10,000 entries within 500 KB", () => {
  const filter = createBloomFilter(10_000, 0.01);
  for (let i = 0; i < 10_000; i++) filter.add(`in-${i}`);
  let wrong = 0;
  for (let i = 0; i < 10_000; i++) if (filter.mayHave(`out-${i}`)) wrong += 1;
  assert.ok(wrong > 40 && wrong < 170, `${wrong} of 10,000`);
  assert.equal(filter.hashes, 7);
  assert.ok(filter.encode().length < 20_000);
});

Deno.test("createBloomFilter() brings sizes and rates into range", () => {
  const shape = (entries: number, rate: number) => {
    const { bits, hashes } = createBloomFilter(entries, rate);
    return [bits, hashes];
  };
  assert.deepEqual(shape(0, 0.01), shape(1, 0.01));
  assert.deepEqual(shape(100, 0), shape(100, 1e-9));
  assert.deepEqual(shape(100, -Infinity), shape(100, 1e-9));
  assert.deepEqual(shape(100, 7), shape(100, 0.5));
  assert.deepEqual(shape(1, 0.5), [64, 32]);
  assert.deepEqual(shape(64, 0.5), [128, 1]);
  for (const [entries, rate] of [[-1, 0.1], [0.5, 0.1], [1, NaN], [10_000_000, 0.01]] as const) {
    assert.throws(() => createBloomFilter(entries, rate), RangeError);
  }
});

Deno.test("BloomFilter.add() sets the bits of double hashing with XXH3-128", async () => {
  const filter = createBloomFilter(100, 0.01);
  filter.add("causal:00000000000000ff");
  const hash = await createXXHash128(0xdeadcafe, 0xb100f1ac);
  const hex = hash.init().update("causal:00000000000000ff").digest("hex");
  const step = BigInt(`0x${hex.slice(0, 16)}`) | 1n;
  const first = BigInt(`0x${hex.slice(16)}`);
  const words = new BigUint64Array(filter.bits / 64);
  for (let i = 0n; i < BigInt(filter.hashes); i++) {
    const place = Number(BigInt.asUintN(64, first + i * step) % BigInt(filter.bits));
    words[place >> 6] = (words[place >> 6] ?? 0n) | (1n << BigInt(place % 64));
  }
  assert.deepEqual(filter.encode(), new BloomFilter(words, filter.hashes).encode());
});

Deno.test("decodeBloomFilter() refuses bad lengths and numbers of hashes", () => {
  const encode = (bits: number, hashes: number, words: readonly bigint[]) => {
    const writer = new PostcardWriter().varint(bits).varint(hashes).varint(words.length);
    for (const word of words) writer.varint(word);
    return writer.finish();
  };
  const faultOf = (bytes: Uint8Array) => {
    const decoded = decodeBloomFilter(bytes);
    return decoded.ok ? undefined : decoded.fault;
  };
  assert.equal(faultOf(encode(64, 1, [(1n << 64n) - 1n])), undefined);
  assert.equal(faultOf(encode(64, 0, [1n])), "bad_hashes");
  assert.equal(faultOf(encode(64, 33, [1n])), "bad_hashes");
  assert.equal(faultOf(encode(63, 1, [1n])), "bad_length");
  assert.equal(faultOf(encode(128, 1, [1n])), "bad_length");
  assert.equal(faultOf(encode(0, 1, [])), "bad_length");
  assert.equal(faultOf(encode(64, 1, [1n]).subarray(0, 3)), "malformed");
  assert.equal(faultOf(encode(64, 1, [1n << 63n]).subarray(0, 8)), "malformed");
  assert.equal(faultOf(new Uint8Array(0)), "malformed");
  const long = encode(500 * 1024 * 8 + 64, 1, Array(64_001).fill(0n));
  assert.equal(faultOf(long), "bad_length");
});

Deno.test("decodeBloomFilter() never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const decoded = decodeBloomFilter(bytes);
    if (decoded.ok) assert.ok(decoded.filter.bits <= 64 * bytes.length);
  }));
});
