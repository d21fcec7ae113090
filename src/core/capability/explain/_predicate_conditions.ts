/** The nodes of a predicate one by one, each with what a set has to do with it. */
import type { CapabilitySet } from "../capability_set.ts";
import { type Clause, createClauseTest, isClause, isMetadataClause } from "../predicate/clause.ts";
import { formatPredicate } from "../predicate/format_text.ts";
import { numberOfText } from "../predicate/number_text.ts";
import type { MetadataClause, Predicate, TagClause } from "../predicate/predicate.ts";
import { REDACTED } from "../predicate/report.ts";
import { parseSemver } from "../predicate/semver.ts";
import { formatTagKey, parseTag } from "../tags/tag.ts";
import { show, showList } from "./_text.ts";
import type { ConditionReport } from "./explain.ts";

/** What became of a predicate: every clause is asked, also those that cannot change the answer. */
export function explainPredicate(
  predicate: Predicate,
  set: CapabilitySet,
  redactedKeys: ReadonlySet<string>,
): ConditionReport {
  if (isClause(predicate)) return explainClause(predicate, set, redactedKeys);
  if (predicate.kind === "not") {
    const child = explainPredicate(predicate.child, set, redactedKeys);
    return { text: "not this", holds: !child.holds, found: "", children: [child] };
  }
  const children = predicate.children.map((child) => explainPredicate(child, set, redactedKeys));
  return predicate.kind === "and"
    ? { text: "all of these", holds: children.every(({ holds }) => holds), found: "", children }
    : { text: "one of these", holds: children.some(({ holds }) => holds), found: "", children };
}

function explainClause(
  clause: Clause,
  set: CapabilitySet,
  redactedKeys: ReadonlySet<string>,
): ConditionReport {
  const holds = createClauseTest(clause)(set);
  if (isMetadataClause(clause)) {
    const isRedacted = redactedKeys.has(clause.key);
    const text = isRedacted ? redactedText(clause) : formatPredicate(clause);
    return { text: show(text), holds, found: foundEntry(clause, set, isRedacted), children: [] };
  }
  return {
    text: show(formatPredicate(clause)),
    holds,
    found: foundTags(clause, set),
    children: [],
  };
}

function redactedText(clause: MetadataClause): string {
  const name = formatPredicate({ kind: "metadata_exists", key: clause.key });
  switch (clause.kind) {
    case "metadata_exists":
      return name;
    case "metadata_equals":
      return `${name}==${REDACTED}`;
    case "metadata_matches":
      return `${name}*=${REDACTED}`;
    case "metadata_numeric_at_least":
      return `${name}>=${REDACTED}`;
  }
}

function foundEntry(clause: MetadataClause, set: CapabilitySet, isRedacted: boolean): string {
  const value = set.metadata.get(clause.key);
  const name = show(clause.key);
  if (value === undefined) return `no metadata ${name}`;
  return `${name}=${isRedacted ? REDACTED : show(value) + remark(clause, value)}`;
}

/** The tags of the key; without any, those whose keys begin like it. */
function foundTags(clause: TagClause, { tags }: CapabilitySet): string {
  const name = formatTagKey(clause.key);
  const shown: string[] = [];
  const below: string[] = [];
  for (const text of tags) {
    if (!text.startsWith(name)) continue;
    const tag = parseTag(text);
    if (tag?.kind !== "present" && tag?.kind !== "value") continue;
    if (tag.key.startsWith(`${clause.key.key}.`)) below.push(text);
    if (tag.key !== clause.key.key) continue;
    shown.push(text + (tag.kind === "value" ? remark(clause, tag.value) : noValueRemark(clause)));
  }
  if (shown.length > 0) return showList(shown, "");
  const none = `no tag ${show(name)}`;
  return below.length === 0 ? none : `${none}, but ${showList(below, "")}`;
}

function noValueRemark(clause: TagClause): string {
  return clause.kind === "exists" ? "" : " (no value)";
}

/** Why a value cannot pass, whatever it is compared with. */
function remark(clause: Clause, value: string): string {
  if ("threshold" in clause || "min" in clause) {
    return Number.isNaN(numberOfText(value)) ? " (no number)" : "";
  }
  if (!("version" in clause)) return "";
  if (parseSemver(clause.version) === undefined) return " (asked for what is no version)";
  return parseSemver(value) === undefined ? " (no version)" : "";
}
