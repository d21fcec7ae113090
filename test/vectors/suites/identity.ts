/** Identities and their signatures. */

import assert from "node:assert/strict";
import { idToHex, utf8 } from "../../../src/base/mod.ts";
import {
  createIdentity,
  deriveNodeId,
  deriveOriginHash,
  deriveRoutingId,
  verifySignature,
} from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, integerOf, numberOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const IDENTITY_SUITES: Readonly<Record<string, VectorSuite>> = {
  "identity/identities.json": () => ({ cases: checkIdentity }),
};

function checkIdentity(vector: VectorObject): void {
  const identity = createIdentity(bytesOf(vector, "seed_hex"));
  assert.equal(identity.entityId.toHex(), textOf(vector, "entity_id_hex"));
  assert.equal(identity.nodeId, integerOf(vector, "node_id"));
  assert.equal(idToHex(identity.nodeId), textOf(vector, "node_id_hex"));
  assert.equal(identity.originHash, integerOf(vector, "origin_hash"));
  assert.equal(idToHex(identity.originHash), textOf(vector, "origin_hash_hex"));
  assert.equal(identity.routingId, numberOf(vector, "routing_id"));
  const entityId = bytesOf(vector, "entity_id_hex");
  assert.equal(deriveNodeId(entityId), identity.nodeId);
  assert.equal(deriveOriginHash(entityId), identity.originHash);
  assert.equal(deriveRoutingId(identity.nodeId), identity.routingId);
  const message = utf8("hello");
  const signature = identity.sign(message);
  assert.equal(signature.toHex(), textOf(vector, "signature_over_utf8_hello"));
  assert.ok(verifySignature(entityId, message, signature), "the signature verifies");
}
