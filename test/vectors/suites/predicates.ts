/** Predicates: evaluation, traces, reports, JSON. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  type CapabilitySet,
  type ClauseTrace,
  createCapabilitySet,
  createPredicateHeader,
  createPredicateReport,
  decodePredicate,
  encodePredicate,
  evaluatePredicate,
  type Predicate,
  type PredicateReport,
  preparePredicate,
  readPredicateHeader,
  redactPredicateReport,
  tracePredicate,
} from "../../../src/core/capability/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const PREDICATE_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/predicate_eval.json": () => ({ cases: checkEvaluation }),
  "capability/predicate_trace.json": () => ({ cases: checkTrace }),
  "capability/predicate_debug_report.json": () => ({ cases: checkReport }),
  "capability/predicate_debug_report_redacted.json": () => ({ cases: checkRedaction }),
  "capability/predicate_nrpc_envelope.json": (document) => ({
    cases: (vector) => checkEnvelope(vector, valueAt(document, "header_name")),
  }),
};

function checkEvaluation(vector: VectorObject): void {
  const predicate = predicateOf(vector);
  const set = setOf(vector);
  const expected = booleanOf(vector, "expected");
  assert.equal(evaluatePredicate(predicate, set), expected);
  assert.equal(preparePredicate(predicate)(set), expected);
}

function checkTrace(vector: VectorObject): void {
  const predicate = predicateOf(vector);
  const trace = tracePredicate(predicate, setOf(vector));
  assert.deepEqual(trace, traceOf(recordOf(vector, "expected_trace")));
  assert.equal(trace.result, booleanOf(vector, "expected_result"));
}

function checkReport(vector: VectorObject): void {
  const contexts = listOf(vector, "contexts").map((context) => setOf(objectOf(context, "context")));
  assert.deepEqual(createPredicateReport(predicateOf(vector), contexts), {
    totalCandidates: numberOf(vector, "expected_total_candidates"),
    matched: numberOf(vector, "expected_matched"),
    clauseStats: statsOf(vector, "expected_clause_stats"),
  });
}

function checkRedaction(vector: VectorObject): void {
  const keys = listOf(vector, "redact_keys").map(String);
  const redacted = redactPredicateReport(reportOf(recordOf(vector, "report")), keys);
  assert.deepEqual(redacted, reportOf(recordOf(vector, "redacted_report")));
}

function checkEnvelope(vector: VectorObject, name: unknown): void {
  const header = createPredicateHeader(predicateOf(vector));
  assert.equal(header[0], name);
  assert.equal(new TextDecoder().decode(header[1]), formatWire(recordOf(vector, "wire")));
  const read = readPredicateHeader([["other", header[1]], header]);
  assert.ok(read.kind === "predicate");
  assert.deepEqual(encodePredicate(read.predicate), header[1]);
}

function predicateOf(vector: VectorObject): Predicate {
  // The file's numbers lost their fraction when it was read; a receiver takes them without it too.
  const text = JSON.stringify(recordOf(vector, "wire"));
  const decoded = decodePredicate(utf8(text));
  if (!decoded.ok) throw new Error(`it decodes: ${decoded.fault}`);
  return decoded.predicate;
}

/** The JSON as the reference writes it: numbers of clauses with a fraction. */
function formatWire(wire: VectorObject): string {
  const nodes = listOf(wire, "nodes").map((node) =>
    JSON.stringify(node).replace(/"(threshold|min|max)":(-?[0-9]+)(?=[,}])/g, '"$1":$2.0')
  );
  return `{"nodes":[${nodes.join(",")}],"root_idx":${integerOf(wire, "root_idx")}}`;
}

function setOf(vector: VectorObject): CapabilitySet {
  const metadata = recordOf(vector, "metadata");
  return createCapabilitySet(
    listOf(vector, "tags").map(String),
    Object.keys(metadata).map((key) => [key, textOf(metadata, key)] as const),
  );
}

function traceOf(vector: VectorObject): ClauseTrace {
  return {
    label: textOf(vector, "label"),
    result: booleanOf(vector, "result"),
    children: listOf(vector, "children").map((child) => traceOf(objectOf(child, "child"))),
  };
}

function reportOf(vector: VectorObject): PredicateReport {
  return {
    totalCandidates: numberOf(vector, "total_candidates"),
    matched: numberOf(vector, "matched"),
    clauseStats: statsOf(vector, "clause_stats"),
  };
}

function statsOf(vector: VectorObject, field: string): PredicateReport["clauseStats"] {
  return listOf(vector, field).map((item) => {
    const stats = objectOf(item, field);
    return {
      label: textOf(stats, "label"),
      evaluated: numberOf(stats, "evaluated"),
      matched: numberOf(stats, "matched"),
    };
  });
}
