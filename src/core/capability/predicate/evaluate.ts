/**
 * Whether a set satisfies a predicate (`capabilities.md` 9).
 *
 * Prepared evaluation is for many sets: constants are read and children ordered once. Why a set does
 * not satisfy is `trace.ts`.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { createClauseTest, isClause, type SetTest } from "./clause.ts";
import { type Cardinality, type Composition, mergeEqual, orderByCost } from "./plan.ts";
import type { Predicate } from "./predicate.ts";

/** Options of {@linkcode preparePredicate}. */
export interface PreparePredicateOptions {
  /** Knows how selective keys are; without it each kind of clause has a fixed cost. */
  readonly cardinality?: Cardinality;
}

/**
 * Evaluates in the order of declaration, nothing prepared: what prepared evaluation is compared with.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { evaluatePredicate } from "./evaluate.ts";
 * const set = createCapabilitySet(["hardware.gpu"]);
 * console.assert(evaluatePredicate({ kind: "exists", key: { axis: "hardware", key: "gpu" } }, set));
 * ```
 */
export function evaluatePredicate(predicate: Predicate, set: CapabilitySet): boolean {
  if (isClause(predicate)) return createClauseTest(predicate)(set);
  if (predicate.kind === "not") return !evaluatePredicate(predicate.child, set);
  const { kind, children } = predicate;
  const test = (child: Predicate) => evaluatePredicate(child, set);
  return kind === "and" ? children.every(test) : children.some(test);
}

/** A test of many sets that gives what {@linkcode evaluatePredicate} gives, cheap clauses first. */
export function preparePredicate(
  predicate: Predicate,
  options: PreparePredicateOptions = {},
): SetTest {
  if (isClause(predicate)) return createClauseTest(predicate);
  if (predicate.kind === "not") {
    const test = preparePredicate(predicate.child, options);
    return (set) => !test(set);
  }
  const { kind, children } = predicate;
  const ordered = orderByCost(mergeEqual(children), kind, options.cardinality);
  return combine(kind, ordered.map((child) => preparePredicate(child, options)));
}

/**
 * The items whose set satisfies the predicate, in order; all of them without one
 * (`capabilities.md` 10).
 *
 * @param view The set of an item.
 */
export function* filterByPredicate<T>(
  items: Iterable<T>,
  predicate: Predicate | undefined,
  view: (item: T) => CapabilitySet,
): Generator<T> {
  const test = predicate === undefined ? () => true : preparePredicate(predicate);
  for (const item of items) {
    if (test(view(item))) yield item;
  }
}

function combine(composition: Composition, tests: readonly SetTest[]): SetTest {
  const stop = composition === "or";
  return (set) => {
    for (const test of tests) {
      if (test(set) === stop) return stop;
    }
    return !stop;
  };
}
