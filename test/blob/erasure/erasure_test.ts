import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../src/base/mod.ts";
import {
  type BuiltStripe,
  createStripeBuilder,
  createTreeBuilder,
  parityRows,
  readStripeChunk,
  repairTree,
  restoreChunks,
  restoringRows,
  type StripeCode,
} from "../../../src/blob/mod.ts";
import {
  blake3,
  galoisAddProducts,
  galoisInverse,
  galoisMultiply,
} from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";
import { readerOf } from "../tree/made_trees.ts";

/** The product by the school's method, without tables. */
function referenceMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= a << bit;
  }
  for (let bit = 14; bit >= 8; bit--) if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
  return product;
}

/** Parity chunks, one product after the other. */
function referenceParity(code: StripeCode, chunks: readonly Uint8Array[]): Uint8Array[] {
  const length = Math.max(...chunks.map((chunk) => chunk.length));
  return parityRows(code).map((row) =>
    Uint8Array.from({ length }, (_, at) =>
      chunks.reduce(
        (sum, chunk, column) => sum ^ referenceMultiply(row[column] ?? 0, chunk[at] ?? 0),
        0,
      ))
  );
}

function stripeOf(code: StripeCode, chunks: readonly Uint8Array[]): BuiltStripe {
  const builder = createStripeBuilder(code);
  const built = chunks.map((bytes) => builder.add({ hash: blake3(bytes), bytes })).at(-1);
  assert.ok(built !== undefined);
  return built;
}

/** Chunks of a stripe by hash, and what reads them. */
function stored(built: BuiltStripe, chunks: readonly Uint8Array[]) {
  const all = [...chunks, ...built.parity.map(({ bytes }) => bytes)];
  const byHash = new Map(all.map((bytes) => [blake3(bytes).toHex(), bytes]));
  const readChunk = ({ hash }: { readonly hash: Uint8Array }) =>
    Promise.resolve(byHash.get(hash.toHex()));
  return { byHash, readChunk };
}

const codes = fc.record({
  data: fc.integer({ min: 1, max: 20 }),
  parity: fc.integer({ min: 1, max: 20 }),
}, { noNullPrototype: true });

/** Unlike chunks of unlike lengths. */
function chunksOf(code: StripeCode, bytes: number, seed: number): Uint8Array[] {
  return Array.from(
    { length: code.data },
    (_, i) => seededBytes(1 + (bytes + i * 37) % (2 * bytes), seed + i),
  );
}

Deno.test("galoisMultiply() is the product of the field, and galoisInverse() undoes it", () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) assert.equal(galoisMultiply(a, b), referenceMultiply(a, b));
    if (a > 0) assert.equal(galoisMultiply(a, galoisInverse(a)), 1);
  }
  assert.throws(() => galoisInverse(0), RangeError);
});

Deno.test("galoisAddProducts() adds what the reference adds, and nothing behind the input", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40_000 }),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat(),
      (length, constants, seed) => {
        const input = seededBytes(length, seed);
        const before = Array.from(constants, (_, i) => seededBytes(length + i, seed + i));
        const outputs = before.map((bytes) => bytes.slice());
        galoisAddProducts(input, new Uint8Array(constants), outputs);
        for (const [i, output] of outputs.entries()) {
          const products = Array.from(
            { length: 256 },
            (_, value) => referenceMultiply(constants[i] ?? 0, value),
          );
          const expected = before[i]?.map((byte, at) =>
            at < length ? byte ^ (products[input[at] ?? 0] ?? 0) : byte
          );
          assert.ok(expected?.every((byte, at) => byte === output[at]));
        }
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("createStripeBuilder() makes the parity of the reference, whatever the lengths", () => {
  fc.assert(
    fc.property(codes, fc.integer({ min: 1, max: 300 }), fc.nat(), (code, bytes, seed) => {
      const chunks = chunksOf(code, bytes, seed);
      const { stripe, parity } = stripeOf(code, chunks);
      assert.deepEqual(parity.map((chunk) => chunk.bytes), referenceParity(code, chunks));
      assert.deepEqual(stripe.encoding, { kind: "reed_solomon", ...code });
      assert.deepEqual(
        stripe.chunks.map(({ size }) => size),
        [...chunks, ...parity.map((chunk) => chunk.bytes)].map(({ length }) => length),
      );
    }),
    { numRuns: 40 },
  );
});

Deno.test("restoreChunks() gives any chunks back that parity can give", async () => {
  await fc.assert(
    fc.asyncProperty(codes, fc.nat(), fc.infiniteStream(fc.nat()), async (code, seed, picks) => {
      const chunks = chunksOf(code, 50, seed);
      const built = stripeOf(code, chunks);
      const all = [...chunks, ...built.parity.map(({ bytes }) => bytes)];
      const lost = new Set<number>();
      for (const pick of picks) {
        lost.add(pick % all.length);
        if (lost.size === code.parity) break;
      }
      const wanted = [...lost].slice(0, 1 + seed % code.parity);
      // Only some are known to be lost; the others are found out on the way.
      const restored = await restoreChunks(built.stripe, wanted, {
        readChunk: (chunk) => {
          const index = built.stripe.chunks.indexOf(chunk);
          return Promise.resolve(lost.has(index) ? undefined : all[index]);
        },
      });
      assert.deepEqual(restored, wanted.map((index) => all[index]));
    }),
    { numRuns: 60 },
  );
});

Deno.test("restoreChunks() of one chunk too many says how many there are", async () => {
  const code = { data: 3, parity: 2 };
  const built = stripeOf(code, chunksOf(code, 9, 1));
  const readChunk = () => Promise.resolve(undefined);
  await assert.rejects(readStripeChunk(built.stripe, 0, { readChunk }), (error) => {
    assert.ok(error instanceof NetError && error.code === "not_found");
    assert.match(error.message, /2 of 5 chunks are there, must be at least 3/);
    return error.data?.reason === "stripe_unrecoverable";
  });
});

Deno.test("readStripeChunk() treats a chunk of another length as lost, and refuses wrong parity", async () => {
  const code = { data: 2, parity: 1 };
  const chunks = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)];
  const built = stripeOf(code, chunks);
  const [first, second, parity] = built.stripe.chunks;
  assert.ok(first !== undefined && second !== undefined && parity !== undefined);
  const { byHash, readChunk } = stored(built, chunks);
  byHash.set(first.hash.toHex(), Uint8Array.of(1, 2, 3, 4));
  assert.deepEqual(await readStripeChunk(built.stripe, 0, { readChunk }), chunks[0]);
  byHash.set(parity.hash.toHex(), Uint8Array.of(0, 0, 0));
  await assert.rejects(
    readStripeChunk(built.stripe, 0, { readChunk }),
    (error) => error instanceof NetError && error.code === "integrity",
  );
});

Deno.test("readStripeChunk() of copies has nothing to restore from", async () => {
  const builder = createStripeBuilder({ data: 5, parity: 2 });
  const bytes = Uint8Array.of(1);
  assert.equal(builder.add({ hash: blake3(bytes), bytes }), undefined);
  const tail = builder.finish();
  assert.deepEqual(tail?.stripe.encoding, { kind: "replicated" });
  assert.deepEqual(tail?.parity, []);
  assert.equal(builder.finish(), undefined);
  assert.ok(tail !== undefined);
  await assert.rejects(
    readStripeChunk(tail.stripe, 0, { readChunk: () => Promise.resolve(undefined) }),
    (error) => error instanceof NetError && error.code === "not_found",
  );
});

Deno.test("repairTree() writes lost data and lost parity again, and leaves what it cannot repair", async () => {
  const code = { data: 4, parity: 2 };
  const builder = createTreeBuilder({ kind: "reed_solomon", ...code });
  const [nodes, byHash] = [[] as Uint8Array[], new Map<string, Uint8Array>()];
  const stripes = [1, 100, 200].map((seed) => {
    const chunks = chunksOf(code, 40, seed);
    const built = stripeOf(code, chunks);
    for (const [hash, bytes] of stored(built, chunks).byHash) byHash.set(hash, bytes);
    nodes.push(...builder.addStripe(built.stripe).map(({ bytes }) => bytes));
    return built.stripe;
  });
  const { ref, nodes: rest } = builder.finish();
  nodes.push(...rest.map(({ bytes }) => bytes));
  const whole = new Map(byHash);
  const lose = (stripe: number, indices: readonly number[]) => {
    for (const index of indices) {
      byHash.delete(stripes[stripe]?.chunks[index]?.hash.toHex() ?? "");
    }
  };
  lose(0, [1, 5]);
  lose(2, [0, 1, 2]);
  const left = byHash.size;
  const report = await repairTree(ref, {
    readNode: readerOf(nodes),
    readChunk: ({ hash }) => Promise.resolve(byHash.get(hash.toHex())),
    writeChunk: ({ hash }, bytes) => {
      assert.deepEqual(blake3(bytes), hash);
      byHash.set(hash.toHex(), bytes);
      return Promise.resolve();
    },
  });
  assert.deepEqual(report, {
    stripesWalked: 3,
    stripesAlreadyHealthy: 1,
    stripesRepaired: 1,
    chunksRestored: 1,
    parityRestored: 1,
    stripesUnrecoverable: 1,
    replicatedStripesSkipped: 0,
    replicatedLeavesSkipped: 0,
  });
  assert.equal(byHash.size, left + 2);
  for (const [hash, bytes] of byHash) assert.deepEqual(bytes, whole.get(hash));
});

Deno.test("codes without data, without parity or beyond one byte are refused", () => {
  for (const [data, parity] of [[0, 2], [2, 0], [100, 29], [1.5, 1], [-1, 5]] as const) {
    assert.throws(() => createStripeBuilder({ data, parity }), RangeError);
  }
  createStripeBuilder({ data: 100, parity: 28 });
  assert.equal(parityRows({ data: 200, parity: 55 }).length, 55);
  assert.throws(() => parityRows({ data: 200, parity: 56 }), RangeError);
  assert.throws(() => restoringRows({ data: 2, parity: 1 }, [0, 0], [1]), RangeError);
});
