/** Decoders of aggregators: summaries, questions and answers, orders to the registry. */

import {
  type AggregatorGroup,
  decodeDetailQuery,
  decodeFoldQueryReply,
  decodeFoldQueryRequest,
  decodeRegistryReply,
  decodeRegistryRequest,
  decodeSummary,
  encodeDetailQuery,
  encodeFoldQueryReply,
  encodeFoldQueryRequest,
  encodeRegistryReply,
  encodeRegistryRequest,
  encodeSummary,
  FOLD_KINDS,
  type FoldQueryRequest,
  signFoldEnvelope,
} from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const identity = createIdentity(new Uint8Array(32).fill(6));
/** Lists of short names with numbers that are bigints. */
const RICH = { factor: 64, base: 4_096 };

const SUMMARY = {
  sourceSubnet: 0x01020000,
  foldKind: 1,
  generation: 5n,
  buckets: [{ name: "busy", count: 1n }, { name: "class/0xab/idle", count: 300n }],
};

const GROUP: AggregatorGroup = {
  name: "agg-1",
  seedFingerprint: new Uint8Array(8).fill(0xa1),
  sourceSubnet: 0x01020000,
  foldKinds: [1, 3],
  replicas: [
    { generation: 7n, isHealthy: true, diagnostic: undefined, placementNodeId: undefined },
    { generation: 8n, isHealthy: false, diagnostic: "sick", placementNodeId: 1n << 60n },
  ],
};

/** What a decoder reads, its encoder writes so that it reads the same again. */
function stable<T>(
  corpus: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (value: T) => Uint8Array,
): FuzzTarget {
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const value = decode(bytes);
      if (value === undefined) return undefined;
      const once = encode(value);
      const again = decode(once);
      if (again === undefined) throw new Error(`What was accepted is refused as ${once.toHex()}`);
      assertSame(encode(again), once);
      return value;
    },
  };
}

const summaryTarget = () => stable([encodeSummary(SUMMARY)], decodeSummary, encodeSummary);

function requestTarget(): FuzzTarget {
  const query = encodeDetailQuery({ kind: 1, tagsAll: ["gpu"], state: "idle" });
  const requests: readonly FoldQueryRequest[] = [
    { op: "latest", kind: 1 },
    { op: "now", kind: 3 },
    {
      op: "detail",
      kind: 1,
      classHash: 7n,
      query,
      limit: 9,
      cursor: new TextEncoder().encode("a/0/1"),
    },
  ];
  const corpus = requests.map(encodeFoldQueryRequest);
  return stable(corpus, decodeFoldQueryRequest, encodeFoldQueryRequest);
}

function replyTarget(): FuzzTarget {
  const envelope = signFoldEnvelope({
    kind: 3,
    classHash: 0n,
    nodeId: identity.nodeId,
    generation: 1n,
    announcedAtUs: 1n,
    ttlSeconds: undefined,
    flags: 0,
    payload: { resourceId: 5n, state: { kind: "free" } },
    signature: undefined,
  }, identity);
  const entries = [
    { envelope, publisher: identity.entityId, leftMs: 30_000 },
    { envelope: { ...envelope, signature: undefined }, publisher: undefined, leftMs: 1 },
  ];
  const corpus = [
    encodeFoldQueryReply({ kind: "summaries", foldKind: 1, summaries: [SUMMARY] }),
    encodeFoldQueryReply({ kind: "unknown_kind", foldKind: 9 }),
    encodeFoldQueryReply({ kind: "decode_failed", text: "bad bytes" }),
    encodeFoldQueryReply({
      kind: "detail",
      foldKind: 3,
      total: 2,
      entries,
      cursor: new Uint8Array([1]),
    }),
  ];
  return stable(corpus, decodeFoldQueryReply, encodeFoldQueryReply);
}

function detailQueryTarget(): FuzzTarget {
  const corpus = [
    encodeDetailQuery({ kind: 1, tagsAll: ["a"], tagsAny: ["b", "c"], region: "eu" }),
    encodeDetailQuery({ kind: 2, destination: 5n, metricMax: 3 }),
    encodeDetailQuery({ kind: 3, resourceId: 5n, state: "reserved", holder: 1n }),
    encodeDetailQuery({ kind: 4, id: 5n, capabilitiesAll: ["x"], loadMax: 0.5 }),
  ];
  return {
    corpus,
    growth: RICH,
    feed: (bytes, random) => decodeDetailQuery(random.pick(FOLD_KINDS), bytes),
  };
}

function registryRequestTarget(): FuzzTarget {
  const corpus = [
    encodeRegistryRequest({ op: "list" }),
    encodeRegistryRequest({ op: "spawn", template: "tmpl", group: "agg-2", replicas: 3 }),
    encodeRegistryRequest({ op: "unregister", group: "agg-2" }),
    encodeRegistryRequest({ op: "scale", group: "agg-2", template: "tmpl", replicas: 5 }),
  ];
  return stable(corpus, decodeRegistryRequest, encodeRegistryRequest);
}

function registryReplyTarget(): FuzzTarget {
  const corpus = [
    encodeRegistryReply({ kind: "groups", groups: [GROUP, { ...GROUP, replicas: [] }] }),
    encodeRegistryReply({ kind: "spawned", group: GROUP }),
    encodeRegistryReply({ kind: "unregistered", existed: true }),
    encodeRegistryReply({ kind: "error", error: { kind: "unknown-group", text: "d5" } }),
    encodeRegistryReply({ kind: "error", error: { kind: "unauthorized", text: "" } }),
  ];
  return stable(corpus, decodeRegistryReply, encodeRegistryReply);
}

/** Targets of this file by name. */
export const AGGREGATOR_TARGETS: Readonly<Record<string, CreateTarget>> = {
  fold_summary: summaryTarget,
  fold_query_request: requestTarget,
  fold_query_reply: replyTarget,
  fold_detail_query: detailQueryTarget,
  aggregator_registry_request: registryRequestTarget,
  aggregator_registry_reply: registryReplyTarget,
};
