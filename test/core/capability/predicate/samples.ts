/** Predicates and sets drawn so that they have to do with each other. */
import fc from "fast-check";
import {
  type CapabilitySet,
  createCapabilitySet,
  isClause,
  type Predicate,
  TAG_AXES,
} from "../../../../src/core/capability/mod.ts";

const anyWord = fc.oneof(
  fc.constantFrom("gpu", "gpu.vendor", "memory_gb", "os", "", "a=b", "\ud7ff", "\u{1d11e}"),
  fc.string({ unit: "binary", maxLength: 3 }),
);

const anyVersion = fc.oneof(
  fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(".")),
  fc.constantFrom("", "1.2.3-rc1", "+1", " 1 . 2", "1.x", "18446744073709551615.0.1"),
);

const anyValue = fc.oneof(
  fc.nat(4).map(String),
  anyVersion,
  fc.constantFrom("", "inf", "NaN", "1e2", "0x10", "linux", "linu"),
  fc.string({ unit: "binary", maxLength: 3 }),
);

/** A threshold, finite. */
export const anyThreshold: fc.Arbitrary<number> = fc.oneof(
  fc.nat(4),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

const record = <T>(model: { [Name in keyof T]: fc.Arbitrary<T[Name]> }) =>
  fc.record<T>(model, { noNullPrototype: true });
const anyKey = record({ axis: fc.constantFrom(...TAG_AXES), key: anyWord });
const kinds = <Kind extends string>(...names: Kind[]) => fc.constantFrom(...names);

/** A predicate that asks one thing. */
export const anyClause: fc.Arbitrary<Predicate> = fc.oneof(
  record({ kind: fc.constant("exists" as const), key: anyKey }),
  record({ kind: fc.constant("equals" as const), key: anyKey, value: anyValue }),
  record({
    kind: kinds("numeric_at_least", "numeric_at_most"),
    key: anyKey,
    threshold: anyThreshold,
  }),
  record({
    kind: fc.constant("numeric_in_range" as const),
    key: anyKey,
    min: anyThreshold,
    max: anyThreshold,
  }),
  record({
    kind: kinds("semver_at_least", "semver_at_most", "semver_compatible"),
    key: anyKey,
    version: anyVersion,
  }),
  record({ kind: fc.constant("string_prefix" as const), key: anyKey, prefix: anyValue }),
  record({ kind: fc.constant("string_matches" as const), key: anyKey, pattern: anyValue }),
  record({ kind: fc.constant("metadata_exists" as const), key: anyWord }),
  record({ kind: fc.constant("metadata_equals" as const), key: anyWord, value: anyValue }),
  record({ kind: fc.constant("metadata_matches" as const), key: anyWord, pattern: anyValue }),
  record({
    kind: fc.constant("metadata_numeric_at_least" as const),
    key: anyWord,
    threshold: anyThreshold,
  }),
);

/** Any predicate. */
export const anyPredicate: fc.Arbitrary<Predicate> = fc.letrec<{ predicate: Predicate }>((tie) => ({
  predicate: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    anyClause,
    record({
      kind: kinds("and", "or"),
      children: fc.array(tie("predicate"), { maxLength: 4 }),
    }),
    record({ kind: fc.constant("not" as const), child: tie("predicate") }),
  ),
})).predicate;

const anyTag = fc.oneof(
  fc.tuple(anyKey, fc.constantFrom("=", ":"), anyValue)
    .map(([{ axis, key }, separator, value]) => `${axis}.${key}${separator}${value}`),
  anyKey.map(({ axis, key }) => `${axis}.${key}`),
  fc.string({ unit: "binary", minLength: 1, maxLength: 5 }),
);

/** Any set. */
export const anySet: fc.Arbitrary<CapabilitySet> = fc.tuple(
  fc.array(anyTag, { maxLength: 12 }),
  fc.array(fc.tuple(anyWord, anyValue), { maxLength: 4 }),
).map(([tags, metadata]) => createCapabilitySet(tags, metadata));

/** A set that has what the predicate asks about, more or less. */
export function setNear(predicate: Predicate): fc.Arbitrary<CapabilitySet> {
  const tags: string[] = [];
  const metadata: [string, string][] = [];
  collect(predicate, tags, metadata);
  return fc.tuple(anySet, fc.subarray(tags), fc.subarray(metadata)).map(([set, some, entries]) =>
    createCapabilitySet([...set.tags, ...some], [...set.metadata, ...entries])
  );
}

function collect(predicate: Predicate, tags: string[], metadata: [string, string][]): void {
  if (predicate.kind === "not") return collect(predicate.child, tags, metadata);
  if (!isClause(predicate)) {
    for (const child of predicate.children) collect(child, tags, metadata);
    return;
  }
  const { key } = predicate;
  for (const value of valuesOf(predicate)) {
    if (typeof key === "string") metadata.push([key, value]);
    else {
      tags.push(`${key.axis}.${key.key}=${value}`, `${key.axis}.${key.key}:${value}`);
      tags.push(`${key.axis}.${key.key}`);
    }
  }
}

function valuesOf(predicate: Predicate): readonly string[] {
  if ("value" in predicate) return [predicate.value, `${predicate.value}x`];
  if ("threshold" in predicate) return [String(predicate.threshold), "0"];
  if ("min" in predicate) return [String(predicate.min), String(predicate.max)];
  if ("version" in predicate) return [predicate.version, "9.9.9"];
  if ("prefix" in predicate) return [`${predicate.prefix}x`, `x${predicate.prefix}`];
  return "pattern" in predicate ? [`x${predicate.pattern}x`] : [""];
}
