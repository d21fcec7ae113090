import assert from "node:assert/strict";
import type { RedexFile } from "../../../src/log/mod.ts";
import { OPEN_FILES_MAX } from "../../../src/services/mod.ts";
import { FileUses } from "../../../src/services/log/file_uses.ts";

const fileOf = (name: string, stat: { isPersistent?: boolean; failure?: string } = {}) =>
  ({ name, stat: () => ({ isPersistent: true, ...stat }) }) as unknown as RedexFile;

Deno.test("FileUses gives out the files that were not used for the longest time", () => {
  const uses = new FileUses();
  for (let i = 0; i < OPEN_FILES_MAX; i++) uses.touch(fileOf(`f${i}`));
  assert.deepEqual(uses.takeSpare("f0"), []);
  uses.touch(fileOf("f0"));
  uses.touch(fileOf("new"));
  assert.deepEqual(uses.takeSpare("new").map(({ name }) => name), ["f1"]);
  assert.deepEqual(uses.takeSpare("new"), []);
});

Deno.test("FileUses leaves files that are held, and those in memory", () => {
  const uses = new FileUses();
  uses.touch(fileOf("memory", { isPersistent: false }));
  uses.touch(fileOf("held"));
  const release = uses.hold("held");
  const again = uses.hold("held");
  for (let i = 0; i < OPEN_FILES_MAX; i++) uses.touch(fileOf(`f${i}`));
  assert.deepEqual(uses.takeSpare("").map(({ name }) => name), ["f0", "f1"]);
  assert.equal(uses.holders, 2);
  release();
  release();
  assert.equal(uses.holders, 1, "giving up twice counts once");
  again();
  uses.touch(fileOf("more"));
  assert.deepEqual(uses.takeSpare("").map(({ name }) => name), ["held"]);
});

Deno.test("FileUses tells of files that have failed, until they are forgotten", () => {
  const uses = new FileUses();
  uses.touch(fileOf("bad", { failure: "no space" }));
  uses.touch(fileOf("good"));
  assert.deepEqual(uses.failed().map(({ file, failure }) => [file.name, failure]), [
    ["bad", "no space"],
  ]);
  uses.forget("bad");
  assert.deepEqual(uses.failed(), []);
});
