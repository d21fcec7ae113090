/** Our evaluation of predicates beside the Rust core's, on drawn rows and predicates. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createCapabilitySet,
  evaluatePredicate,
  formatPredicate,
  type Predicate,
  preparePredicate,
} from "../../src/core/capability/mod.ts";
import { startLineProcess } from "./line_process.ts";
import { isRustPlatform } from "./rust_addon.ts";
import type { PredicateOperations, RustPredicate } from "./rust_predicate_process.ts";

const SEED = 20_817;
const ROWS = 60;
const PREDICATES = 400;
const FIELDS = ["a", "b", "c"];

const anyNumberText = fc.oneof(
  fc.constantFrom("+17", "1e3", ".5", "5.", "inf", "-infinity", "NaN", "1_000", "0x10", " 1", ""),
  fc.nat(6).map(String),
  fc.double().map(String),
);
const anyPart = fc.oneof(
  fc.nat(3).map(String),
  fc.constantFrom("", "x", " 1", "1 ", "+2", "\u0085 1", "\ufeff1", "18446744073709551616", "١"),
);
const anyVersion = fc.tuple(
  fc.array(anyPart, { minLength: 1, maxLength: 4 }),
  fc.constantFrom("", "", "-rc1", "+b-1", "-1+2", "+"),
).map(([parts, end]) => parts.join(".") + end);
const anyText = fc.oneof(
  fc.constantFrom("", "linux", "lin", "in", "é", "\u{1d11e}", "\ud7ff\ue000"),
  fc.string({ unit: "grapheme", maxLength: 4 }),
);
const anyValue = fc.oneof(anyNumberText, anyVersion, anyText);
const anyRow = fc.dictionary(fc.constantFrom(...FIELDS), anyValue, { noNullPrototype: true });

const key = fc.constantFrom(...FIELDS).map((name) => ({ axis: "dataforts", key: name }) as const);
const threshold = fc.oneof(fc.nat(6), fc.double({ noNaN: true, noDefaultInfinity: true }));
/** The kinds that the addon takes. */
const anyClause: fc.Arbitrary<Predicate> = fc.oneof(
  fc.record({ kind: fc.constant("exists" as const), key }),
  fc.record({ kind: fc.constant("equals" as const), key, value: anyValue }),
  fc.record({ kind: fc.constantFrom("numeric_at_least", "numeric_at_most"), key, threshold }),
  fc.tuple(key, threshold, threshold).map(([key, left, right]) => ({
    kind: "numeric_in_range" as const,
    key,
    min: Math.min(left, right),
    max: Math.max(left, right),
  })),
  fc.record({ kind: fc.constant("semver_at_least" as const), key, version: anyVersion }),
  fc.record({ kind: fc.constant("string_prefix" as const), key, prefix: anyText }),
  fc.record({ kind: fc.constant("string_matches" as const), key, pattern: anyText }),
);
const anyPredicate = fc.letrec<{ predicate: Predicate }>((tie) => ({
  predicate: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    anyClause,
    fc.record({
      kind: fc.constantFrom("and", "or"),
      children: fc.array(tie("predicate"), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant("not" as const), child: tie("predicate") }),
  ),
})).predicate;

/** The same predicate on fields in place of tags. */
function toRust(predicate: Predicate): RustPredicate {
  switch (predicate.kind) {
    case "and":
    case "or":
      return { kind: predicate.kind, children: predicate.children.map(toRust) };
    case "not":
      return { kind: "not", children: [toRust(predicate.child)] };
    default: {
      const { key, ...rest } = predicate;
      return { ...rest, field: typeof key === "string" ? key : key.key };
    }
  }
}

Deno.test({
  name: "evaluatePredicate() answers as the Rust core does",
  ignore: !isRustPlatform(),
  fn: async () => {
    const rows = fc.sample(anyRow, { numRuns: ROWS, seed: SEED });
    const predicates = fc.sample(anyPredicate, { numRuns: PREDICATES, seed: SEED });
    const sets = rows.map((row) =>
      createCapabilitySet(Object.entries(row).map(([name, value]) => `dataforts.${name}=${value}`))
    );
    const program = new URL("./rust_predicate_process.ts", import.meta.url);
    await using core = startLineProcess<PredicateOperations>(program, { name: "Rust evaluation" });
    const answers = await core.call("filterRows", {
      rows: rows.map((row) => JSON.stringify(row)),
      predicates: predicates.map(toRust),
    });
    let matches = 0;
    for (const [at, predicate] of predicates.entries()) {
      const expected = answers[at];
      const indexes = (test: (set: typeof sets[number]) => boolean) =>
        sets.flatMap((set, index) => test(set) ? [index] : []);
      const text = formatPredicate(predicate);
      const declared = indexes((set) => evaluatePredicate(predicate, set));
      assert.deepEqual(declared, expected, `seed ${SEED}: ${text}`);
      assert.deepEqual(indexes(preparePredicate(predicate)), expected, `seed ${SEED}: ${text}`);
      matches += declared.length;
    }
    const share = matches / (ROWS * PREDICATES);
    assert.ok(share > 0.1 && share < 0.9, `${share} of the answers are yes`);
  },
});
