/**
 * What one clause of a predicate asks (`capabilities.md` 9): its constants are read once, then many
 * values or sets are tested.
 *
 * Clauses put together are `evaluate.ts`.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { createEqualsTest, createKeyTest, createValueTest } from "../tags/tag_lookup.ts";
import { numberOfText } from "./number_text.ts";
import type { MetadataClause, Predicate, TagClause } from "./predicate.ts";
import { compareSemver, isSemverCompatible, parseSemver, type Semver } from "./semver.ts";

/** A question to a set. */
export type SetTest = (set: CapabilitySet) => boolean;

/** A question to the value of a tag or of a metadata entry. */
export type ValueTest = (value: string) => boolean;

/** A predicate that asks one thing. */
export type Clause = TagClause | MetadataClause;

/** True unless the predicate puts others together. */
export function isClause(predicate: Predicate): predicate is Clause {
  return predicate.kind !== "and" && predicate.kind !== "or" && predicate.kind !== "not";
}

/** True when the clause asks about metadata, not about tags. */
export function isMetadataClause(clause: Clause): clause is MetadataClause {
  return clause.kind.startsWith("metadata_");
}

/**
 * The question of a clause to one value, for those who keep values apart from sets: a tag clause holds
 * when a value of its key passes, a metadata clause when the value of its key does.
 *
 * @returns `undefined` for the two kinds that ask only whether the key is there.
 *
 * @example
 * ```ts
 * import { createClauseValueTest } from "./clause.ts";
 * const key = { axis: "hardware", key: "memory_gb" } as const;
 * const test = createClauseValueTest({ kind: "numeric_at_least", key, threshold: 64 });
 * console.assert(test?.("128") && !test("lots"));
 * ```
 */
export function createClauseValueTest(clause: Clause): ValueTest | undefined {
  switch (clause.kind) {
    case "exists":
    case "metadata_exists":
      return undefined;
    case "equals":
    case "metadata_equals":
      return (value) => value === clause.value;
    case "numeric_at_least":
    case "metadata_numeric_at_least":
      return (value) => numberOfText(value) >= clause.threshold;
    case "numeric_at_most":
      return (value) => numberOfText(value) <= clause.threshold;
    case "numeric_in_range":
      return (value) => {
        const number = numberOfText(value);
        return number >= clause.min && number <= clause.max;
      };
    case "semver_at_least":
      return createSemverTest(clause.version, (version, base) => compareSemver(version, base) >= 0);
    case "semver_at_most":
      return createSemverTest(clause.version, (version, base) => compareSemver(version, base) <= 0);
    case "semver_compatible":
      return createSemverTest(clause.version, isSemverCompatible);
    case "string_prefix":
      return (value) => value.startsWith(clause.prefix);
    case "string_matches":
    case "metadata_matches":
      return (value) => value.includes(clause.pattern);
  }
}

/** The question of a clause to a set. */
export function createClauseTest(clause: Clause): SetTest {
  const valueTest = createClauseValueTest(clause);
  if (isMetadataClause(clause)) {
    const { key } = clause;
    if (valueTest === undefined) return (set) => set.metadata.has(key);
    return (set) => {
      const value = set.metadata.get(key);
      return value !== undefined && valueTest(value);
    };
  }
  const tagsTest = createTagsTest(clause, valueTest);
  return (set) => tagsTest(set.tags);
}

function createTagsTest(clause: TagClause, valueTest: ValueTest | undefined) {
  if (valueTest === undefined) return createKeyTest(clause.key);
  if (clause.kind === "equals") return createEqualsTest(clause.key, clause.value);
  return createValueTest(clause.key, valueTest);
}

function createSemverTest(
  text: string,
  test: (version: Semver, base: Semver) => boolean,
): ValueTest {
  const base = parseSemver(text);
  if (base === undefined) return () => false;
  return (value) => {
    const version = parseSemver(value);
    return version !== undefined && test(version, base);
  };
}
