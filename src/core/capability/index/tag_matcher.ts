/**
 * Picking entries by the shape of their tags, for aggregation (`capabilities.md` 13).
 *
 * A matcher is asked once per distinct tag, or per key where that is enough, never per entry. One that
 * makes no sense matches nothing; `validateTagMatcher` says why beforehand (`promises.md` C13).
 */
import { compileRegex, type RegexFault } from "../pattern/mod.ts";
import { isTagAxis, type TagAxis, type TagKey } from "../tags/tag.ts";
import { type Condition, inPostings } from "./conditions.ts";
import type { Group, Term } from "./dictionary.ts";
import { withValue } from "./group_condition.ts";
import type { IndexTables } from "./index_tables.ts";
import { type QueryOptions, withTag } from "./query_options.ts";
import { compareStrictSemver, parseStrictSemver, type StrictSemver } from "./strict_semver.ts";
import { tagsBehind } from "./tag_prefix.ts";

/** An entry matches when one of its tags does. */
export type TagMatcher =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "axis"; readonly axis: TagAxis }
  | { readonly kind: "axis_key"; readonly axis: TagAxis; readonly key: string }
  /** Somewhere in the text of the tag. */
  | { readonly kind: "regex"; readonly pattern: string }
  /** A whole version (`1.2.3`) in a range, both ends included; an end left out is open. */
  | {
    readonly kind: "version_range";
    /** `axis.key`. */
    readonly axis_key: string;
    readonly min?: string | null;
    readonly max?: string | null;
  };

/** Why a matcher matches nothing. */
export interface TagMatcherFault {
  readonly code: "kind" | "axis" | "axis_key" | "pattern" | "version";
  /** Member of the matcher. */
  readonly field: string;
  readonly value: string;
  /** What the value must be. */
  readonly expected: string;
}

/**
 * What is wrong with a matcher; `undefined` when nothing is.
 *
 * @example
 * ```ts
 * import { validateTagMatcher } from "./tag_matcher.ts";
 * console.assert(validateTagMatcher({ kind: "regex", pattern: "gpu.(a|h)100" }) === undefined);
 * console.assert(validateTagMatcher({ kind: "regex", pattern: "(" })?.code === "pattern");
 * ```
 */
export function validateTagMatcher(matcher: TagMatcher): TagMatcherFault | undefined {
  switch (matcher.kind) {
    case "exact":
    case "prefix":
      return undefined;
    case "axis":
    case "axis_key":
      return isTagAxis(matcher.axis)
        ? validateKey(matcher)
        : fault("axis", "axis", matcher.axis, "hardware, software, devices or dataforts");
    case "regex":
      return validatePattern(matcher.pattern);
    case "version_range": {
      const { axis_key, min, max } = matcher;
      if (splitAxisKey(axis_key) === undefined) {
        return fault("axis_key", "axis_key", axis_key, "axis.key");
      }
      return validateVersion("min", min) ?? validateVersion("max", max);
    }
  }
}

/** What {@linkcode parseTagMatcher} found. */
export type ParsedTagMatcher =
  | { readonly ok: true; readonly matcher: TagMatcher }
  | { readonly ok: false; readonly fault: TagMatcherFault };

/**
 * Reads a matcher that came as JSON from somebody else, and validates it.
 *
 * @param value What `JSON.parse` gave.
 *
 * @example
 * ```ts
 * import { parseTagMatcher } from "./tag_matcher.ts";
 * console.assert(parseTagMatcher({ kind: "prefix", value: "hardware.gpu" }).ok);
 * console.assert(!parseTagMatcher({ kind: "magic" }).ok);
 * ```
 */
export function parseTagMatcher(value: unknown): ParsedTagMatcher {
  const members = typeof value === "object" && value !== null ? value : {};
  const read = (name: string): unknown =>
    Object.entries(members).find(([key]) => key === name)?.[1];
  const kind = read("kind");
  const fields = typeof kind === "string" && Object.hasOwn(FIELDS, kind)
    ? FIELDS[kind as TagMatcher["kind"]]
    : undefined;
  if (fields === undefined) {
    const expected = `one of ${Object.keys(FIELDS).join(", ")}`;
    return { ok: false, fault: fault("kind", "kind", String(kind), expected) };
  }
  const draft: Record<string, unknown> = { kind };
  for (const field of fields) {
    const given = read(field) ?? undefined;
    const isOptional = field === "min" || field === "max";
    if (typeof given !== "string" && !(isOptional && given === undefined)) {
      return { ok: false, fault: fault("kind", field, String(given), "a text") };
    }
    draft[field] = given;
  }
  // All members of the kind were read and are texts.
  const matcher = draft as unknown as TagMatcher;
  const found = validateTagMatcher(matcher);
  return found === undefined ? { ok: true, matcher } : { ok: false, fault: found };
}

const FIELDS: Readonly<Record<TagMatcher["kind"], readonly string[]>> = {
  exact: ["value"],
  prefix: ["value"],
  axis: ["axis"],
  axis_key: ["axis", "key"],
  regex: ["pattern"],
  version_range: ["axis_key", "min", "max"],
};

/** Satisfied by entries with a tag that matches. */
export function matching(
  matcher: TagMatcher,
  options: QueryOptions,
  tables: IndexTables,
): Condition {
  const { dictionary } = tables;
  switch (matcher.kind) {
    case "exact":
      return withTag(matcher.value, options, tables);
    case "prefix": {
      const { groups, terms } = tagsBehind(matcher.value, options, dictionary);
      return inPostings([...groups.map(({ rows }) => rows), ...terms], tables);
    }
    case "axis": {
      const groups: Group[] = [];
      for (const group of dictionary.tagGroups()) {
        if (group.axis === matcher.axis) groups.push(group);
      }
      return inPostings(groups.map(({ rows }) => rows), tables);
    }
    case "axis_key": {
      const group = dictionary.keyGroup(matcher);
      return inPostings(group === undefined ? [] : [group.rows], tables);
    }
    case "regex":
      return inPostings(termsOfPattern(matcher.pattern, tables), tables);
    case "version_range":
      return inVersions(matcher, tables);
  }
}

/** Axis and key of `axis.key`; `undefined` when the axis is none. */
export function splitAxisKey(text: string): TagKey | undefined {
  const dot = text.indexOf(".");
  const axis = text.slice(0, Math.max(0, dot));
  return isTagAxis(axis) ? { axis, key: text.slice(dot + 1) } : undefined;
}

function termsOfPattern(pattern: string, { dictionary }: IndexTables): readonly Term[] {
  const regex = compileRegex(pattern);
  const terms: Term[] = [];
  if (!regex.ok) return terms;
  for (const term of dictionary.tags()) if (regex.test(term.text)) terms.push(term);
  return terms;
}

function inVersions(
  matcher: Extract<TagMatcher, { kind: "version_range" }>,
  tables: IndexTables,
): Condition {
  const key = splitAxisKey(matcher.axis_key);
  const [min, max] = [endOf(matcher.min), endOf(matcher.max)];
  if (key === undefined || min === undefined || max === undefined) return inPostings([], tables);
  return withValue(tables.dictionary.keyGroup(key), (text) => {
    const version = parseStrictSemver(text);
    if (version === undefined) return false;
    return (min === "open" || compareStrictSemver(version, min) >= 0) &&
      (max === "open" || compareStrictSemver(version, max) <= 0);
  }, tables);
}

function endOf(text: string | null | undefined): StrictSemver | "open" | undefined {
  return text === undefined || text === null ? "open" : parseStrictSemver(text);
}

function validateKey(
  matcher: Extract<TagMatcher, { kind: "axis" | "axis_key" }>,
): TagMatcherFault | undefined {
  if (matcher.kind === "axis" || !/[=:]/.test(matcher.key)) return undefined;
  return fault("axis_key", "key", matcher.key, "a key without = and :");
}

const PATTERN_FAULTS: Readonly<Record<RegexFault, string>> = {
  too_long: "at most 256 characters",
  too_large: "fewer or smaller repetitions",
  syntax: "a regular expression without look-around and back-references",
};

function validatePattern(pattern: string): TagMatcherFault | undefined {
  const regex = compileRegex(pattern);
  return regex.ok ? undefined : fault("pattern", "pattern", pattern, PATTERN_FAULTS[regex.fault]);
}

function validateVersion(
  field: "min" | "max",
  text: string | null | undefined,
): TagMatcherFault | undefined {
  return endOf(text) === undefined
    ? fault("version", field, text ?? "", "a version like 1.2.3")
    : undefined;
}

function fault(
  code: TagMatcherFault["code"],
  field: string,
  value: string,
  expected: string,
): TagMatcherFault {
  return { code, field, value, expected };
}
