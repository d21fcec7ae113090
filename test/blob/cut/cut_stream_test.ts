import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ByteSource,
  type Chunk,
  type Chunking,
  CONTENT_DEFINED_CHUNKING,
  type ContentDefinedChunking,
  createCutter,
  createWorkPool,
  cutStream,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesSource, seededBytes } from "../sources.ts";
import { referenceCuts } from "./reference_cutter.ts";

const chunkings: fc.Arbitrary<ContentDefinedChunking> = fc.record({
  kind: fc.constant("content_defined" as const),
  minBytes: fc.integer({ min: 64, max: 400 }),
  averageBytes: fc.integer({ min: 401, max: 1_500 }),
  maxBytes: fc.integer({ min: 1_501, max: 4_000 }),
});

/** Random bytes with stretches of one value, where no cut is found before the limit. */
function mixedBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = seededBytes(length, seed);
  for (let at = seed % 997; at < length; at += 9_973) bytes.fill(seed % 256, at, at + 5_000);
  return bytes;
}

async function cutsOf(source: ByteSource, chunking: Chunking): Promise<number[]> {
  const sizes: number[] = [];
  await cutStream(source, {
    chunking,
    onChunk: (chunk) => {
      sizes.push(chunk.size);
      return Promise.resolve();
    },
  });
  return sizes;
}

Deno.test("cutStream() cuts as the reference does, whatever the sizes and the pieces", async () => {
  await fc.assert(
    fc.asyncProperty(
      chunkings,
      fc.integer({ min: 0, max: 30_000 }),
      fc.integer({ min: 1, max: 1 << 20 }),
      fc.integer({ min: 1, max: 9_000 }),
      async (chunking, length, seed, pieceBytes) => {
        const bytes = mixedBytes(length, seed);
        const expected = referenceCuts(bytes, chunking);
        assert.deepEqual(await cutsOf(bytesSource(bytes, pieceBytes), chunking), expected);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("createCutter() finds the same cuts byte by byte", () => {
  fc.assert(
    fc.property(chunkings, fc.integer({ min: 1, max: 1 << 20 }), (chunking, seed) => {
      const bytes = mixedBytes(12_000, seed);
      const cutter = createCutter(chunking);
      const cuts: number[] = [];
      let start = 0;
      for (let end = 1; end <= bytes.length; end++) {
        const size = cutter.find(bytes.subarray(start, end));
        if (size === 0) continue;
        cuts.push(size);
        start += size;
        // Both bytes of the last pair may belong to the next chunk.
        assert.ok(end - start <= 2);
      }
      if (start < bytes.length) cuts.push(bytes.length - start);
      assert.deepEqual(cuts, referenceCuts(bytes, chunking));
    }),
    { numRuns: 30 },
  );
});

Deno.test("cutStream() gives chunks whose bytes are the stream, with their hashes", async () => {
  const bytes = mixedBytes(20_000_000, 7);
  const parts: Uint8Array[] = [];
  const totals = await cutStream(bytesSource(bytes, 700_001), {
    chunking: CONTENT_DEFINED_CHUNKING,
    onChunk: async (chunk: Chunk) => {
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(chunk.hash, blake3(chunk.bytes));
      parts[chunk.index] = chunk.bytes.slice();
    },
  });
  assert.deepEqual(totals, {
    bytes: bytes.length,
    chunks: parts.length,
    wholeHash: undefined,
  });
  assert.deepEqual(
    parts.map(({ length }) => length),
    referenceCuts(bytes, CONTENT_DEFINED_CHUNKING),
  );
  assert.ok(
    blake3(bytes).toHex() === blake3(
      await new Blob(parts.map((p) => new Uint8Array(p))).bytes(),
    ).toHex(),
  );
});

Deno.test("cutStream() of a stream with one byte more has the old chunks behind it", async () => {
  const chunking = {
    ...CONTENT_DEFINED_CHUNKING,
    minBytes: 256,
    averageBytes: 1_024,
    maxBytes: 4_096,
  };
  const bytes = seededBytes(200_000, 3);
  const before = await cutsOf(bytesSource(bytes), chunking);
  const longer = new Uint8Array([...bytes.subarray(0, 1_000), 1, ...bytes.subarray(1_000)]);
  const after = await cutsOf(bytesSource(longer), chunking);
  assert.deepEqual(after.slice(-100), before.slice(-100));
});

Deno.test("cutStream() gives nothing for an empty stream", async () => {
  assert.deepEqual(await cutsOf(bytesSource(new Uint8Array(0)), CONTENT_DEFINED_CHUNKING), []);
});

Deno.test("cutStream() keeps at most three consumers at work and five buffers", async () => {
  const buffers = new Set<ArrayBufferLike>();
  const chunking: Chunking = {
    kind: "content_defined",
    minBytes: 64,
    averageBytes: 256,
    maxBytes: 1_024,
  };
  let [working, workingMax] = [0, 0];
  await cutStream(bytesSource(seededBytes(100_000)), {
    chunking,
    onChunk: async ({ bytes }) => {
      buffers.add(bytes.buffer);
      workingMax = Math.max(workingMax, ++working);
      await new Promise((resolve) => setImmediate(resolve));
      working -= 1;
    },
  });
  assert.equal(workingMax, 3);
  assert.ok(buffers.size <= 5, String(buffers.size));
});

Deno.test("cutStream() ends with the error of onCut, when no consumer is at work any more", async () => {
  let working = 0;
  await assert.rejects(
    cutStream(bytesSource(seededBytes(10_000)), {
      chunking: { kind: "fixed", chunkBytes: 1_000 },
      onCut: ({ index }) => {
        if (index === 5) throw new Error("too many");
      },
      onChunk: async () => {
        working += 1;
        await new Promise((resolve) => setImmediate(resolve));
        working -= 1;
      },
    }),
    /too many/,
  );
  assert.equal(working, 0);
});

Deno.test("cutStream() hashes the whole as its parts come, with workers and in line", async () => {
  const work = createWorkPool({ clock: new ManualClock() }, { workersMax: 1, startAfterBytes: 0 });
  try {
    const warm = work.takeBuffer(1 << 20);
    while (work.counters.work_jobs_offloaded_total === 0) {
      await work.hash(warm);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const bytes = mixedBytes(22_000_000, 8);
    const chunkings: readonly Chunking[] = [
      CONTENT_DEFINED_CHUNKING,
      { kind: "fixed", chunkBytes: 4 << 20 },
      { kind: "fixed", chunkBytes: 65_536 },
      { kind: "fixed", chunkBytes: 1_000_000 },
      { kind: "content_defined", minBytes: 4_096, averageBytes: 65_536, maxBytes: 262_144 },
    ];
    for (const chunking of chunkings) {
      for (const length of [1, 65_536, 131_072, 4 << 20, 8 << 20, (8 << 20) + 1, bytes.length]) {
        const part = bytes.subarray(0, length);
        for (const pool of [undefined, work]) {
          const { wholeHash } = await cutStream(bytesSource(part, 300_001), {
            chunking,
            isWholeHashed: true,
            work: pool,
            onChunk: async ({ bytes, hash }) => {
              await new Promise((resolve) => setImmediate(resolve));
              assert.equal(blake3(bytes).toHex(), hash.toHex());
            },
          });
          assert.equal(wholeHash?.toHex(), blake3(part).toHex(), `${chunking.kind} ${length}`);
        }
      }
    }
  } finally {
    work.stop();
  }
});
