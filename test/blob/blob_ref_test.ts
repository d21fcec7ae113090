import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../src/base/mod.ts";
import {
  type BlobRef,
  decodeBlobRef,
  describeTarget,
  encodeBlobRef,
  formatAddress,
  formatMeshUri,
  isBlobRef,
  parseAddress,
  parseBlobTarget,
} from "../../src/blob/mod.ts";

const FULL = 4 * 1024 * 1024;
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Uint8Array(bytes));
const byte = fc.integer({ min: 0, max: 255 });
const encoding = fc.oneof(
  fc.constant({ kind: "replicated" } as const),
  fc.record({ kind: fc.constant("reed_solomon" as const), data: byte, parity: byte }, {
    noNullPrototype: true,
  }),
);
const text = fc.string({ unit: "grapheme", maxLength: 100 });

const plain = { noNullPrototype: true };
const small = fc.record({
  kind: fc.constant("small" as const),
  uri: text,
  hash,
  size: fc.integer({ min: 0, max: 16 * 1024 ** 3 }),
}, plain);
const manifest = fc.tuple(
  text,
  encoding,
  fc.array(hash, { minLength: 1, maxLength: 20 }),
  fc.integer({ min: 1, max: FULL }),
).map(([uri, encoding, hashes, last]): BlobRef => ({
  kind: "manifest",
  uri,
  encoding,
  chunks: hashes.map((hash, i) => ({ hash, size: i === hashes.length - 1 ? last : FULL })),
  size: (hashes.length - 1) * FULL + last,
}));
const tree = fc.record({
  kind: fc.constant("tree" as const),
  uri: text,
  encoding,
  rootHash: hash,
  size: fc.bigInt({ min: 128n ** 3n, max: 1n << 57n }),
  depth: fc.integer({ min: 1, max: 4 }),
}, plain);
const anyRef = fc.oneof<fc.Arbitrary<BlobRef>[]>(small, manifest, tree);

Deno.test("encodeBlobRef() round-trips through decodeBlobRef()", () => {
  fc.assert(fc.property(anyRef, (ref) => {
    const bytes = encodeBlobRef(ref);
    assert.ok(isBlobRef(bytes));
    assert.deepEqual(decodeBlobRef(bytes), { ok: true, ref });
  }));
});

Deno.test("decodeBlobRef() never throws on hostile bytes", () => {
  fc.assert(fc.property(
    anyRef,
    fc.nat(),
    byte,
    fc.nat(),
    (ref, at, value, cut) => {
      const bytes = encodeBlobRef(ref);
      bytes[at % bytes.length] = value;
      const decoded = decodeBlobRef(bytes.subarray(0, cut % (bytes.length + 1)));
      if (decoded.ok && decoded.ref.kind === "manifest") {
        assert.equal(
          decoded.ref.chunks.reduce((sum, chunk) => sum + chunk.size, 0),
          decoded.ref.size,
        );
      }
    },
  ));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 5 }), (
    body,
    version,
  ) => {
    decodeBlobRef(new Uint8Array([0xb0, 0xb1, 0xb2, 0xb3, version, ...body]));
  }));
});

Deno.test("decodeBlobRef() refuses a count that the bytes cannot hold", () => {
  const bytes = Uint8Array.fromHex("b0b1b2b30201016d00ffffffffffffffffff01");
  assert.deepEqual(decodeBlobRef(bytes), { ok: false, fault: "postcard_eof" });
});

Deno.test("encodeBlobRef() refuses what makers must not make", () => {
  const ref = {
    kind: "manifest",
    uri: "",
    encoding: { kind: "replicated" },
    chunks: [{ hash: new Uint8Array(32), size: 5 }, { hash: new Uint8Array(32), size: 5 }],
    size: 10,
  } as const;
  assert.throws(() => encodeBlobRef(ref), /bad_nonlast_chunk_size/);
  assert.throws(() => encodeBlobRef({ ...ref, chunks: [], size: 0 }), /manifest_chunk_count/);
  assert.throws(
    () => encodeBlobRef({ ...ref, chunks: ref.chunks.slice(1), size: 6 }),
    /manifest_total_mismatch/,
  );
});

const HASH = Uint8Array.from({ length: 32 }, (_, i) => i + 160);

Deno.test("parseAddress() takes b3: and mesh:// with 64 lower-case digits and nothing else", () => {
  assert.deepEqual(parseAddress(formatAddress(HASH)), HASH);
  assert.deepEqual(parseAddress(formatMeshUri(HASH)), HASH);
  const bad = [
    "",
    "b3:",
    `b3:${"A".repeat(64)}`,
    `b3:${"a".repeat(63)}`,
    ` ${formatAddress(HASH)}`,
  ];
  for (const text of bad) assert.equal(parseAddress(text), undefined, text);
});

Deno.test("parseBlobTarget() takes addresses, hashes and references", () => {
  const address = { kind: "address", hash: HASH };
  const hex = HASH.toHex();
  for (
    const text of [`b3:${hex}`, `mesh://${hex}`, hex, `0x${hex.toUpperCase()}`, ` b3:${hex}\n`]
  ) {
    assert.deepEqual(parseBlobTarget(text), address, text);
  }
  const ref: BlobRef = { kind: "small", uri: "mesh://transfer", hash: HASH, size: 3 };
  assert.deepEqual(parseBlobTarget(encodeBlobRef(ref).toHex()), ref);
  assert.equal(describeTarget(ref), `b3:${hex}`);
  for (const text of ["", "b3:12", "zz", "b0b1b2b304", hex.slice(2), "deadbeef"]) {
    assert.throws(
      () => parseBlobTarget(text),
      (error) => error instanceof NetError && error.code === "usage" && error.next !== undefined,
      text,
    );
  }
});
