import assert from "node:assert/strict";
import { concatBytes, type PacedFile, PacedWriter } from "../../src/base/mod.ts";

const MIB = 1024 * 1024;

/** A file in memory; a write at once takes so long. */
function memoryFile(milliseconds: number) {
  const pieces: Uint8Array[] = [];
  const counts = { sync: 0, aside: 0 };
  const file: PacedFile = {
    writeSync: (bytes) => {
      counts.sync += 1;
      const untilMs = performance.now() + milliseconds;
      while (performance.now() < untilMs);
      // Files may take less than they are given.
      const taken = bytes.slice(0, 700_000);
      pieces.push(taken);
      return taken.length;
    },
    write: (bytes) => {
      counts.aside += 1;
      pieces.push(bytes.slice());
      return Promise.resolve(bytes.length);
    },
  };
  return { file, counts, bytes: () => concatBytes(...pieces) };
}

Deno.test("PacedWriter hands bytes to a thread once a write was slow, and keeps their order", async () => {
  const bytes = new Uint8Array(5 * MIB + 3).map((_, i) => i >> 10);
  const writer = new PacedWriter();
  const slow = memoryFile(8);
  await writer.write(slow.file, bytes);
  await writer.write(slow.file, bytes);
  assert.equal(slow.counts.sync, 1);
  assert.deepEqual(slow.bytes(), concatBytes(bytes, bytes));
  // After a while it tries again.
  for (let i = 0; i < 14; i++) await writer.write(slow.file, bytes);
  assert.equal(slow.counts.sync, 2);
});

Deno.test("PacedWriter fails as the file fails", async () => {
  const failing: PacedFile = {
    writeSync: () => {
      throw new Error("os error 28");
    },
    write: () => Promise.reject(new Error("not asked")),
  };
  await assert.rejects(new PacedWriter().write(failing, new Uint8Array(5)), /os error 28/);
});

Deno.test("PacedWriter writes in pieces for which the system needs no large pages", async () => {
  const lengths: number[] = [];
  const file: PacedFile = {
    writeSync: (bytes) => lengths.push(bytes.length) && bytes.length,
    write: () => Promise.reject(new Error("not asked")),
  };
  await new PacedWriter().write(file, new Uint8Array(MIB + 5));
  assert.ok(Math.max(...lengths) <= 65_536);
  assert.equal(lengths.reduce((sum, length) => sum + length), MIB + 5);
});
