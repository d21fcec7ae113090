import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AuditList,
  AuditRing,
  Fold,
  FOLD_RULES,
  type FoldChange,
  type FoldOptions,
  type FoldTime,
} from "../../../../src/core/capability/mod.ts";
import { islandOf, membershipOf, routeOf } from "./fold_samples.ts";

const ME = 42n;
const at = (nowMs: number): FoldTime => ({ nowMs, wallUs: BigInt(nowMs) * 1000n });
const newFold = (options: Partial<FoldOptions> = {}) =>
  new Fold(FOLD_RULES[1], { nodeId: ME, ...options });
/** Each counts as 1024 bytes. */
const WIRE = { wireBytes: 64 };

Deno.test("Fold.apply() inserts, replaces and rejects, and tells of it", () => {
  const audit = new AuditList();
  const fold = newFold({ audit });
  const changes: FoldChange<1>[] = [];
  const off = fold.onChange((change) => changes.push(change));
  assert.equal(fold.apply(membershipOf({ nodeId: 1n }), at(0)).kind, "inserted");
  const newer = membershipOf({ nodeId: 1n, generation: 2n });
  const outcome = fold.apply(newer, at(1));
  assert.ok(outcome.kind === "replaced" && outcome.previous.envelope.generation === 1n);
  assert.deepEqual(fold.apply(newer, at(2)), { kind: "rejected", reason: "stale" });
  assert.equal(fold.apply(membershipOf({ nodeId: 1n, classHash: 3n }), at(2)).kind, "inserted");
  off();
  assert.equal(fold.evictNode(1n, at(3)), 2);
  assert.deepEqual(changes.map(({ cause }) => cause), ["inserted", "replaced", "inserted"]);
  assert.deepEqual(
    audit.events.map(({ action, reason }) => reason ?? action),
    ["created", "replaced", "stale", "created", "evicted", "evicted"],
  );
  const { entries, appliesTotal, ...stats } = fold.stats();
  assert.deepEqual([entries, appliesTotal], [0, 4]);
  assert.deepEqual(stats, {
    kind: 1,
    channelPrefix: "fold:cap:",
    appliesInserted: 2,
    appliesReplaced: 1,
    appliesRejected: 1,
    expiries: 0,
    evictions: 2,
    queries: 0,
  });
});

Deno.test("Fold hides what expired, from readers and from what comes after it", () => {
  const fold = newFold();
  fold.apply(membershipOf({ nodeId: 1n, generation: 9n }), at(0));
  fold.apply(membershipOf({ nodeId: 2n, ttlSeconds: 90 }), at(0));
  assert.notEqual(fold.get("0/1", 59_999), undefined);
  assert.equal(fold.get("0/1", 60_000), undefined);
  assert.deepEqual([...fold.values(60_000)].map(({ key }) => key), ["0/2"]);
  assert.deepEqual(fold.of(1n, 60_000), []);
  assert.equal(fold.size, 2);
  // A publisher that counts from 1 after a restart is heard again.
  assert.equal(fold.apply(membershipOf({ nodeId: 1n }), at(60_000)).kind, "inserted");
  assert.equal(fold.stats().expiries, 1);
  assert.equal(fold.sweep(at(60_001)), 0);
  assert.equal(fold.sweep(at(90_000)), 1);
  assert.equal(fold.sweep(at(120_000)), 1);
  assert.equal(fold.size, 0);
});

Deno.test("Fold.apply() believes no life above a day, and shortens it when asked", () => {
  const fold = newFold();
  fold.apply(membershipOf({ nodeId: 1n, ttlSeconds: 0xffff_ffff }), at(0));
  assert.equal(fold.get("0/1", 24 * 3600 * 1000), undefined);
  fold.apply(membershipOf({ nodeId: 2n }), at(0), { lifeMsMax: 5 });
  assert.notEqual(fold.get("0/2", 4), undefined);
  assert.equal(fold.get("0/2", 5), undefined);
  const dead = membershipOf({ nodeId: 3n, ttlSeconds: 0 });
  assert.deepEqual(fold.apply(dead, at(0)), { kind: "rejected", reason: "expired" });
});

Deno.test("Fold.evict() takes one entry, and says whether there was one", () => {
  const fold = newFold();
  fold.apply(membershipOf({ nodeId: 1n }), at(0));
  assert.ok(fold.evict("0/1", at(1)));
  assert.ok(!fold.evict("0/1", at(1)));
});

Deno.test("Fold.apply() bounds the entries of one publisher, but not this node's", () => {
  const fold = newFold({ entriesPerPublisherMax: 2 });
  const apply = (nodeId: bigint, classHash: bigint, generation = 1n) => {
    const outcome = fold.apply(membershipOf({ nodeId, classHash, generation }), at(0));
    return outcome.kind === "rejected" ? outcome.reason : outcome.kind;
  };
  assert.deepEqual([apply(1n, 1n), apply(1n, 2n), apply(1n, 3n)], [
    "inserted",
    "inserted",
    "publisher_full",
  ]);
  assert.equal(apply(1n, 2n, 2n), "replaced");
  for (let i = 0n; i < 5n; i++) assert.equal(apply(ME, i), "inserted");
  // What expired makes room.
  assert.equal(
    fold.apply(membershipOf({ nodeId: 1n, classHash: 3n }), at(60_000)).kind,
    "inserted",
  );
});

Deno.test("Fold.apply() makes room at the cost of whoever has most", () => {
  const fold = newFold({ bytesMax: 6 * 1024 });
  const apply = (nodeId: bigint, classHash: bigint) => {
    const outcome = fold.apply(membershipOf({ nodeId, classHash }), at(0), WIRE);
    return outcome.kind === "rejected" ? outcome.reason : outcome.kind;
  };
  for (let i = 0n; i < 4n; i++) assert.equal(apply(1n, i), "inserted");
  for (let i = 0n; i < 2n; i++) assert.equal(apply(2n, i), "inserted");
  assert.equal(apply(1n, 9n), "full");
  assert.equal(apply(2n, 9n), "inserted");
  assert.deepEqual([fold.of(1n, 0).length, fold.of(2n, 0).length], [3, 3]);
  assert.equal(fold.get("0/1", 0), undefined, "the oldest went");
  assert.equal(apply(3n, 0n), "inserted");
  assert.equal(apply(3n, 1n), "inserted");
  assert.equal(apply(3n, 2n), "full");
  assert.deepEqual([1n, 2n, 3n].map((nodeId) => fold.of(nodeId, 0).length), [2, 2, 2]);
  for (let i = 0n; i < 9n; i++) assert.ok(["inserted", "full"].includes(apply(ME, i)));
  assert.ok(fold.of(ME, 0).length >= 5);
});

Deno.test("Fold keeps its bound and its order of publishers, whatever comes", () => {
  const step = fc.record({
    nodeId: fc.bigInt({ min: 1n, max: 5n }),
    classHash: fc.bigInt({ min: 0n, max: 6n }),
    wireBytes: fc.nat(400),
    passedMs: fc.constantFrom(0, 0, 1_000, 70_000),
    action: fc.constantFrom("apply", "apply", "apply", "evict", "sweep"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const fold = newFold({ bytesMax: 8 * 1024, entriesPerPublisherMax: 4 });
    const mirror = new Map<unknown, unknown>();
    fold.onChange(({ entry, previous }) => {
      if (previous !== undefined) mirror.delete(previous.key);
      if (entry !== undefined) mirror.set(entry.key, entry);
    });
    let nowMs = 0;
    let generation = 1n;
    for (const { nodeId, classHash, wireBytes, passedMs, action } of steps) {
      nowMs += passedMs;
      if (action === "evict") fold.evictNode(nodeId, at(nowMs));
      else if (action === "sweep") fold.sweep(at(nowMs));
      else {
        const envelope = membershipOf({ nodeId, classHash, generation: generation++ });
        fold.apply(envelope, at(nowMs), { wireBytes });
      }
      const entries = [...fold.values(-Infinity)];
      assert.ok(entries.reduce((sum, { bytes }) => sum + bytes, 0) <= 8 * 1024);
      assert.ok(fold.of(nodeId, -Infinity).length <= 4);
      // Whoever follows the changes knows exactly what is there.
      assert.deepEqual(new Set(mirror.values()), new Set(entries));
      assert.equal(mirror.size, fold.size);
    }
  }));
});

Deno.test("Fold.changed() misses no change", async () => {
  const fold = newFold();
  const seen = fold.changeCount;
  fold.apply(membershipOf({ nodeId: 1n }), at(0));
  assert.equal(await fold.changed(seen), 1);
  const waiting = fold.changed(1);
  fold.apply(membershipOf({ nodeId: 1n }), at(0));
  fold.sweep(at(60_000));
  assert.equal(await waiting, 2);
  const abort = new AbortController();
  const given = fold.changed(2, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(given, { message: "enough" });
  await assert.rejects(fold.changed(2, { signal: abort.signal }), { message: "enough" });
});

Deno.test("AuditRing keeps the latest records", () => {
  const ring = new AuditRing(3);
  const fold = new Fold(FOLD_RULES[2], { nodeId: ME, audit: ring });
  assert.equal(ring.events.length, 0);
  for (let generation = 1n; generation <= 5n; generation++) {
    fold.apply(routeOf({ nodeId: 1n, generation }), at(0));
  }
  assert.deepEqual(ring.events.map(({ generation }) => generation), [3n, 4n, 5n]);
  ring.record({
    kind: 2,
    action: { custom: "drained" },
    key: 50n,
    nodeId: 1n,
    generation: 5n,
    atUs: 0n,
  });
  assert.deepEqual(ring.events.at(-1)?.action, { custom: "drained" });
  assert.throws(() => new AuditRing(0), RangeError);
});

Deno.test("Fold takes a hundred thousand statements in a moment", () => {
  const fold = new Fold(FOLD_RULES[4], { nodeId: ME });
  const envelopes = Array.from(
    { length: 1_000 },
    (_, i) =>
      islandOf({ nodeId: BigInt(i % 100 + 1) }, { id: BigInt(i), host: BigInt(i % 100 + 1) }),
  );
  for (let round = 1n; round <= 100n; round++) {
    for (const envelope of envelopes) fold.apply({ ...envelope, generation: round }, at(0));
  }
  assert.equal(fold.stats().appliesInserted, 1_000);
  assert.equal(fold.stats().appliesReplaced, 99_000);
});
