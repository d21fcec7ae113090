import assert from "node:assert/strict";
import fc from "fast-check";
import { type Chunk, CHUNK_BYTES, chunkFixed, streamSource } from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { bytesSource, seededBytes } from "./sources.ts";

const done = () => Promise.resolve();

Deno.test("chunkFixed() cuts at 4 MiB and hashes chunks and the whole", async () => {
  const data = seededBytes(2 * CHUNK_BYTES + 5);
  for (const size of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES]) {
    const bytes = data.subarray(0, size);
    const parts: Uint8Array[] = [];
    const chunked = await chunkFixed(bytesSource(bytes), {
      onChunk: (chunk) => {
        assert.equal(chunk.index, parts.length);
        assert.deepEqual(chunk.hash, blake3(chunk.bytes));
        parts.push(chunk.bytes.slice());
        return Promise.resolve();
      },
    });
    assert.equal(chunked.size, size);
    assert.deepEqual(chunked.wholeHash, blake3(bytes));
    assert.equal(parts.length, Math.max(1, Math.ceil(size / CHUNK_BYTES)));
    assert.deepEqual(chunked.chunks.map((chunk) => chunk.size), parts.map((part) => part.length));
  }
});

Deno.test("chunkFixed() does not depend on the pieces it reads", async () => {
  const data = seededBytes(CHUNK_BYTES + 100);
  const expected = await chunkFixed(bytesSource(data), { onChunk: done });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 50_000, max: 5_000_000 }), async (pieceBytes) => {
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (let at = 0; at < data.length; at += pieceBytes) {
            controller.enqueue(data.subarray(at, at + pieceBytes));
            controller.enqueue(new Uint8Array(0));
          }
          controller.close();
        },
      });
      const source = streamSource(stream);
      assert.deepEqual(await chunkFixed(source, { onChunk: done }), expected);
      await source.close();
    }),
    { numRuns: 10 },
  );
});

Deno.test("chunkFixed() keeps at most three consumers at work and few buffers", async () => {
  const buffers = new Set<ArrayBufferLike>();
  const working: (() => void)[] = [];
  let workingMax = 0;
  const settled = chunkFixed(bytesSource(new Uint8Array(8 * CHUNK_BYTES)), {
    onChunk: (chunk: Chunk) => {
      buffers.add(chunk.bytes.buffer);
      return new Promise((resolve) => {
        working.push(resolve);
        workingMax = Math.max(workingMax, working.length);
      });
    },
  });
  let isDone = false;
  settled.then(() => isDone = true);
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    working.shift()?.();
  }
  assert.equal(workingMax, 3);
  assert.ok(buffers.size <= 4);
});

Deno.test("chunkFixed() waits for its consumers when one fails", async () => {
  let working = 0;
  await assert.rejects(
    chunkFixed(bytesSource(new Uint8Array(6 * CHUNK_BYTES)), {
      onChunk: async ({ index }) => {
        working += 1;
        await new Promise((resolve) => setImmediate(resolve));
        working -= 1;
        if (index === 1) throw new Error("disk on fire");
      },
    }),
    /disk on fire/,
  );
  assert.equal(working, 0);
});

Deno.test("chunkFixed() passes errors of the source and the signal on", async () => {
  const failing = { read: () => Promise.reject(new Error("unplugged")) };
  await assert.rejects(chunkFixed(failing, { onChunk: done }), /unplugged/);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(
    chunkFixed(bytesSource(new Uint8Array(10)), { onChunk: done, signal }),
    /enough/,
  );
});
