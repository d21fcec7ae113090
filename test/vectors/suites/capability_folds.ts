/** Fold envelopes, made here and captured from the core. */

import assert from "node:assert/strict";
import {
  type AnyFoldEnvelope,
  decodeFoldEnvelope,
  encodeFoldEnvelope,
  foldSigningBytes,
  signFoldEnvelope,
  verifyFoldEnvelope,
} from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  integerOf,
  numberOf,
  objectOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const CAPABILITY_FOLD_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/fold_envelopes.json": (document) => {
    const publisher = bytesOf(objectOf(document, "file"), "publisher_entity_id_hex");
    return {
      cases: checkEnvelope,
      captured_from_core: (vector) => checkCaptured(vector, publisher),
    };
  },
};

/** The identity that the envelopes which were not captured are signed with. */
const SEED = new Uint8Array(32).fill(9);

function checkEnvelope(vector: VectorObject): void {
  const envelope = decode(bytesOf(vector, "envelope_hex"));
  assert.equal(envelope.kind, numberOf(vector, "kind"));
  assert.equal(envelope.classHash, integerOf(vector, "class"));
  assert.equal(envelope.nodeId, integerOf(vector, "node_id"));
  assert.equal(envelope.generation, integerOf(vector, "generation"));
  assert.equal(envelope.announcedAtUs, integerOf(vector, "announced_at_us"));
  assert.equal(envelope.ttlSeconds, numberOf(vector, "ttl_secs"));
  assert.equal(envelope.flags, numberOf(vector, "flags"));
  assert.equal(foldSigningBytes(envelope).toHex(), textOf(vector, "signing_bytes_hex"));
  const identity = createIdentity(SEED);
  const isGood = verifyFoldEnvelope(envelope, identity.entityId) === undefined;
  assert.equal(isGood, booleanOf(vector, "accepted_by_core"));
  const again = signFoldEnvelope({ ...envelope, signature: undefined }, identity);
  assert.equal(encodeFoldEnvelope(again).toHex(), textOf(vector, "envelope_hex"));
}

function checkCaptured(vector: VectorObject, publisher: Uint8Array): void {
  const envelope = decode(bytesOf(vector, "hex"));
  const isGood = verifyFoldEnvelope(envelope, publisher) === undefined;
  assert.equal(isGood, booleanOf(vector, "signature_ok"));
  const name = textOf(vector, "name");
  assert.equal(envelope.classHash, 0n);
  assert.equal(envelope.ttlSeconds, undefined);
  if (envelope.kind === 4) {
    const { host, ...payload } = envelope.payload;
    assert.equal(host, envelope.nodeId);
    const told = { id: 5n, units: [1, 2], capabilities: ["x"], load: 0.5, p50LatencyUs: 300 };
    assert.deepEqual(payload, told, name);
    return;
  }
  assert.equal(envelope.kind, 3, name);
  if (envelope.kind !== 3) return;
  const { resourceId, state } = envelope.payload;
  assert.equal(resourceId, 5n);
  if (state.kind === "reserved") {
    assert.ok(name.includes(`Reserved until ${state.untilUs}`), name);
    assert.equal(state.holder, envelope.nodeId);
  } else assert.ok(state.kind === "free" && name.includes("Free"), name);
}

function decode(bytes: Uint8Array): AnyFoldEnvelope {
  const decoded = decodeFoldEnvelope(bytes);
  if (!decoded.ok) throw new Error(`it decodes: ${decoded.fault}`);
  assert.equal(encodeFoldEnvelope(decoded.envelope).toHex(), bytes.toHex());
  return decoded.envelope;
}
