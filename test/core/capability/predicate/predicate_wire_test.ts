import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError, utf8 } from "../../../../src/base/mod.ts";
import {
  decodePredicate,
  encodePredicate,
  type Predicate,
  PREDICATE_BYTES_MAX,
  PREDICATE_DEPTH_MAX,
  PREDICATE_NODES_MAX,
} from "../../../../src/core/capability/mod.ts";
import { anyPredicate } from "./samples.ts";

const GPU = '{"kind":"exists","key":{"axis":"hardware","key":"gpu"}}';
const exists: Predicate = { kind: "exists", key: { axis: "hardware", key: "gpu" } };

function decode(text: string): Predicate {
  const decoded = decodePredicate(utf8(text));
  assert.ok(decoded.ok, decoded.ok ? "" : `${decoded.fault}: ${text}`);
  return decoded.predicate;
}

function faultOf(text: string): string | undefined {
  const decoded = decodePredicate(utf8(text));
  return decoded.ok ? undefined : decoded.fault;
}

const table = (nodes: readonly string[], root: number | string = nodes.length - 1) =>
  `{"nodes":[${nodes.join(",")}],"root_idx":${root}}`;
const textOf = (predicate: Predicate) => new TextDecoder().decode(encodePredicate(predicate));
const isLimit = (error: unknown) => error instanceof NetError && error.code === "limit";

function nested(depth: number): Predicate {
  let predicate = exists;
  for (let level = 1; level < depth; level++) predicate = { kind: "not", child: predicate };
  return predicate;
}

Deno.test("decodePredicate() gives back what was encoded", () => {
  fc.assert(
    fc.property(anyPredicate, (predicate) => {
      assert.deepEqual(decode(textOf(predicate)), predicate);
    }),
    { numRuns: 500 },
  );
});

Deno.test("encodePredicate() writes children first and numbers with a fraction", () => {
  const memory = { axis: "hardware", key: "memory_gb" } as const;
  const predicate: Predicate = {
    kind: "and",
    children: [
      { kind: "not", child: exists },
      { kind: "numeric_in_range", key: memory, min: 64, max: 1e300 },
      { kind: "or", children: [] },
    ],
  };
  assert.equal(
    textOf(predicate),
    table([
      GPU,
      '{"kind":"not","child":0}',
      '{"kind":"numeric_in_range","key":{"axis":"hardware","key":"memory_gb"},"min":64.0,"max":1e+300}',
      '{"kind":"or","children":[]}',
      '{"kind":"and","children":[1,2,3]}',
    ]),
  );
});

Deno.test("encodePredicate() refuses what no receiver would read", () => {
  const key = { axis: "hardware", key: "gpu" } as const;
  for (const threshold of [NaN, Infinity]) {
    assert.throws(() => encodePredicate({ kind: "numeric_at_least", key, threshold }), RangeError);
  }
  assert.throws(() => encodePredicate({ kind: "metadata_exists", key: "\ud834" }), RangeError);
  assert.ok(encodePredicate(nested(PREDICATE_DEPTH_MAX)).length > 0);
  assert.throws(() => encodePredicate(nested(PREDICATE_DEPTH_MAX + 1)), isLimit);
  const children: Predicate[] = Array(PREDICATE_NODES_MAX).fill({ kind: "or", children: [] });
  assert.throws(() => encodePredicate({ kind: "and", children }), isLimit);
  const long = "x".repeat(PREDICATE_BYTES_MAX);
  assert.throws(() => encodePredicate({ kind: "metadata_exists", key: long }), isLimit);
});

Deno.test("decodePredicate() takes members in any order and passes over unknown ones", () => {
  const text = ' {"x":{"nodes":[]},"root_idx":1,"nodes":[ {"key":"a","more":[1,{}],"kind":' +
    '"metadata_exists"},{"threshold":64,"key":{"key":"gpu","y":0,"axis":"hardware"},"children":"",' +
    '"kind":"numeric_at_most"}]}';
  const key = { axis: "hardware", key: "gpu" } as const;
  assert.deepEqual(decode(text), { kind: "numeric_at_most", key, threshold: 64 });
});

Deno.test("decodePredicate() names what is wrong with the table", () => {
  const not = (child: number) => `{"kind":"not","child":${child}}`;
  const and = (...children: number[]) => `{"kind":"and","children":[${children}]}`;
  assert.equal(faultOf(table([], 0)), "empty");
  assert.equal(faultOf(table([GPU], 1)), "root_out_of_bounds");
  assert.equal(faultOf(table([GPU, not(2)])), "child_out_of_bounds");
  assert.equal(faultOf(table([GPU, and(0, 7)])), "child_out_of_bounds");
  assert.equal(faultOf(table([GPU, not(1)])), "cycle_detected");
  assert.equal(faultOf(table([and(0, 1), GPU])), "cycle_detected");
  const levels = Array.from({ length: PREDICATE_DEPTH_MAX }, (_, level) => not(level));
  assert.equal(faultOf(table([GPU, ...levels.slice(0, -1)])), undefined);
  assert.equal(faultOf(table([GPU, ...levels])), "too_deep");
  assert.equal(faultOf(" ".repeat(PREDICATE_BYTES_MAX) + table([GPU])), "too_long");
});

Deno.test("decodePredicate() counts shared nodes for each parent", () => {
  const double = (level: number) => `{"kind":"or","children":[${level},${level}]}`;
  const levels = (count: number) => Array.from({ length: count }, (_, level) => double(level));
  assert.equal(faultOf(table([GPU, ...levels(11)])), undefined);
  assert.equal(faultOf(table([GPU, ...levels(12)])), "too_large");
  assert.equal(faultOf(table([GPU, ...levels(120)])), "too_large");
});

Deno.test("decodePredicate() refuses what the reference refuses", () => {
  const key = '"key":{"axis":"hardware","key":"gpu"}';
  const nodes: Readonly<Record<string, string>> = {
    "an unknown kind": `{"kind":"matches",${key}}`,
    "no kind": `{${key}}`,
    "a kind that is no text": `{"kind":1,${key}}`,
    "a member twice": `{"kind":"exists","kind":"exists",${key}}`,
    "an unknown axis": '{"kind":"exists","key":{"axis":"Hardware","key":"gpu"}}',
    "a tag key that is a text": '{"kind":"exists","key":"hardware.gpu"}',
    "a metadata key that is none": `{"kind":"metadata_exists",${key}}`,
    "a tag key in part": '{"kind":"exists","key":{"axis":"hardware"}}',
    "no value": `{"kind":"equals",${key}}`,
    "a value that is no text": `{"kind":"equals",${key},"value":1}`,
    "a threshold that is a text": `{"kind":"numeric_at_least",${key},"threshold":"64"}`,
    "a threshold of null": `{"kind":"numeric_at_least",${key},"threshold":null}`,
    "a threshold in brackets": `{"kind":"numeric_at_least",${key},"threshold":[64]}`,
    "a threshold beyond doubles": `{"kind":"numeric_at_least",${key},"threshold":1e999}`,
    "half a range": `{"kind":"numeric_in_range",${key},"min":1}`,
    "no version": `{"kind":"semver_at_least",${key}}`,
    "no prefix": `{"kind":"string_prefix",${key},"pattern":""}`,
    "no pattern": `{"kind":"string_matches",${key},"prefix":""}`,
    "metadata without pattern": '{"kind":"metadata_matches","key":"a"}',
    "metadata without threshold": '{"kind":"metadata_numeric_at_least","key":"a"}',
    "metadata without value": '{"kind":"metadata_equals","key":"a"}',
    "an unknown metadata kind": '{"kind":"metadata_at_most","key":"a"}',
    "children that are no list": '{"kind":"and","children":0}',
    "children with a fraction": '{"kind":"and","children":[0.0]}',
    "negative children": '{"kind":"and","children":[-1]}',
    "children beyond 32 bits": '{"kind":"and","children":[4294967296]}',
    "a list for a child": '{"kind":"not","child":[0]}',
    "no child": '{"kind":"not"}',
    "half a surrogate pair": '{"kind":"metadata_exists","key":"\\ud834"}',
    "no object": "[]",
  };
  for (const [name, node] of Object.entries(nodes)) {
    assert.equal(faultOf(table([GPU, node])), "malformed", name);
  }
  const tables = ["", "null", "[]", "{}", '{"root_idx":0}', `{"nodes":[${GPU}]}`, table([GPU], -1)];
  for (
    const text of [...tables, table([GPU], "0.0"), `${table([GPU])}x`, `\ufeff${table([GPU])}`]
  ) {
    assert.equal(faultOf(text), "malformed", text);
  }
  assert.equal(faultOf(table([GPU]).replace(/}$/, ',"nodes":[]}')), "malformed");
  const invalid = decodePredicate(new Uint8Array([0x7b, 0x22, 0xff]));
  assert.deepEqual(invalid, { ok: false, fault: "malformed" });
});

Deno.test("decodePredicate() survives anything", () => {
  const good = utf8(table([GPU, '{"kind":"not","child":0}']));
  const mutation = fc.record({
    at: fc.nat(good.length - 1),
    bytes: fc.uint8Array({ maxLength: 3 }),
    removed: fc.nat(20),
  });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json({ maxDepth: 4 }).map(utf8),
    fc.array(mutation, { minLength: 1, maxLength: 3 }).map((mutations) => {
      const bytes = [...good];
      for (const { at, bytes: inserted, removed } of mutations) {
        bytes.splice(at, removed, ...inserted);
      }
      return Uint8Array.from(bytes);
    }),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      const decoded = decodePredicate(bytes);
      if (decoded.ok) assert.deepEqual(decode(textOf(decoded.predicate)), decoded.predicate);
    }),
    { numRuns: 2000 },
  );
});
