import assert from "node:assert/strict";
import { chooseHolderTags, type HeldRoot, holderTag } from "../../../src/blob/mod.ts";

const hash = (number: number) => new Uint8Array(32).fill(number);
const root = (number: number, more: Partial<HeldRoot> = {}): HeldRoot => ({
  names: [hash(number)],
  rank: "plain",
  createdAtMs: number,
  ...more,
});

Deno.test("chooseHolderTags() tells copies first, then pinned blobs, then the newest", () => {
  const roots = [root(1, { rank: "replica" }), root(2, { rank: "pinned" }), root(3), root(4)];
  const told = [1, 2, 4, 3].map((number) => holderTag(hash(number)));
  assert.deepEqual(chooseHolderTags(roots), told);
  assert.deepEqual(chooseHolderTags(roots, 3), told.slice(0, 3));
  assert.deepEqual(chooseHolderTags(roots, 0), []);
});

Deno.test("chooseHolderTags() tells all names of a blob or none, and each once", () => {
  const both = root(9, { names: [hash(9), hash(8)] });
  const tags = [holderTag(hash(9)), holderTag(hash(8))];
  assert.deepEqual(chooseHolderTags([both, both]), tags);
  assert.deepEqual(chooseHolderTags([both], 1), []);
});
