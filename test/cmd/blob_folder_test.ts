import assert from "node:assert/strict";
import { splitFolderTarget } from "../../cmd/folder_target.ts";
import { type Answers, runInMemory } from "./_harness.ts";

const HASH = "0123456789abcdef".repeat(4);
const ADDRESS = `b3:${HASH}`;
const PUT = {
  address: ADDRESS,
  kind: "directory",
  size: 2_048,
  files: 2,
  seconds: 1,
  skipped: [{ path: "sock", reason: "special" }],
  skipped_count: 12,
};
const GOT = {
  address: ADDRESS,
  kind: "directory",
  size: 2_048,
  files: 2,
  seconds: 1,
  from: ["00ab"],
};

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("blob put of a folder names what was left out", () =>
  withFolder(async (folder) => {
    const node: Answers = { "blob.put_folder": PUT };
    const result = await runInMemory(["blob", "put", "."], { cwd: folder, node });
    assert.equal(result.code, 0);
    assert.equal(result.stdout, `${ADDRESS}\n`);
    assert.equal(
      result.stderr,
      "stored 2 files, 2.0 KiB in 1 s, 2.0 KiB/s\nleft out 12:\n  sock (special)\n  … and 11 more\n",
    );
    assert.deepEqual(result.calls, [{
      method: "blob.put_folder",
      params: { path: folder, skip_unreadable: false },
    }]);
    const args = ["blob", "put", folder, "--skip-unreadable", "--json"];
    const json = await runInMemory(args, { node });
    assert.deepEqual(JSON.parse(json.stdout), { schema: "net.blob.put.v1", ...PUT });
    assert.equal(json.calls[0]?.params.skip_unreadable, true);
  }));

Deno.test("blob get makes a folder when told, or when the node knows it is one", () =>
  withFolder(async (folder) => {
    const node: Answers = { "blob.get_folder": GOT, "blob.get": GOT };
    const told = await runInMemory(["blob", "get", ADDRESS, "docs/"], { cwd: folder, node });
    assert.equal(told.code, 0);
    assert.deepEqual(told.calls[0], {
      method: "blob.get_folder",
      params: { target: ADDRESS, output: `${folder}/docs`, overwrite: false },
    });
    assert.equal(told.stdout, `${folder}/docs\n`);
    assert.equal(told.stderr, "fetched 2 files, 2.0 KiB in 1 s, 2.0 KiB/s from 00ab\n");
    const flag = await runInMemory(["blob", "get", ADDRESS, "--dir", "--force"], {
      cwd: folder,
      node,
    });
    assert.deepEqual(flag.calls[0]?.params, {
      target: ADDRESS,
      output: `${folder}/0123456789ab`,
      overwrite: true,
    });
    const known = await runInMemory(["blob", "get", ADDRESS, "docs"], { cwd: folder, node });
    assert.equal(known.calls[0]?.method, "blob.get");
    assert.equal(known.stderr, "fetched 2 files, 2.0 KiB in 1 s, 2.0 KiB/s from 00ab\n");
  }));

Deno.test("blob get finds a file in a folder first", () =>
  withFolder(async (folder) => {
    const node: Answers = {
      "blob.folder_find": { blob_ref: "aa".repeat(20), size: 5 },
      "blob.get": { address: ADDRESS, size: 5, seconds: 1, from: [] },
    };
    const result = await runInMemory(["blob", "get", `${ADDRESS}/a//b.txt/`], {
      cwd: folder,
      node,
    });
    assert.equal(result.code, 0);
    assert.deepEqual(result.calls, [
      { method: "blob.folder_find", params: { target: ADDRESS, path: "a/b.txt" } },
      {
        method: "blob.get",
        params: { target: "aa".repeat(20), output: `${folder}/b.txt`, overwrite: false },
      },
    ]);
  }));

Deno.test("blob ls TARGET/ lists all pages of a folder, and writes out what a terminal would obey", async () => {
  const entries = [
    { path: "a\u001b[2J", kind: "file", mode: 0o100644, size: 5, address: ADDRESS },
    { path: "d", kind: "dir", mode: 0o40755 },
    { path: "l", kind: "symlink", target: "a" },
  ];
  const node: Answers = {
    "blob.folder_list": (params) =>
      params.cursor === undefined
        ? { entries: entries.slice(0, 2), next: "2:40" }
        : { entries: entries.slice(2), next: null },
  };
  const { stdout, code, calls } = await runInMemory(["blob", "ls", `${ADDRESS}/sub`], { node });
  assert.equal(code, 0);
  assert.deepEqual(calls.map(({ params }) => params), [
    { target: ADDRESS, path: "sub" },
    { target: ADDRESS, path: "sub", cursor: "2:40" },
  ]);
  assert.deepEqual(stdout.split("\n").map((line) => line.split(/ {2,}/)), [
    ["MODE", "SIZE", "PATH"],
    ["-rw-r--r--", "5 B", "a\\u{1b}[2J"],
    ["drwxr-xr-x", "-", "d/"],
    ["lrwxrwxrwx", "-", "l -> a"],
    [""],
  ]);
  const json = await runInMemory(["blob", "ls", `${ADDRESS}/`, "--json"], { node });
  assert.deepEqual(JSON.parse(json.stdout).entries, entries);
});

Deno.test("splitFolderTarget() cuts behind the target", () => {
  for (
    const [text, target, path] of [
      [ADDRESS, ADDRESS, ""],
      [`${ADDRESS}/`, ADDRESS, ""],
      [`${ADDRESS}//a/./b/`, ADDRESS, "a/b"],
      [`mesh://${HASH}`, `mesh://${HASH}`, ""],
      [`mesh://${HASH}/x`, `mesh://${HASH}`, "x"],
    ] as const
  ) assert.deepEqual(splitFolderTarget(text), { target, path });
});
