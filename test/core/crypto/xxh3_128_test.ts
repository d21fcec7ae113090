import assert from "node:assert/strict";
import fc from "fast-check";
import { createXXHash128 } from "hash-wasm";
import { idToHex, utf8 } from "../../../src/base/mod.ts";
import { xxh3Wide } from "../../../src/core/crypto/mod.ts";

const hexOf = ({ high, low }: { readonly high: bigint; readonly low: bigint }) =>
  idToHex(high) + idToHex(low);

const referenceOf = (seed: bigint) =>
  createXXHash128(Number(seed & 0xffff_ffffn), Number(seed >> 32n));

Deno.test("xxh3Wide() agrees with the reference for every length up to 600 and around blocks", async () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 11);
  const lengths = Array.from({ length: 600 }, (_, i) => i);
  for (const block of [1, 2, 4]) for (let i = -65; i <= 65; i++) lengths.push(block * 1024 + i);
  for (const seed of [0n, 1n, 0xb100_f1ac_dead_cafen, (1n << 64n) - 1n]) {
    const reference = await referenceOf(seed);
    for (const length of lengths) {
      const input = bytes.subarray(0, length);
      const expected = reference.init().update(input).digest("hex");
      assert.equal(hexOf(xxh3Wide(input, seed)), expected, `length ${length}, seed ${seed}`);
    }
  }
});

Deno.test("xxh3Wide() agrees with the reference for random bytes, offsets and seeds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 1500, size: "max" }),
      fc.nat(7),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      async (bytes, offset, seed) => {
        const input = bytes.subarray(Math.min(offset, bytes.length));
        const expected = (await referenceOf(seed)).init().update(input).digest("hex");
        assert.equal(hexOf(xxh3Wide(input, seed)), expected);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("xxh3Wide() hashes a text as its UTF-8 bytes", () => {
  assert.deepEqual(xxh3Wide("größe/€", 5n), xxh3Wide(utf8("größe/€"), 5n));
});
