import assert from "node:assert/strict";
import fc from "fast-check";
import { NO_HOP } from "../../../../src/core/transport/routing/hop_columns.ts";
import { type FirstHops, Topology } from "../../../../src/core/transport/routing/topology.ts";

const AGE = 1_000;
const SELF = 99;
const HIGH = 3;

function createTopology(edgesMax?: number): Topology {
  return new Topology({ selfLow: SELF, selfHigh: HIGH, maxAgeMs: AGE, edgesMax });
}

/** Nodes 0 to 3 are neighbours with their own number as slot. */
function firstHops(suspected: ReadonlySet<number>, failed: ReadonlySet<number>): FirstHops {
  return {
    slotOf: (low) => low < 4 ? low : NO_HOP,
    isUsable: (slot) => !failed.has(slot),
    isSuspected: (slot) => suspected.has(slot),
  };
}

const ALL = firstHops(new Set(), new Set());

Deno.test("Topology.findAlternate() finds the shortest ways, as a plain search does", () => {
  const waves = fc.array(
    fc.record({ neighbour: fc.nat(3), origin: fc.nat(9), at: fc.nat(1_500) }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(
      waves,
      fc.nat(9),
      fc.nat(3),
      fc.uniqueArray(fc.nat(3)),
      (list, target, except, gone) => {
        const topology = createTopology();
        const now = 1_600;
        const edges = new Map<string, number>();
        for (const { neighbour, origin, at } of [...list].sort((a, b) => a.at - b.at)) {
          topology.onPingwave(neighbour, neighbour, HIGH, origin, HIGH, 5, at);
          if (neighbour !== origin) edges.set(`${neighbour}>${origin}`, at);
        }
        assert.equal(topology.edgeCount, edges.size);
        const failed = new Set(gone);
        const path = topology.findAlternate(
          target,
          HIGH,
          except,
          firstHops(new Set(), failed),
          now,
        );
        // Forward search from each allowed neighbour.
        let best = Infinity;
        for (let start = 0; start < 4; start++) {
          if (start === except || failed.has(start)) continue;
          let level = new Set([start]);
          const seen = new Set(level);
          for (let length = 1; length <= 8; length++) {
            if (level.has(target)) best = Math.min(best, length);
            const next = new Set<number>();
            for (const [edge, at] of edges) {
              const [from, to] = edge.split(">").map(Number) as [number, number];
              if (now - at <= AGE && level.has(from) && !seen.has(to)) next.add(to);
            }
            for (const node of next) seen.add(node);
            level = next;
          }
        }
        assert.equal(path?.edges ?? Infinity, best);
        if (path !== undefined) assert.ok(path.hop !== except && !failed.has(path.hop));
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("Topology.findAlternate() takes the fastest neighbour, a suspected one last", () => {
  const topology = createTopology();
  for (const [neighbour, ms] of [[0, 30], [1, 10], [2, 20]] as const) {
    topology.onPingwave(neighbour, neighbour, HIGH, 8, HIGH, ms, 0);
  }
  assert.deepEqual(topology.findAlternate(8, HIGH, NO_HOP, ALL, 1), { hop: 1, edges: 2 });
  assert.deepEqual(topology.findAlternate(8, HIGH, 1, ALL, 1), { hop: 2, edges: 2 });
  const silent = firstHops(new Set([1, 2]), new Set());
  assert.equal(topology.findAlternate(8, HIGH, NO_HOP, silent, 1)?.hop, 0);
  assert.notEqual(topology.findAlternate(8, HIGH, 0, silent, 1), undefined);
  assert.equal(topology.findAlternate(8, HIGH, NO_HOP, ALL, AGE + 1), undefined);
});

Deno.test("Topology.onPingwave() smooths the latency of an edge", () => {
  const topology = createTopology();
  topology.onPingwave(1, 1, HIGH, 1, HIGH, 80, 0);
  topology.onPingwave(1, 1, HIGH, 1, HIGH, 160, 1);
  assert.equal(topology.hopLatency(1), 90);
  topology.onPingwave(1, 1, HIGH, 1, HIGH, -5, 2);
  assert.ok(Math.abs((topology.hopLatency(1) ?? 0) - (90 - 90 / 8)) < 0.001);
  for (const ms of [80, 160]) topology.onPingwave(1, 1, HIGH, 7, HIGH, ms, 3);
  assert.equal(topology.latency(1, HIGH, 7, HIGH), 90);
  assert.equal(topology.hopLatency(2), undefined);
  topology.removeNeighbour(1, 1, HIGH);
  assert.equal(topology.hopLatency(1), undefined);
});

Deno.test("Topology forgets edges one by one, by neighbour and by age", () => {
  const topology = createTopology();
  topology.onPingwave(1, 1, HIGH, 5, HIGH, 1, 0);
  topology.onPingwave(1, 1, HIGH, 6, HIGH, 1, 0);
  topology.onPingwave(2, 2, HIGH, 5, HIGH, 1, 500);
  assert.equal(topology.edgeCount, 3);
  assert.ok(topology.removeEdge(1, HIGH, 6, HIGH));
  assert.ok(!topology.removeEdge(1, HIGH, 6, HIGH));
  topology.removeNeighbour(1, 1, HIGH);
  assert.equal(topology.edgeCount, 1);
  assert.equal(topology.nodeCount, 2);
  assert.equal(topology.sweep(500 + AGE + 1), 1);
  assert.equal(topology.nodeCount, 0);
});

Deno.test("Topology keeps its bounds under a flood of inventions", () => {
  const topology = createTopology(100);
  for (let origin = 0; origin < 1_000; origin++) {
    topology.onPingwave(0, 0, HIGH, 1_000 + origin, HIGH, 1, 0);
  }
  assert.ok(topology.edgeCount <= 52, "one neighbour does not fill the graph");
  for (let origin = 0; origin < 1_000; origin++) {
    topology.onPingwave(1, 1, HIGH, 1_000 + origin, HIGH, 1, 0);
  }
  assert.equal(topology.edgeCount, 100);
  assert.ok(topology.counters.drop_edge_limit_total > 1_800);
  topology.sweep(AGE + 1);
  assert.equal(topology.edgeCount, 0);
});
