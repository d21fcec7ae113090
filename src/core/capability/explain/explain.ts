/**
 * Why a node did or did not match what was asked (`capabilities.md` 8, 9), condition by condition.
 *
 * Unlike a search, which stops at the first answer, every condition is asked. What a filter means is the
 * index's business: each of its conditions is put to an index that holds the one node.
 */
import { CapabilityIndex, type NodeFacts } from "../index/capability_index.ts";
import { findNodes, type FindOptions, type NodeFilter } from "../index/find.ts";
import type { Predicate } from "../predicate/predicate.ts";
import { listFilterConditions } from "./_filter_conditions.ts";
import { explainPredicate } from "./_predicate_conditions.ts";

/** What was asked. */
export interface MatchQuery {
  readonly filter?: NodeFilter;
  readonly options?: FindOptions;
  readonly predicate?: Predicate;
}

/** The node in question; entries of the index are such. */
export interface ExplainedNode extends NodeFacts {
  readonly nodeId: bigint;
}

/** Options of {@linkcode explainMatch}. */
export interface ExplainOptions {
  /** Metadata keys whose values are hidden, both what was asked and what the node has. */
  readonly redactedKeys?: Iterable<string>;
}

/** What became of one condition. */
export interface ConditionReport {
  /**
   * What was asked, as people write it; cut when it is long, and free of characters that a terminal takes
   * for orders.
   */
  readonly text: string;
  readonly holds: boolean;
  /** What the node has to do with it, likewise; empty for one that puts others together. */
  readonly found: string;
  /** Those it puts together. */
  readonly children: readonly ConditionReport[];
}

/** Why a node did or did not match. */
export interface MatchReport {
  readonly matches: boolean;
  /** All of them have to hold. */
  readonly conditions: readonly ConditionReport[];
}

/**
 * Explains an answer.
 *
 * @throws NetError `usage` for an unknown modality or GPU vendor.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { parsePredicate } from "../predicate/parse_text.ts";
 * import { explainMatch } from "./explain.ts";
 * const capabilities = createCapabilitySet(["hardware.memory_gb=32"]);
 * const predicate = parsePredicate("hardware.memory_gb>=64");
 * const { matches, conditions } = explainMatch({ predicate }, { nodeId: 1n, capabilities });
 * console.assert(!matches && conditions[0]?.found === "hardware.memory_gb=32");
 * ```
 */
export function explainMatch(
  query: MatchQuery,
  node: ExplainedNode,
  options: ExplainOptions = {},
): MatchReport {
  const redactedKeys = new Set(options.redactedKeys);
  const conditions = [
    ...explainFilter(query, node),
    ...partsOf(query.predicate).map((part) =>
      explainPredicate(part, node.capabilities, redactedKeys)
    ),
  ];
  return { matches: conditions.every(({ holds }) => holds), conditions };
}

/** An entry of a node, and what became of the conditions there. */
export interface ExplainedEntry<Entry extends ExplainedNode> {
  readonly entry: Entry;
  readonly report: MatchReport;
}

/**
 * Explains an answer about a node that has entries in several classes: a search finds it when all
 * conditions hold in one of them. Told is the one they hold in, else what the node announced.
 *
 * @param entries Of one node; at most one per class.
 * @returns `undefined` when there are none.
 * @throws NetError as {@linkcode explainMatch}.
 */
export function explainEntries<Entry extends ExplainedNode>(
  query: MatchQuery,
  entries: readonly Entry[],
  options: ExplainOptions = {},
): ExplainedEntry<Entry> | undefined {
  const explained = entries.map((entry) => ({
    entry,
    report: explainMatch(query, entry, options),
  }));
  return explained.find(({ report }) => report.matches) ??
    explained.find(({ entry: { classHash = 0n } }) => classHash === 0n) ?? explained[0];
}

function explainFilter(query: MatchQuery, node: ExplainedNode): readonly ConditionReport[] {
  const { filter = {}, options = {} } = query;
  const index = new CapabilityIndex();
  index.set(node.nodeId, node);
  const { rules } = options;
  return index.get(node.nodeId).flatMap((entry) =>
    listFilterConditions(filter, options, entry).map(({ text, found, part }) => {
      const { size } = findNodes(index, part.filter ?? {}, { rules, ...part.options });
      return { text, holds: size > 0, found, children: [] };
    })
  );
}

/** What has to hold of a predicate; each condition of an `and` at the top stands for itself. */
function partsOf(predicate: Predicate | undefined): readonly Predicate[] {
  if (predicate === undefined) return [];
  return predicate.kind === "and" ? predicate.children.flatMap(partsOf) : [predicate];
}
