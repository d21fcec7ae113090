/** Capability sets: validation, and what changed from one to another. */

import assert from "node:assert/strict";
import {
  type CapabilitySet,
  createCapabilitySet,
  diffCapabilities,
  METADATA_SOFT_CAP_BYTES,
  validateCapabilities,
} from "../../../src/core/capability/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const CAPABILITY_SET_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/capability_validation.json": (document) => {
    const softCap = numberOf(objectOf(document, "file"), "schema_metadata_soft_cap_bytes");
    assert.equal(softCap, METADATA_SOFT_CAP_BYTES);
    return { cases: checkValidation };
  },
  "capability/capability_set_diff.json": () => ({ cases: checkDiff }),
};

function checkValidation(vector: VectorObject): void {
  const { errors, warnings } = validateCapabilities(setOf(vector, "caps"));
  assert.deepEqual(errors, listOf(vector, "expected_errors"));
  assert.deepEqual(warnings, listOf(vector, "expected_warnings"));
}

function checkDiff(vector: VectorObject): void {
  const diff = diffCapabilities(setOf(vector, "prev"), setOf(vector, "curr"));
  assert.deepEqual(diff.added_tags, listOf(vector, "expected_added_tags"));
  assert.deepEqual(diff.removed_tags, listOf(vector, "expected_removed_tags"));
  assert.deepEqual(diff.metadata_changes, listOf(vector, "expected_metadata_changes"));
}

function setOf(vector: VectorObject, field: string): CapabilitySet {
  const value = recordOf(vector, field);
  const tags = listOf(value, "tags").map((tag) => {
    assert.ok(typeof tag === "string");
    return tag;
  });
  const metadata = recordOf(value, "metadata");
  return createCapabilitySet(
    tags,
    Object.keys(metadata).map((key) => [key, textOf(metadata, key)]),
  );
}
