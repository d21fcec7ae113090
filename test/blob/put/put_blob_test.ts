import assert from "node:assert/strict";
import { concatBytes, NetError } from "../../../src/base/mod.ts";
import {
  type BlobRef,
  CHUNK_BYTES,
  type ChunkReader,
  CONTENT_DEFINED_CHUNKING,
  createStripeBuilder,
  createTreeBuilder,
  createWorkPool,
  cutStream,
  isTreeForm,
  parsePutForm,
  PLAIN_FORM,
  putBlob,
  type PutForm,
  readBlob,
  REPLICATED,
  type WorkPool,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { type StoreParts, withStore } from "../store_kit.ts";

const CODE = { kind: "reed_solomon", data: 3, parity: 2 } as const;
const CDC: PutForm = { chunking: CONTENT_DEFINED_CHUNKING, encoding: REPLICATED };
const FORMS: Readonly<Record<string, PutForm>> = {
  plain: PLAIN_FORM,
  tree: { ...PLAIN_FORM, isTree: true },
  cdc: CDC,
  coded: { ...PLAIN_FORM, encoding: CODE },
  both: { ...CDC, encoding: CODE },
};

const readerOf = ({ store }: StoreParts): ChunkReader => ({
  read: (hash) => store.readChunk(hash),
});

async function readAll(ref: BlobRef, reader: ChunkReader): Promise<Uint8Array> {
  const pieces = await Array.fromAsync(readBlob(ref, { reader }));
  return concatBytes(...pieces.map(({ bytes }) => bytes));
}

/** The tree by the pure builders, as the vectors check them. */
async function referenceTree(bytes: Uint8Array, form: PutForm): Promise<BlobRef> {
  const builder = createTreeBuilder(form.encoding);
  const stripes = form.encoding.kind === "replicated"
    ? undefined
    : createStripeBuilder(form.encoding);
  await cutStream(bytesSource(bytes), {
    chunking: form.chunking,
    onCut: (chunk) => {
      if (stripes === undefined) return void builder.addChunk(chunk);
      const built = stripes.add(chunk);
      if (built !== undefined) builder.addStripe(built.stripe);
    },
    onChunk: () => Promise.resolve(),
  });
  const tail = stripes?.finish();
  if (tail !== undefined) builder.addStripe(tail.stripe);
  return builder.finish().ref;
}

async function withWork(action: (work: WorkPool | undefined) => Promise<void>): Promise<void> {
  await action(undefined);
  const work = createWorkPool({ clock: new ManualClock() }, { workersMax: 2, startAfterBytes: 0 });
  try {
    const bytes = work.takeBuffer(1 << 20);
    while (work.counters.work_jobs_offloaded_total === 0) {
      await work.hash(bytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await action(work);
  } finally {
    work.stop();
  }
}

Deno.test("putBlob() makes every form, with the address of the whole, and all of it can be read", async () => {
  await withWork(async (work) => {
    for (const [name, form] of Object.entries(FORMS)) {
      for (const size of [0, 1, CHUNK_BYTES, 22_000_000]) {
        await withStore(async (parts) => {
          const bytes = seededBytes(size, 3);
          const draft = parts.store.begin();
          const blob = await putBlob(bytesSource(bytes, 999_999), draft, { form, work });
          assert.deepEqual(blob.hash, blake3(bytes), name);
          assert.equal(blob.size, size);
          const isTree = size > 0 && isTreeForm(form);
          assert.equal(blob.ref.kind === "tree", isTree);
          if (isTree) assert.deepEqual(blob.ref, await referenceTree(bytes, form));
          else if (size <= CHUNK_BYTES) assert.equal(blob.ref.kind, "small");
          assert.ok(Buffer.from(await readAll(blob.ref, readerOf(parts))).equals(bytes));
          // Found by its root as well, and every chunk of it is known to belong to it.
          assert.deepEqual((await parts.store.stat(blob.hash))?.size, size);
          if (blob.ref.kind === "tree") {
            assert.deepEqual(await parts.store.resolve(blob.ref.rootHash), blob.ref);
          }
          await parts.store.remove(blob.hash);
          assert.deepEqual(await Array.fromAsync(parts.chunks.list()), []);
        });
      }
    }
  });
});

Deno.test("putBlob() that fails leaves nothing behind, whichever step it was", async () => {
  await withStore(async ({ store, chunks }) => {
    for (const form of Object.values(FORMS)) {
      for (const step of [1, 4, 7]) {
        const draft = store.begin();
        let puts = 0;
        const failing = {
          ...draft,
          putChunk: (hash: Uint8Array, bytes: Uint8Array) => {
            if (++puts === step) return Promise.reject(new NetError("no_space", "full"));
            return draft.putChunk(hash, bytes);
          },
          commit: draft.commit.bind(draft),
        };
        const put = putBlob(bytesSource(seededBytes(30_000_000)), failing, { form });
        await assert.rejects(put, /full/);
        await draft.abort();
        assert.deepEqual(await Array.fromAsync(chunks.list()), []);
      }
    }
  });
});

Deno.test("a stream becomes a tree once it is longer than a Manifest may be", async () => {
  const hash = blake3(new Uint8Array(0));
  let stored = 0;
  const committed: BlobRef[] = [];
  const draft = {
    putChunk: () => Promise.resolve(stored++ < 0 ? "present" as const : "stored" as const),
    keepChunk: () => Promise.resolve(undefined),
    commit: (blob: { readonly ref: BlobRef; readonly size: number }) => {
      committed.push(blob.ref);
      return Promise.resolve({
        address: "",
        hash,
        ref: blob.ref,
        blobRef: hash,
        size: blob.size,
        chunkCount: 0,
      });
    },
    abort: () => Promise.resolve(),
  };
  // Chunks of 16 GiB are not hashed here: whoever does the work gives one hash for all.
  const work: WorkPool = {
    counters: {
      work_jobs_offloaded_total: 0,
      work_jobs_inline_total: 0,
      work_workers_started_total: 0,
      work_workers_failed_total: 0,
    },
    takeBuffer: () => new Uint8Array(CHUNK_BYTES),
    giveBack: () => {},
    hash: () => Promise.resolve({ hash, value: hash }),
    subtree: () => Promise.resolve(hash),
    addProducts: () => Promise.resolve(),
    stop: () => {},
  };
  let left = 0;
  const source = {
    read: (into: Uint8Array) => {
      if (left === 0) return Promise.resolve(null);
      const count = Math.min(left, into.length);
      left -= count;
      return Promise.resolve(count);
    },
  };
  for (
    const [size, kind] of [[16 * 1024 ** 3, "manifest"], [16 * 1024 ** 3 + 1, "tree"]] as const
  ) {
    left = size;
    stored = 0;
    await putBlob(source, draft, { work });
    const ref = committed.at(-1);
    assert.equal(ref?.kind, kind);
    assert.equal(BigInt(ref?.size ?? 0), BigInt(size));
    // 4,097 chunks have 33 leaves and a root.
    assert.equal(stored, kind === "tree" ? 4_097 + 33 + 1 : 4_096);
  }
});

Deno.test("parsePutForm() takes what the command line says, and refuses what has no place", () => {
  assert.deepEqual(parsePutForm(PLAIN_FORM, {}), PLAIN_FORM);
  const both = parsePutForm(PLAIN_FORM, { cdc: true, ec: "10+4" });
  assert.deepEqual(both.encoding, { kind: "reed_solomon", data: 10, parity: 4 });
  assert.deepEqual(both.chunking, CONTENT_DEFINED_CHUNKING);
  assert.deepEqual(parsePutForm(both, { cdc: false, ec: "none" }), PLAIN_FORM);
  for (const ec of ["", "10", "10+", "0+4", "4+0", "100+29", "10+33", "a+b", "10+4+1", "-1+2"]) {
    assert.throws(() => parsePutForm(PLAIN_FORM, { ec }), { code: "usage" }, ec);
  }
  assert.throws(() => parsePutForm(PLAIN_FORM, { cdc: true, ec: "10+9" }), { code: "usage" });
});

Deno.test("a put says which parity it took from a blob", () =>
  withStore(async ({ store }) => {
    const bytes = seededBytes(3_000, 5);
    const coded = (data: number, parity: number) => ({
      chunking: { kind: "fixed", chunkBytes: 100 },
      encoding: { kind: "reed_solomon", data, parity },
    } as const);
    const put = async (form: PutForm) => (await store.put(bytesSource(bytes), { form })).lostParity;
    assert.equal(await put(coded(4, 2)), undefined);
    assert.equal(await put(coded(4, 2)), undefined, "the same again");
    assert.deepEqual(await put(coded(4, 1)), coded(4, 2).encoding);
    assert.equal(await put(coded(4, 3)), undefined);
    assert.deepEqual(await put(PLAIN_FORM), coded(4, 3).encoding);
    assert.equal(await put(PLAIN_FORM), undefined);
  }));
