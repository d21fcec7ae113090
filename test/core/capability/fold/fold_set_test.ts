import assert from "node:assert/strict";
import {
  announcedMembership,
  encodeFoldEnvelope,
  FOLD_KINDS,
  FoldSet,
} from "../../../../src/core/capability/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { identityOf, sample, WALL_MS } from "../samples.ts";
import {
  islandOf,
  membershipOf,
  reservationOf,
  routeOf,
  signedBy,
  WALL_US,
} from "./fold_samples.ts";

const identity = identityOf(1);
const thief = identityOf(2);
const FREE = { kind: "free" } as const;
const newSet = (clock = new ManualClock()) => new FoldSet({ clock }, { nodeId: 42n });

Deno.test("FoldSet.receive() applies what its publisher said, of every kind", () => {
  const folds = newSet();
  const { nodeId } = identity;
  const statements = [
    membershipOf({ classHash: 7n }),
    routeOf(),
    reservationOf({}, FREE),
    islandOf({}, { host: nodeId }),
  ].map((envelope) => encodeFoldEnvelope(signedBy(identity, envelope)));
  for (const bytes of statements) {
    assert.equal(folds.receive(bytes, identity.entityId).kind, "applied");
  }
  assert.deepEqual(folds.stats().map(({ entries }) => entries), [1, 1, 1, 1]);
  assert.equal(folds.islands.get(9n, 0)?.publisher, identity.entityId);
  const again = folds.receive(statements[0] ?? new Uint8Array(0), identity.entityId);
  assert.deepEqual(again, { kind: "rejected", reason: "stale" });
  const { receivedTotal, appliedTotal, rejectedTotal } = folds.counters;
  assert.deepEqual([receivedTotal, appliedTotal, rejectedTotal], [5, 4, 1]);
  assert.equal(folds.evictNode(nodeId), 4);
});

Deno.test("FoldSet.receive() is not moved by forgeries, and counts them", () => {
  const folds = newSet();
  const good = signedBy(identity, reservationOf({ generation: 2n }, FREE));
  const reserved = { kind: "reserved", holder: identity.nodeId, untilUs: 1n } as const;
  const stolen = signedBy(thief, reservationOf({ nodeId: thief.nodeId }, FREE));
  const forgeries = {
    signature: { ...good, payload: { resourceId: 5n, state: reserved } },
    unsigned: { ...good, signature: new Uint8Array(64) },
  };
  for (const [reason, envelope] of Object.entries(forgeries)) {
    const verdict = folds.receive(encodeFoldEnvelope(envelope), identity.entityId);
    assert.deepEqual(verdict, { kind: "dropped", reason });
  }
  // Another node's good statement, sent by somebody else.
  assert.deepEqual(folds.receive(encodeFoldEnvelope(stolen), identity.entityId), {
    kind: "dropped",
    reason: "signature",
  });
  assert.deepEqual(folds.receive(Uint8Array.of(9, 0), identity.entityId), {
    kind: "dropped",
    reason: "unknown_kind",
  });
  const holder = signedBy(identity, reservationOf({}, { ...reserved, holder: 99n }));
  assert.deepEqual(folds.receive(encodeFoldEnvelope(holder), identity.entityId), {
    kind: "rejected",
    reason: "holder",
  });
  assert.deepEqual(folds.stats().map(({ entries }) => entries), [0, 0, 0, 0]);
  const { receivedTotal, appliedTotal, rejectedTotal, dropped } = folds.counters;
  const drops = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  assert.equal(receivedTotal, appliedTotal + rejectedTotal + drops);
  assert.deepEqual([appliedTotal, rejectedTotal, drops], [0, 1, 4]);
});

Deno.test("FoldSet.snapshot() and restore() give back what is alive, and live ones stand", () => {
  const clock = new ManualClock();
  const before = newSet(clock);
  for (const [id, ttlSeconds] of [[1n, 10], [2n, 100], [3n, 100]] as const) {
    const envelope = signedBy(identity, islandOf({ ttlSeconds }, { id, host: identity.nodeId }));
    before.receive(encodeFoldEnvelope(envelope), identity.entityId);
  }
  before.apply(announcedMembership(sample(), sample().capabilities));
  const bytes = new Map(FOLD_KINDS.map((kind) => [kind, before.snapshot(kind)]));
  const after = newSet(new ManualClock());
  const live = signedBy(identity, islandOf({ generation: 5n }, { id: 3n, host: identity.nodeId }));
  after.receive(encodeFoldEnvelope(live), identity.entityId);
  const restored = [...bytes].map(([kind, one]) => after.restore(kind, one, 20_000));
  // One expired meanwhile, one is known in a higher generation; what an announcement says is not kept.
  assert.deepEqual(restored, [0, 0, 0, 1]);
  const { nowMs } = after.time();
  const entry = after.islands.get(2n, nowMs);
  assert.deepEqual(entry?.publisher, identity.entityId);
  assert.equal(entry && entry.expiresAt - nowMs, 80_000);
  assert.equal(after.islands.get(3n, nowMs)?.envelope.generation, 5n);
  // A live statement overtakes what was kept.
  const newer = signedBy(identity, islandOf({ generation: 2n }, { id: 2n, host: identity.nodeId }));
  assert.equal(after.receive(encodeFoldEnvelope(newer), identity.entityId).kind, "applied");
});

Deno.test("FoldSet.restore() takes no other bytes than a snapshot of the kind", () => {
  const folds = newSet();
  const snapshot = folds.snapshot(4);
  assert.equal(folds.restore(4, snapshot, 0), 0);
  assert.equal(folds.restore(3, snapshot, 0), undefined);
  for (const bytes of [new Uint8Array(0), Uint8Array.of(2, 4, 0), Uint8Array.of(1, 4, 9)]) {
    assert.equal(folds.restore(4, bytes, 0), undefined);
  }
});

Deno.test("FoldSet counts questions, durations and lag by the names that were promised", () => {
  const clock = new ManualClock();
  const folds = newSet(clock);
  const announcedAtUs = BigInt(Math.round(clock.wallMs() * 1000)) - 2_000_000n;
  const envelope = signedBy(identity, routeOf({ announcedAtUs }));
  folds.receive(encodeFoldEnvelope(envelope), identity.entityId);
  const metric = folds.query(2, (fold, time) => fold.get(50n, time.nowMs)?.envelope.payload.metric);
  assert.equal(metric, 3);
  const rows = folds.metricRows();
  assert.equal(rows['fold_entries_total{fold="routing"}'], 1);
  assert.equal(rows['fold_applies_total{fold="routing",outcome="inserted"}'], 1);
  assert.equal(rows['fold_queries_total{fold="routing"}'], 1);
  assert.equal(rows['fold_apply_duration_count{fold="routing"}'], 1);
  assert.equal(rows['fold_query_duration_count{fold="routing"}'], 1);
  assert.equal(rows['fold_subscription_lag{fold="routing"}'], 2);
  assert.equal(rows['fold_expiries_total{fold="island"}'], 0);
});

Deno.test("announcedMembership() says what the announcement says", () => {
  const announcement = sample({
    tags: ["gpu", "hardware.gpu", "hardware.gpu.vendor=amd", "hardware.gpu.vram_gb=48"]
      .concat(["hardware.memory_gb=64", "scope:region:eu"]),
    metadata: [["model", "x"]],
    version: 5n,
    ttlSeconds: 300,
    allowedNodes: [7n],
  });
  const { payload, ...head } = announcedMembership(announcement, announcement.capabilities);
  assert.deepEqual(head, {
    kind: 1,
    classHash: 0n,
    nodeId: identity.nodeId,
    generation: 5n,
    announcedAtUs: WALL_US,
    ttlSeconds: 300,
    flags: 0,
    signature: undefined,
  });
  assert.equal(WALL_US, BigInt(WALL_MS) * 1000n);
  assert.deepEqual(payload.hardware, {
    gpuVendor: "amd",
    gpuCount: 1,
    memoryGb: 64,
    vramGb: 48,
  });
  assert.deepEqual([payload.region, payload.state, payload.allowedNodes], ["eu", "idle", [7n]]);
  assert.equal(payload.tags, announcement.capabilities.tags);
  const bare = announcedMembership(
    sample({ version: 0n, tags: [] }),
    sample({ tags: [] }).capabilities,
  );
  assert.deepEqual([bare.generation, bare.payload.hardware], [1n, undefined]);
});
