/** Blobs with parity, for tests. */
import {
  type BlobStore,
  type ChunkRef,
  createStripeBuilder,
  createTreeBuilder,
  type TreeRef,
} from "../../../src/blob/mod.ts";
import { blake3, createBlake3 } from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";

const CODE = { data: 4, parity: 2 };

/** Puts chunks of 100 bytes with parity 4+2; the hashes of its chunks stripe by stripe, data then parity. */
export async function putStripes(
  store: BlobStore,
  chunkCount: number,
): Promise<
  { readonly address: Uint8Array; readonly ref: TreeRef; readonly stripes: Uint8Array[][] }
> {
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
  const address = whole.digest();
  await draft.commit({ address, ref, size, chunks, kind: "blob" });
  return { address, ref, stripes: hashes };
}
