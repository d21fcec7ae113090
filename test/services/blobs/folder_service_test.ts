/** Folders between nodes: a get from peers, one that goes on, and looking into what a peer has. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { type BlobTarget, CHUNK_BYTES, parseBlobTarget } from "../../../src/blob/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { FolderService } from "../../../src/services/mod.ts";
import { type BlobMesh, type BlobNode, withMesh } from "../../blob/mesh_of_blobs.ts";
import { describeFolder, makeFolder } from "../../blob/folder/folders.ts";
import { seededBytes } from "../../blob/sources.ts";

function foldersOf(mesh: BlobMesh, { store, transfer, fetcher }: BlobNode): FolderService {
  const { clock } = mesh;
  const blobs = {
    transfer,
    getInto: (...args: Parameters<typeof fetcher.getInto>) => fetcher.getInto(...args),
  };
  return new FolderService({ clock, log: silentLog, storage: { blobs: store }, blobs });
}

/** Node 2 has a folder of many small files and a large one. */
async function putAtSecond(mesh: BlobMesh): Promise<{ from: string; target: BlobTarget }> {
  const from = `${mesh.folder}/from`;
  const small = Array.from({ length: 120 }, (_, i): [string, Uint8Array] => [
    `d${i % 7}/f${i}`,
    seededBytes(i * 11, i),
  ]);
  makeFolder(from, {
    ...Object.fromEntries(small),
    "big": seededBytes(2 * CHUNK_BYTES + 9, 500),
    "run": { text: "#!", mode: 0o755 },
    "l": { link: "d1/f1" },
  });
  const put = await foldersOf(mesh, mesh.nodes[1]).put(from);
  return { from, target: parseBlobTarget(put.stored.address) };
}

Deno.test("FolderService.get() makes a folder that only a peer has", () =>
  withMesh(async (mesh) => {
    const { from, target } = await putAtSecond(mesh);
    const folders = foldersOf(mesh, mesh.nodes[0]);
    const output = `${mesh.folder}/to`;
    assert.equal(await folders.isFolder(target), false);
    assert.equal(await foldersOf(mesh, mesh.nodes[1]).isFolder(target), true);
    const got = await mesh.run(folders.get(target, { output }));
    assert.deepEqual(describeFolder(output), describeFolder(from));
    assert.deepEqual(got.from, [2n]);
    assert.equal(got.localBytes, 0);
    const again = await mesh.run(folders.get(target, { output, overwrite: true }));
    assert.deepEqual(again.from, []);
    assert.equal(again.localBytes, got.bytes);
    const [status] = mesh.nodes[0].transfer.registry.gets().slice(-1);
    assert.equal(status?.state, "done");
    assert.equal(status.doneBytes, got.bytes);
  }));

Deno.test("FolderService.get() that was interrupted fetches nothing twice", () =>
  withMesh(async (mesh) => {
    const { from, target } = await putAtSecond(mesh);
    const [first, second] = mesh.nodes;
    const folders = foldersOf(mesh, first);
    const output = `${mesh.folder}/to`;
    let interruptions = 0;
    for (let stopAt = 1;; stopAt += 17) {
      const abort = new AbortController();
      const get = folders.get(target, {
        output,
        signal: abort.signal,
        onProgress: ({ doneFiles = 0 }) => {
          if (doneFiles >= stopAt) abort.abort(new NetError("failed", "interrupted"));
        },
      });
      const isDone = await mesh.run(get.then(() => true, () => false));
      if (isDone) break;
      interruptions += 1;
      assert.deepEqual([...Deno.readDirSync(mesh.folder)].map(({ name }) => name), ["from"]);
    }
    assert.ok(interruptions > 2, `${interruptions}`);
    assert.deepEqual(describeFolder(output), describeFolder(from));
    // Every chunk of the folder and its manifest once, whatever was interrupted.
    const [record] = (await second.store.list()).blobs;
    assert.equal(record?.chunkCount, 125);
    assert.equal(first.transfer.counters.chunks_fetched_total, record.chunkCount);
  }));

Deno.test("FolderService looks into a folder that only a peer has", () =>
  withMesh(async (mesh) => {
    const { target } = await putAtSecond(mesh);
    const folders = foldersOf(mesh, mesh.nodes[0]);
    const all = await mesh.run(folders.list(target, ""));
    assert.equal(all.entries.length, 120 + 3 + 7);
    assert.equal(all.next, undefined);
    const below = await mesh.run(folders.list(target, "d3"));
    assert.deepEqual(new Set(below.entries.map(({ path }) => path.split("/")[0])), new Set(["d3"]));
    const ref = await mesh.run(folders.find(target, "big"));
    assert.equal(ref.size, 2 * CHUNK_BYTES + 9);
    for (const [path, code] of [["none", "not_found"], ["d3", "usage"], ["l", "usage"]] as const) {
      await assert.rejects(mesh.run(folders.find(target, path)), { code });
    }
  }));

Deno.test("FolderService refuses a file for a folder", () =>
  withMesh(async (mesh) => {
    const { store } = mesh.nodes[0];
    const bytes = seededBytes(50, 1);
    const { address } = await store.put({ read: once(bytes) });
    const folders = foldersOf(mesh, mesh.nodes[0]);
    const target = parseBlobTarget(address);
    const get = folders.get(target, { output: `${mesh.folder}/out` });
    await assert.rejects(mesh.run(get), { code: "integrity" });
    await assert.rejects(mesh.run(folders.list(target, "")), { code: "integrity" });
    assert.deepEqual([...Deno.readDirSync(mesh.folder)], []);
  }));

function once(bytes: Uint8Array): (into: Uint8Array) => Promise<number | null> {
  let isRead = false;
  return (into) => {
    if (isRead) return Promise.resolve(null);
    isRead = true;
    into.set(bytes);
    return Promise.resolve(bytes.length);
  };
}
