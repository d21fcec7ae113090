import assert from "node:assert/strict";
import { deriveChildSeed } from "../../../src/core/crypto/mod.ts";

Deno.test("deriveChildSeed() takes the label as UTF-8 behind the parent's seed", () => {
  const parent = new Uint8Array(32).fill(0x21);
  assert.equal(
    deriveChildSeed(parent, "machine-1").toHex(),
    "baef021d0ae04717a8df4a419ff6bdb7874771aa6ba744ed253500d1603d2be9",
  );
  assert.notDeepEqual(deriveChildSeed(parent, "α"), deriveChildSeed(parent, ""));
  assert.throws(() => deriveChildSeed(new Uint8Array(33), "x"), RangeError);
});
