/** Content-defined chunking (`dataforts.md` 4), and the trees of one leaf that it gives. */
import assert from "node:assert/strict";
import {
  checkChunking,
  type Chunk,
  CONTENT_DEFINED_CHUNKING,
  type ContentDefinedChunking,
  createTreeBuilder,
  cutMask,
  cutStream,
  encodeBlobRef,
} from "../../../src/blob/mod.ts";
import { gearWords } from "../../../src/core/crypto/mod.ts";
import { bytesSource } from "../../blob/sources.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  integer,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";
import { inputOf } from "./_blob_inputs.ts";

/** Cases of `dataforts/cdc.json`. */
const CUT_SUITE: VectorSuite = (document) => {
  const gear = objectOf(valueAt(document, "gear_check"), "gear_check");
  const masks = listOf(objectOf(document, "document"), "masks_by_bits");
  const limits = objectOf(valueAt(document, "param_limits"), "param_limits");
  const production = objectOf(valueAt(document, "production"), "production");
  return {
    gear_check: { cases: [gear], check: checkGear },
    masks_by_bits: {
      cases: masks.map((entry) => ({ entry })),
      check: ({ entry }) => {
        assert.ok(Array.isArray(entry));
        assert.equal(cutMask(Number(entry[0])), BigInt(`0x${entry[1]}`));
      },
    },
    param_limits: { cases: [limits], check: checkLimits },
    production: {
      cases: [production],
      check: () => assert.deepEqual(CONTENT_DEFINED_CHUNKING, chunkingOf(production)),
    },
    cases: checkCuts,
  };
};

/** Suites of this file by path. */
export const BLOB_CUT_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/cdc.json": CUT_SUITE,
};

function checkGear(gear: VectorObject): void {
  const words = [...gearWords()].map((word) => word.toString(16).padStart(16, "0"));
  assert.deepEqual(words.slice(0, 4), listOf(gear, "first4"));
  assert.equal(words[0], textOf(gear, "gear0"));
  assert.equal(words[255], textOf(gear, "last"));
  assert.equal(
    gearWords().reduce((all, word) => all ^ word, 0n),
    BigInt(`0x${textOf(gear, "xor_all")}`),
  );
}

function checkLimits(limits: VectorObject): void {
  const [min, avg, max] = ["min", "avg", "max"].map((name) => {
    const [least, most] = listOf(limits, name).map((value) => Number(integer(value, name)));
    return [least ?? 0, most ?? 0] as const;
  });
  assert.ok(min !== undefined && avg !== undefined && max !== undefined);
  const check = (minBytes: number, averageBytes: number, maxBytes: number) =>
    checkChunking({ kind: "content_defined", minBytes, averageBytes, maxBytes });
  check(min[0], avg[0], max[0]);
  check(min[1], avg[1], max[1]);
  assert.throws(() => check(min[0] - 1, avg[0], max[0]), RangeError);
  assert.throws(() => check(min[1] + 1, avg[1], max[1]), RangeError);
  assert.throws(() => check(min[0], avg[0] - 1, max[0]), RangeError);
  assert.throws(() => check(min[1], avg[1] + 1, max[1]), RangeError);
  assert.throws(() => check(min[0], avg[0], max[0] - 1), RangeError);
  assert.throws(() => check(min[1], avg[1], max[1] + 1), RangeError);
  assert.throws(() => check(256, 256, 1024), RangeError);
  assert.throws(() => check(256, 1024, 1024), RangeError);
}

async function checkCuts(vector: VectorObject): Promise<void> {
  const input = inputOf(recordOf(vector, "input"));
  const cuts: Pick<Chunk, "hash" | "size">[] = [];
  await cutStream(bytesSource(input, 300_007), {
    chunking: chunkingOf(recordOf(vector, "params")),
    onCut: ({ hash, size }) => {
      cuts.push({ hash, size });
    },
    onChunk: () => Promise.resolve(),
  });
  assert.deepEqual(cuts.map(({ size }) => size), listOf(vector, "cut_lengths"));
  assert.deepEqual(cuts.map(({ hash }) => hash.toHex()), listOf(vector, "chunk_hashes"));
  if (!has(vector, "derived_tree")) return;
  const expected = recordOf(vector, "derived_tree");
  const builder = createTreeBuilder();
  const nodes = cuts.flatMap((chunk) => builder.addChunk(chunk));
  const built = builder.finish();
  nodes.push(...built.nodes);
  assert.deepEqual(nodes.map(({ bytes }) => bytes), [bytesOf(expected, "leaf_hex")]);
  assert.equal(encodeBlobRef(built.ref).toHex(), textOf(expected, "ref_hex"));
}

function chunkingOf(params: VectorObject): ContentDefinedChunking {
  return {
    kind: "content_defined",
    minBytes: numberOf(params, "min"),
    averageBytes: numberOf(params, "avg"),
    maxBytes: numberOf(params, "max"),
  };
}
