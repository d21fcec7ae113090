import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError, systemRandom, utf8 } from "../../../src/base/mod.ts";
import {
  type BlobProgress,
  CHUNK_BYTES,
  type DirEntry,
  encodeBlobRef,
  encodeDirManifest,
  type FolderChunks,
  getFolder,
  type GetFolderOptions,
  putFolder,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { openStagingFolder } from "../../../src/blob/folder/staging_folder.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededBytes } from "../sources.ts";
import { describeFolder, makeFolder, withFolder } from "./folders.ts";
import { chunksOfStore, readBlob, withStore } from "./stores.ts";

const CONTENT = utf8("content");
const HASH = blake3(CONTENT);
const BLOB = encodeBlobRef({ kind: "small", uri: "", hash: HASH, size: CONTENT.length });
const file = (path: string, mode = 0o644): DirEntry => ({ kind: "file", path, mode, blob: BLOB });
const dir = (path: string): DirEntry => ({ kind: "dir", path, mode: 0o700 });
const link = (path: string, target: string): DirEntry => ({ kind: "symlink", path, target });

const clock = new ManualClock();

/** Has the one chunk of the files above. */
const oneChunk: FolderChunks = { read: () => Promise.resolve({ bytes: CONTENT, peer: undefined }) };

function get(
  entries: readonly DirEntry[] | Uint8Array,
  options: GetFolderOptions,
  chunks: FolderChunks = oneChunk,
) {
  const manifest = entries instanceof Uint8Array ? entries : encodeDirManifest(entries);
  return getFolder({ chunks, clock, random: systemRandom }, manifest, options);
}

function codeOf(code: string) {
  return (error: unknown) => error instanceof NetError && error.code === code;
}

Deno.test("getFolder() makes what putFolder() found", () =>
  withFolder((base) =>
    withStore(async ({ store, clock }) => {
      makeFolder(`${base}/from`, {
        "a/b/c.txt": "one",
        "a/run.sh": { text: "#!", mode: 0o755 },
        "a/private": { text: "p", mode: 0o600 },
        "a/readonly": { text: "r", mode: 0o444 },
        "big": seededBytes(2 * CHUNK_BYTES + 5, 3),
        "middle": seededBytes(300_000, 4),
        "empty": "",
        "none": "DIR",
        "é/ü": "umlauts",
        "l": { link: "a/b/c.txt" },
        "a/up": { link: "../big" },
        "dangling": { link: "nowhere" },
      });
      const put = await putFolder({ store, clock }, `${base}/from`);
      const manifest = await readBlob(store, put.stored.hash);
      const reports: BlobProgress[] = [];
      const got = await get(manifest, {
        output: `${base}/to`,
        onProgress: (progress) => reports.push(progress),
      }, chunksOfStore(store));
      assert.deepEqual(describeFolder(`${base}/to`), describeFolder(`${base}/from`));
      assert.deepEqual(got, {
        files: put.files,
        dirs: put.dirs,
        symlinks: 3,
        bytes: put.bytes,
        localBytes: put.bytes,
        from: [],
      });
      assert.deepEqual(reports.at(-1), {
        stage: "finish",
        doneBytes: put.bytes,
        totalBytes: put.bytes,
        doneFiles: put.files,
        totalFiles: put.files,
      });
      assert.equal((Deno.statSync(`${base}/to`).mode ?? 0) & 0o777, 0o777 & ~Deno.umask());
      assert.deepEqual([...Deno.readDirSync(base)].map(({ name }) => name).sort(), ["from", "to"]);
    })
  ));

Deno.test("getFolder() takes permissions of files alone, and none that give rights away", () =>
  withFolder(async (base) => {
    await get([dir("d"), file("d/s", 0o104755), file("z", 0), file("x", 0o777)], {
      output: `${base}/out/`,
    });
    const modeOf = (path: string) => ((Deno.lstatSync(`${base}/out/${path}`).mode ?? 0) & 0o7777);
    assert.equal(modeOf("d"), 0o777 & ~Deno.umask());
    assert.equal(modeOf("d/s"), 0o755);
    assert.equal(modeOf("z"), 0o666 & ~Deno.umask());
    assert.equal(modeOf("x"), 0o777);
  }));

Deno.test("getFolder() leaves a full folder alone, or replaces it as a whole", () =>
  withFolder(async (base) => {
    makeFolder(base, { "out/old": "1", "out/sub/old": "2", "empty": "DIR", "file": "x" });
    const before = describeFolder(base);
    await assert.rejects(get([file("a")], { output: `${base}/out` }), codeOf("conflict"));
    await assert.rejects(get([file("a")], { output: `${base}/file` }), codeOf("usage"));
    await assert.rejects(get([file("a")], { output: `${base}/no/out` }), codeOf("usage"));
    Deno.symlinkSync("out", `${base}/link`);
    await assert.rejects(
      get([file("a")], { output: `${base}/link`, overwrite: true }),
      codeOf("usage"),
    );
    Deno.removeSync(`${base}/link`);
    assert.deepEqual(describeFolder(base), before);
    await get([file("a")], { output: `${base}/empty` });
    await get([file("a")], { output: `${base}/out`, overwrite: true });
    assert.deepEqual(describeFolder(base).map((line) => line.split(" ").slice(0, 2).join(" ")), [
      "empty dir",
      "empty/a file",
      "file file",
      "out dir",
      "out/a file",
    ]);
  }));

Deno.test("getFolder() leaves everything as it was when a chunk fails, or it is told to stop", () =>
  withFolder(async (base) => {
    makeFolder(base, { "out/old": "1" });
    const before = describeFolder(base);
    const many = Array.from({ length: 200 }, (_, i) => file(`d/${i}`));
    let reads = 0;
    const failing: FolderChunks = {
      read: (hash, options) =>
        ++reads % 100 === 0
          ? Promise.reject(new NetError("not_found", "Cannot get blob: gone"))
          : oneChunk.read(hash, options),
    };
    const options = { output: `${base}/out`, overwrite: true };
    await assert.rejects(get(many, options, failing), codeOf("not_found"));
    assert.deepEqual(describeFolder(base), before);
    const abort = new AbortController();
    const reason = new Error("enough");
    const stopping: FolderChunks = {
      read: (hash, options) => {
        if (++reads > 250) abort.abort(reason);
        return oneChunk.read(hash, options);
      },
    };
    await assert.rejects(get(many, { ...options, signal: abort.signal }, stopping), reason);
    assert.deepEqual(describeFolder(base), before);
  }));

Deno.test("getFolder() waits for no chunk in vain when one of many fails", () =>
  withFolder(async (base) => {
    const never: FolderChunks = {
      read: (_hash, options) =>
        new Promise((_, reject) => {
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason));
        }),
    };
    let reads = 0;
    const chunks: FolderChunks = {
      read: (hash, options) =>
        ++reads === 5
          ? Promise.reject(new NetError("integrity", "Cannot get blob: a lie"))
          : never.read(hash, options),
    };
    const many = Array.from({ length: 40 }, (_, i) => file(`${i}`));
    await assert.rejects(get(many, { output: `${base}/out` }, chunks), codeOf("integrity"));
    assert.deepEqual(describeFolder(base), []);
  }));

Deno.test("getFolder() removes what a killed one left, and puts back what that had moved away", () =>
  withFolder(async (base) => {
    makeFolder(base, {
      ".out.fetch_0123456789abcdef/half": "1",
      ".out.replaced_0123456789abcdef/mine": "2",
      ".out.fetch_no": "3",
      ".other.fetch_0123456789abcdef/x": "4",
    });
    // A folder that is in use: its lock is taken.
    makeFolder(base, { ".out.fetch_fedcba9876543210/busy": "5" });
    using busy = await Deno.open(`${base}/.out.fetch_fedcba9876543210`);
    assert.ok(await busy.tryLock(true));
    await assert.rejects(get([file("a")], { output: `${base}/out` }), codeOf("conflict"));
    const paths = describeFolder(base).map((line) => line.split(" ")[0]);
    assert.deepEqual(paths, [
      ".other.fetch_0123456789abcdef",
      ".other.fetch_0123456789abcdef/x",
      ".out.fetch_fedcba9876543210",
      ".out.fetch_fedcba9876543210/busy",
      ".out.fetch_no",
      "out",
      "out/mine",
    ]);
  }));

Deno.test("openStagingFolder() gives the old folder back when the new one cannot take its place", () =>
  withFolder(async (base) => {
    makeFolder(base, { "out/old": "1" });
    const before = describeFolder(base);
    let names = 0;
    const random = (length: number) => {
      // The second name is that of the old folder: the new one is gone before it is to be renamed.
      if (++names === 2) Deno.renameSync(staging.path, `${base}/stolen`);
      return systemRandom(length);
    };
    const staging = await openStagingFolder(`${base}/out`, { overwrite: true, random });
    await assert.rejects(staging.install());
    await staging.discard();
    assert.equal(names, 2);
    Deno.removeSync(`${base}/stolen`, { recursive: true });
    assert.deepEqual(describeFolder(base), before);
  }));

Deno.test("openStagingFolder() gives up when all names beside it are taken", () =>
  withFolder(async (base) => {
    let names = 0;
    const random = (length: number) => {
      names += 1;
      Deno.mkdirSync(`${base}/.out.fetch_0000000000000000`, { recursive: true });
      return new Uint8Array(length);
    };
    const staging = openStagingFolder(`${base}/out`, { overwrite: false, random });
    await assert.rejects(staging, codeOf("conflict"));
    assert.equal(names, 8);
  }));

Deno.test("getFolder() never follows what others put in its way", () =>
  withFolder(async (base) => {
    makeFolder(base, { "secret/s": "mine" });
    let swaps = 0;
    const swapping: FolderChunks = {
      read: (hash, options) => {
        for (const { name } of Deno.readDirSync(base)) {
          if (!name.startsWith(".out.fetch_") || swaps++ > 0) continue;
          // Where the next file is to be written; only this very user could.
          Deno.symlinkSync(`${base}/secret/s`, `${base}/${name}/b`);
        }
        return oneChunk.read(hash, options);
      },
    };
    await assert.rejects(get([file("a"), file("b")], { output: `${base}/out` }, swapping));
    assert.equal(swaps > 0, true);
    assert.deepEqual(describeFolder(base).map((line) => line.split(" ")[0]), [
      "secret",
      "secret/s",
    ]);
    assert.equal(Deno.readTextFileSync(`${base}/secret/s`), "mine");
  }));

Deno.test("getFolder() refuses what is no manifest, and a manifest for more bytes than there is room", () =>
  withFolder(async (base) => {
    const output = `${base}/out`;
    await assert.rejects(get(utf8("hello"), { output }), codeOf("integrity"));
    const huge = encodeBlobRef({ kind: "small", uri: "", hash: HASH, size: 16 * 1024 ** 3 });
    const bomb = Array.from({ length: 10_000 }, (_, i): DirEntry => ({
      kind: "file",
      path: `${i}`,
      mode: 0,
      blob: huge,
    }));
    await assert.rejects(get(bomb, { output }), codeOf("no_space"));
    assert.deepEqual(describeFolder(base), []);
  }));

const name = fc.constantFrom(
  "a",
  "b",
  "A",
  "..",
  ".",
  "",
  "\u00e9",
  "e\u0301",
  "out",
  "x\0",
  "neighbour",
);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
const anyPath = fc.oneof(
  path,
  path.map((text) => `/${text}`),
  path.map((text) => `../${text}`),
  fc.constantFrom("../neighbour", "../../neighbour/n", "/tmp/net-folder-test-escape"),
);
const entry = fc.oneof(
  anyPath.map((path) => file(path)),
  anyPath.map(dir),
  fc.tuple(anyPath, anyPath).map(([path, target]) => link(path, target)),
);
const tame = fc.array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 3 })
  .map((names) => names.join("/"));
const tameEntry = fc.oneof(
  tame.map((path) => file(path)),
  tame.map(dir),
  fc.tuple(tame, fc.oneof(tame, fc.constantFrom("..", "../a", "."))).map(([path, target]) =>
    link(path, target)
  ),
);

Deno.test("getFolder() writes nothing outside its folder, whatever the manifest", async () => {
  let made = 0;
  await withFolder(async (base) => {
    makeFolder(base, { "neighbour/n": "1", "b/x": "2", "f": "3" });
    const before = describeFolder(base);
    const lists = fc.oneof(
      fc.array(entry, { maxLength: 6 }),
      fc.array(tameEntry, { maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(lists, async (entries) => {
        // Not sorted by encodeDirManifest's own order alone: a hostile one has any.
        const isMade = await get(entries, { output: `${base}/out` }).then(() => true, (error) => {
          assert.ok(error instanceof NetError, String(error));
          return false;
        });
        if (isMade) {
          made += 1;
          for (const line of describeFolder(`${base}/out`)) {
            const [path = "", kind] = line.split(" ");
            if (kind !== "link") continue;
            const real = await Deno.realPath(`${base}/out/${path}`).catch(() => undefined);
            const isInside = real === undefined ||
              `${real}/`.startsWith(`${await Deno.realPath(base)}/out/`);
            assert.ok(isInside, `${line} leads to ${real}`);
          }
          await Deno.remove(`${base}/out`, { recursive: true });
        }
        assert.deepEqual(describeFolder(base), before);
      }),
      { numRuns: 400 },
    );
  });
  assert.throws(() => Deno.lstatSync("/tmp/net-folder-test-escape"), Deno.errors.NotFound);
  assert.ok(made > 50, `only ${made} manifests were taken`);
});
