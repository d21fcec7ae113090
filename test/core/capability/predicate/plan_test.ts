import assert from "node:assert/strict";
import type { Predicate } from "../../../../src/core/capability/mod.ts";
import { costOf, mergeEqual, orderByCost } from "../../../../src/core/capability/predicate/plan.ts";

const gpu = { axis: "hardware", key: "gpu" } as const;
const exists: Predicate = { kind: "exists", key: gpu };
const equals: Predicate = { kind: "equals", key: gpu, value: "x" };
const semver: Predicate = { kind: "semver_at_least", key: gpu, version: "1" };
const entry: Predicate = { kind: "metadata_exists", key: "m" };
const not = (child: Predicate): Predicate => ({ kind: "not", child });

Deno.test("costOf() adds up the costs of clauses", () => {
  assert.equal(costOf(not(semver), "and"), 60);
  assert.equal(costOf({ kind: "or", children: [exists, entry, semver] }, "and"), 90);
  assert.equal(costOf({ kind: "and", children: [] }, "or"), 0);
});

Deno.test("costOf() makes selective keys cheap in an and, dear in an or", () => {
  const cardinality = { tagValues: () => 7, metadataValues: () => 0 };
  assert.equal(costOf(exists, "and", cardinality), 2);
  assert.equal(costOf(not(exists), "or", cardinality), 140);
  assert.equal(costOf(entry, "and", cardinality), 10);
  // A composite is weighed by what itself does with its children.
  assert.equal(costOf({ kind: "and", children: [exists, equals] }, "or", cardinality), 5);
  const many = { tagValues: () => 2 ** 40, metadataValues: () => 2 ** 40 };
  assert.equal(costOf(exists, "or", many), 0xffff_ffff);
  assert.equal(costOf({ kind: "or", children: [exists, equals] }, "or", many), 0xffff_ffff);
  assert.equal(costOf(exists, "and", many), 0);
});

Deno.test("orderByCost() is stable", () => {
  const other: Predicate = { kind: "exists", key: { axis: "software", key: "os" } };
  const ordered = orderByCost([semver, other, equals, exists, entry], "and");
  assert.deepEqual(ordered, [entry, other, exists, equals, semver]);
});

Deno.test("mergeEqual() leaves out what was asked already, and nothing else", () => {
  const children: readonly Predicate[] = [
    { kind: "numeric_at_least", key: gpu, threshold: NaN },
    { kind: "numeric_at_least", key: gpu, threshold: Infinity },
    { kind: "equals", key: { axis: "hardware", key: "a=b" }, value: "c" },
    { kind: "equals", key: { axis: "hardware", key: "a" }, value: "b=c" },
    { kind: "or", children: [exists] },
    { kind: "and", children: [exists] },
    { kind: "metadata_equals", key: "hardware.gpu", value: "x" },
    { kind: "string_prefix", key: gpu, prefix: "x" },
    { kind: "string_matches", key: gpu, pattern: "x" },
    { kind: "numeric_in_range", key: gpu, min: 1, max: 2 },
    { kind: "numeric_in_range", key: gpu, min: 1, max: 3 },
    { kind: "semver_at_least", key: gpu, version: "1" },
    { kind: "semver_at_least", key: gpu, version: "1.0" },
    not(exists),
    not(not(exists)),
    exists,
    equals,
  ];
  const again = children.map((child) => ({ ...child }) as Predicate);
  assert.deepEqual(mergeEqual([...children, ...again]), children);
});
