/** Bodies of the aggregator services, as the core asks for them and reads them. */

import assert from "node:assert/strict";
import { formatSubnetId } from "../../../src/base/mod.ts";
import {
  type AggregatorGroup,
  decodeFoldQueryReply,
  decodeFoldQueryRequest,
  decodeRegistryReply,
  decodeRegistryRequest,
  encodeFoldQueryReply,
  encodeFoldQueryRequest,
  encodeRegistryReply,
  encodeRegistryRequest,
  type FoldSummary,
  formatRegistryError,
  formatUnknownKind,
  SummaryCache,
} from "../../../src/core/capability/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { bytesOf, has, textOf, type VectorObject } from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const AGGREGATOR_RPC_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/aggregator_rpc.json": () => {
    const cache = new SummaryCache();
    return {
      cases: (vector) => {
        const call = textOf(vector, "call");
        if (!call.startsWith("query")) checkRegistry(vector);
        else if (has(vector, "request_hex")) checkFoldQuery(vector, cache);
        else checkCached(vector, cache);
      },
    };
  },
};

const TARGET = 1n;

function checkFoldQuery(vector: VectorObject, cache: SummaryCache): void {
  const request = decodeFoldQueryRequest(bytesOf(vector, "request_hex"));
  assert.ok(request !== undefined, "the request decodes");
  assert.equal(encodeFoldQueryRequest(request).toHex(), textOf(vector, "request_hex"));
  assert.equal(request.op, textOf(vector, "call") === "queryLatest" ? "latest" : "now");
  const reply = decodeFoldQueryReply(bytesOf(vector, "reply_hex"));
  assert.ok(reply !== undefined, "the reply decodes");
  assert.equal(encodeFoldQueryReply(reply).toHex(), textOf(vector, "reply_hex"));
  switch (reply.kind) {
    case "summaries":
      assert.equal(reply.foldKind, request.kind);
      assert.deepEqual(reply.summaries.map(shown), vector.decoded);
      cache.set(TARGET, request.kind, reply.summaries, 0);
      return;
    case "unknown_kind":
      assert.equal(formatUnknownKind(reply.foldKind), textOf(vector, "error"));
      return;
    case "decode_failed":
      assert.equal(`agg:codec: server-decode: ${reply.text}`, textOf(vector, "error"));
      return;
    case "detail":
      assert.fail("the core has no such answer");
  }
}

/** Answered within 5 s of the case before. */
function checkCached(vector: VectorObject, cache: SummaryCache): void {
  assert.deepEqual(cache.get(TARGET, 1, 4_999)?.map(shown), vector.decoded);
  assert.equal(cache.get(TARGET, 1, 5_000), undefined);
}

function checkRegistry(vector: VectorObject): void {
  const request = decodeRegistryRequest(bytesOf(vector, "request_hex"));
  assert.ok(request !== undefined, "the request decodes");
  assert.equal(encodeRegistryRequest(request).toHex(), textOf(vector, "request_hex"));
  assert.equal(request.op, textOf(vector, "call"));
  const bytes = bytesOf(vector, "reply_hex");
  const reply = decodeRegistryReply(bytes);
  if (reply === undefined) {
    assert.match(textOf(vector, "error"), /^agg:codec: /);
    return;
  }
  // Behind an error that has no text the vector has one, of which nobody takes notice.
  const encoded = encodeRegistryReply(reply);
  assert.equal(encoded.toHex(), bytes.subarray(0, encoded.length).toHex());
  switch (reply.kind) {
    case "error":
      assert.equal(formatRegistryError(reply.error), textOf(vector, "error"));
      return;
    case "unregistered":
      assert.equal(reply.existed, vector.decoded);
      break;
    case "groups":
      assert.deepEqual(reply.groups.map(shownGroup), vector.decoded);
      break;
    default:
      assert.deepEqual(shownGroup(reply.group), vector.decoded);
  }
  assert.equal(encoded.length, bytes.length);
}

/** A summary as the vectors write it. */
function shown(summary: FoldSummary): object {
  return {
    foldKind: summary.foldKind,
    sourceSubnet: formatSubnetId(summary.sourceSubnet),
    generation: String(summary.generation),
    buckets: summary.buckets.map(({ name, count }) => ({ name, count: String(count) })),
  };
}

/** A group as the vectors write it. */
function shownGroup(group: AggregatorGroup): object {
  return {
    name: group.name,
    groupSeedFingerprintHex: group.seedFingerprint.toHex(),
    replicas: group.replicas.map(({ generation, isHealthy, diagnostic, placementNodeId }) => ({
      generation: String(generation),
      healthy: isHealthy,
      ...(diagnostic === undefined ? {} : { diagnostic }),
      ...(placementNodeId === undefined ? {} : { placementNodeId: String(placementNodeId) }),
    })),
  };
}
