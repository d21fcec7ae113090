import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DecodedTreeNode,
  decodeTreeNode,
  encodeTreeNode,
  type LeafChunk,
  type TreeNode,
} from "../../../src/blob/mod.ts";

const plain = { noNullPrototype: true };
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Uint8Array(bytes));
const size = fc.integer({ min: 1, max: 16 * 1024 * 1024 });
const data = fc.record({ hash, size }, plain);
const parity = fc.record({ hash, size, parityIndex: fc.integer({ min: 0, max: 255 }) }, plain);
const stripe = fc.oneof(
  fc.array(data, { minLength: 1, maxLength: 5 })
    .map((chunks) => ({
      encoding: { kind: "replicated" as const },
      chunks: chunks as LeafChunk[],
    })),
  fc.tuple(
    fc.array(data, { minLength: 1, maxLength: 10 }),
    fc.array(parity, { minLength: 1, maxLength: 4 }),
  ).map(([data, parity]) => ({
    encoding: { kind: "reed_solomon" as const, data: data.length, parity: parity.length },
    chunks: [...data, ...parity],
  })),
);
const internal = fc.array(
  fc.record({ hash, size: fc.bigInt({ min: 1n, max: (1n << 57n) - 1n }) }, plain),
  { minLength: 1, maxLength: 127 },
).map((children): TreeNode => ({ kind: "internal", children }));
const leaf = fc.array(fc.oneof(data, parity), { minLength: 1, maxLength: 128 })
  .map((chunks): TreeNode => ({ kind: "leaf", chunks }));
const erasureLeaf = fc.array(stripe, { minLength: 1, maxLength: 9 })
  .map((stripes): TreeNode => ({ kind: "erasure_leaf", stripes }));
const anyNode = fc.oneof(internal, leaf, erasureLeaf);

function faultOf(hex: string): string | undefined {
  const decoded: DecodedTreeNode = decodeTreeNode(Uint8Array.fromHex(hex));
  return decoded.ok ? undefined : decoded.fault;
}

const H = "ab".repeat(32);

Deno.test("encodeTreeNode() round-trips through decodeTreeNode()", () => {
  fc.assert(fc.property(anyNode, (node) => {
    const decoded = decodeTreeNode(encodeTreeNode(node));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.node, node);
  }));
});

Deno.test("decodeTreeNode() never throws, and what it accepts can be encoded", () => {
  fc.assert(fc.property(
    anyNode,
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
    fc.nat(),
    (node, flips, cut) => {
      const bytes = encodeTreeNode(node);
      for (const [at, value] of flips) bytes[at % bytes.length] = value;
      const decoded = decodeTreeNode(bytes.subarray(0, cut % (bytes.length + 1)));
      if (decoded.ok) encodeTreeNode(decoded.node);
    },
  ));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    decodeTreeNode(new Uint8Array(bytes));
  }));
});

Deno.test("decodeTreeNode() refuses each broken rule by name", () => {
  assert.equal(faultOf(""), "postcard_eof");
  assert.equal(faultOf("0300"), "postcard_enum");
  assert.equal(faultOf("0000"), "node_empty");
  assert.equal(faultOf("0100"), "node_empty");
  assert.equal(faultOf("0200"), "node_empty");
  assert.equal(faultOf(`0001${H}00`), "child_zero");
  assert.equal(faultOf(`0101${H}0000`), "chunk_size");
  assert.equal(faultOf(`0101${H}0102`), "postcard_enum");
  assert.equal(faultOf(`0101${H}ffffffff1f00`), "postcard_varint");
  assert.equal(faultOf(`0101${H}8180800800`), "chunk_size");
  assert.equal(faultOf(`0002${H}ffffffffffffffffff01${H}01`), "sum_overflow");
  assert.equal(faultOf(`008101${`${H}01`.repeat(129)}`), "node_fan_out");
  assert.equal(faultOf(`018101${`${H}0100`.repeat(129)}`), "node_fan_out");
  assert.equal(faultOf(`0202${`0041${`${H}0100`.repeat(65)}`.repeat(2)}`), "node_fan_out");
  assert.equal(faultOf(`02ff01${"0000".repeat(255)}`), "node_fan_out");
  assert.equal(faultOf("02010000"), "stripe_shape");
  // No data.
  assert.equal(faultOf(`020101000101${H}010100`), "stripe_shape");
  assert.equal(faultOf("01".padEnd(2 * 65_537, "0")), "node_over_64KiB");
  // A count that the bytes cannot hold.
  assert.equal(faultOf(`01ffffffffffffffffff01${H}0100`), "postcard_eof");
});

Deno.test("decodeTreeNode() takes what the Rust core takes: long varints, stripes without parity", () => {
  for (
    const hex of [
      `810001${H}e80700`,
      `0201800001${H}e80700`,
      `0101${H}e8078000`,
      `0101${H}e8070100`,
      `020101010001${H}e80700`,
    ]
  ) {
    assert.equal(faultOf(hex), undefined, hex);
  }
});

Deno.test("encodeTreeNode() refuses what no node may be", () => {
  const chunk = { hash: new Uint8Array(32), size: 1 };
  assert.throws(() => encodeTreeNode({ kind: "leaf", chunks: [] }), /node_empty/);
  assert.throws(
    () => encodeTreeNode({ kind: "leaf", chunks: Array(129).fill(chunk) }),
    /node_fan_out/,
  );
  assert.throws(
    () =>
      encodeTreeNode({
        kind: "erasure_leaf",
        stripes: [{
          encoding: { kind: "reed_solomon", data: 1, parity: 1 },
          chunks: [chunk, chunk],
        }],
      }),
    /stripe_shape/,
  );
});
