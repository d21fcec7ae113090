import assert from "node:assert/strict";
import {
  aggregateCandidates,
  type Candidate,
  countCandidates,
  createCapabilitySet,
  filterCandidates,
  matchAxis,
  maxNumericMetadata,
  nearestCandidates,
  type Predicate,
  traverseForks,
  uniqueAxisValues,
} from "../../../../src/core/capability/mod.ts";

const node = (nodeId: bigint, tags: string[], weight?: string): Candidate => ({
  nodeId,
  capabilities: createCapabilitySet(tags, weight === undefined ? [] : [["weight", weight]]),
});
const nodes = [
  node(4n, ["hardware.gpu", "hardware.memory_gb=64"], "0.3"),
  node(1n, ["hardware.memory_gb:16"], "inf"),
  node(3n, ["hardware.gpu=x", "hardware.memory_gb=64", "hardware.memory_gb:8"], "-1"),
  node(2n, ["hardware.gpu"], "x"),
];
const memory = { axis: "hardware", key: "memory_gb" } as const;
const gpu = { axis: "hardware", key: "gpu" } as const;
const hasGpu: Predicate = { kind: "exists", key: gpu };
const anything: Predicate = { kind: "and", children: [] };
const idsOf = (candidates: Iterable<Candidate>) => [...candidates].map(({ nodeId }) => nodeId);

Deno.test("filterCandidates() and matchAxis() keep order", () => {
  assert.deepEqual(idsOf(filterCandidates(nodes, hasGpu)), [4n, 3n, 2n]);
  assert.deepEqual(idsOf(matchAxis(nodes, gpu)), [4n, 3n, 2n]);
  assert.deepEqual(idsOf(matchAxis(nodes, gpu, "x")), [3n]);
  assert.deepEqual(idsOf(matchAxis(nodes, gpu, "")), []);
  assert.deepEqual(idsOf(matchAxis(filterCandidates(nodes, hasGpu), memory, "64")), [4n, 3n]);
});

Deno.test("aggregateCandidates() counts, collects and finds the greatest", () => {
  assert.equal(aggregateCandidates(nodes, hasGpu, countCandidates()), 3);
  assert.deepEqual(aggregateCandidates(nodes, hasGpu, uniqueAxisValues(memory)), ["64", "8"]);
  assert.equal(aggregateCandidates(nodes, anything, maxNumericMetadata("weight")), 0.3);
  const negative = aggregateCandidates(nodes.slice(2), anything, maxNumericMetadata("weight"));
  assert.equal(negative, -1);
  assert.equal(aggregateCandidates(nodes, anything, maxNumericMetadata("other")), undefined);
  assert.equal(aggregateCandidates([], anything, countCandidates()), 0);
});

Deno.test("nearestCandidates() puts the unmeasured last", () => {
  const rtts = new Map([[4n, 5], [3n, 1]]);
  const nearest = (count: number) =>
    nearestCandidates(nodes, anything, { rttMs: (nodeId) => rtts.get(nodeId), count })
      .map(({ candidate, rttMs }) => [candidate.nodeId, rttMs]);
  assert.deepEqual(nearest(9), [[3n, 1], [4n, 5], [1n, undefined], [2n, undefined]]);
  assert.deepEqual(nearest(1), [[3n, 1]]);
  assert.deepEqual(nearest(0), []);
  for (const count of [-1, 1.5, NaN]) assert.throws(() => nearest(count), RangeError);
  const equal = nearestCandidates(nodes, hasGpu, { rttMs: () => 2, count: 2 });
  assert.deepEqual(equal.map(({ candidate }) => candidate.nodeId), [2n, 3n]);
});

const chains = [
  node(10n, ["causal:root"]),
  node(11n, ["causal:mid", "fork-of:root"]),
  node(12n, ["causal:leaf", "fork-of:mid"]),
  node(9n, ["causal:mid"]),
  node(20n, ["causal:a", "fork-of:b"]),
  node(21n, ["causal:b", "fork-of:a"]),
  node(22n, ["causal:self", "fork-of:root", "fork-of:self"]),
];
const walk = (nodeId: bigint, tag: string, depth: number, among = chains) => {
  const holdersOf = (held: string) =>
    among.filter(({ capabilities }) => capabilities.tags.includes(held));
  return traverseForks({ nodeId, tag }, { holdersOf, depth })
    .map((step) => `${step.nodeId} ${step.tag}`);
};

Deno.test("traverseForks() walks to the root", () => {
  const path = ["12 fork-of:mid", "11 causal:mid", "10 causal:root"];
  const others = chains.filter(({ nodeId }) => nodeId !== 9n);
  assert.deepEqual(walk(12n, "fork-of:mid", 100, others), path);
  assert.deepEqual(walk(12n, "fork-of:mid", 1, others), path.slice(0, 2));
  assert.deepEqual(walk(12n, "fork-of:mid", 0, others), path.slice(0, 1));
});

Deno.test("traverseForks() takes the lowest holder, and ends where nobody holds", () => {
  assert.deepEqual(walk(12n, "fork-of:mid", 100), ["12 fork-of:mid", "9 causal:mid"]);
  assert.deepEqual(walk(1n, "fork-of:nowhere", 100), ["1 fork-of:nowhere"]);
  assert.deepEqual(walk(1n, "causal:mid", 100), ["1 causal:mid"]);
});

Deno.test("traverseForks() ends in a circle", () => {
  const circle = ["21 fork-of:a", "20 causal:a", "21 causal:b"];
  assert.deepEqual(walk(21n, "fork-of:a", 1_024), circle);
  const past = ["1 fork-of:self", "22 causal:self", "10 causal:root"];
  assert.deepEqual(walk(1n, "fork-of:self", 1_024), past);
  for (const depth of [-1, 1.5, 1_025]) assert.throws(() => walk(1n, "x", depth), RangeError);
});
