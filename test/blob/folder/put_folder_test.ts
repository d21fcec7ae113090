import assert from "node:assert/strict";
import {
  type BlobProgress,
  type BlobStore,
  CHUNK_BYTES,
  createWorkPool,
  decodeBlobRef,
  decodeDirManifest,
  type DirEntry,
  putFolder,
  type WorkPool,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededBytes } from "../sources.ts";
import { makeFolder, withFolder } from "./folders.ts";
import { readBlob, withStore } from "./stores.ts";

async function entriesOf(store: BlobStore, hash: Uint8Array): Promise<readonly DirEntry[]> {
  const decoded = decodeDirManifest(await readBlob(store, hash));
  assert.ok(decoded.ok);
  return decoded.entries;
}

Deno.test("putFolder() stores every file, and one record of kind directory", () =>
  withFolder((root) =>
    withStore(async ({ store, clock }) => {
      const big = seededBytes(CHUNK_BYTES + 5, 3);
      const middle = seededBytes(300_000, 4);
      makeFolder(root, {
        "a/one.txt": "one",
        "a/same.txt": "one",
        "run.sh": { text: "#!", mode: 0o755 },
        "big": big,
        "middle": middle,
        "empty": "",
        "none": "DIR",
        "l": { link: "a/one.txt" },
      });
      const reports: BlobProgress[] = [];
      const put = await putFolder({ store, clock }, root, {
        label: "all of it",
        onProgress: (progress) => reports.push(progress),
      });
      assert.equal(put.files, 6);
      assert.equal(put.dirs, 2);
      assert.equal(put.symlinks, 1);
      assert.equal(put.bytes, big.length + middle.length + 3 + 3 + 2);
      assert.equal(put.skippedCount, 0);
      assert.deepEqual(reports.at(-1), {
        stage: "store",
        doneBytes: put.bytes,
        totalBytes: put.bytes,
        doneFiles: 6,
      });
      const record = await store.stat(put.stored.hash);
      assert.equal(record?.kind, "directory");
      assert.equal(record.label, "all of it");
      // Two of the big one, one each of five, and the manifest; equal files count twice.
      assert.equal(record.chunkCount, 8);
      const entries = await entriesOf(store, put.stored.hash);
      assert.deepEqual(entries.map(({ path }) => path), [
        "a",
        "a/one.txt",
        "a/same.txt",
        "big",
        "empty",
        "l",
        "middle",
        "none",
        "run.sh",
      ]);
      for (const entry of entries) {
        if (entry.kind !== "file") continue;
        const decoded = decodeBlobRef(entry.blob);
        assert.ok(decoded.ok && decoded.ref.kind !== "tree");
        const { ref } = decoded;
        const content = Deno.readFileSync(`${root}/${entry.path}`);
        assert.equal(ref.size, content.length);
        assert.equal(ref.uri, `mesh://${blake3(content).toHex()}`);
        assert.equal(ref.kind, entry.path === "big" ? "manifest" : "small");
        const chunks = ref.kind === "small" ? [ref] : ref.chunks;
        for (const { hash, size } of chunks) assert.equal(await store.hasChunk(hash), size);
        assert.equal(entry.mode, Deno.statSync(`${root}/${entry.path}`).mode);
      }
      assert.deepEqual((await putFolder({ store, clock }, root)).stored, put.stored);
    })
  ));

Deno.test("putFolder() takes thousands of files through its two buffers", () =>
  withFolder((root) =>
    withStore(async ({ store, clock }) => {
      const sizes = Array.from({ length: 1_500 }, (_, i) => i % 3 === 0 ? 0 : i * 7 % 4_000);
      sizes.forEach((size, i) => Deno.writeFileSync(`${root}/${i}`, seededBytes(size, i)));
      const { stored } = await putFolder({ store, clock }, root);
      for (const entry of await entriesOf(store, stored.hash)) {
        assert.ok(entry.kind === "file");
        const decoded = decodeBlobRef(entry.blob);
        assert.ok(decoded.ok && decoded.ref.kind === "small");
        const i = Number(entry.path);
        assert.deepEqual(await store.readChunk(decoded.ref.hash), seededBytes(sizes[i] ?? -1, i));
      }
    })
  ));

Deno.test("putFolder() leaves nothing behind when a chunk cannot be stored", () =>
  withFolder((root) =>
    withStore(async ({ store, clock }) => {
      for (let i = 0; i < 50; i++) Deno.writeFileSync(`${root}/${i}`, seededBytes(40_000, i));
      await assert.rejects(putFolder({ store, clock }, root), { code: "no_space" });
      assert.deepEqual((await store.list()).blobs, []);
      assert.equal(store.room().usedBytes, 0);
    }, 1_000_000)
  ));

Deno.test("putFolder() refuses links that no reader would take, or leaves them out", () =>
  withFolder((root) =>
    withStore(async ({ store, clock }) => {
      makeFolder(root, {
        "d/x": "1",
        "ok": { link: "d/x" },
        "abs": { link: "/etc/passwd" },
        "up": { link: "../y" },
        "cur": { link: "d" },
        "via": { link: "cur/x" },
      });
      await assert.rejects(putFolder({ store, clock }, root), (error: Error) => {
        assert.match(error.message, /abs": it leads out/);
        return true;
      });
      const put = await putFolder({ store, clock }, root, { skipUnreadable: true });
      assert.equal(put.symlinks, 2);
      assert.deepEqual(put.skipped.map(({ path, reason }) => [path, reason]), [
        ["abs", "unsafe_link"],
        ["up", "unsafe_link"],
        ["via", "unsafe_link"],
      ]);
      const paths = (await entriesOf(store, put.stored.hash)).map(({ path }) => path);
      assert.deepEqual(paths, ["cur", "d", "d/x", "ok"]);
    })
  ));

Deno.test("putFolder() gives up at once when it is told to", () =>
  withFolder((root) =>
    withStore(async ({ store, clock }) => {
      for (let i = 0; i < 20; i++) Deno.writeFileSync(`${root}/${i}`, seededBytes(300_000, i));
      const abort = new AbortController();
      const reason = new Error("enough");
      let reports = 0;
      const put = putFolder({ store, clock }, root, {
        signal: abort.signal,
        onProgress: () => {
          if (++reports === 1) abort.abort(reason);
        },
      });
      await assert.rejects(put, reason);
      assert.deepEqual((await store.list()).blobs, []);
    })
  ));

Deno.test("putFolder() notices files that change while they are read", () =>
  withFolder((root) =>
    withStore(async ({ store, clock }) => {
      makeFolder(root, { "a": seededBytes(CHUNK_BYTES * 2, 1), "b": "1" });
      let writes = 0;
      const grow = () => {
        writes += 1;
        Deno.writeFileSync(`${root}/a`, seededBytes(10, writes), { append: true });
      };
      const growing: BlobStore = {
        ...store,
        begin: (options) => {
          const draft = store.begin(options);
          return {
            putChunk: (hash, bytes, options) => {
              if (writes < 3 && bytes.length === CHUNK_BYTES) grow();
              return draft.putChunk(hash, bytes, options);
            },
            keepChunk: (hash) => draft.keepChunk(hash),
            commit: (blob) => draft.commit(blob),
            abort: (options) => draft.abort(options),
          };
        },
      };
      // Two chunks each time: it changes twice while it is read first, and once the second time.
      const put = await putFolder({ store: growing, clock }, root);
      assert.equal(put.bytes, 2 * CHUNK_BYTES + 30 + 1);
      writes = -1_000;
      await assert.rejects(putFolder({ store: growing, clock }, root), { code: "conflict" });
      writes = -1_000;
      const without = await putFolder({ store: growing, clock }, root, { skipUnreadable: true });
      assert.deepEqual(without.skipped.map(({ path, reason }) => [path, reason]), [[
        "a",
        "changed",
      ]]);
      assert.equal(without.files, 1);
    })
  ));

Deno.test({
  name: "putFolder() names what it may not read, or leaves it out",
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  fn: () =>
    withFolder((root) =>
      withStore(async ({ store, clock }) => {
        makeFolder(root, { "a": { text: "secret", mode: 0 }, "b": "1" });
        await assert.rejects(putFolder({ store, clock }, root), { code: "not_allowed" });
        const put = await putFolder({ store, clock }, root, { skipUnreadable: true });
        assert.equal(put.skippedCount, 1);
        assert.equal(put.files, 1);
      })
    ),
});

Deno.test("putFolder() gives the same with workers, and stores the same chunks", () =>
  withFolder(async (root) => {
    for (let i = 0; i < 700; i++) {
      Deno.mkdirSync(`${root}/${i % 5}`, { recursive: true });
      Deno.writeFileSync(`${root}/${i % 5}/${i}`, seededBytes(i * 13, i));
    }
    Deno.writeFileSync(`${root}/long`, seededBytes(CHUNK_BYTES + 1, 9));
    const work = createWorkPool({ clock: new ManualClock() }, {
      workersMax: 2,
      startAfterBytes: 0,
    });
    try {
      const put = (pool: WorkPool | undefined) =>
        withStore(async ({ store, clock }) => {
          const { stored, skippedCount } = await putFolder({ store, clock, work: pool }, root);
          assert.equal(skippedCount, 0);
          for (const entry of await entriesOf(store, stored.hash)) {
            if (entry.kind !== "file") continue;
            const decoded = decodeBlobRef(entry.blob);
            assert.ok(decoded.ok && decoded.ref.kind !== "tree");
            const chunks = decoded.ref.kind === "small" ? [decoded.ref] : decoded.ref.chunks;
            for (const { hash, size } of chunks) {
              assert.equal((await store.readChunk(hash))?.length, size);
            }
          }
          return stored.address;
        });
      const address = await put(undefined);
      // The first starts the workers, the second has them.
      assert.equal(await put(work), address);
      while (work.counters.work_jobs_offloaded_total === 0) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        assert.equal(await put(work), address);
      }
      assert.equal(work.counters.work_workers_failed_total, 0);
    } finally {
      work.stop();
    }
  }));
