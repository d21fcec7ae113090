import assert from "node:assert/strict";
import { createCardinalityCache } from "../../../../src/core/capability/mod.ts";

Deno.test("createCardinalityCache() asks again after ten seconds, and forgets the oldest key", () => {
  let now = 0;
  const asked: string[] = [];
  const count = (name: string) => asked.push(name);
  const cache = createCardinalityCache(
    { tagValues: ({ key }) => count(`tag ${key}`), metadataValues: (key) => count(key) },
    { now: () => now },
  );
  const key = { axis: "hardware", key: "gpu" } as const;
  assert.equal(cache.tagValues(key), 1);
  assert.equal(cache.metadataValues("hardware.gpu"), 2);
  now = 9_999;
  assert.equal(cache.tagValues(key), 1);
  now = 10_000;
  assert.equal(cache.tagValues(key), 3);
  assert.deepEqual(asked, ["tag gpu", "hardware.gpu", "tag gpu"]);
  for (let n = 0; n < 1_023; n++) cache.metadataValues(`k${n}`);
  const before = asked.length;
  cache.tagValues(key);
  assert.equal(asked.length, before, "it was counted later than the one that went");
  cache.metadataValues("k1023");
  cache.tagValues(key);
  assert.equal(asked.length, before + 2);
});
