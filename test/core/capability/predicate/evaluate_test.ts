import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type CapabilitySet,
  compareSemver,
  createCapabilitySet,
  evaluatePredicate,
  filterByPredicate,
  isSemverCompatible,
  numberOfText,
  parseSemver,
  parseTag,
  type Predicate,
  preparePredicate,
  type TagKey,
} from "../../../../src/core/capability/mod.ts";
import { anyPredicate, setNear } from "./samples.ts";

const gpu = { axis: "hardware", key: "gpu" } as const;
const memory = { axis: "hardware", key: "memory_gb" } as const;

/** Reads every tag for every clause: slow, and plainly what the table of the specification says. */
function evaluateSlowly(predicate: Predicate, set: CapabilitySet): boolean {
  const tags = (key: TagKey) =>
    set.tags.map(parseTag).filter((tag) =>
      (tag?.kind === "present" || tag?.kind === "value") && tag.axis === key.axis &&
      tag.key === key.key
    );
  const some = (key: TagKey, test: (value: string) => boolean) =>
    tags(key).some((tag) => tag?.kind === "value" && test(tag.value));
  const entry = (key: string, test: (value: string) => boolean) => {
    const value = set.metadata.get(key);
    return value !== undefined && test(value);
  };
  const versions = (text: string, test: (order: number) => boolean) => (value: string) => {
    const [version, base] = [parseSemver(value), parseSemver(text)];
    return version !== undefined && base !== undefined && test(compareSemver(version, base));
  };
  switch (predicate.kind) {
    case "and":
      return predicate.children.every((child) => evaluateSlowly(child, set));
    case "or":
      return predicate.children.some((child) => evaluateSlowly(child, set));
    case "not":
      return !evaluateSlowly(predicate.child, set);
    case "exists":
      return tags(predicate.key).length > 0;
    case "equals":
      return some(predicate.key, (value) => value === predicate.value);
    case "numeric_at_least":
      return some(predicate.key, (value) => numberOfText(value) >= predicate.threshold);
    case "numeric_at_most":
      return some(predicate.key, (value) => numberOfText(value) <= predicate.threshold);
    case "numeric_in_range":
      return some(
        predicate.key,
        (value) => numberOfText(value) >= predicate.min && numberOfText(value) <= predicate.max,
      );
    case "semver_at_least":
      return some(predicate.key, versions(predicate.version, (order) => order >= 0));
    case "semver_at_most":
      return some(predicate.key, versions(predicate.version, (order) => order <= 0));
    case "semver_compatible":
      return some(predicate.key, (value) => {
        const [version, base] = [parseSemver(value), parseSemver(predicate.version)];
        return version !== undefined && base !== undefined && isSemverCompatible(version, base);
      });
    case "string_prefix":
      return some(predicate.key, (value) => value.startsWith(predicate.prefix));
    case "string_matches":
      return some(predicate.key, (value) => value.includes(predicate.pattern));
    case "metadata_exists":
      return set.metadata.has(predicate.key);
    case "metadata_equals":
      return entry(predicate.key, (value) => value === predicate.value);
    case "metadata_matches":
      return entry(predicate.key, (value) => value.includes(predicate.pattern));
    case "metadata_numeric_at_least":
      return entry(predicate.key, (value) => numberOfText(value) >= predicate.threshold);
  }
}

Deno.test("preparePredicate() gives what evaluation in declared order gives", () => {
  const cardinality = {
    tagValues: ({ key }: TagKey) => key.length * 5,
    metadataValues: (key: string) => key.length * 3,
  };
  let matches = 0;
  const anyCase = anyPredicate.chain((predicate) =>
    fc.tuple(fc.constant(predicate), setNear(predicate))
  );
  fc.assert(
    fc.property(anyCase, ([predicate, set]) => {
      const expected = evaluateSlowly(predicate, set);
      assert.equal(evaluatePredicate(predicate, set), expected);
      assert.equal(preparePredicate(predicate)(set), expected);
      assert.equal(preparePredicate(predicate, { cardinality })(set), expected);
      if (expected) matches += 1;
    }),
    { numRuns: 2000 },
  );
  assert.ok(matches > 400 && matches < 1600, `${matches} of 2000 match`);
});

Deno.test("evaluatePredicate() never takes a tag without a value for one with an empty value", () => {
  const present = createCapabilitySet(["hardware.gpu"]);
  const empty = createCapabilitySet(["hardware.gpu="]);
  const clauses: readonly Predicate[] = [
    { kind: "equals", key: gpu, value: "" },
    { kind: "string_prefix", key: gpu, prefix: "" },
    { kind: "string_matches", key: gpu, pattern: "" },
  ];
  for (const clause of clauses) {
    assert.equal(evaluatePredicate(clause, present), false, clause.kind);
    assert.equal(evaluatePredicate(clause, empty), true, clause.kind);
  }
  for (const set of [present, empty]) {
    assert.ok(evaluatePredicate({ kind: "exists", key: gpu }, set));
  }
});

Deno.test("evaluatePredicate() is content with any of several values", () => {
  const set = createCapabilitySet(["hardware.memory_gb=lots", "hardware.memory_gb:128"]);
  assert.ok(evaluatePredicate({ kind: "numeric_at_least", key: memory, threshold: 64 }, set));
  assert.ok(evaluatePredicate({ kind: "equals", key: memory, value: "lots" }, set));
});

Deno.test("evaluatePredicate() compares not-a-number with nothing", () => {
  const set = createCapabilitySet(["hardware.memory_gb=NaN"], [["m", "nan"]]);
  const clauses: readonly Predicate[] = [
    { kind: "numeric_at_least", key: memory, threshold: -Infinity },
    { kind: "numeric_at_most", key: memory, threshold: Infinity },
    { kind: "numeric_in_range", key: memory, min: NaN, max: NaN },
    { kind: "metadata_numeric_at_least", key: "m", threshold: NaN },
  ];
  for (const clause of clauses) assert.equal(evaluatePredicate(clause, set), false, clause.kind);
});

Deno.test("evaluatePredicate() finds its tags in a long list too", () => {
  const keys = ["b", "b.c", "b/", "\ue000", "\u{1d11e}", "ü"];
  const others = Array.from({ length: 300 }, (_, n) => `hardware.${"abcx".charAt(n % 4)}${n}=${n}`);
  for (const key of keys) {
    for (const tag of [`hardware.${key}=1`, `hardware.${key}:1`]) {
      const clause = {
        kind: "numeric_at_least",
        key: { axis: "hardware", key },
        threshold: 1,
      } as const;
      assert.ok(evaluatePredicate(clause, createCapabilitySet([...others, tag])), tag);
      const without = createCapabilitySet([
        ...others,
        tag.slice(0, -2),
        `${tag}`.replace("1", "x"),
      ]);
      assert.ok(!evaluatePredicate(clause, without), tag);
    }
  }
});

Deno.test("filterByPredicate() keeps the order of items, and all of them without a predicate", () => {
  const items = [["hardware.gpu"], ["nat:open"], ["hardware.gpu", "nat:open"]];
  const filter = (
    predicate: Predicate | undefined,
  ) => [...filterByPredicate(items, predicate, (tags) => createCapabilitySet(tags))];
  assert.deepEqual(filter({ kind: "exists", key: gpu }), [items[0], items[2]]);
  assert.deepEqual(filter(undefined), items);
});
