import assert from "node:assert/strict";
import { concatBytes, NetError, toHex } from "../../../src/base/mod.ts";
import {
  type BlobRef,
  type ByteRange,
  type ChunkReader,
  CONTENT_DEFINED_CHUNKING,
  decodeTreeNode,
  encodeTreeNode,
  inlineWork,
  PLAIN_FORM,
  type PutForm,
  readBlob,
  type ReadBlobOptions,
  repairBlob,
  RepairOnRead,
  REPLICATED,
  type TreeNode,
  TreeNodeCache,
  type TreeRef,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { withStore } from "../store_kit.ts";

const PIECE = 1_000;
const CODED: PutForm = {
  chunking: { kind: "fixed", chunkBytes: PIECE },
  encoding: { kind: "reed_solomon", data: 4, parity: 2 },
};
const TREE: PutForm = { ...CODED, encoding: REPLICATED };

/** A blob in memory: chunks and nodes by hash. */
interface MemoryBlob {
  readonly ref: TreeRef;
  readonly bytes: Uint8Array;
  readonly chunks: Map<string, Uint8Array>;
}

async function makeBlob(length: number, form: PutForm, seed = 1): Promise<MemoryBlob> {
  const bytes = seededBytes(length, seed);
  const chunks = new Map<string, Uint8Array>();
  let ref: BlobRef | undefined;
  await withStore(async ({ store, chunks: all }) => {
    ({ ref } = await store.put(bytesSource(bytes), { form }));
    for await (const hash of all.list()) {
      chunks.set(toHex(hash), await store.readChunk(hash) ?? new Uint8Array(0));
    }
  });
  assert.ok(ref?.kind === "tree");
  return { ref, bytes, chunks };
}

/** Reads from memory; counts what was asked for. */
function readerOf(chunks: ReadonlyMap<string, Uint8Array>) {
  const asked: string[] = [];
  const reader: ChunkReader = {
    read: (hash) => {
      asked.push(toHex(hash));
      return Promise.resolve(chunks.get(toHex(hash)));
    },
  };
  return { reader, asked };
}

async function readAll(ref: BlobRef, options: ReadBlobOptions): Promise<Uint8Array> {
  const pieces = await Array.fromAsync(readBlob(ref, options));
  let at = pieces[0]?.offset ?? 0n;
  for (const { bytes, offset } of pieces) {
    assert.equal(offset, at);
    at += BigInt(bytes.length);
  }
  return concatBytes(...pieces.map(({ bytes }) => bytes));
}

Deno.test("readBlob() gives exactly a range of every reference, and asks for nothing beside it", async () => {
  const random = seededRandom(5);
  for (const form of [TREE, CODED, PLAIN_FORM]) {
    const length = form === PLAIN_FORM ? 9_000_000 : 140 * PIECE + 33;
    const bytes = seededBytes(length, 2);
    await withStore(async ({ store }) => {
      const { ref } = await store.put(bytesSource(bytes), { form });
      const reader: ChunkReader = { read: (hash) => store.readChunk(hash) };
      for (let round = 0; round < 20; round++) {
        const [a, b] = [Math.floor(random() * (length + 1)), Math.floor(random() * (length + 1))];
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const range: ByteRange = { start: BigInt(start), end: BigInt(end) };
        const read = await readAll(ref, { reader, range, aheadMax: 1 + round % 5 });
        assert.ok(Buffer.from(read).equals(bytes.subarray(start, end)), `${start}..${end}`);
      }
      const beyond = { start: 0n, end: BigInt(length) + 1n };
      await assert.rejects(readAll(ref, { reader, range: beyond }), RangeError);
    });
  }
  const { ref, chunks } = await makeBlob(140 * PIECE, TREE);
  const { reader, asked } = readerOf(chunks);
  await readAll(ref, { reader, range: { start: 500n, end: 1_500n } });
  // The root, a leaf, two chunks.
  assert.equal(asked.length, 4);
});

Deno.test("readBlob() keeps no more on its way than it may", async () => {
  const { ref, bytes, chunks } = await makeBlob(50 * PIECE, TREE);
  let [reading, readingMax] = [0, 0];
  const reader: ChunkReader = {
    read: async (hash, expectedBytes) => {
      if (expectedBytes === undefined) return chunks.get(toHex(hash));
      readingMax = Math.max(readingMax, ++reading);
      await new Promise((resolve) => setImmediate(resolve));
      reading -= 1;
      return chunks.get(toHex(hash));
    },
  };
  const read = await readAll(ref, { reader, aheadBytes: 3 * PIECE, aheadMax: 10 });
  assert.deepEqual(read, bytes);
  assert.equal(readingMax, 3);
});

Deno.test("readBlob() restores up to as many chunks of a stripe as there is parity, with one pass", async () => {
  const { ref, bytes, chunks } = await makeBlob(8 * PIECE, CODED);
  const lost = [0, 3].map((i) => toHex(blake3(bytes.subarray(i * PIECE, (i + 1) * PIECE))));
  for (const key of lost) chunks.delete(key);
  const { reader, asked } = readerOf(chunks);
  const restored: number[] = [];
  const onRestored: ReadBlobOptions["onRestored"] = (_, found) => restored.push(...found.keys());
  const read = await readAll(ref, { reader, aheadMax: 1, onRestored, work: inlineWork() });
  assert.deepEqual(read, bytes);
  assert.deepEqual(restored, [0, 3]);
  // A third one is too many, and the error says where.
  const third = toHex(blake3(bytes.subarray(PIECE, 2 * PIECE)));
  chunks.delete(third);
  await assert.rejects(readAll(ref, { reader: readerOf(chunks).reader }), (error) => {
    assert.ok(error instanceof NetError);
    assert.equal(error.code, "not_found");
    assert.equal(error.data?.depth, 3);
    assert.equal(error.data?.child, lost[0]);
    assert.match(String(error.data?.parent), /^[0-9a-f]{64}$/);
    return true;
  });
  assert.ok(asked.length < 40);
});

Deno.test("readBlob() says at which depth a tree broke, below which node", async () => {
  const { ref, chunks } = await makeBlob(300 * PIECE, TREE);
  const root = decodeTreeNode(chunks.get(toHex(ref.rootHash)) ?? new Uint8Array());
  assert.ok(root.ok && root.node.kind === "internal");
  const leaf = root.node.children[1]?.hash ?? new Uint8Array();
  const bytes = chunks.get(toHex(leaf)) ?? new Uint8Array();
  const expect = async (
    code: string,
    depth: number,
    parent: Uint8Array | null,
    child: Uint8Array,
  ) => {
    let length = 0;
    const reading = (async () => {
      for await (const piece of readBlob(ref, readerOf(chunks))) length += piece.bytes.length;
    })();
    await assert.rejects(reading, (error) => {
      assert.ok(error instanceof NetError && error.next !== undefined);
      assert.equal(error.code, code);
      assert.deepEqual(error.data, {
        depth,
        parent: parent === null ? null : toHex(parent),
        child: toHex(child),
      });
      assert.ok(error.message.includes(toHex(child)));
      return true;
    });
    return length;
  };
  const damaged = bytes.slice();
  damaged[40] = (damaged[40] ?? 0) ^ 1;
  chunks.set(toHex(leaf), damaged);
  // What lies before it was handed on.
  assert.equal(await expect("integrity", 2, ref.rootHash, leaf), 128 * PIECE);
  chunks.delete(toHex(leaf));
  await expect("not_found", 2, ref.rootHash, leaf);
  chunks.set(toHex(leaf), bytes);
  const decoded = decodeTreeNode(bytes);
  assert.ok(decoded.ok && decoded.node.kind === "leaf");
  const chunk = decoded.node.chunks[5]?.hash ?? new Uint8Array();
  chunks.set(toHex(chunk), new Uint8Array(PIECE - 1));
  assert.equal(await expect("integrity", 3, leaf, chunk), 133 * PIECE);
  chunks.delete(toHex(ref.rootHash));
  await expect("not_found", 1, null, ref.rootHash);
});

Deno.test("readBlob() of hostile trees gives bytes of the reference or an error, and ends", async () => {
  const random = seededRandom(77);
  const below = (limit: number) => Math.floor(random() * limit);
  let good = 0;
  for (let round = 0; round < 300; round++) {
    const { ref, bytes, chunks } = await makeBlob(
      PIECE * (1 + below(150)) - below(PIECE),
      round % 2 === 0 ? TREE : CODED,
      round,
    );
    // A node is changed and everything above it made to fit, so that only its meaning is wrong.
    let rootHash = ref.rootHash;
    const rewrite = (hash: Uint8Array): Uint8Array => {
      const encoded = chunks.get(toHex(hash)) ?? new Uint8Array();
      const decoded = decodeTreeNode(encoded);
      if (!decoded.ok) return hash;
      const { node } = decoded;
      if (node.kind === "internal" && random() < 0.7) {
        const at = below(node.children.length);
        const children = node.children.map((child, i) =>
          i === at ? { ...child, hash: rewrite(child.hash) } : child
        );
        return keep({ kind: "internal", children });
      }
      const changed = encoded.slice();
      for (let i = 0; i < 1 + below(3); i++) changed[below(changed.length)] = below(256);
      return keepBytes(changed);
    };
    const keepBytes = (encoded: Uint8Array): Uint8Array => {
      const hash = blake3(encoded);
      chunks.set(toHex(hash), encoded);
      return hash;
    };
    const keep = (node: TreeNode): Uint8Array => keepBytes(encodeTreeNode(node));
    rootHash = new Uint8Array(rewrite(rootHash));
    const hostile: TreeRef = {
      ...ref,
      rootHash,
      size: random() < 0.2 ? BigInt(1 + below(1_000_000)) : ref.size,
      depth: random() < 0.2 ? 1 + below(4) : ref.depth,
    };
    let length = 0;
    try {
      for await (const piece of readBlob(hostile, readerOf(chunks))) {
        assert.equal(piece.offset, BigInt(length));
        length += piece.bytes.length;
      }
      assert.equal(BigInt(length), hostile.size);
      good += 1;
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      assert.ok(["integrity", "not_found"].includes(error.code), error.message);
      assert.ok(BigInt(length) < hostile.size || length <= bytes.length);
    }
  }
  // Some changes do no harm: the role of a parity chunk, a longer varint.
  assert.ok(good < 150, String(good));
});

Deno.test("TreeNodeCache drops the least recently used, and what was removed", async () => {
  const { ref, bytes, chunks } = await makeBlob(300 * PIECE, TREE);
  const nodes = new TreeNodeCache();
  const range = { start: 0n, end: 10n };
  const { reader, asked } = readerOf(chunks);
  await readAll(ref, { reader, range, nodes });
  assert.equal(asked.length, 3);
  assert.deepEqual(await readAll(ref, { reader, range, nodes }), bytes.subarray(0, 10));
  assert.equal(asked.length, 4, "the chunk alone");
  assert.deepEqual({ ...nodes.stats(), bytes: 0 }, { hits: 2, misses: 2, bytes: 0, entries: 2 });
  nodes.remove(ref.rootHash);
  assert.equal(nodes.stats().entries, 1);

  const small = new TreeNodeCache(1_000);
  const keys = [1, 2, 3].map((seed) => blake3(seededBytes(9, seed)));
  const [first, second, third] = keys;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  small.add(first, new Uint8Array(200));
  small.add(second, new Uint8Array(200));
  small.get(first);
  small.add(third, new Uint8Array(200));
  assert.deepEqual(keys.map((key) => small.get(key) !== undefined), [true, false, true]);
  small.add(second, new Uint8Array(5_000));
  assert.equal(small.stats().entries, 2, "what is larger than all of it is skipped");
  const none = new TreeNodeCache(0);
  none.add(first, new Uint8Array(1));
  assert.equal(none.stats().entries, 0);
});

Deno.test("repairBlob() uses parity first, then others, and says what is missing", async () => {
  for (const form of [CODED, TREE, { ...CODED, chunking: CONTENT_DEFINED_CHUNKING }]) {
    const { ref, bytes, chunks } = await makeBlob(18 * PIECE + 5, form);
    const everything = new Map(chunks);
    const repair = (far: ReadonlyMap<string, Uint8Array> | undefined) =>
      repairBlob(ref, {
        near: readerOf(chunks).reader,
        far: far && {
          read: (hash) => {
            const found = far.get(toHex(hash));
            if (found !== undefined) chunks.set(toHex(hash), found);
            return Promise.resolve(found);
          },
        },
        store: (hash, restored) => {
          chunks.set(toHex(hash), restored.slice());
          return Promise.resolve();
        },
      });
    const whole = await repair(undefined);
    assert.equal(whole.chunksMissing + whole.chunksRestored + whole.chunksFetched, 0);
    const lose = (...places: number[]) => {
      for (const place of places) {
        chunks.delete(toHex(blake3(bytes.subarray(place * PIECE, (place + 1) * PIECE))));
      }
    };
    if (form === TREE) {
      lose(0, 7);
      assert.equal((await repair(undefined)).chunksMissing, 2);
      const report = await repair(everything);
      assert.deepEqual([report.chunksFetched, report.chunksMissing], [2, 0]);
      assert.equal(report.replicatedLeavesSkipped, 1);
    } else if (form === CODED) {
      // Two of the first stripe; three of the second, of which others have only one; one of the tail.
      lose(0, 1, 4, 5, 6, 17);
      const others = new Map(
        [...everything].filter(([key]) =>
          [4, 17].some((i) => key === toHex(blake3(bytes.subarray(i * PIECE, (i + 1) * PIECE))))
        ),
      );
      const alone = await repair(undefined);
      assert.equal(alone.stripesUnrecoverable, 1);
      assert.equal(alone.chunksMissing, 4);
      assert.equal(alone.chunksRestored, 2);
      const report = await repair(others);
      assert.equal(report.stripesUnrecoverable, 0);
      assert.equal(report.stripesWalked, 5);
      assert.equal(report.stripesRepaired, 1);
      assert.equal(report.replicatedStripesSkipped, 1);
      assert.deepEqual(
        [report.chunksFetched, report.chunksRestored, report.chunksMissing],
        [2, 2, 0],
      );
    }
    assert.deepEqual(await readAll(ref, readerOf(chunks)), bytes);
  }
});

Deno.test("RepairOnRead writes what was restored, once a minute for a stripe", async () => {
  const clock = new ManualClock();
  const written: string[] = [];
  let isFull = false;
  const repairs = new RepairOnRead({
    clock,
    log: silentLog,
    addChunk: (hash) => {
      if (isFull) return Promise.reject(new NetError("no_space", "full"));
      written.push(toHex(hash));
      return Promise.resolve();
    },
  });
  const { ref, bytes, chunks } = await makeBlob(8 * PIECE, CODED);
  const lost = toHex(blake3(bytes.subarray(0, PIECE)));
  chunks.delete(lost);
  const read = () =>
    readAll(ref, {
      reader: readerOf(chunks).reader,
      onRestored: (stripe, restored) => repairs.note(stripe, restored),
    });
  await read();
  await read();
  await repairs.settle();
  assert.deepEqual(written, [lost]);
  await clock.advance(60_000);
  isFull = true;
  assert.deepEqual(await read(), bytes);
  await repairs.settle();
  assert.equal(repairs.counters.blob_read_repairs_failed_total, 1);
  assert.equal(repairs.counters.blob_read_repaired_chunks_total, 1);
});

Deno.test("readBlob() of a tree that lists one byte two million times can be stopped", async () => {
  const chunks = new Map<string, Uint8Array>();
  const keep = (bytes: Uint8Array) => {
    const hash = blake3(bytes);
    chunks.set(toHex(hash), bytes);
    return hash;
  };
  const byte = keep(Uint8Array.of(7));
  const listed = Array.from({ length: 128 }, () => ({ hash: byte, size: 1 }));
  let root = keep(encodeTreeNode({ kind: "leaf", chunks: listed }));
  for (let depth = 2; depth <= 3; depth++) {
    const child = { hash: root, size: 128n ** BigInt(depth - 1) };
    const children = Array.from({ length: 128 }, () => child);
    root = keep(encodeTreeNode({ kind: "internal", children }));
  }
  const ref: TreeRef = {
    kind: "tree",
    uri: "",
    encoding: REPLICATED,
    rootHash: root,
    size: 128n ** 3n,
    depth: 3,
  };
  const abort = new AbortController();
  setImmediate(() => abort.abort(new Error("enough")));
  let length = 0;
  const reading = (async () => {
    for await (const piece of readBlob(ref, { ...readerOf(chunks), signal: abort.signal })) {
      length += piece.bytes.length;
    }
  })();
  await assert.rejects(reading, /enough/);
  assert.ok(length < 1_000, String(length));
});
