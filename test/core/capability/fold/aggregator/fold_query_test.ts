import assert from "node:assert/strict";
import { PostcardWriter } from "../../../../../src/base/mod.ts";
import fc from "fast-check";
import {
  Aggregator,
  aggregatorTags,
  announcedMembership,
  createFoldQueryHandler,
  decodeDetailQuery,
  decodeFoldQueryReply,
  decodeFoldQueryRequest,
  type DetailQuery,
  encodeDetailQuery,
  encodeFoldEnvelope,
  encodeFoldQueryRequest,
  FoldSet,
  type FoldSummary,
  GLOBAL_REACH,
  healthyReplicas,
  isDetailMatch,
  nearestReplica,
  SummaryCache,
  verifyFoldEnvelope,
} from "../../../../../src/core/capability/mod.ts";
import { ManualClock } from "../../../../sim/manual_clock.ts";
import { identityOf, sample } from "../../samples.ts";
import { islandOf, membershipOf, reservationOf, routeOf, signedBy } from "../fold_samples.ts";

const CALLER = 99n;
const NONE = new Uint8Array(0);

function start(reach = GLOBAL_REACH) {
  const folds = new FoldSet({ clock: new ManualClock() }, { nodeId: 42n });
  const published: FoldSummary[] = [];
  const aggregator = new Aggregator(
    { folds, locate: () => undefined },
    { sourceSubnet: 0, foldKinds: [1] },
    0,
  );
  const handle = createFoldQueryHandler({
    folds,
    aggregator,
    reach,
    publish: (news) => void published.push(...news),
  });
  const ask = (bytes: Uint8Array) => decodeFoldQueryReply(handle(bytes, CALLER));
  const detail = (
    query: DetailQuery,
    more: { cursor?: Uint8Array; limit?: number; classHash?: bigint } = {},
  ) => {
    const request = encodeFoldQueryRequest({
      op: "detail",
      kind: query.kind,
      classHash: more.classHash,
      query: encodeDetailQuery(query),
      limit: more.limit ?? 0,
      cursor: more.cursor ?? NONE,
    });
    const reply = ask(request);
    assert.ok(reply?.kind === "detail");
    return reply;
  };
  return { folds, published, aggregator, ask, detail };
}

Deno.test("createFoldQueryHandler() answers with summaries, kept and made now", () => {
  const { folds, published, aggregator, ask } = start();
  folds.apply(membershipOf({ nodeId: 1n }));
  const latest = encodeFoldQueryRequest({ op: "latest", kind: 1 });
  const now = encodeFoldQueryRequest({ op: "now", kind: 1 });
  assert.deepEqual(ask(latest), { kind: "summaries", foldKind: 1, summaries: [] });
  const reply = ask(now);
  assert.deepEqual(reply, { kind: "summaries", foldKind: 1, summaries: aggregator.latest(1) });
  assert.deepEqual(published, aggregator.latest(1));
  assert.deepEqual(ask(latest), reply);
  assert.deepEqual(ask(now), reply);
  assert.equal(published.length, 1);
  const unknown = encodeFoldQueryRequest({ op: "latest", kind: 9 });
  assert.deepEqual(ask(unknown), { kind: "unknown_kind", foldKind: 9 });
  assert.equal(ask(Uint8Array.of(1))?.kind, "decode_failed");
  assert.equal(ask(Uint8Array.of(1, 7))?.kind, "decode_failed");
});

Deno.test("createFoldQueryHandler() answers with entries that can be verified", () => {
  const { folds, detail } = start();
  const identity = identityOf(1);
  const signed = signedBy(identity, islandOf({}, { host: identity.nodeId }));
  folds.receive(encodeFoldEnvelope(signed), identity.entityId);
  folds.apply(announcedMembership(sample(), sample().capabilities));
  const { entries: [entry], total, cursor } = detail({ kind: 4 });
  assert.ok(entry?.publisher !== undefined);
  assert.deepEqual(entry.envelope, signed);
  assert.equal(verifyFoldEnvelope(entry.envelope, entry.publisher), undefined);
  assert.deepEqual([total, entry.leftMs, cursor.length], [1, 30_000, 0]);
  const [announced] = detail({ kind: 1, tagsAll: ["gpu"] }).entries;
  assert.deepEqual([announced?.publisher, announced?.envelope.signature], [undefined, undefined]);
  assert.equal(announced?.envelope.nodeId, identity.nodeId);
});

Deno.test("createFoldQueryHandler() answers a page at a time, each entry once", () => {
  const { folds, detail } = start();
  for (let nodeId = 1n; nodeId <= 100n; nodeId++) {
    folds.apply(membershipOf({ nodeId, classHash: nodeId % 2n }, { tags: ["x".repeat(100)] }));
  }
  for (const limit of [0, 7]) {
    const seen = new Set<bigint>();
    let cursor: Uint8Array = NONE;
    for (let pages = 0; pages < 60; pages++) {
      const reply = detail({ kind: 1 }, { cursor, limit, classHash: 1n });
      assert.equal(reply.total, 50);
      for (const { envelope } of reply.entries) {
        assert.ok(!seen.has(envelope.nodeId));
        seen.add(envelope.nodeId);
      }
      cursor = reply.cursor;
      if (cursor.length === 0) break;
      assert.ok(limit === 0 || reply.entries.length === limit);
    }
    assert.equal(seen.size, 50);
  }
});

Deno.test("createFoldQueryHandler() keeps from the caller what may not come to it", () => {
  const { folds, detail } = start({
    mayReach: (_kind, publisher, target) => target !== CALLER || publisher !== 1n,
  });
  for (const nodeId of [1n, 2n]) folds.apply(membershipOf({ nodeId }));
  const { entries, total } = detail({ kind: 1 });
  assert.deepEqual([entries.map(({ envelope }) => envelope.nodeId), total], [[2n], 1]);
});

Deno.test("isDetailMatch() asks each kind its own questions", () => {
  const held = { kind: "reserved", holder: 1n, untilUs: 9n } as const;
  const member = membershipOf({}, { tags: ["a", "b"], state: "busy", region: "eu" });
  const cases: readonly [DetailQuery, Parameters<typeof isDetailMatch>[1], boolean][] = [
    [{ kind: 1 }, member, true],
    [{ kind: 1, tagsAll: ["a", "b"], state: "busy", region: "eu" }, member, true],
    [{ kind: 1, tagsAll: ["a", "c"] }, member, false],
    [{ kind: 1, tagsAny: ["c", "b"] }, member, true],
    [{ kind: 1, tagsAny: ["c"] }, member, false],
    [{ kind: 1, state: "idle" }, member, false],
    [{ kind: 1, region: "us" }, member, false],
    [{ kind: 1 }, routeOf(), false],
    [{ kind: 2, destination: 50n, metricMax: 3 }, routeOf(), true],
    [{ kind: 2, metricMax: 2 }, routeOf(), false],
    [{ kind: 2, destination: 51n }, routeOf(), false],
    [{ kind: 3, resourceId: 5n, state: "reserved", holder: 1n }, reservationOf({}, held), true],
    [{ kind: 3, state: "free" }, reservationOf({}, held), false],
    [{ kind: 3, holder: 2n }, reservationOf({}, held), false],
    [{ kind: 3, holder: 2n }, reservationOf({}, { kind: "free" }), false],
    [{ kind: 4, id: 9n, capabilitiesAll: ["x"], loadMax: 0.5 }, islandOf(), true],
    [{ kind: 4, loadMax: 0.4 }, islandOf(), false],
    [{ kind: 4, host: 1n }, islandOf(), false],
  ];
  for (const [query, envelope, isMatch] of cases) {
    const decoded = decodeDetailQuery(query.kind, encodeDetailQuery(query));
    assert.ok(decoded !== undefined);
    assert.equal(isDetailMatch(query, envelope), isMatch, JSON.stringify(query, (_, v) => `${v}`));
    if (query.kind !== 4) assert.equal(isDetailMatch(decoded, envelope), isMatch);
  }
  assert.deepEqual(decodeDetailQuery(3, NONE), { kind: 3 });
  assert.equal(decodeDetailQuery(3, Uint8Array.of(0, 0, 0, 0)), undefined);
  assert.equal(decodeDetailQuery(3, Uint8Array.of(2)), undefined);
});

Deno.test("decodeFoldQueryRequest() reads back what was asked, and never throws", () => {
  const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const bytes = (maxLength: number) =>
    fc.uint8Array({ maxLength }).map((one) => new Uint8Array(one));
  const request = fc.record({
    op: fc.constant("detail" as const),
    kind: fc.nat(0xffff),
    classHash: fc.option(u64, { nil: undefined }),
    query: bytes(50),
    limit: fc.nat(0xffff_ffff),
    cursor: bytes(64),
  }, { noNullPrototype: true });
  fc.assert(fc.property(request, (asked) => {
    const decoded = decodeFoldQueryRequest(encodeFoldQueryRequest(asked));
    assert.deepEqual(decoded && { ...decoded }, { ...asked });
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
    decodeFoldQueryRequest(noise);
    decodeFoldQueryReply(noise);
  }));
});

Deno.test("SummaryCache remembers for a while, per aggregator and kind", () => {
  const cache = new SummaryCache({ ttlMs: 100 });
  const summaries: FoldSummary[] = [];
  cache.set(1n, 1, summaries, 0);
  cache.set(1n, 3, summaries, 0);
  cache.set(2n, 1, summaries, 50);
  assert.equal(cache.get(1n, 1, 99), summaries);
  assert.equal(cache.get(1n, 1, 100), undefined);
  assert.equal(cache.get(2n, 1, 100), summaries);
  cache.invalidate(2n);
  assert.equal(cache.get(2n, 1, 100), undefined);
  cache.set(3n, 1, summaries, 100);
  cache.invalidate();
  assert.equal(cache.get(3n, 1, 100), undefined);
  const none = new SummaryCache({ ttlMs: 0 });
  none.set(1n, 1, summaries, 0);
  assert.equal(none.get(1n, 1, 0), undefined);
});

Deno.test("nearestReplica() is the nearest aggregator of the subnet that is well", () => {
  const SOURCE = 0x01020000;
  const tags = ["x", ...aggregatorTags(SOURCE)];
  assert.deepEqual(aggregatorTags(SOURCE), ["role:aggregator", "aggregates:1.2"]);
  const candidates = [
    { nodeId: 9n, tags, isHealthy: true, rttMs: undefined },
    { nodeId: 8n, tags, isHealthy: true, rttMs: undefined },
    { nodeId: 1n, tags, isHealthy: false, rttMs: 1 },
    { nodeId: 2n, tags: aggregatorTags(0), isHealthy: true, rttMs: 1 },
    { nodeId: 3n, tags: ["aggregates:1.2"], isHealthy: true, rttMs: 1 },
    { nodeId: 5n, tags, isHealthy: true, rttMs: 20 },
    { nodeId: 4n, tags, isHealthy: true, rttMs: 20 },
  ];
  assert.equal(nearestReplica(candidates, SOURCE)?.nodeId, 4n);
  assert.deepEqual(healthyReplicas(candidates, SOURCE).map(({ nodeId }) => nodeId), [
    4n,
    5n,
    8n,
    9n,
  ]);
  assert.equal(nearestReplica([], SOURCE), undefined);
});

Deno.test("decodeFoldQueryReply() leaves out entries that last longer than numbers count", () => {
  const bytes = new PostcardWriter().varint(2).varint(1).varint(1).varint(1)
    .varint((1n << 64n) - 1n).u8(0).byteVector(new Uint8Array(40)).byteVector(new Uint8Array(0))
    .finish();
  const reply = decodeFoldQueryReply(bytes);
  assert.ok(reply === undefined || (reply.kind === "detail" && reply.entries.length === 0));
});
