import assert from "node:assert/strict";
import type { BlobSource } from "../../../src/blob/mod.ts";
import { SpillSource } from "../../../src/services/blobs/spill_source.ts";

const hashOf = (byte: number) => new Uint8Array(32).fill(byte);

function createSource(fetch: (hash: Uint8Array) => Promise<Uint8Array | undefined>) {
  const own: BlobSource = {
    hasChunk: (hash) => Promise.resolve(hash[0] === 1 ? 3 : undefined),
    readChunk: (hash) => Promise.resolve(hash[0] === 1 ? Uint8Array.of(1, 1, 1) : undefined),
    readRef: () => Promise.resolve(Uint8Array.of(7)),
    readRefOf: () => Promise.resolve(undefined),
  };
  return new SpillSource(own, fetch);
}

Deno.test("SpillSource serves its own without asking, and what others hold once per read", async () => {
  let asked = 0;
  const source = createSource((hash) => {
    asked += 1;
    return Promise.resolve(hash[0] === 2 ? Uint8Array.of(2, 2) : undefined);
  });
  assert.equal(await source.hasChunk(hashOf(1)), 3);
  assert.deepEqual(await source.readChunk(hashOf(1)), Uint8Array.of(1, 1, 1));
  assert.equal(asked, 0);
  assert.equal(await source.hasChunk(hashOf(2)), 2);
  assert.deepEqual(await source.readChunk(hashOf(2)), Uint8Array.of(2, 2));
  assert.equal(await source.readChunk(hashOf(2)), undefined);
  assert.equal(await source.hasChunk(hashOf(3)), undefined);
  assert.equal(asked, 2);
  assert.deepEqual(await source.readRef(hashOf(4)), Uint8Array.of(7));
  assert.equal(await source.readRefOf(hashOf(4)), undefined);
});

Deno.test("SpillSource fetches once for many, forgets failures, and keeps few chunks", async () => {
  const waiting = Promise.withResolvers<Uint8Array | undefined>();
  let isFailing = true;
  const source = createSource((hash) => {
    if (hash[0] === 2) return waiting.promise;
    return isFailing ? Promise.reject(new Error("nobody")) : Promise.resolve(Uint8Array.of(9));
  });
  const both = Promise.all([source.hasChunk(hashOf(2)), source.hasChunk(hashOf(2))]);
  waiting.resolve(Uint8Array.of(2));
  assert.deepEqual(await both, [1, 1]);
  assert.deepEqual(await source.readChunk(hashOf(2)), Uint8Array.of(2));
  assert.deepEqual(await source.readChunk(hashOf(2)), Uint8Array.of(2));
  assert.equal(await source.readChunk(hashOf(2)), undefined);
  assert.equal(await source.hasChunk(hashOf(3)), undefined);
  isFailing = false;
  for (let byte = 3; byte < 23; byte++) assert.equal(await source.hasChunk(hashOf(byte)), 1);
  let kept = 0;
  for (let byte = 2; byte < 23; byte++) {
    if (await source.readChunk(hashOf(byte)) !== undefined) kept += 1;
  }
  assert.equal(kept, 8);
});
