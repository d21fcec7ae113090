/**
 * How an answer came about: what each clause that was asked said (`capabilities.md` 9).
 *
 * Clauses are asked in the order of their fixed costs, so that traces of the same predicate and set are
 * the same everywhere. Equal clauses are all asked here.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { createClauseTest, isClause } from "./clause.ts";
import { formatLabel } from "./label.ts";
import { orderByCost } from "./plan.ts";
import type { Predicate } from "./predicate.ts";

/** What one node of a predicate said. */
export interface ClauseTrace {
  readonly label: string;
  readonly result: boolean;
  /** Those that were asked, in that order. */
  readonly children: readonly ClauseTrace[];
}

/** What every node said that had to be asked. */
export function tracePredicate(predicate: Predicate, set: CapabilitySet): ClauseTrace {
  return prepareTrace(predicate)(set);
}

/** {@linkcode tracePredicate} for many sets. */
export function prepareTrace(predicate: Predicate): (set: CapabilitySet) => ClauseTrace {
  const label = formatLabel(predicate);
  if (isClause(predicate)) {
    const test = createClauseTest(predicate);
    return (set) => ({ label, result: test(set), children: [] });
  }
  if (predicate.kind === "not") {
    const trace = prepareTrace(predicate.child);
    return (set) => {
      const child = trace(set);
      return { label, result: !child.result, children: [child] };
    };
  }
  const { kind } = predicate;
  const traces = orderByCost(predicate.children, kind).map(prepareTrace);
  return (set) => {
    const children: ClauseTrace[] = [];
    for (const trace of traces) {
      const child = trace(set);
      children.push(child);
      if (child.result === (kind === "or")) return { label, result: child.result, children };
    }
    return { label, result: kind === "and", children };
  };
}
