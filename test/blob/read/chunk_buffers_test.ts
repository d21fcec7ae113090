import assert from "node:assert/strict";
import { ChunkBuffers } from "../../../src/blob/mod.ts";

const MIB = 1024 * 1024;

Deno.test("ChunkBuffers uses buffers again, and leaves bytes of others alone", async () => {
  const buffers = new ChunkBuffers(2);
  const first = buffers.take(5);
  assert.equal(first.length, MIB);
  buffers.giveBack(new Uint8Array(9));
  assert.notEqual(buffers.take(5), first);
  buffers.giveBack(first.subarray(0, 5));
  assert.equal(buffers.take(MIB), first);
  buffers.giveBack(first);
  buffers.giveBack(first);
  assert.equal(buffers.take(1), first);
  assert.notEqual(buffers.take(1), first, "given back once, however often it was said");

  const into: Uint8Array[] = [];
  const missing = await buffers.readInto(3, (buffer) => {
    into.push(buffer);
    return Promise.resolve(undefined);
  }, (bytes) => bytes);
  assert.equal(missing, undefined);
  assert.equal(buffers.take(3), into[0], "what held nothing is free again");
  const failing = buffers.readInto(3, (buffer) => {
    into.push(buffer);
    return Promise.reject(new Error("no"));
  }, () => undefined);
  await assert.rejects(failing, /no/);
  assert.equal(buffers.take(3), into[1]);
});

Deno.test("ChunkBuffers lets go of what is too short, and keeps few", () => {
  const buffers = new ChunkBuffers(2);
  const short = [buffers.take(1), buffers.take(1), buffers.take(1)];
  for (const buffer of short) buffers.giveBack(buffer);
  const long = buffers.take(3 * MIB);
  assert.equal(long.length, 3 * MIB);
  buffers.giveBack(long);
  assert.equal(buffers.take(2 * MIB), long);
});

Deno.test("ChunkBuffers frees its memory when it is disposed of, also what comes back later", () => {
  const buffers = new ChunkBuffers(2);
  const [free, lent] = [buffers.take(1), buffers.take(1)];
  buffers.giveBack(free);
  buffers[Symbol.dispose]();
  assert.equal(free.buffer.detached, true);
  assert.equal(lent.buffer.detached, false, "somebody still reads it");
  buffers.giveBack(lent);
  assert.equal(lent.buffer.detached, true);
});
