import assert from "node:assert/strict";
import {
  type BlobStore,
  type ChunkRef,
  createStripeBuilder,
  createTreeBuilder,
} from "../../../src/blob/mod.ts";
import { blake3, createBlake3 } from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";
import { withStore } from "../store_kit.ts";

const CODE = { data: 4, parity: 2 };

/** Puts chunks of 100 bytes with parity, and returns their hashes: stripe by stripe, data then parity. */
async function putStripes(store: BlobStore, chunkCount: number): Promise<Uint8Array[][]> {
  const draft = store.begin();
  const stripes = createStripeBuilder(CODE);
  const tree = createTreeBuilder({ kind: "reed_solomon", ...CODE });
  const whole = createBlake3();
  const chunks: ChunkRef[] = [];
  const hashes: Uint8Array[][] = [];
  const put = async (hash: Uint8Array, bytes: Uint8Array) => {
    await draft.putChunk(hash, bytes);
    chunks.push({ hash, size: bytes.length });
  };
  const addStripe = async (built: ReturnType<typeof stripes.add>) => {
    if (built === undefined) return;
    for (const { hash, bytes } of built.parity) await put(hash, bytes);
    for (const node of tree.addStripe(built.stripe)) await put(node.hash, node.bytes);
    hashes.push(built.stripe.chunks.map(({ hash }) => hash));
  };
  for (let i = 0; i < chunkCount; i++) {
    const bytes = seededBytes(100, i + 1);
    whole.update(bytes);
    await put(blake3(bytes), bytes);
    await addStripe(stripes.add({ hash: blake3(bytes), bytes }));
  }
  await addStripe(stripes.finish());
  const { ref, nodes } = tree.finish();
  for (const node of nodes) await put(node.hash, node.bytes);
  const size = chunkCount * 100;
  await draft.commit({ address: whole.digest(), ref, size, chunks, kind: "blob" });
  return hashes;
}

Deno.test("standingOf() tells when the stripe of a chunk can bear no more loss", () =>
  withStore(async ({ store }) => {
    const [first = [], second = [], rest = []] = await putStripes(store, 10);
    assert.deepEqual([first.length, second.length, rest.length], [6, 6, 2]);
    const isShort = async (hash: Uint8Array | undefined) =>
      (await store.standingOf(hash ?? new Uint8Array()))?.isStripeShort;
    assert.equal(await isShort(first[0]), false);
    for (const lost of first.slice(0, 2)) assert.equal(await store.dropCopy(lost), 100);
    for (const left of first.slice(2)) {
      assert.equal(await isShort(left), true);
      assert.equal(await store.dropCopy(left), undefined);
    }
    // Other stripes have lost nothing, and what no parity protects cannot be short.
    assert.equal(await isShort(second[5]), false);
    assert.equal(await isShort(rest[0]), false);
  }));
