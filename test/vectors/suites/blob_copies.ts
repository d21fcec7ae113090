/** The calls by which nodes ask for copies, and who has what (docs/replicas.md). */
import assert from "node:assert/strict";
import {
  COPY_REFUSALS,
  type CopyReply,
  decodeCopyReply,
  decodeCopyRequest,
  decodeHoldsAnswer,
  decodeHoldsQuestion,
  encodeCopyReply,
  encodeCopyRequest,
  encodeHoldsAnswer,
  encodeHoldsQuestion,
  holderTag,
  holderTagsOf,
  HOLDINGS,
} from "../../../src/blob/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  hexBytes,
  integerOf,
  listOf,
  numberOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Cases of `docs/vectors/blob_copies.json`. */
export const BLOB_COPIES_SUITE: VectorSuite = () => ({
  requests: (vector) => {
    const request = {
      address: bytesOf(vector, "address"),
      sizeBytes: integerOf(vector, "size"),
      isDirectory: booleanOf(vector, "directory"),
      copies: numberOf(vector, "copies"),
      ref: bytesOf(vector, "ref"),
      sources: listOf(vector, "sources").map((id) => BigInt(`0x${id}`)),
    };
    assert.deepEqual(encodeCopyRequest(request), bytesOf(vector, "bytes"));
    assert.deepEqual(decodeCopyRequest(bytesOf(vector, "bytes")), request);
  },
  refused_requests: (vector) =>
    assert.equal(decodeCopyRequest(bytesOf(vector, "bytes")), undefined),
  replies: (vector) => {
    const reply = replyOf(vector);
    assert.deepEqual(encodeCopyReply(reply), bytesOf(vector, "bytes"));
    assert.deepEqual(decodeCopyReply(bytesOf(vector, "bytes")), reply);
  },
  refused_replies: (vector) => assert.equal(decodeCopyReply(bytesOf(vector, "bytes")), undefined),
  questions: (vector) => {
    const hashes = listOf(vector, "hashes").map((hash) => hexBytes(hash, "hash"));
    assert.deepEqual(encodeHoldsQuestion(hashes), bytesOf(vector, "bytes"));
    assert.deepEqual(decodeHoldsQuestion(bytesOf(vector, "bytes")), hashes);
  },
  refused_questions: (vector) =>
    assert.equal(decodeHoldsQuestion(bytesOf(vector, "bytes")), undefined),
  answers: (vector) => {
    const held = listOf(vector, "held").map((name) => oneOf(HOLDINGS, name));
    assert.deepEqual(encodeHoldsAnswer(held), bytesOf(vector, "bytes"));
    assert.deepEqual(decodeHoldsAnswer(bytesOf(vector, "bytes"), held.length), held);
  },
  refused_answers: (vector) =>
    assert.equal(
      decodeHoldsAnswer(bytesOf(vector, "bytes"), numberOf(vector, "count")),
      undefined,
    ),
  tags: (vector) => {
    assert.equal(holderTag(bytesOf(vector, "hash")), textOf(vector, "tag"));
    assert.deepEqual(holderTagsOf(bytesOf(vector, "hash")), listOf(vector, "tags"));
  },
});

function replyOf(vector: VectorObject): CopyReply {
  const kind = textOf(vector, "kind");
  if (kind === "refused") return { kind, reason: oneOf(COPY_REFUSALS, textOf(vector, "reason")) };
  if (kind === "held") {
    return { kind, chunks: integerOf(vector, "chunks"), bytes: integerOf(vector, "stored") };
  }
  assert.equal(kind, "progress");
  const [doneBytes, totalBytes] = [integerOf(vector, "done"), integerOf(vector, "total")];
  return { kind: "progress", doneBytes, totalBytes };
}

function oneOf<Name extends string>(names: readonly Name[], given: unknown): Name {
  const name = names.find((known) => known === given);
  assert.ok(name !== undefined, `there is no "${given}"`);
  return name;
}
