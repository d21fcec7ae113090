/** Placement scores. */

import assert from "node:assert/strict";
import {
  type Artifact,
  type CapabilitySet,
  createCandidateSource,
  createCapabilitySet,
  createIntentRegistry,
  PlacementFilters,
  type PlacementPolicy,
  preparePlacement,
} from "../../../src/core/capability/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { has, listOf, recordOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const PLACEMENT_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/placement_score.json": () => ({ cases: checkScore }),
};

function checkScore(vector: VectorObject): void {
  const candidate = recordOf(vector, "candidate");
  const source = createCandidateSource([{
    nodeId: BigInt(textOf(candidate, "node_id")),
    capabilities: setOf(candidate),
  }]);
  const knowledge = { intents: createIntentRegistry(), filters: new PlacementFilters() };
  const score = preparePlacement(policyOf(recordOf(vector, "config")), artifactOf(vector), {
    source,
    knowledge,
  })(0);
  const expected = vector["expected_score"];
  if (expected === null) {
    assert.equal(score, undefined);
    return;
  }
  assert.ok(typeof expected === "number" && score !== undefined);
  assert.ok(Math.abs(score - expected) < 1e-6, `${score}, must be ${expected}`);
}

function policyOf(config: VectorObject): PlacementPolicy {
  const known = ["scope_filter"];
  assert.deepEqual(Object.keys(config).filter((name) => !known.includes(name)), []);
  return has(config, "scope_filter") ? { scopes: listOf(config, "scope_filter").map(String) } : {};
}

function artifactOf(vector: VectorObject): Artifact {
  const artifact = recordOf(vector, "artifact");
  assert.equal(textOf(artifact, "kind"), "daemon");
  const [required, optional] = [recordOf(artifact, "required"), recordOf(artifact, "optional")];
  return { kind: "daemon", required: setOf(required), optional: setOf(optional) };
}

function setOf(vector: VectorObject): CapabilitySet {
  const metadata = recordOf(vector, "metadata");
  return createCapabilitySet(
    listOf(vector, "tags").map(String),
    Object.keys(metadata).map((key) => [key, textOf(metadata, key)] as const),
  );
}
