import assert from "node:assert/strict";
import fc from "fast-check";
import { HopState, NO_HOP } from "../../../../src/core/transport/routing/hop_columns.ts";
import { RouteTable } from "../../../../src/core/transport/routing/route_table.ts";

const AGE = 1_000;
const HOPS = 4;
const NODES = 7;
/** Neighbours 0 to 3 are nodes 0 to 3. */
const HIGH = 9;

interface Candidate {
  readonly hop: number;
  metric: number;
  refreshedAt: number;
  carriedAt: number;
}

/**
 * The rules of `wire.md` 9.6, written down as they stand there; and what the hop in use says of its way
 * replaces what it said before.
 */
class Model {
  readonly slots = new Map<string, Candidate>();
  readonly states: HopState[] = new Array<HopState>(HOPS).fill(HopState.Live);

  rank(candidate: Candidate | undefined, now: number): number {
    if (candidate === undefined || now - candidate.refreshedAt > AGE) return 0;
    const state = this.states[candidate.hop];
    return state === HopState.Live ? 2 : state === HopState.Suspected ? 1 : 0;
  }

  put(key: string, hop: number, metric: number, now: number): void {
    if (this.states[hop] === HopState.Failed) return;
    this.slots.set(key, { hop, metric, refreshedAt: now, carriedAt: now });
  }

  offer(node: number, slot: "o" | "p", hop: number, metric: number, now: number): void {
    const key = `${slot}${node}`;
    const current = this.slots.get(key);
    const isEmpty = current === undefined || now - current.refreshedAt > AGE;
    const rank = this.states[hop] === HopState.Live ? 2 : 1;
    if (isEmpty) return this.put(key, hop, metric, now);
    if (rank !== this.rank(current, now)) {
      if (rank > this.rank(current, now)) return this.put(key, hop, metric, now);
    } else if (current.hop === hop && hop !== node) {
      if (metric !== current.metric) return this.put(key, hop, metric, now);
    } else if (metric < current.metric) return this.put(key, hop, metric, now);
    else if (current.hop !== hop && now - current.carriedAt > AGE) {
      return this.put(key, hop, metric, now);
    }
    if (slot === "p" && current.hop !== hop) return;
    current.refreshedAt = now;
    if (current.hop === hop) current.carriedAt = now;
  }

  dropVia(hop: number): void {
    for (const [key, candidate] of this.slots) if (candidate.hop === hop) this.slots.delete(key);
  }

  next(node: number, now: number): Candidate | undefined {
    const [ordinary, guarded] = [this.slots.get(`o${node}`), this.slots.get(`p${node}`)];
    const ranks = [this.rank(ordinary, now), this.rank(guarded, now)] as const;
    if (ranks[0] === 0 && ranks[1] === 0) return undefined;
    if (ranks[0] !== ranks[1]) return ranks[0] > ranks[1] ? ordinary : guarded;
    return (ordinary?.metric ?? 0) < (guarded?.metric ?? 0) ? ordinary : guarded;
  }
}

function createTable(routesMax?: number): RouteTable {
  const table = new RouteTable({ maxAgeMs: AGE, routesMax });
  for (let hop = 0; hop < HOPS; hop++) table.addHop(hop, hop, HIGH);
  return table;
}

const commands = fc.array(
  fc.record({
    kind: fc.constantFrom(
      "pingwave",
      "pingwave",
      "pingwave",
      "announcement",
      "direct",
      "routed",
      "suspect",
      "trust",
      "fail",
      "recover",
      "withdraw",
      "sweep",
      "hear",
    ),
    hop: fc.nat(HOPS - 1),
    node: fc.nat(NODES - 1),
    hopCount: fc.nat(4),
    isDirect: fc.boolean(),
    waitMs: fc.constantFrom(0, 1, 300, 700),
  }),
  { maxLength: 60 },
);

Deno.test("RouteTable does what the rules say, event for event", () => {
  fc.assert(
    fc.property(commands, (list) => {
      const table = createTable();
      const model = new Model();
      let now = 5_000;
      for (const { kind, hop, node, hopCount, isDirect, waitMs } of list) {
        now += waitMs;
        const isUsable = model.states[hop] !== HopState.Failed;
        if (kind === "pingwave") {
          table.onPingwave(node, HIGH, hop, hopCount, now);
          if (isUsable) model.offer(node, "o", hop, hopCount + 2, now);
        } else if (kind === "announcement") {
          table.onAnnouncement(node, HIGH, hop, hopCount, isDirect, now);
          if (isUsable && hopCount > 0) {
            model.offer(node, isDirect ? "p" : "o", hop, hopCount + 2, now);
          }
        } else if (kind === "direct") {
          table.onDirectSession(hop, now);
          model.put(`p${hop}`, hop, 1, now);
        } else if (kind === "routed") {
          table.onRoutedSession(node, HIGH, hop, now);
          model.put(`o${node}`, hop, 1, now);
        } else if (kind === "suspect" || kind === "trust") {
          table.suspectHop(hop, kind === "suspect");
          if (isUsable) {
            model.states[hop] = kind === "suspect" ? HopState.Suspected : HopState.Live;
          }
        } else if (kind === "fail") {
          table.failHop(hop);
          model.states[hop] = HopState.Failed;
          model.dropVia(hop);
        } else if (kind === "recover") {
          table.recoverHop(hop, now);
          model.states[hop] = HopState.Live;
          model.put(`p${hop}`, hop, 1, now);
        } else if (kind === "withdraw") {
          table.withdraw(node, HIGH, hop);
          for (const slot of ["o", "p"]) {
            if (model.slots.get(`${slot}${node}`)?.hop === hop) {
              model.slots.delete(`${slot}${node}`);
            }
          }
        } else if (kind === "sweep") {
          table.sweep(now);
          for (const [key, { refreshedAt }] of model.slots) {
            if (now - refreshedAt > AGE) model.slots.delete(key);
          }
        } else {
          table.refreshHop(hop, now);
          for (const slot of ["o", "p"]) {
            const candidate = model.slots.get(`${slot}${hop}`);
            if (candidate?.hop !== hop) continue;
            candidate.refreshedAt = now;
            candidate.carriedAt = now;
          }
        }
        for (let any = 0; any < NODES; any++) {
          const expected = model.next(any, now);
          assert.equal(table.nextHop(any, HIGH, now), expected?.hop ?? NO_HOP);
          assert.equal(table.metric(any, HIGH, now), expected?.metric ?? Infinity);
        }
        const nodes = new Set([...model.slots.keys()].map((key) => key.slice(1)));
        assert.equal(table.size, nodes.size);
      }
      const views = [...table.routes(now)];
      for (const view of views) assert.equal(table.nextHop(view.low, view.high, now), view.hop);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("RouteTable.nextHop() avoids a suspected neighbour while another leads there", () => {
  const table = createTable();
  table.onPingwave(6, HIGH, 0, 1, 0);
  table.suspectHop(0, true);
  assert.equal(table.nextHop(6, HIGH, 1), 0, "better than nothing");
  table.onPingwave(6, HIGH, 1, 5, 2);
  assert.equal(table.nextHop(6, HIGH, 3), 1, "longer, but not silent");
  table.suspectHop(0, false);
  table.onPingwave(6, HIGH, 0, 1, 4);
  assert.equal(table.nextHop(6, HIGH, 5), 0);
});

Deno.test("RouteTable.nextHop() prefers the protected slot on a tie and drops what is old", () => {
  const table = createTable();
  table.onPingwave(6, HIGH, 0, 2, 0);
  table.onAnnouncement(6, HIGH, 1, 2, true, 0);
  assert.equal(table.nextHop(6, HIGH, AGE), 1);
  table.onPingwave(6, HIGH, 2, 4, 500);
  assert.equal(table.nextHop(6, HIGH, AGE + 1), 0, "the ordinary one was refreshed by another");
  assert.equal(table.nextHop(6, HIGH, AGE + 501), NO_HOP);
  assert.equal(table.sweep(AGE + 501), 2);
  assert.equal(table.size, 0);
});

Deno.test("RouteTable.onPingwave() believes the hop in use that its way became longer", () => {
  const table = createTable();
  table.onAlternate(6, HIGH, 0, 3, 0);
  table.onPingwave(6, HIGH, 1, 2, 1);
  assert.equal(table.nextHop(6, HIGH, 1), 0);
  table.onPingwave(6, HIGH, 0, 4, 2);
  assert.equal(table.metric(6, HIGH, 2), 6);
  table.onPingwave(6, HIGH, 1, 2, 3);
  assert.equal(table.nextHop(6, HIGH, 3), 1);
});

Deno.test("RouteTable.onPingwave() leaves a neighbour that no longer carries the node", () => {
  const table = createTable();
  table.onPingwave(6, HIGH, 0, 1, 0);
  for (let now = 100; now <= AGE + 100; now += 100) table.onPingwave(6, HIGH, 1, 3, now);
  assert.equal(table.nextHop(6, HIGH, AGE + 100), 1);
});

Deno.test("RouteTable.onPingwave() does not let a failed neighbour keep another's route alive", () => {
  const table = createTable();
  table.onPingwave(6, HIGH, 0, 1, 0);
  table.failHop(1);
  assert.equal(table.onPingwave(6, HIGH, 1, 1, AGE), "unusable_hop");
  assert.equal(table.nextHop(6, HIGH, AGE + 1), NO_HOP);
});

Deno.test("RouteTable.recoverHop() reinstates only the neighbour's own route", () => {
  const table = createTable();
  table.onDirectSession(0, 0);
  table.onPingwave(6, HIGH, 0, 1, 0);
  assert.equal(table.failHop(0), 2);
  assert.equal(table.onPingwave(6, HIGH, 0, 1, 1), "unusable_hop");
  table.recoverHop(0, 2);
  assert.equal(table.nextHop(0, HIGH, 2), 0);
  assert.equal(table.nextHop(6, HIGH, 2), NO_HOP);
});

Deno.test("RouteTable.removeHop() frees the slot for another neighbour", () => {
  const table = createTable();
  table.onDirectSession(3, 0);
  assert.equal(table.removeHop(3), 1);
  table.addHop(3, 77, HIGH);
  table.onDirectSession(3, 1);
  assert.equal(table.nextHop(3, HIGH, 1), NO_HOP);
  assert.equal(table.nextHop(77, HIGH, 1), 3);
});

Deno.test("RouteTable keeps its bounds under a flood of inventions", () => {
  const table = createTable(100);
  for (let node = 0; node < 1_000; node++) table.onPingwave(5_000 + node, HIGH, 0, 3, 0);
  assert.equal(table.size, 50);
  assert.equal(table.counters.drop_route_hop_limit_total, 950);
  for (let node = 0; node < 1_000; node++) table.onPingwave(9_000 + node, HIGH, 1, 4, 1);
  assert.equal(table.size, 100);
  assert.equal(table.onDirectSession(0, 2), "set", "a neighbour's own route finds room");
  assert.equal(table.nextHop(0, HIGH, 2), 0);
  assert.equal(table.size, 100);
  assert.equal(table.counters.routes_evicted_total, 1);
  for (let hop = 4; hop < 300; hop++) table.addHop(hop, hop, HIGH);
  for (let hop = 4; hop < 300; hop++) table.onDirectSession(hop, 3);
  assert.equal(table.size, 100);
  assert.ok(table.counters.drop_route_limit_total > 0);
});
