import assert from "node:assert/strict";
import { ConductTable, Misconduct } from "../../../../src/core/transport/peers/conduct.ts";
import type { Peer } from "../../../../src/core/transport/peers/peers.ts";
import { Routing } from "../../../../src/core/transport/routing/routing.ts";
import type { WithdrawalEmission } from "../../../../src/core/transport/routing/withdrawal.ts";
import { addressOf, createSessionKit, TIMEOUT_MS } from "../session_kit.ts";

const FAR = 1_000;

/** A node with the neighbours 2, 3 and 4. */
function create() {
  const kit = createSessionKit();
  const { clock, peers, connect } = kit;
  const conduct = new ConductTable(TIMEOUT_MS);
  const flooded: WithdrawalEmission[] = [];
  const routing = new Routing({ peers, clock, conduct, flood: (e) => void flooded.push(e) }, {
    nodeId: 100n,
    sessionTimeoutMs: TIMEOUT_MS,
  });
  const neighbours = [2n, 3n, 4n].map((nodeId) => {
    const peer = connect(nodeId);
    routing.onSession(peer);
    return peer;
  }) as [Peer, Peer, Peer];
  /** Id of the next hop: a failing comparison of whole peers would print their memory. */
  const hop = (node: number) => routing.nextHop(node, 0, clock.now())?.nodeId;
  const hear = (from: Peer, node: number, hops: number) =>
    routing.onPingwave(from, node, 0, hops, 1, clock.now());
  /** A peer behind the relay. */
  const connectBehind = (nodeId: bigint, relay: Peer) => {
    const peer = connect(nodeId);
    const relayTo = { low: peer.low, high: peer.high };
    peers.setRoute(peer, { address: relay.address, relayTo }, false);
    routing.onSession(peer);
    return peer;
  };
  return { ...kit, conduct, flooded, routing, neighbours, hop, hear, connectBehind };
}

Deno.test("Routing.onSession() makes a neighbour the way to itself, and a relay that of who is behind", () => {
  const { neighbours: [a], hop, routing, connectBehind } = create();
  assert.equal(hop(2), a.nodeId);
  connectBehind(9n, a);
  assert.equal(hop(9), a.nodeId);
  assert.equal(routing.neighbours.size, 3);
  assert.deepEqual(routing.routes().find(({ nodeId }) => nodeId === 9n), {
    nodeId: 9n,
    via: 2n,
    metric: 1,
    isProtected: false,
    isSuspected: false,
    ageMs: 0,
  });
});

Deno.test("Routing.onSession() gives up the routes through a neighbour that moved behind a relay", () => {
  const { neighbours: [a, b], hop, hear, routing, peers } = create();
  hear(a, FAR, 1);
  const relayTo = { low: a.low, high: a.high };
  peers.setRoute(a, { address: b.address, relayTo }, false);
  routing.onSession(a);
  assert.equal(hop(FAR), undefined);
  assert.equal(hop(2), b.nodeId);
  assert.ok(!routing.neighbours.has(a));
});

Deno.test("Routing.onFailed() tells of the neighbour and of what was behind it alone", () => {
  const { neighbours: [a, b], hop, hear, routing, flooded } = create();
  hear(a, FAR, 1);
  hear(a, FAR + 1, 1);
  hear(b, FAR + 1, 4);
  a.state = "failed";
  routing.onFailed(a);
  assert.equal(hop(FAR), undefined);
  assert.equal(hop(FAR + 1), b.nodeId, "the graph knows a way");
  assert.deepEqual(flooded.map(({ low, exceptHop }) => [low, exceptHop]), [
    [2, a.slot],
    [FAR, a.slot],
  ]);
  routing.onFailed(a);
  assert.equal(flooded.length, 2);
  a.state = "connected";
  routing.onRecovered(a);
  assert.equal(hop(2), a.nodeId);
  assert.equal(hop(FAR), undefined, "only the neighbour's own route is back");
});

Deno.test("Routing.onSuspicion() leads around a silent neighbour where the graph knows how", () => {
  const { neighbours: [a, b], hop, hear, routing } = create();
  hear(a, FAR, 1);
  hear(b, FAR, 1);
  hear(a, FAR + 1, 1);
  a.state = "suspected";
  routing.onSuspicion(a, true);
  assert.equal(hop(FAR), b.nodeId);
  assert.equal(hop(FAR + 1), a.nodeId, "better than nothing");
  assert.equal(routing.routes().find(({ nodeId }) => nodeId === 1_001n)?.isSuspected, true);
  assert.equal(routing.counters.routes_avoided_total, 1);
  a.state = "connected";
  routing.onSuspicion(a, false);
  assert.equal(routing.routes().some(({ isSuspected }) => isSuspected), false);
});

Deno.test("Routing.onHeartbeat() lets a neighbour of poor conduct go last", () => {
  const { neighbours: [a, b], hop, hear, routing, conduct } = create();
  hear(a, FAR, 1);
  routing.onAnnouncement(BigInt(FAR), b, 6);
  assert.equal(hop(FAR), a.nodeId);
  for (let i = 0; i < 10; i++) conduct.note(a.slot, Misconduct.MalformedAuthentic);
  routing.onHeartbeat(a);
  assert.equal(hop(FAR), b.nodeId);
  conduct.reset(a.slot);
  routing.onHeartbeat(a);
  assert.equal(hop(FAR), a.nodeId);
});

Deno.test("Routing leads sessions another way when their relay fails or withdraws, and only those", () => {
  const { neighbours: [a, b, c], hear, routing, connectBehind } = create();
  const moved = connectBehind(9n, a);
  const other = connectBehind(10n, c);
  const stuck = connectBehind(11n, a);
  hear(b, 9, 1);
  a.state = "failed";
  routing.onFailed(a);
  assert.deepEqual(moved.address, b.address);
  assert.deepEqual(moved.relayTo, { low: 9, high: 0 });
  assert.ok(!moved.ownsAddress);
  assert.deepEqual(other.address, c.address);
  assert.equal(stuck.address, a.address, "no other way is known");
  assert.equal(routing.counters.sessions_steered_total, 1);
  // Now the second relay says that it lost the node, and the third has heard of it.
  hear(c, 9, 2);
  routing.onWithdrawal(b, 9n, 0n);
  assert.equal(moved.address, c.address);
  // A withdrawal by somebody who is not in between changes nothing.
  routing.onWithdrawal(b, 10n, 1n);
  assert.deepEqual(other.address, c.address);
});

Deno.test("Routing.onMoved() leads sessions to the relay's new address", () => {
  const { neighbours: [a, b], routing, peers, connectBehind } = create();
  const behind = connectBehind(9n, a);
  const other = connectBehind(10n, b);
  peers.setRoute(a, { address: addressOf(77), relayTo: undefined }, true);
  routing.onMoved();
  assert.deepEqual(behind.address, addressOf(77));
  assert.deepEqual(behind.relayTo, { low: 9, high: 0 });
  assert.deepEqual(other.address, b.address);
});

Deno.test("Routing.onWithdrawal() cascades what is lost, once", () => {
  const { neighbours: [a], hear, routing, flooded } = create();
  hear(a, FAR, 1);
  routing.onWithdrawal(a, BigInt(FAR), 4n);
  routing.onWithdrawal(a, BigInt(FAR), 4n);
  assert.deepEqual(flooded.map(({ low, exceptHop }) => [low, exceptHop]), [[FAR, a.slot]]);
  assert.equal(routing.allCounters().withdrawals_ignored_total, 1);
});

Deno.test("Routing.onGone() leaves nothing behind for the slot's next owner", () => {
  const { neighbours: [a], hear, routing, peers, connect, hop, clock } = create();
  hear(a, FAR, 1);
  routing.onWithdrawal(a, 77n, 1_000n);
  routing.onGone(a);
  peers.remove(a);
  const next = connect(50n);
  assert.equal(next.slot, a.slot);
  routing.onSession(next);
  assert.equal(hop(FAR), undefined);
  assert.equal(hop(2), undefined);
  assert.equal(hop(50), next.nodeId);
  hear(next, 77, 1);
  routing.onWithdrawal(next, 77n, 0n);
  assert.equal(hop(77), undefined, "its sequences start over");
  routing.sweep(clock.now());
});

Deno.test("Routing.onSessionLost() avoids a neighbour until it is back", () => {
  const { neighbours: [a, b], hear, hop, routing } = create();
  hear(a, FAR, 1);
  hear(b, FAR, 3);
  routing.onSessionLost(a);
  assert.equal(hop(FAR), b.nodeId);
  routing.onSession(a);
  hear(a, FAR, 0);
  assert.equal(hop(FAR), a.nodeId);
});

Deno.test("Routing forgets routes that nothing confirms, but not that to a neighbour with heartbeats", async () => {
  const { neighbours: [a, b], hear, hop, routing, clock } = create();
  hear(a, FAR, 1);
  await clock.advance(3 * TIMEOUT_MS);
  routing.onHeartbeat(b);
  await clock.advance(1);
  routing.sweep(clock.now());
  assert.equal(hop(FAR), undefined);
  assert.equal(hop(3), b.nodeId);
  assert.equal(routing.sizes().routes, 1);
  assert.equal(addressOf(3).host, b.address.host);
});
