/** Derivations and the replay window: identity, channel hash, session keys, counters. */

import assert from "node:assert/strict";
import { highHalf, idToHex, lowHalf } from "../../../src/base/mod.ts";
import {
  channelPublishStreamId,
  createIdentity,
  deriveChannelHash,
  isValidChannelName,
  ReplayWindow,
} from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  integer,
  integerOf,
  listOf,
  numberOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import { checkSessionKeys } from "./_session_keys.ts";

/** Suites of this file by vector file. */
export const WIRE_CRYPTO_SUITES: Readonly<Record<string, VectorSuite>> = {
  "wire/identity.json": () => ({ vectors: checkIdentity }),
  "wire/channelhash.json": () => ({ vectors: checkChannelHash }),
  "wire/kdf.json": () => ({
    vectors: (vector) => checkSessionKeys(vector, bytesOf(vector, "handshake_hash")),
  }),
  "wire/replay.json": () => ({ vectors: checkReplay }),
};

function checkIdentity(vector: VectorObject): void {
  const identity = createIdentity(bytesOf(vector, "seed"));
  assert.equal(identity.entityId.toHex(), textOf(vector, "entity_id"));
  assert.equal(identity.nodeId, integerOf(vector, "node_id"));
  assert.equal(idToHex(identity.nodeId), textOf(vector, "node_id_hex"));
  assert.equal(littleEndian(identity.nodeId), textOf(vector, "node_id_le_bytes"));
  assert.equal(identity.originHash, integerOf(vector, "origin_hash"));
  assert.equal(idToHex(identity.originHash), textOf(vector, "origin_hash_hex"));
  assert.equal(littleEndian(identity.originHash), textOf(vector, "origin_hash_le_bytes"));
  assert.equal(identity.routingId, numberOf(vector, "routing_id"));
}

function littleEndian(id: bigint): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, id, true);
  return bytes.toHex();
}

function checkChannelHash(vector: VectorObject): void {
  const name = textOf(vector, "name");
  assert.ok(isValidChannelName(name), "is a channel name");
  const hash = deriveChannelHash(name);
  assert.equal(hash, integerOf(vector, "canonical"));
  assert.equal(idToHex(hash), textOf(vector, "canonical_hex"));
  assert.equal(lowHalf(hash) & 0xffff, numberOf(vector, "wire_u16"));
  const streamId = channelPublishStreamId(hash);
  assert.equal(streamId, integerOf(vector, "publish_stream_id"));
  assert.equal(idToHex(streamId), textOf(vector, "publish_stream_id_hex"));
}

function checkReplay(vector: VectorObject): void {
  const window = new ReplayWindow();
  const accepted = listOf(vector, "counters").map((value) => {
    const counter = integer(value, "counter");
    return window.accept(lowHalf(counter), highHalf(counter));
  });
  assert.deepEqual(accepted, listOf(vector, "accept"));
}
