/** Bounded parallel work: order, bound, and that nothing runs on after a failure was told. */
import assert from "node:assert/strict";
import { inParallel } from "../../src/base/mod.ts";

Deno.test("inParallel() gives results in the order of the items, so many at once", async () => {
  let running = 0;
  let most = 0;
  const results = await inParallel([5, 1, 3, undefined, 2], 2, async (item) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < (item ?? 0); turn++) await Promise.resolve();
    running -= 1;
    return item === undefined ? "none" : item * 2;
  });
  assert.deepEqual(results, [10, 2, 6, "none", 4]);
  assert.equal(most, 2);
  assert.deepEqual(await inParallel([], 4, () => Promise.reject(new Error("never"))), []);
});

Deno.test("inParallel() tells a failure when all work has ended", async () => {
  let ended = 0;
  const work = async (item: number) => {
    if (item === 0) throw new Error("first");
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    ended += 1;
  };
  await assert.rejects(inParallel([0, 1, 2], 3, work), /first/);
  assert.equal(ended, 2);
});
