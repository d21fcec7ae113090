/** Identities and their signatures; names of channels. */

import assert from "node:assert/strict";
import { idToHex, utf8 } from "../../../src/base/mod.ts";
import {
  channelPublishStreamId,
  createIdentity,
  deriveChannelHash,
  deriveNodeId,
  deriveOriginHash,
  deriveRoutingId,
  isValidChannelName,
  verifySignature,
} from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, integerOf, numberOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const IDENTITY_SUITES: Readonly<Record<string, VectorSuite>> = {
  "identity/identities.json": () => ({ cases: checkIdentity }),
  "identity/channel_names.json": () => ({ valid: checkChannelName, invalid: checkRefusedName }),
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

function checkChannelName(vector: VectorObject): void {
  const name = textOf(vector, "name");
  assert.ok(isValidChannelName(name), name);
  const hash = deriveChannelHash(name);
  assert.equal(hash, integerOf(vector, "hash"));
  assert.equal(Number(hash & 0xffffn), numberOf(vector, "wire_hash_u16"));
  assert.equal(idToHex(channelPublishStreamId(hash)), textOf(vector, "publish_stream_id_hex"));
}

function checkRefusedName(vector: VectorObject): void {
  const name = textOf(vector, "name");
  assert.ok(!isValidChannelName(name), name);
}
