/** The call by which a node asks for the proof of a chunk and the promise to keep it (docs/blob-flow.md). */
import assert from "node:assert/strict";
import {
  decodeHoldReply,
  decodeHoldRequest,
  encodeHoldReply,
  encodeHoldRequest,
  HOLD_KINDS,
  type HoldReply,
  proofOf,
} from "../../../src/blob/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Cases of `docs/vectors/blob_promises.json`. */
export const BLOB_PROMISES_SUITE: VectorSuite = () => ({
  requests: (vector) => {
    const kind = HOLD_KINDS.find((name) => name === textOf(vector, "kind"));
    assert.ok(kind !== undefined);
    const request = { kind, hash: bytesOf(vector, "hash"), nonce: bytesOf(vector, "nonce") };
    assert.deepEqual(encodeHoldRequest(request), bytesOf(vector, "bytes"));
    assert.deepEqual(decodeHoldRequest(bytesOf(vector, "bytes")), request);
  },
  refused_requests: (vector) =>
    assert.equal(decodeHoldRequest(bytesOf(vector, "bytes")), undefined),
  replies: (vector) => {
    const reply = replyOf(vector);
    assert.deepEqual(encodeHoldReply(reply), bytesOf(vector, "bytes"));
    assert.deepEqual(decodeHoldReply(bytesOf(vector, "bytes")), reply);
  },
  refused_replies: (vector) => assert.equal(decodeHoldReply(bytesOf(vector, "bytes")), undefined),
  proofs: (vector) =>
    assert.deepEqual(
      proofOf(bytesOf(vector, "nonce"), bytesOf(vector, "chunk")),
      bytesOf(vector, "proof"),
    ),
});

function replyOf(vector: VectorObject): HoldReply {
  const kind = textOf(vector, "kind");
  if (kind === "proven") return { kind, proof: bytesOf(vector, "proof") };
  assert.ok(kind === "absent" || kind === "refused");
  return { kind };
}
