import assert from "node:assert/strict";
import { FILE_AGAIN, FILE_LONG, FILE_READ, readFiles } from "../../../src/blob/folder/files_job.ts";
import { heldQuickReader, holdQuickReader } from "../../../src/blob/folder/_quick_reader.ts";
import { seededBytes } from "../sources.ts";
import { withFolder } from "./folders.ts";

Deno.test("readFiles() gives the same with the C library and without", () =>
  withFolder((root) => {
    const names = ["empty", "one", "né 日本", "long", "link", "folder", "missing", "same", "full"];
    const sizes = [0, 1, 3_000, 9_000, 0, 0, 0, 4_096, 4_096];
    for (const [i, name] of names.entries()) {
      if (["link", "folder", "missing"].includes(name)) continue;
      Deno.writeFileSync(`${root}/${name}`, seededBytes(sizes[i] ?? 0, i), { mode: 0o640 });
    }
    Deno.symlinkSync("one", `${root}/link`);
    Deno.mkdirSync(`${root}/folder`);
    new Deno.Command("mkfifo", { args: [`${root}/pipe`] }).outputSync();
    const paths = [...names.slice(0, -1), "pipe", "x".repeat(5_000), "full"];
    // The last one does not fit.
    const job = () => ({ root, paths, into: new Uint8Array(8_000), fileBytesMax: 5_000 });
    const [plain, quick] = [job(), job()];
    const slow = readFiles(plain);
    using _held = holdQuickReader();
    const fast = readFiles(quick);
    const isPossible = Deno.build.os === "linux";
    assert.equal(heldQuickReader() !== undefined, isPossible);
    assert.equal(slow.count, paths.length - 1);
    const read = [0, 1, 2, 7];
    const outcomes = paths.slice(0, -1).map((_, i) =>
      read.includes(i) ? FILE_READ : i === 3 ? FILE_LONG : FILE_AGAIN
    );
    for (const { count, ...rest } of [slow, fast]) {
      assert.equal(count, slow.count);
      assert.deepEqual([...rest.outcomes.slice(0, count)], outcomes);
      for (const i of read) {
        assert.equal(rest.sizes[i], sizes[i]);
        assert.equal((rest.modes[i] ?? 0) & 0o777, 0o640);
      }
    }
    assert.deepEqual(fast.hashes, slow.hashes);
    assert.deepEqual(quick.into.subarray(0, 7_097), plain.into.subarray(0, 7_097));
    return Promise.resolve();
  }));

Deno.test("holdQuickReader() closes the library with the last who holds it", () => {
  const [first, second] = [holdQuickReader(), holdQuickReader()];
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(heldQuickReader() !== undefined, Deno.build.os === "linux");
  second[Symbol.dispose]();
  assert.equal(heldQuickReader(), undefined);
});
