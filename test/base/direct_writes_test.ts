/** Writes past the system's cache: what they take, what they leave to others. */
import assert from "node:assert/strict";
import {
  allocateSharedPages,
  DIRECT_ALIGN,
  isAligned,
  openDirectWriter,
} from "../../src/base/mod.ts";

Deno.test("openDirectWriter() writes whole blocks from shared memory, and leaves the rest", async () => {
  await using folder = await makeFolder();
  const path = `${folder.path}/file`;
  await Deno.writeTextFile(path, "");
  const writer = openDirectWriter(path);
  // Not every system and file system has it; then nobody writes so.
  if (writer === undefined) return;
  try {
    const bytes = allocateSharedPages(3 * DIRECT_ALIGN + 5);
    for (let i = 0; i < bytes.length; i++) bytes[i] = i * 31 >> 3;
    assert.equal(await writer.writeAt(DIRECT_ALIGN, bytes), 3 * DIRECT_ALIGN);
    const written = await Deno.readFile(path);
    assert.equal(written.length, 4 * DIRECT_ALIGN);
    assert.deepEqual(
      written.subarray(DIRECT_ALIGN),
      new Uint8Array(bytes.subarray(0, 3 * DIRECT_ALIGN)),
    );
  } finally {
    writer.close();
  }
});

Deno.test("openDirectWriter() takes nothing whose place or memory a device refuses", async () => {
  await using folder = await makeFolder();
  const path = `${folder.path}/file`;
  await Deno.writeTextFile(path, "");
  const writer = openDirectWriter(path);
  if (writer === undefined) return;
  try {
    const bytes = allocateSharedPages(2 * DIRECT_ALIGN);
    assert.equal(await writer.writeAt(1, bytes), 0);
    assert.equal(await writer.writeAt(0, bytes.subarray(16)), 0);
    assert.equal(await writer.writeAt(0, bytes.subarray(0, DIRECT_ALIGN - 1)), 0);
    assert.equal((await Deno.stat(path)).size, 0);
    assert.equal(await writer.writeAt(0, bytes), 2 * DIRECT_ALIGN);
  } finally {
    writer.close();
  }
});

Deno.test("openDirectWriter() opens no file that is not there", () => {
  assert.equal(openDirectWriter("/nowhere/at/all"), undefined);
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
