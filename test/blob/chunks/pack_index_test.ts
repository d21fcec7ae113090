/** Places that wait for the table of the index are found, changed and listed as if they were in it. */
import assert from "node:assert/strict";
import { FRESH_MAX, PackIndex } from "../../../src/blob/chunks/pack_index.ts";
import { seededBytes } from "../sources.ts";

const PACK = 3;
const SIZE = 10;
const RECORD = 48 + SIZE;

interface Batches {
  readonly hashes: Uint8Array;
  readonly count: number;
}

/** Sets the places of so many chunks, in batches of 4,000. */
function fill(index: PackIndex, count: number, seed: number): Batches {
  const hashes = seededBytes(count * 32, seed);
  const batch = 4_000;
  for (let start = 0; start < count; start += batch) {
    const part = Math.min(batch, count - start);
    const sizes = new Uint32Array(part).fill(SIZE);
    const chunks = { count: part, hashes: hashes.subarray(start * 32), sizes };
    index.setMany(chunks, { pack: PACK, at: start * RECORD, isSealed: false });
  }
  return { hashes, count };
}

const hashOf = ({ hashes }: Batches, i: number) => hashes.subarray(i * 32, (i + 1) * 32);

/** Those of the chunks that are found one by one, and together, are all but these. */
function check(index: PackIndex, all: Batches, gone: ReadonlySet<number>): void {
  for (let i = 0; i < all.count; i += 61) {
    const place = { pack: PACK, at: i * RECORD, storedBytes: SIZE, isSealed: false };
    assert.deepEqual(index.find(hashOf(all, i)), gone.has(i) ? undefined : place, `chunk ${i}`);
  }
  const found = index.findMany(all.hashes, all.count);
  for (let i = 0; i < all.count; i++) assert.equal(found.has(i), !gone.has(i), `chunk ${i}`);
  assert.equal(index.liveBytes, (all.count - gone.size) * SIZE);
}

Deno.test("PackIndex finds more places than it has waiting, before and behind a commit", () => {
  using index = new PackIndex(":memory:");
  const all = fill(index, 2 * FRESH_MAX + 1_234, 1);
  const gone = new Set<number>();
  check(index, all, gone);
  // Some of them are in the table, some on the way there, some wait.
  for (let i = 0; i < all.count; i += 997) {
    assert.equal(index.remove(hashOf(all, i))?.at, i * RECORD);
    assert.equal(index.remove(hashOf(all, i)), undefined);
    gone.add(i);
  }
  check(index, all, gone);
  while (index.settleSome(5_000));
  check(index, all, gone);
  index.commit();
  check(index, all, gone);
  assert.equal(index.packs.get(PACK)?.liveFileBytes, (all.count - gone.size) * RECORD);
});

Deno.test("PackIndex lists what waits, and forgets the end of a pack with it", () => {
  using index = new PackIndex(":memory:");
  const all = fill(index, 3_000, 2);
  const expected = Array.from({ length: all.count }, (_, i) => hashOf(all, i).toHex()).sort();
  const listed = [];
  let page = index.page(new Uint8Array(0));
  for (; page.length > 0; page = index.page(page.at(-1) ?? new Uint8Array(0))) {
    listed.push(...page.map((hash) => hash.toHex()));
  }
  assert.deepEqual(listed, expected);
  fill(index, 100, 3);
  index.forgetFrom(PACK, 1_000 * RECORD);
  // Of the second hundred all are before that place.
  assert.equal(index.liveBytes, 1_100 * SIZE);
  assert.equal(index.find(hashOf(all, 1_000)), undefined);
  assert.equal(index.find(hashOf(all, 999))?.at, 999 * RECORD);
});

Deno.test("PackIndex keeps a place that was set anew, and one that came back", () => {
  using index = new PackIndex(":memory:");
  const all = fill(index, 10, 4);
  const place = { pack: 9, at: 7, storedBytes: 5, isSealed: false };
  assert.equal(index.set(hashOf(all, 2), place)?.pack, PACK);
  index.remove(hashOf(all, 4));
  const again = { count: 1, hashes: hashOf(all, 4), sizes: [8] };
  index.setMany(again, { pack: 9, at: 70, isSealed: false });
  index.commit();
  assert.deepEqual(index.find(hashOf(all, 2)), place);
  assert.deepEqual(index.find(hashOf(all, 4)), { ...place, at: 70, storedBytes: 8 });
  assert.equal(index.liveBytes, 8 * SIZE + 5 + 8);
});

Deno.test("PackIndex goes back to the last commit with all that waits", () => {
  using index = new PackIndex(":memory:");
  const kept = fill(index, 50, 5);
  index.commit();
  const lost = fill(index, 70_000, 6);
  index.reload();
  check(index, kept, new Set());
  assert.equal(index.findMany(lost.hashes, lost.count).size, 0);
});

Deno.test("PackIndex has in its table what it says is safe, whenever it is closed without a commit", () => {
  const folder = Deno.makeTempDirSync({ prefix: "net_pack_index_" });
  try {
    const path = `${folder}/index.db`;
    const index = new PackIndex(path);
    const all = fill(index, 1_000, 8);
    index.setSynced(PACK, all.count * RECORD);
    // So many changes that it commits by itself.
    fill(index, 170_000, 9);
    index[Symbol.dispose]();
    using again = new PackIndex(path);
    const synced = again.packs.get(PACK)?.syncedBytes ?? 0;
    assert.equal(synced, all.count * RECORD);
    for (let i = 0; i < all.count; i++) assert.ok(again.find(hashOf(all, i)), `chunk ${i}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
