import assert from "node:assert/strict";
import { ConductTable } from "../../../../src/core/transport/peers/conduct.ts";
import { UNCONFIRMED_MS } from "../../../../src/core/transport/limits.ts";
import { Liveness, type LivenessChange } from "../../../../src/core/transport/peers/liveness.ts";
import { LIVENESS_SLICE } from "../../../../src/core/transport/mesh_limits.ts";
import type { Peer } from "../../../../src/core/transport/peers/peers.ts";
import { addressOf, createSessionKit, TIMEOUT_MS } from "../session_kit.ts";

const HEARTBEAT_MS = 5_000;

function create() {
  const kit = createSessionKit();
  const { clock, peers, counters } = kit;
  const changes: [bigint, LivenessChange][] = [];
  const beats: [number, bigint][] = [];
  const rounds: number[] = [];
  const conduct = new ConductTable(TIMEOUT_MS);
  const liveness = new Liveness({
    clock,
    peers,
    counters,
    conduct,
    onRound: (now) => rounds.push(now),
    beat: (peer: Peer) => beats.push([clock.now(), peer.nodeId]),
    onChange: (peer, change) => changes.push([peer.nodeId, change]),
  }, { heartbeatMs: HEARTBEAT_MS, sessionTimeoutMs: TIMEOUT_MS });
  /** Changes since the last call. */
  const taken = () => changes.splice(0).map(([, change]) => change);
  return { ...kit, liveness, conduct, changes, beats, rounds, taken };
}

Deno.test("Liveness.judge() follows a neighbour's heartbeats alone", () => {
  const { peers, connect, clock, liveness, taken, counters } = create();
  const peer = connect(2n);
  const start = clock.now();
  const at = (timeouts: number) => liveness.judge(peer, start + timeouts * TIMEOUT_MS);
  at(2);
  assert.deepEqual(taken(), []);
  // Data does not count (`wire.md` 11).
  peer.lastReceivedAt = start + 3 * TIMEOUT_MS;
  at(2.01);
  assert.deepEqual(taken(), ["suspected"]);
  assert.deepEqual(peers.counts, { connecting: 0, connected: 0, suspected: 1, failed: 0 });
  assert.ok(peer.isConnected);
  at(3);
  assert.deepEqual(taken(), []);
  at(3.01);
  assert.deepEqual(taken(), ["failed"]);
  assert.ok(!peer.isConnected);
  // It is told once, and activity puts eviction off.
  at(4);
  at(33);
  assert.deepEqual(taken(), []);
  at(33.01);
  assert.deepEqual(taken(), ["evicted"]);
  const { peers_suspected_total, peers_failed_total, peers_evicted_total } = counters;
  assert.deepEqual([peers_suspected_total, peers_failed_total, peers_evicted_total], [1, 1, 1]);
});

Deno.test("Liveness.onHeartbeat() takes a suspicion back at once, and recovers a failed peer", async () => {
  const { connect, clock, liveness, taken, counters } = create();
  const peer = connect(2n);
  liveness.judge(peer, clock.now() + 2.5 * TIMEOUT_MS);
  assert.deepEqual(taken(), ["suspected"]);
  await clock.advance(2.5 * TIMEOUT_MS);
  liveness.onHeartbeat(peer);
  assert.deepEqual(taken(), ["relieved"]);
  assert.equal(peer.state, "connected");
  await clock.advance(4 * TIMEOUT_MS);
  liveness.judge(peer, clock.now());
  assert.deepEqual(taken(), ["failed"]);
  liveness.onHeartbeat(peer);
  assert.deepEqual(taken(), ["recovered"]);
  assert.equal(counters.peers_recovered_total, 1);
  liveness.onHeartbeat(peer);
  assert.deepEqual(taken(), []);
});

Deno.test("Liveness.judge() takes any packet for a sign of a relayed peer, as heartbeats pass no relay", () => {
  const { peers, connect, clock, liveness, taken } = create();
  const peer = connect(2n);
  peers.setRoute(peer, { address: addressOf(9), relayTo: { low: 2, high: 0 } }, false);
  const now = clock.now() + 10 * TIMEOUT_MS;
  peer.lastReceivedAt = now;
  liveness.judge(peer, now);
  assert.deepEqual(taken(), []);
  assert.equal(peer.state, "connected");
});

Deno.test("Liveness.judge() lets go of a peer that has no session and gets none", () => {
  const { peers, clock, liveness, taken, connect } = create();
  const peer = peers.getOrCreate(2n, addressOf(2), clock.now()) ?? assert.fail();
  liveness.judge(peer, clock.now() + UNCONFIRMED_MS);
  assert.deepEqual(taken(), []);
  liveness.judge(peer, clock.now() + UNCONFIRMED_MS + 1);
  assert.deepEqual(taken(), ["evicted"]);
  // One whose newer handshake waits for its proof is not judged here.
  const waiting = peers.getOrCreate(3n, addressOf(3), clock.now()) ?? assert.fail();
  waiting.candidate = connect(4n).session;
  liveness.judge(waiting, clock.now() + 1e9);
  assert.deepEqual(taken(), []);
});

Deno.test("Liveness goes over all peers once per interval, a slice at a time", async () => {
  const { peers, clock, liveness, beats, rounds, connect } = create();
  const count = LIVENESS_SLICE * 2 + 10;
  const template = connect(1n);
  for (let i = 2; i <= count; i++) {
    const peer = peers.getOrCreate(BigInt(i), addressOf(i), clock.now()) ?? assert.fail();
    peer.session = template.session;
    peer.state = "connected";
  }
  liveness.start();
  const start = clock.now();
  await clock.advance(HEARTBEAT_MS - 1);
  assert.equal(beats.length, 0);
  await clock.advance(HEARTBEAT_MS);
  assert.deepEqual(rounds, [start + HEARTBEAT_MS]);
  assert.equal(beats.length, count);
  assert.equal(new Set(beats.map(([, nodeId]) => nodeId)).size, count);
  const perMoment = Map.groupBy(beats, ([at]) => at);
  assert.equal(perMoment.size, 3);
  for (const moment of perMoment.values()) assert.ok(moment.length <= LIVENESS_SLICE);
  await clock.advance(HEARTBEAT_MS);
  assert.equal(beats.length, 2 * count);
  liveness.stop();
  await clock.advance(10 * HEARTBEAT_MS);
  assert.equal(beats.length, 2 * count);
});

Deno.test("Liveness sends nothing to peers that never showed that they hold the keys", async () => {
  const { clock, liveness, beats, connect } = create();
  const peer = connect(2n);
  if (peer.session !== undefined) peer.session.isConfirmed = false;
  liveness.start();
  await clock.advance(3 * HEARTBEAT_MS);
  assert.deepEqual(beats, []);
  liveness.stop();
});

Deno.test("Liveness records whether heartbeats come in time", async () => {
  const { clock, liveness, conduct, connect } = create();
  const peer = connect(2n);
  for (let i = 0; i < 6; i++) {
    await clock.advance(HEARTBEAT_MS);
    liveness.onHeartbeat(peer);
  }
  await clock.advance(TIMEOUT_MS + 1);
  liveness.onHeartbeat(peer);
  const { heartbeatsInTime, heartbeatsLate, score } = conduct.describe(peer.slot);
  assert.deepEqual([heartbeatsInTime, heartbeatsLate, score], [6, 1, 94]);
});
