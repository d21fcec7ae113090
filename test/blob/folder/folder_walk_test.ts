import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareUtf8,
  type FoundEntry,
  type SkippedEntry,
  walkFolder,
} from "../../../src/blob/mod.ts";
import { holdQuickReader } from "../../../src/blob/folder/_quick_reader.ts";
import { makeFolder, withFolder } from "./folders.ts";

/** Through the C library, and by the runtime's own calls: both find the same. */
async function walk(root: string) {
  const slow = await walkOnce(root);
  using _reader = holdQuickReader();
  assert.deepEqual(await walkOnce(root), slow);
  return slow;
}

async function walkOnce(root: string, onSkip?: (skipped: SkippedEntry) => void) {
  const found: FoundEntry[] = [];
  const skipped: [string, string][] = [];
  for await (
    const batch of walkFolder(root, (entry) => {
      skipped.push([entry.path, entry.reason]);
      onSkip?.(entry);
    })
  ) found.push(...batch);
  return { found, skipped: skipped.sort() };
}

Deno.test("walkFolder() finds files, folders and links in the order of their bytes", () =>
  withFolder(async (root) => {
    makeFolder(root, {
      "a!": "1",
      "a/b": "2",
      "a/c/d": "3",
      "a0": "4",
      "a-b": "5",
      "\u{1f600}": "6",
      "\uff5e/x": "7",
      "empty": "DIR",
      "link": { link: "nowhere" },
      "to-dir": { link: "a" },
    });
    const { found, skipped } = await walk(root);
    assert.deepEqual(skipped, []);
    assert.deepEqual(found.map(({ kind, path }) => `${kind} ${path}`), [
      "dir a",
      "file a!",
      "file a-b",
      "file a/b",
      "dir a/c",
      "file a/c/d",
      "file a0",
      "dir empty",
      "symlink link",
      "symlink to-dir",
      "dir \uff5e",
      "file \uff5e/x",
      "file \u{1f600}",
    ]);
    assert.equal(found.find(({ path }) => path === "link")?.kind, "symlink");
    const dir = found.find(({ path }) => path === "empty");
    assert.ok(dir?.kind === "dir");
    assert.equal(dir.mode & 0o170000, 0o040000);
  }));

Deno.test("walkFolder() sorts whatever the names are", async () => {
  const name = fc.string({
    unit: fc.constantFrom("a", "b", "!", "-", "0", "é", "\uff5e", "\u{1f600}"),
    minLength: 1,
    maxLength: 3,
  });
  const paths = fc.array(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(paths, (lists) =>
      withFolder(async (root) => {
        try {
          for (const names of lists) {
            Deno.mkdirSync([root, ...names].slice(0, -1).join("/"), { recursive: true });
            Deno.writeTextFileSync([root, ...names].join("/"), "");
          }
        } catch {
          return; // One wants a file where another wants a folder.
        }
        const { found } = await walk(root);
        const paths = found.map(({ path }) => path);
        assert.deepEqual(paths, paths.toSorted(compareUtf8));
        assert.equal(new Set(paths).size, paths.length);
        const all = new Set(
          lists.flatMap((names) => names.map((_, i) => names.slice(0, i + 1).join("/"))),
        );
        assert.equal(paths.length, all.size);
      })),
    { numRuns: 60 },
  );
});

Deno.test("walkFolder() gives many entries in batches, from a folder of thousands too", () =>
  withFolder(async (root) => {
    for (let i = 0; i < 3_000; i++) Deno.writeTextFileSync(`${root}/${i}`, "");
    const { found } = await walk(root);
    assert.equal(found.length, 3_000);
  }));

Deno.test({
  name: "walkFolder() skips pipes, and names and links that are no UTF-8, and says so",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (root) => {
      makeFolder(root, { "ok": "1", "\ufffd": "a real one" });
      const script = `import os
root = os.fsencode(${JSON.stringify(root)})
os.mkfifo(root + b"/pipe")
open(root + b"/\\xff", "w").close()
open(root + b"/x\\xfe", "w").close()
os.mkdir(root + b"/d\\xff")
os.symlink(b"\\xff", root + b"/l")`;
      const { success } = await new Deno.Command("python3", { args: ["-c", script] }).output();
      assert.ok(success);
      const { found, skipped } = await walk(root);
      assert.deepEqual(found.map(({ path }) => path), ["ok", "\ufffd"]);
      assert.deepEqual(skipped, [
        ["d\ufffd", "not_utf8"],
        ["l", "not_utf8"],
        ["pipe", "special"],
        ["x\ufffd", "not_utf8"],
        ["\ufffd", "not_utf8"],
      ]);
    }),
});

Deno.test("walkFolder() notices a folder that becomes a link while it is walked", () =>
  withFolder(async (base) => {
    const root = `${base}/root`;
    makeFolder(base, { "secret/s": "no", "secret/sub/t": "no" });
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`d/f${i}`, ""]));
    makeFolder(root, many);
    const skipped: SkippedEntry[] = [];
    let batches = 0;
    for await (const _ of walkFolder(root, (entry) => skipped.push(entry))) {
      if (++batches > 1) continue;
      Deno.renameSync(`${root}/d`, `${base}/gone`);
      Deno.symlinkSync(`${base}/secret`, `${root}/d`);
    }
    assert.deepEqual(skipped.map(({ path, reason }) => [path, reason]), [["d", "changed"]]);
  }));

Deno.test("walkFolder() follows its own folder alone, and names what is wrong with it", () =>
  withFolder(async (base) => {
    makeFolder(base, { "real/x": "1", "link": { link: "real" }, "file": "" });
    const { found } = await walk(`${base}/link`);
    assert.deepEqual(found.map(({ path }) => path), ["x"]);
    await assert.rejects(walk(`${base}/none`), { code: "not_found" });
    await assert.rejects(walk(`${base}/file`), { code: "usage" });
  }));
