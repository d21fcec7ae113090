/** The node's own store over real files (`dataforts.md` 7): what is stored, fetched, read in ranges and repaired. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/mod.ts";
import {
  type BlobAdapter,
  BlobAdapterError,
  type BlobRef,
  type BlobStore,
  createMeshAdapter,
  encodeBlobRef,
  FIXED_CHUNKING,
  type ManifestRef,
  repairBlob,
  type SmallRef,
  type TreeRef,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { openStorage } from "../../../src/services/mod.ts";
import { bytesSource } from "../../blob/sources.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  has,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { inputOf } from "./_blob_inputs.ts";

/** Suites of this file by vector file. */
export const BLOB_STORE_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/store_fetch.json": (document) => ({
    cases: checker(recordOf(objectOf(document, "document"), "inputs")),
  }),
};

/** The blobs of the file, in a store of their own. */
interface Stored {
  readonly adapter: BlobAdapter;
  readonly store: BlobStore;
  /** Where the chunk files are. */
  readonly folder: string;
  readonly inputs: Readonly<Record<string, Uint8Array>>;
  readonly small: SmallRef;
  readonly manifest: ManifestRef;
  readonly tree: TreeRef;
}

/** What a case found, in the words of the vectors. */
type Outcome = Readonly<Record<string, unknown>>;
type Call = (stored: Stored) => Promise<Uint8Array | Outcome | void>;

/** Our kinds for the errors of the vectors. */
const KINDS: Readonly<Record<string, string>> = {
  small_size_mismatch: "decode",
  hash_mismatch: "hash_mismatch",
  encoding_not_replicated: "decode",
  manifest_chunk_hash: "hash_mismatch",
  manifest_total_vs_bytes: "decode",
  manifest_payload_at_or_below_threshold: "decode",
  not_found: "not_found",
  tree_fetch_unsupported: "small_only",
  tree_store_unsupported: "small_only",
  "range_past_end:small": "range",
  "range_past_end:manifest": "range",
  "range_past_end:tree": "range",
  range_inverted: "range",
  range_over_1GiB: "limit",
  tree_node_covered_mismatch: "decode",
  tree_depth_disagrees: "decode",
  tree_node_decode: "decode",
};

const MISSING = new Uint8Array(32).fill(9);

function smallOf(hash: Uint8Array, size: number): SmallRef {
  return { kind: "small", uri: `mesh://${hash.toHex()}`, hash, size };
}

function storeInput(name: string): Call {
  return async ({ adapter, inputs }) => {
    const bytes = inputs[name] ?? new Uint8Array();
    const ref = smallOf(blake3(bytes), bytes.length);
    await adapter.store(ref, bytes);
    await adapter.store(ref, bytes);
    assert.deepEqual(await adapter.fetch(ref), bytes);
    return { back: bytes.toHex() };
  };
}

async function withEmpty({ adapter }: Stored): Promise<SmallRef> {
  const empty = smallOf(blake3(new Uint8Array()), 0);
  await adapter.store(empty, new Uint8Array());
  return empty;
}

/** A manifest that lists one short chunk: it can be read and not stored. */
function shortManifest({ small }: Stored): ManifestRef {
  const { hash, size, uri } = small;
  return {
    kind: "manifest",
    uri,
    encoding: { kind: "replicated" },
    chunks: [{ hash, size }],
    size,
  };
}

async function existence(exists: Promise<boolean>): Promise<Outcome> {
  return { exists: await exists };
}

/** Damages the small blob on the disk, and tries to read it. */
async function tamper({ adapter, folder, small }: Stored): Promise<void> {
  const name = small.hash.toHex();
  const path = `${folder}/blobs/${name.slice(0, 2)}/${name}`;
  const bytes = await Deno.readFile(path);
  bytes[500] = (bytes[500] ?? 0) ^ 1;
  await Deno.writeFile(path, bytes);
  await assert.rejects(adapter.fetch(small));
}

async function repair(ref: BlobRef, { store }: Stored): Promise<Outcome> {
  const near = { read: (hash: Uint8Array) => store.readChunk(hash) };
  const report = await repairBlob(ref, {
    near,
    store: (hash, bytes) => store.addChunk(hash, bytes),
  });
  const { chunksFetched, chunksMissing, ...counts } = report;
  assert.deepEqual([chunksFetched, chunksMissing], [0, 0]);
  const named = Object.entries(counts).map(([name, count]) => [name, String(count)]);
  return Object.fromEntries(named);
}

const CALLS: Readonly<Record<string, Call>> = {
  store_small: storeInput("small"),
  store_small_again_idempotent: storeInput("small"),
  store_empty: storeInput("empty"),
  store_8_bytes_inline_size: storeInput("eight"),
  exists_empty_after_store: async (stored) =>
    existence(stored.adapter.exists(await withEmpty(stored))),
  fetch_empty_after_store: async (stored) => stored.adapter.fetch(await withEmpty(stored)),
  store_size_mismatch: ({ adapter, small, inputs }) =>
    adapter.store({ ...small, size: 999 }, inputs.small ?? new Uint8Array()),
  store_hash_mismatch: ({ adapter, inputs }) =>
    adapter.store(smallOf(MISSING, 1_000), inputs.small ?? new Uint8Array()),
  store_manifest: async ({ adapter, manifest, inputs }) => {
    await adapter.store(manifest, inputs.man ?? new Uint8Array());
    return { ref_hex: encodeBlobRef(manifest).toHex() };
  },
  store_manifest_rs_encoding_rejected: ({ adapter, manifest, inputs }) => {
    const encoding = { kind: "reed_solomon", data: 4, parity: 2 } as const;
    return adapter.store({ ...manifest, encoding }, inputs.man ?? new Uint8Array());
  },
  store_manifest_wrong_chunk_hash: ({ adapter, manifest, inputs }) => {
    const chunks = manifest.chunks.with(1, { hash: MISSING, size: 4_194_304 });
    return adapter.store({ ...manifest, chunks }, inputs.man ?? new Uint8Array());
  },
  store_manifest_short_bytes: ({ adapter, manifest, inputs }) =>
    adapter.store(manifest, (inputs.man ?? new Uint8Array()).subarray(1)),
  store_one_chunk_manifest_of_small_payload: (stored) =>
    stored.adapter.store(shortManifest(stored), stored.inputs.small ?? new Uint8Array()),
  fetch_one_chunk_manifest_of_small_payload: (stored) =>
    stored.adapter.fetch(shortManifest(stored)),
  fetch_manifest: ({ adapter, manifest }) => adapter.fetch(manifest),
  fetch_missing: ({ adapter }) => adapter.fetch(smallOf(MISSING, 5)),
  exists_missing: ({ adapter }) => existence(adapter.exists(smallOf(MISSING, 5))),
  exists_small: ({ adapter, small }) => existence(adapter.exists(small)),
  exists_manifest: ({ adapter, manifest }) => existence(adapter.exists(manifest)),
  exists_manifest_partial: ({ adapter, manifest }) => {
    const chunks = manifest.chunks.with(1, { hash: MISSING, size: 4_194_304 });
    return existence(adapter.exists({ ...manifest, chunks }));
  },
  fetch_small_ref_with_wrong_size_returns_full: ({ adapter, small }) =>
    adapter.fetch({ ...small, size: 7 }),
  fetch_tree: ({ adapter, tree }) => adapter.fetch(tree),
  store_tree: ({ adapter, tree, inputs }) => adapter.store(tree, inputs.man ?? new Uint8Array()),
  exists_tree: ({ adapter, tree }) => existence(adapter.exists(tree)),
  exists_tree_checks_root_only: async ({ adapter, store, manifest, tree }) => {
    await store.release("vectors");
    const [, second] = manifest.chunks;
    assert.ok(second !== undefined);
    assert.equal(await adapter.exists({ ...tree, size: tree.size + 1n }), true);
    assert.equal(await adapter.exists({ ...tree, rootHash: MISSING }), false);
    return { exists: true };
  },
  range_over_1GiB_cap: ({ adapter, tree }) =>
    adapter.fetchRange({ ...tree, size: 1n << 31n }, 0, 1024 ** 3 + 1),
  tree_wrong_total: ({ adapter, tree }) =>
    adapter.fetchRange({ ...tree, size: tree.size + 1n }, 0, 10),
  tree_wrong_depth: ({ adapter, tree }) => adapter.fetchRange({ ...tree, depth: 2 }, 0, 10),
  tree_root_is_not_a_node: ({ adapter, tree, small }) =>
    adapter.fetchRange({ ...tree, rootHash: small.hash }, 0, 10),
  tree_root_missing: ({ adapter, tree }) =>
    adapter.fetchRange({ ...tree, rootHash: MISSING }, 0, 10),
  repair_small_is_noop: (stored) => repair(stored.small, stored),
  repair_replicated_tree: (stored) => repair(stored.tree, stored),
  fetch_tampered_on_disk: async (stored) => {
    await tamper(stored);
    return await stored.adapter.fetch(stored.small);
  },
  exists_tampered_on_disk: async (stored) => {
    await tamper(stored);
    return await existence(stored.adapter.exists(stored.small));
  },
  range_tampered_on_disk: async (stored) => {
    await tamper(stored);
    return await stored.adapter.fetchRange(stored.small, 0, 10);
  },
};

function callOf(vector: VectorObject): Call {
  const name = textOf(vector, "name");
  if (has(vector, "ref")) {
    const [start, end] = [numberOf(vector, "start"), numberOf(vector, "end")];
    return ({ adapter, small, manifest, tree }) => {
      const ref = { small, manifest, tree }[textOf(vector, "ref")];
      assert.ok(ref !== undefined, "this blob is known");
      return adapter.fetchRange(ref, start, end);
    };
  }
  const call = CALLS[name];
  assert.ok(call !== undefined, "this case is known");
  return call;
}

function checker(inputs: VectorObject): (vector: VectorObject) => Promise<void> {
  return async (vector) => {
    const call = callOf(vector);
    const result = recordOf(vector, "result");
    await withStored(inputs, async (stored) => {
      if (!booleanOf(result, "ok")) {
        const kind = KINDS[textOf(result, "error")];
        assert.ok(kind !== undefined, "this error is known");
        await assert.rejects(
          async () => await call(stored),
          (error) => error instanceof BlobAdapterError && error.kind === kind,
        );
        return;
      }
      const outcome = await call(stored);
      const { ok: _, ...expected } = result;
      const actual = outcome instanceof Uint8Array ? describe(outcome, stored) : outcome ?? {};
      for (const [name, value] of Object.entries(expected)) {
        assert.deepEqual(actual[name as keyof typeof actual], value, name);
      }
      if (has(vector, "ref_hex")) {
        assert.equal((outcome as Outcome).ref_hex, textOf(vector, "ref_hex"));
      }
    });
  };
}

function describe(bytes: Uint8Array, { inputs }: Stored): Outcome {
  const hash = blake3(bytes);
  const same = inputs.man !== undefined && blake3(inputs.man).toHex() === hash.toHex();
  return { hex: bytes.toHex(), len: bytes.length, blake3: hash.toHex(), same };
}

async function withStored(
  described: VectorObject,
  run: (stored: Stored) => Promise<void>,
): Promise<void> {
  const names = Object.keys(described);
  const inputs = Object.fromEntries(
    names.map((name) => [name, inputOf(recordOf(described, name))]),
  );
  const folder = await Deno.makeTempDir();
  const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, folder);
  try {
    const store = storage.blobs;
    const put = (name: string, isTree: boolean) =>
      store.put(bytesSource(inputs[name] ?? new Uint8Array()), {
        form: { chunking: FIXED_CHUNKING, encoding: { kind: "replicated" }, isTree },
      });
    const small = (await put("small", false)).ref;
    const manifest = (await put("man", false)).ref;
    const tree = (await put("man", true)).ref;
    assert.ok(small.kind === "small" && manifest.kind === "manifest" && tree.kind === "tree");
    const adapter = createMeshAdapter({ id: "own", store });
    await run({ adapter, store, folder, inputs, small, manifest, tree });
  } finally {
    await storage.stop();
    await Deno.remove(folder, { recursive: true });
  }
}
