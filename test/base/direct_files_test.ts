/** Reading and writing past the system's cache: what is moved so, what is left to others. */
import assert from "node:assert/strict";
import {
  allocateSharedPages,
  DIRECT_ALIGN,
  isAligned,
  openDirectFile,
} from "../../src/base/mod.ts";

Deno.test("openDirectFile() moves whole blocks of shared memory, and leaves the rest", async () => {
  await using folder = await makeFolder();
  const path = `${folder.path}/file`;
  await Deno.writeTextFile(path, "");
  const writer = openDirectFile(path, "write");
  // Not every system and file system has it; then nobody writes so.
  if (writer === undefined) return;
  try {
    const bytes = allocateSharedPages(3 * DIRECT_ALIGN + 5);
    for (let i = 0; i < bytes.length; i++) bytes[i] = i * 31 >> 3;
    assert.equal(await writer.move(DIRECT_ALIGN, bytes), 3 * DIRECT_ALIGN);
    const written = await Deno.readFile(path);
    assert.equal(written.length, 4 * DIRECT_ALIGN);
    assert.deepEqual(
      written.subarray(DIRECT_ALIGN),
      new Uint8Array(bytes.subarray(0, 3 * DIRECT_ALIGN)),
    );
    using reader = openDirectFile(path, "read");
    const into = allocateSharedPages(8 * DIRECT_ALIGN);
    // The end of the file is the end of what is read.
    assert.equal(await reader?.move(DIRECT_ALIGN, into), 3 * DIRECT_ALIGN);
    assert.deepEqual(into.subarray(0, 3 * DIRECT_ALIGN), bytes.subarray(0, 3 * DIRECT_ALIGN));
  } finally {
    writer[Symbol.dispose]();
  }
});

Deno.test("openDirectFile() takes nothing whose place or memory a device refuses", async () => {
  await using folder = await makeFolder();
  const path = `${folder.path}/file`;
  await Deno.writeTextFile(path, "");
  const writer = openDirectFile(path, "write");
  if (writer === undefined) return;
  try {
    const bytes = allocateSharedPages(2 * DIRECT_ALIGN);
    assert.equal(await writer.move(1, bytes), 0);
    assert.equal(await writer.move(0, bytes.subarray(16)), 0);
    assert.equal(await writer.move(0, bytes.subarray(0, DIRECT_ALIGN - 1)), 0);
    assert.equal((await Deno.stat(path)).size, 0);
    assert.equal(await writer.move(0, bytes), 2 * DIRECT_ALIGN);
  } finally {
    writer[Symbol.dispose]();
  }
});

Deno.test("openDirectFile() does not wait for the other end of a pipe", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using folder = await makeFolder();
  const path = `${folder.path}/pipe`;
  assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
  using reader = openDirectFile(path, "read");
  assert.ok([undefined, 0].includes(await reader?.move(0, allocateSharedPages(DIRECT_ALIGN))));
});

Deno.test("openDirectFile() opens no file that is not there", () => {
  assert.equal(openDirectFile("/nowhere/at/all", "read"), undefined);
});

Deno.test("allocateSharedPages() gives memory that begins with a page, of the length asked for", () => {
  for (const length of [1, 65_536, 4 * 1024 * 1024 + 3]) {
    const bytes = allocateSharedPages(length);
    assert.equal(bytes.length, length);
    assert.ok(bytes.buffer instanceof SharedArrayBuffer);
    assert.ok(isAligned(bytes));
  }
});

async function makeFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "net-direct-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
