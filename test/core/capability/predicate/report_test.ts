import assert from "node:assert/strict";
import {
  type ClauseStats,
  createCapabilitySet,
  createPredicateReport,
  formatPredicateReport,
  type Predicate,
  redactPredicateReport,
} from "../../../../src/core/capability/mod.ts";

const predicate: Predicate = {
  kind: "and",
  children: [
    { kind: "exists", key: { axis: "hardware", key: "gpu" } },
    { kind: "metadata_equals", key: "owner", value: "ada" },
  ],
};
const sets = [
  createCapabilitySet(["hardware.gpu"], [["owner", "ada"]]),
  createCapabilitySet([], [["owner", "ada"]]),
  createCapabilitySet(["hardware.gpu"]),
];

const reportOf = (...clauseStats: ClauseStats[]) => ({
  totalCandidates: 1,
  matched: 0,
  clauseStats,
});
const labelled = (label: string) => reportOf({ label, evaluated: 1, matched: 0 });

Deno.test("createPredicateReport() counts what was asked", () => {
  assert.deepEqual(createPredicateReport(predicate, sets), {
    totalCandidates: 3,
    matched: 1,
    clauseStats: [
      { label: "And(2 clauses)", evaluated: 3, matched: 1 },
      { label: "Exists(hardware.gpu)", evaluated: 2, matched: 1 },
      { label: "MetadataEquals(owner=ada)", evaluated: 3, matched: 2 },
    ],
  });
});

Deno.test("redactPredicateReport() hides values of the given keys", () => {
  const redact = (label: string, ...keys: string[]) =>
    redactPredicateReport(labelled(label), keys).clauseStats[0]?.label;
  const equals = "MetadataEquals(a=b=c)";
  assert.equal(redact(equals, "a"), "MetadataEquals(a=<redacted>)");
  assert.equal(redact(equals, "a=b"), "MetadataEquals(a=b=<redacted>)");
  assert.equal(redact(equals, "a", "a=b"), "MetadataEquals(a=<redacted>)");
  assert.equal(redact(equals, "b", "a=", "c"), equals);
  const matches = 'MetadataMatches(a contains "x contains \\"y\\"")';
  assert.equal(redact(matches, "a"), 'MetadataMatches(a contains "<redacted>")');
  const numeric = "MetadataNumericAtLeast(a >= 5)";
  assert.equal(redact(numeric, "a"), "MetadataNumericAtLeast(a >= <redacted>)");
  assert.equal(redact("MetadataEquals(=x)", ""), "MetadataEquals(=<redacted>)");
  for (const label of ["MetadataExists(a)", "Equals(hardware.a=b)", "And(2 clauses)"]) {
    assert.equal(redact(label, "a", "hardware.a"), label);
  }
});

Deno.test("redactPredicateReport() adds up what became equal, and keeps labels in order", () => {
  const report = reportOf(
    { label: "MetadataEquals(a=1)", evaluated: 5, matched: 2 },
    { label: "MetadataEquals(a=\ufb01)", evaluated: 3, matched: 1 },
    { label: "MetadataEquals(a\u{1d11e}=1)", evaluated: 1, matched: 1 },
    { label: "MetadataEquals(a\uff0e=1)", evaluated: 1, matched: 0 },
  );
  assert.deepEqual(redactPredicateReport(report, ["a"]).clauseStats, [
    { label: "MetadataEquals(a=<redacted>)", evaluated: 8, matched: 3 },
    { label: "MetadataEquals(a\uff0e=1)", evaluated: 1, matched: 0 },
    { label: "MetadataEquals(a\u{1d11e}=1)", evaluated: 1, matched: 1 },
  ]);
});

Deno.test("formatPredicateReport() aligns counts", () => {
  assert.equal(
    formatPredicateReport(createPredicateReport(predicate, sets)),
    `What the predicate found
────────────────────────
Candidates: 3
Matched:    1 (33.3%)

Clauses:
  ${"And(2 clauses)".padEnd(60)} asked     3, held     1 ( 33.3%)
  ${"Exists(hardware.gpu)".padEnd(60)} asked     2, held     1 ( 50.0%)
  ${"MetadataEquals(owner=ada)".padEnd(60)} asked     3, held     2 ( 66.7%)`,
  );
  assert.match(formatPredicateReport(reportOf()), /Candidates: 1\nMatched: {4}0 \(0\.0%\)/);
});
