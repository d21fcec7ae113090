import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseReplicaTargets, type ReplicaCandidate } from "../../../src/blob/mod.ts";

const node = (nodeId: bigint, more: Partial<ReplicaCandidate> = {}): ReplicaCandidate => ({
  nodeId,
  hasStorage: true,
  isUnhealthy: false,
  freeBytes: 1e12,
  rttMs: 5,
  asked: 0,
  ...more,
});

const choose = (candidates: readonly ReplicaCandidate[], count: number, holders: bigint[] = []) =>
  chooseReplicaTargets({
    candidates,
    holders: holders.map((nodeId) => ({ nodeId })),
    sizeBytes: 1e9,
    count,
  });

Deno.test("chooseReplicaTargets() asks nobody without storage, health or room, and no holder", () => {
  const candidates = [
    node(1n, { hasStorage: false }),
    node(2n, { isUnhealthy: true }),
    node(3n, { freeBytes: 1e9 - 1 }),
    node(4n),
    node(5n, { freeBytes: undefined }),
    node(6n, { freeBytes: 1e9 }),
  ];
  assert.deepEqual(choose(candidates, 9, [4n]), [6n, 5n]);
});

Deno.test("chooseReplicaTargets() goes to another region first, then to another zone", () => {
  const candidates = [
    node(1n, { region: "north", zone: "a", rttMs: 1 }),
    node(2n, { region: "north", zone: "b", rttMs: 50 }),
    node(3n, { region: "south", zone: "a", rttMs: 200 }),
    node(4n, { region: "north", zone: "b", rttMs: 1 }),
  ];
  const chosen = chooseReplicaTargets({
    candidates,
    holders: [{ nodeId: 9n, region: "north", zone: "a" }],
    sizeBytes: 10,
    count: 3,
  });
  assert.deepEqual(chosen, [3n, 4n, 1n]);
});

Deno.test("chooseReplicaTargets() prefers idle nodes, near ones, roomy ones, low ids, in this order", () => {
  const candidates = [
    node(1n, { asked: 1, rttMs: 1 }),
    node(2n, { rttMs: undefined }),
    node(3n, { freeBytes: 2e9 }),
    node(4n, { rttMs: 4.9 }),
    node(5n),
  ];
  assert.deepEqual(choose(candidates, 5), [4n, 5n, 3n, 2n, 1n]);
});

Deno.test("chooseReplicaTargets() chooses the same in whatever order nodes are known", () => {
  const place = fc.option(fc.constantFrom("x", "y", "z"), { nil: undefined });
  const candidates = fc.uniqueArray(
    fc.record({
      nodeId: fc.bigInt({ min: 1n, max: 99n }),
      hasStorage: fc.boolean(),
      isUnhealthy: fc.boolean(),
      freeBytes: fc.option(fc.nat(4_000_000_000), { nil: undefined }),
      rttMs: fc.option(fc.nat(500), { nil: undefined }),
      asked: fc.nat(2),
      region: place,
      zone: place,
    }),
    { selector: ({ nodeId }) => nodeId, maxLength: 20 },
  );
  fc.assert(fc.property(candidates, fc.nat(9), (nodes, count) => {
    const chosen = choose(nodes, count, [5n]);
    assert.deepEqual(choose(nodes.toReversed(), count, [5n]), chosen);
    assert.equal(new Set(chosen).size, chosen.length);
    assert.ok(chosen.length <= count && !chosen.includes(5n));
  }));
});
