import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { channelId, queueGroupHash, requireChannelId } from "../../src/channel/mod.ts";
import { deriveChannelHash } from "../../src/core/crypto/mod.ts";

Deno.test("channelId() works the numbers of a name out once", () => {
  const id = channelId("lab/x");
  assert.equal(id?.hash, deriveChannelHash("lab/x"));
  assert.equal(id?.wireHash, 0x2ee8);
  assert.equal(id?.streamId, (id?.hash ?? 0n) | (1n << 48n));
  assert.equal(channelId("lab//x"), undefined);
});

Deno.test("requireChannelId() says what is wrong with a name", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /length is 0/],
    ["a".repeat(256), /length is 256/],
    ["Room", /upper-case/],
    ["room a", /other characters/],
    ["/room", /segment/],
    ["a/../b", /segment/],
  ];
  for (const [name, why] of cases) {
    assert.throws(
      () => requireChannelId(name),
      (error: unknown) =>
        error instanceof NetError && error.code === "usage" && why.test(error.message),
    );
  }
});

Deno.test("queueGroupHash() is the hash of name, # and group", () => {
  assert.notEqual(queueGroupHash("a", "b"), queueGroupHash("a", "c"));
  assert.notEqual(queueGroupHash("a", "b"), deriveChannelHash("a"));
});
