import assert from "node:assert/strict";
import { Endpoint } from "../../../../src/core/capability/balancer/endpoint.ts";
import {
  pickLeast,
  pickLeastConnections,
  pickLeastWeightedConnections,
  pickOfTwo,
  pickRandom,
  pickRoundRobin,
  pickWeightedRandom,
  pickWeightedRoundRobin,
  sumWeights,
} from "../../../../src/core/capability/balancer/strategies.ts";
import type { EndpointHealth } from "../../../../src/core/capability/mod.ts";

function endpoint(slot: number, weight: number, health: EndpointHealth = "healthy") {
  return new Endpoint(slot, { nodeId: BigInt(slot), weight, health }, 1_000);
}

function countPicks(times: number, pick: (turn: number) => Endpoint): Record<number, number> {
  const counts: Record<number, number> = {};
  for (let i = 0; i < times; i++) {
    const { slot } = pick(i);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  return counts;
}

/** Numbers of 0..1 that cover it evenly. */
const even = (i: number) => (i * 0.618033988749895) % 1;

Deno.test("pickRoundRobin() takes turns", () => {
  const three = [endpoint(0, 1), endpoint(1, 1), endpoint(2, 1)];
  assert.deepEqual([0, 1, 2, 3].map((i) => pickRoundRobin(three, i).slot), [0, 1, 2, 0]);
});

Deno.test("pickWeightedRoundRobin() picks as weights and health say", () => {
  const mixed = [
    endpoint(0, 100),
    endpoint(1, 100, "degraded"),
    endpoint(2, 100, "unknown"),
    endpoint(3, 0),
  ];
  const counts = countPicks(700, (turn) => pickWeightedRoundRobin(sumWeights(mixed), turn));
  assert.deepEqual(counts, { 0: 400, 1: 200, 2: 100 });
  const weightless = [endpoint(0, 0), endpoint(1, 0)];
  assert.deepEqual(countPicks(10, (turn) => pickWeightedRoundRobin(sumWeights(weightless), turn)), {
    0: 5,
    1: 5,
  });
});

Deno.test("pickWeightedRandom() and pickRandom() pick as often as they should", () => {
  const two = [endpoint(0, 300), endpoint(1, 100)];
  const weighted = countPicks(10_000, (turn) => pickWeightedRandom(sumWeights(two), even(turn)));
  assert.ok(Math.abs((weighted[0] ?? 0) - 7_500) < 50);
  const plain = countPicks(10_000, (turn) => pickRandom(two, even(turn)));
  assert.ok(Math.abs((plain[0] ?? 0) - 5_000) < 50);
  // The largest number below 1 is nobody's end.
  assert.equal(pickWeightedRandom(sumWeights(two), 1 - 2 ** -53).slot, 1);
  assert.equal(pickRandom(two, 1 - 2 ** -53).slot, 1);
  // Nor is it somebody's without weight.
  const last = sumWeights([endpoint(0, 0), endpoint(1, 0.1), endpoint(2, 0)]);
  for (const random of [0, 0.5, 1 - 2 ** -53]) {
    assert.equal(pickWeightedRandom(last, random).slot, 1);
  }
});

Deno.test("pickLeast() takes the least, and of equals whoever joined first", () => {
  const three = [endpoint(0, 100), endpoint(1, 300), endpoint(2, 0)];
  const [first, second, third] = three;
  assert.ok(first && second && third);
  assert.equal(pickLeastConnections(three), first);
  first.connections = 1;
  second.connections = 2;
  third.connections = 1;
  assert.equal(pickLeastConnections(three), first);
  assert.equal(pickLeastWeightedConnections(three), second);
  assert.equal(pickLeast(three, () => NaN), first);
});

Deno.test("pickOfTwo() draws two different ones and takes the less busy", () => {
  const two = [endpoint(0, 1), endpoint(1, 1)];
  if (two[0] !== undefined) two[0].connections = 9;
  for (let i = 0; i < 100; i++) {
    assert.equal(pickOfTwo(two, even(i), even(i + 7)).slot, 1);
  }
  assert.equal(pickOfTwo(two.slice(0, 1), 0.9, 0.9).slot, 0);
});
