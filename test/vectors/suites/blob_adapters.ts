/** The file adapter and the registry: what is published, what is resolved, where the files are. */

import assert from "node:assert/strict";
import { systemClock, utf8 } from "../../../src/base/mod.ts";
import {
  AdapterRegistry,
  BlobAdapterError,
  encodeBlobRef,
  openFileAdapter,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  has,
  listOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { inputOf } from "./_blob_inputs.ts";

/** Suites of this file by vector file. */
export const BLOB_ADAPTER_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/fs_adapter.json": (document) => ({ cases: checker(objectOf(document, "document")) }),
};

/** Payloads of the file's references: `store_fetch.json` has the same. */
const SMALL = { kind: "affine", mul: 31, add: 7, length: 1_000 };
const BIG = { kind: "b3xof", seed: "df-range-1", length: 8_389_385 };
/** The kind of the reference's words where ours differ. */
const KINDS: Readonly<Record<string, string>> = { fs_small_only: "small_only" };

type Registry = AdapterRegistry;
type Call = (registry: Registry, folder: string) => Promise<Uint8Array> | Uint8Array;

function checker(document: VectorObject): (vector: VectorObject) => Promise<void> {
  const calls: Readonly<Record<string, Call>> = {
    register_duplicate: async (registry, folder) => {
      registry.register(await openFileAdapter({ id: "disk", folder, clock: systemClock }));
      return new Uint8Array();
    },
    publish: (registry) => registry.publish("disk", "file:///x", inputOf(SMALL)),
    publish_no_scheme: (registry) => registry.publish("disk", "nothing", inputOf(SMALL)),
    publish_big_stays_small_variant: async (registry, folder) => {
      const ref = await registry.publish("disk", "file:///big", inputOf(BIG));
      await registry.publish("disk", "file:///x", inputOf(SMALL));
      const names: string[] = [];
      for await (const { name, isDirectory } of Deno.readDir(folder)) {
        assert.ok(isDirectory);
        for await (const file of Deno.readDir(`${folder}/${name}`)) {
          names.push(`${name}/${file.name}`);
        }
      }
      assert.deepEqual(names.sort(), listOf(document, "layout"));
      return ref;
    },
    resolve: async (registry) => registry.resolve("disk", await publishSmall(registry)),
    resolve_bad_scheme: (registry) => registry.resolve("disk", refOf("s3://bucket/x")),
    resolve_missing: (registry) => registry.resolve("disk", refOf("file:///missing")),
    resolve_manifest: (registry) => registry.resolve("disk", manifest()),
    unknown_adapter: (registry) => registry.resolve("nobody", utf8("inline")),
    resolve_tampered: async (registry, folder) => {
      const ref = await publishSmall(registry);
      const hash = blake3(inputOf(SMALL)).toHex();
      await Deno.writeTextFile(`${folder}/${hash.slice(0, 2)}/${hash}`, "tampered");
      return await registry.resolve("disk", ref);
    },
  };
  return async (vector) => {
    const call = calls[textOf(vector, "name")];
    assert.ok(call !== undefined, "this case is known");
    const result = recordOf(vector, "result");
    const folder = await Deno.makeTempDir();
    try {
      const registry = new AdapterRegistry();
      registry.register(await openFileAdapter({ id: "disk", folder, clock: systemClock }));
      if (!booleanOf(result, "ok")) {
        const kind = textOf(result, "error");
        await assert.rejects(
          async () => await call(registry, folder),
          (error) => error instanceof BlobAdapterError && error.kind === (KINDS[kind] ?? kind),
        );
        return;
      }
      const bytes = await call(registry, folder);
      if (has(result, "ref_hex")) assert.equal(bytes.toHex(), textOf(result, "ref_hex"));
      if (has(result, "blake3")) assert.equal(blake3(bytes).toHex(), textOf(result, "blake3"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  };
}

function publishSmall(registry: Registry): Promise<Uint8Array> {
  return registry.publish("disk", "file:///x", inputOf(SMALL));
}

function refOf(uri: string): Uint8Array {
  return encodeBlobRef({ kind: "small", uri, hash: new Uint8Array(32).fill(1), size: 1 });
}

function manifest(): Uint8Array {
  return encodeBlobRef({
    kind: "manifest",
    uri: "file:///m",
    encoding: { kind: "replicated" },
    chunks: [{ hash: new Uint8Array(32).fill(1), size: 1 }],
    size: 1,
  });
}
