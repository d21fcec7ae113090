import assert from "node:assert/strict";
import fc from "fast-check";
import { createXXHash3, xxhash3 } from "hash-wasm";
import { xxh3 } from "../../../src/core/crypto/mod.ts";
import { idToHex, utf8 } from "../../../src/base/mod.ts";

Deno.test("xxh3() agrees with the reference for every length up to 1300 and around blocks", async () => {
  const reference = await createXXHash3();
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 11);
  const lengths = Array.from({ length: 1300 }, (_, i) => i);
  for (const block of [2, 3, 4]) for (let i = -65; i <= 65; i++) lengths.push(block * 1024 + i);
  for (const length of lengths) {
    const input = bytes.subarray(0, length);
    const expected = reference.init().update(input).digest("hex");
    assert.equal(idToHex(xxh3(input)), expected, `length ${length}`);
  }
});

Deno.test("xxh3() agrees with the reference for random bytes at any offset", async () => {
  const anyBytes = fc.uint8Array({ maxLength: 3000, size: "max" });
  await fc.assert(
    fc.asyncProperty(anyBytes, fc.nat(7), async (bytes, offset) => {
      const input = bytes.subarray(Math.min(offset, bytes.length));
      assert.equal(idToHex(xxh3(input)), await xxhash3(input));
    }),
    { numRuns: 60 },
  );
});

Deno.test("xxh3() hashes a text as its UTF-8 bytes", () => {
  assert.equal(xxh3("größe/€"), xxh3(utf8("größe/€")));
  assert.equal(xxh3(""), 0x2d06800538d394c2n);
});
