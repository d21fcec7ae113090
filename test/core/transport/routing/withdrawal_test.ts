import assert from "node:assert/strict";
import { PeerSlots } from "../../../../src/core/transport/peers/peer_slots.ts";
import { NO_HOP } from "../../../../src/core/transport/routing/hop_columns.ts";
import { RouteTable } from "../../../../src/core/transport/routing/route_table.ts";
import { Topology } from "../../../../src/core/transport/routing/topology.ts";
import {
  createFirstHops,
  RouteWithdrawals,
} from "../../../../src/core/transport/routing/withdrawal.ts";

const AGE = 10_000;
const SELF = 50;
const HIGH = 4;
const FAR = 1_000;

/** A node with the neighbours 0, 1 and 2, whose slots are their numbers. */
function create(historyMax?: number) {
  const slots = new PeerSlots();
  const routes = new RouteTable({ maxAgeMs: AGE });
  const topology = new Topology({ selfLow: SELF, selfHigh: HIGH, maxAgeMs: AGE });
  const withdrawals = new RouteWithdrawals(
    { routes, topology, hops: createFirstHops((low, high) => slots.get(low, high), routes) },
    { selfLow: SELF, selfHigh: HIGH, historyMax },
  );
  for (let node = 0; node < 3; node++) {
    const slot = slots.claim(node, HIGH);
    routes.addHop(slot, node, HIGH);
    routes.onDirectSession(slot, 0);
  }
  const receive = (hop: number, node: number, sequence: bigint, now: number) =>
    withdrawals.onReceived(hop, hop, HIGH, node, HIGH, sequence, now);
  const hear = (hop: number, node: number, hopCount: number, now: number) => {
    routes.onPingwave(node, HIGH, hop, hopCount, now);
    topology.onPingwave(hop, hop, HIGH, node, HIGH, 1, now);
  };
  return { routes, topology, withdrawals, receive, hear };
}

Deno.test("RouteWithdrawals.onHopFailed() tells the others once per second", () => {
  const { withdrawals, routes } = create();
  assert.deepEqual(withdrawals.onHopFailed(1, 1, HIGH, 0), [{
    low: 1,
    high: HIGH,
    sequence: 0n,
    exceptHop: 1,
  }]);
  assert.equal(routes.nextHop(1, HIGH, 0), NO_HOP);
  assert.deepEqual(withdrawals.onHopFailed(1, 1, HIGH, 999), []);
  assert.equal(withdrawals.onHopFailed(1, 1, HIGH, 1_000)[0]?.sequence, 1n);
  assert.equal(withdrawals.counters.withdrawals_damped_total, 1);
});

Deno.test("RouteWithdrawals.onReceived() changes nothing when the sender is not the next hop", () => {
  const { receive, hear, routes } = create();
  hear(0, FAR, 1, 0);
  assert.deepEqual(receive(2, FAR, 0n, 1), { kind: "kept" });
  assert.equal(routes.nextHop(FAR, HIGH, 1), 0);
});

Deno.test("RouteWithdrawals.onReceived() falls back to the topology, then cascades", () => {
  const { receive, hear, routes } = create();
  hear(0, FAR, 1, 0);
  hear(1, FAR, 1, 0);
  assert.deepEqual(receive(0, FAR, 0n, 1), { kind: "rerouted", hop: 1 });
  assert.equal(routes.metric(FAR, HIGH, 1), 3);
  assert.deepEqual(receive(1, FAR, 0n, 2), {
    kind: "lost",
    emission: { low: FAR, high: HIGH, sequence: 0n, exceptHop: 1 },
  });
  assert.equal(routes.nextHop(FAR, HIGH, 2), NO_HOP);
  assert.deepEqual(receive(1, FAR, 1n, 3), { kind: "kept" }, "there was no route any more");
});

Deno.test("RouteWithdrawals.onReceived() falls back to a live direct session", () => {
  const { receive, routes } = create();
  // The session's own entry is too old, but the session lives.
  routes.onPingwave(2, HIGH, 0, 1, AGE + 1);
  assert.deepEqual(receive(0, 2, 0n, AGE + 2), { kind: "rerouted", hop: 2 });
});

Deno.test("RouteWithdrawals.onReceived() ignores what is its own, stale or from nobody", () => {
  const { receive, withdrawals, hear } = create();
  assert.deepEqual(receive(0, SELF, 5n, 0), { kind: "ignored", reason: "own" });
  assert.deepEqual(receive(0, 0, 5n, 0), { kind: "ignored", reason: "own" });
  assert.deepEqual(receive(7, FAR, 5n, 0), { kind: "ignored", reason: "unknown_hop" });
  receive(0, FAR, 5n, 0);
  assert.deepEqual(receive(0, FAR, 5n, 0), { kind: "ignored", reason: "stale" });
  assert.deepEqual(receive(0, FAR, 4n, 0), { kind: "ignored", reason: "stale" });
  assert.deepEqual(receive(1, FAR, 4n, 0), { kind: "kept" }, "another sender counts on its own");
  assert.deepEqual(receive(0, FAR + 1, 0n, 0), { kind: "kept" }, "another destination too");
  withdrawals.onNewSession(0);
  hear(0, FAR, 1, 0);
  assert.equal(receive(0, FAR, 0n, 0).kind, "lost");
});

Deno.test("RouteWithdrawals.onReceived() runs 64 cascades at once and no more", () => {
  const { receive, routes, withdrawals } = create();
  let emitted = 0;
  for (let node = 0; node < 100; node++) {
    routes.onPingwave(FAR + node, HIGH, 0, 1, 0);
    const decision = receive(0, FAR + node, BigInt(node), 0);
    if (decision.kind === "lost" && decision.emission !== undefined) emitted += 1;
  }
  assert.equal(emitted, 64);
  assert.equal(withdrawals.cascadesActive(500), 64);
  assert.equal(withdrawals.counters.drop_withdrawal_cascade_limit_total, 36);
  assert.equal(withdrawals.cascadesActive(1_000), 0);
  routes.onPingwave(FAR, HIGH, 0, 1, 1_000);
  const late = receive(0, FAR, 1_000n, 1_000);
  assert.ok(late.kind === "lost" && late.emission?.sequence === 64n);
});

Deno.test("RouteWithdrawals.onReceived() remembers a bounded history and forgets the oldest", () => {
  const { receive, withdrawals } = create(10);
  for (let node = 0; node < 15; node++) receive(0, FAR + node, 3n, 0);
  assert.equal(withdrawals.counters.withdrawal_history_evicted_total, 5);
  assert.equal(receive(0, FAR + 14, 3n, 0).kind, "ignored");
  assert.equal(receive(0, FAR, 3n, 0).kind, "kept", "forgotten");
});
