import assert from "node:assert/strict";
import { CopyBytes, encodeBlobRef, encodeDirManifest } from "../../../src/blob/mod.ts";
import { bytesOf, sourceOf } from "../../services/blobs/blob_mesh_kit.ts";
import { withStore } from "../store_kit.ts";

Deno.test("CopyBytes.count() counts parity, nodes, and the files of folders", () =>
  withStore(async ({ store, ledger }) => {
    const bytes = new CopyBytes(ledger.db);
    assert.equal(await bytes.count(), 0);
    // What was put here is nobody's copy.
    const own = await store.put(sourceOf(bytesOf(5_000)));
    assert.equal(await bytes.count(), 0);
    const draft = store.begin({ origin: "replica" });
    const file = own.ref;
    const manifest = encodeDirManifest([
      { kind: "file", path: "a", mode: 33_188, blob: encodeBlobRef(file) },
    ]);
    const folder = await store.put(sourceOf(manifest));
    await store.remove(folder.hash);
    await draft.putChunk(folder.hash, manifest);
    await draft.keepChunk(own.hash);
    const chunks = [{ hash: folder.hash, size: manifest.length }, { hash: own.hash, size: 5_000 }];
    await draft.commit({
      address: folder.hash,
      ref: folder.ref,
      size: manifest.length,
      chunks,
      kind: "directory",
    });
    assert.equal(await bytes.count(), manifest.length + 5_000);
    await store.put(sourceOf(bytesOf(40_000, 3)), {
      draft: store.begin({ origin: "replica" }),
      form: {
        chunking: { kind: "fixed", chunkBytes: 1_000 },
        encoding: { kind: "reed_solomon", data: 4, parity: 2 },
      },
    });
    // Forty chunks with twenty of parity, and the node above them.
    const all = await bytes.count();
    assert.ok(all > manifest.length + 5_000 + 60_000, `${all} bytes`);
    await store.remove(folder.hash);
    assert.equal(await bytes.count(), all - manifest.length - 5_000);
  }));
