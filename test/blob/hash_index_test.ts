import assert from "node:assert/strict";
import { ChunkGuard } from "../../src/blob/_chunk_guard.ts";
import { HashIndex, hashWords } from "../../src/blob/_hash_index.ts";
import { seededBytes } from "./sources.ts";

const COUNT = 5_000;
const BYTES = seededBytes(COUNT * 32, 7);
const hashOf = (i: number) => BYTES.subarray(i * 32, (i + 1) * 32);

Deno.test("HashIndex numbers hashes as they come, and gives them back", () => {
  const index = new HashIndex();
  // Where words cannot be seen as such, and where they can.
  const offset = hashWords(new Uint8Array([0, 0, 0, ...BYTES]).subarray(3));
  for (let i = 0; i < COUNT; i++) assert.equal(index.add(offset, i * 8), i);
  for (let i = 0; i < COUNT; i += 3) assert.equal(index.add(hashWords(BYTES), i * 8), i);
  assert.equal(index.count, COUNT);
  const copy = new Uint8Array(40);
  for (let i = 0; i < COUNT; i++) {
    assert.equal(index.find(hashWords(hashOf(i))), i);
    index.copy(i, copy, 8);
    assert.deepEqual(copy.subarray(8), hashOf(i));
    const first = Number(`0x${hashOf(i).subarray(0, 6).toHex()}`);
    assert.equal(index.orderOf(i), first);
  }
  // All but the last byte is the same.
  const other = hashOf(9).slice();
  other[31] = (other[31] ?? 0) ^ 1;
  assert.equal(index.find(hashWords(other)), -1);
  index.clear();
  assert.equal(index.find(hashWords(hashOf(0))), -1);
  assert.equal(index.add(hashWords(hashOf(1))), 0);
});

Deno.test("ChunkGuard counts uses, and forgets what is not used any more", async () => {
  const guard = new ChunkGuard();
  for (let round = 0; round < 4; round++) {
    await guard.useMany(BYTES);
    await guard.use(hashOf(5));
    for (let i = 0; i < COUNT; i += 7) assert.ok(guard.isUsed(hashOf(i)));
    await guard.releaseMany(
      [BYTES.subarray(0, 3_200), BYTES.subarray(3_200)],
      () => Promise.resolve(),
    );
    for (let i = 0; i < COUNT; i += 7) assert.equal(guard.isUsed(hashOf(i)), false);
    assert.ok(guard.isUsed(hashOf(5)));
    guard.release(hashOf(5));
    assert.equal(guard.isUsed(hashOf(5)), false);
  }
});

Deno.test("ChunkGuard makes whoever uses a chunk wait for its removal, and refuses what is used", async () => {
  const guard = new ChunkGuard();
  await guard.use(hashOf(1));
  const { claimed, giveBack } = guard.claim([hashOf(0), hashOf(1), hashOf(2)]);
  assert.deepEqual(claimed, [hashOf(0), hashOf(2)]);
  assert.deepEqual(guard.claim([hashOf(0)]).claimed, []);
  let isUsed = false;
  const using = guard.useMany(BYTES.subarray(2 * 32, 4 * 32)).then(() => isUsed = true);
  await guard.use(hashOf(3));
  assert.equal(isUsed, false);
  giveBack();
  await using;
  assert.ok(isUsed && guard.isUsed(hashOf(2)));
});
