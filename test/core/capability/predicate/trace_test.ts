import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ClauseTrace,
  createCapabilitySet,
  evaluatePredicate,
  type Predicate,
  tracePredicate,
} from "../../../../src/core/capability/mod.ts";
import { anyPredicate, setNear } from "./samples.ts";

Deno.test("tracePredicate() comes to the same answer, and says how", () => {
  const anyCase = anyPredicate.chain((predicate) =>
    fc.tuple(fc.constant(predicate), setNear(predicate))
  );
  fc.assert(
    fc.property(anyCase, ([predicate, set]) => {
      const trace = tracePredicate(predicate, set);
      assert.equal(trace.result, evaluatePredicate(predicate, set));
      assertFollows(trace);
    }),
    { numRuns: 1000 },
  );
});

/** Every node's result follows from those of its children, and nobody was asked for nothing. */
function assertFollows({ label, result, children }: ClauseTrace): void {
  const results = children.map((child) => child.result);
  if (label === "Not") assert.deepEqual(results, [!result]);
  else if (/^(And|Or)\(/.test(label)) {
    const stop = label.startsWith("Or");
    assert.equal(result, results.includes(stop) ? stop : !stop);
    assert.ok(!results.slice(0, -1).includes(stop));
  } else assert.deepEqual(children, []);
  children.forEach(assertFollows);
}

Deno.test("tracePredicate() asks equal clauses again", () => {
  const exists: Predicate = { kind: "metadata_exists", key: "a" };
  const trace = tracePredicate({ kind: "or", children: [exists, exists] }, createCapabilitySet([]));
  const child = { label: "MetadataExists(a)", result: false, children: [] };
  assert.deepEqual(trace, { label: "Or(2 clauses)", result: false, children: [child, child] });
});
