/** How nodes find ways through each other, lose them and find others: whole transports in one network. */

import assert from "node:assert/strict";
import { PINGWAVE_BYTES } from "../../../src/core/transport/wire/pingwave.ts";
import { ROUTING_HEADER_BYTES } from "../../../src/core/transport/wire/routing_header.ts";
import { HEARTBEAT_MS, TestMesh, TIMEOUT_MS } from "./mesh_kit.ts";

Deno.test("a node learns routes over three hops, and its sessions work through them", async () => {
  using mesh = new TestMesh(4);
  await mesh.connect(0, 1, 2, 3);
  await mesh.until(() => mesh.hop(0, 3) === 1, "node 0 reaches node 3 through node 1");
  const route = mesh.node(0).transport.routes().find(({ nodeId }) =>
    nodeId === mesh.node(3).nodeId
  );
  assert.equal(route?.metric, 4, "two hops on the way, and 2");
  await mesh.dial(0, 3, 1);
  assert.ok(mesh.node(0).transport.peer(mesh.node(3).nodeId)?.isRelayed);
  await mesh.transfer(0, 3);
  await mesh.transfer(3, 0);
  assert.ok(mesh.node(1).transport.counters.relayed_packets_total > 30);
  assert.ok(mesh.node(2).transport.counters.relayed_packets_total > 30);
  // Kept alive by asking through the relays, for as long as one likes.
  await mesh.clock.advance(10 * TIMEOUT_MS);
  assert.equal(mesh.node(0).transport.peer(mesh.node(3).nodeId)?.state, "connected");
  mesh.checkSums();
});

Deno.test("pingwaves end after three hops", async () => {
  using mesh = new TestMesh(6);
  await mesh.connect(0, 1, 2, 3, 4, 5);
  await mesh.clock.advance(5 * HEARTBEAT_MS);
  assert.equal(mesh.hop(0, 4), 1, "emitted with a time-to-live of 3, passed on three times");
  assert.equal(mesh.hop(0, 5), undefined);
  mesh.checkSums();
});

Deno.test("a failed neighbour is withdrawn along the chain", async () => {
  using mesh = new TestMesh(4);
  await mesh.connect(0, 1, 2, 3);
  await mesh.until(() => mesh.hop(0, 3) === 1, "node 0 reaches node 3");
  const [, , detector, silent] = mesh.nodes;
  // Only heartbeats count: pingwaves keep the routes young until node 2 gives node 3 up.
  const { filter } = mesh.network;
  mesh.network.filter = (bytes, from, to) => {
    const isHeartbeat = bytes[0] === 0x45 && bytes[3] === 0x20;
    if (isHeartbeat && from === silent?.address) return false;
    return filter?.(bytes, from, to) ?? true;
  };
  await mesh.until(() => detector?.transport.failureCounts().suspected === 1, "suspicion");
  await mesh.clock.advance(TIMEOUT_MS - 2 * HEARTBEAT_MS);
  assert.equal(mesh.hop(0, 3), 1);
  await mesh.until(() => detector?.transport.failureCounts().failed === 1, "failure");
  await mesh.clock.advance(5);
  assert.equal(mesh.hop(1, 3), undefined);
  assert.equal(mesh.hop(0, 3), undefined);
  for (const number of [0, 1]) {
    const counters = mesh.node(number).transport.routingCounters();
    assert.equal(counters.withdrawals_lost_total, 1, `at node ${number}`);
    assert.equal(counters.withdrawals_emitted_total, 1, `at node ${number}`);
  }
  assert.equal(mesh.node(1).transport.routingCounters().withdrawals_sent_total, 1, "on to node 0");
  assert.equal(
    mesh.node(0).transport.routingCounters().withdrawals_sent_total,
    0,
    "nobody is left",
  );
  // It comes back.
  mesh.network.filter = filter;
  await mesh.until(() => mesh.hop(0, 3) === 1, "node 0 reaches node 3 again");
  assert.deepEqual(detector?.transport.failureCounts(), {
    connecting: 0,
    healthy: 2,
    suspected: 0,
    failed: 0,
  });
  mesh.checkSums();
});

/** Two ways from node 0 to node 3: through 1 and through 2. */
async function diamond(): Promise<TestMesh> {
  const mesh = new TestMesh(4);
  await mesh.connect(0, 1, 3);
  await mesh.connect(0, 2, 3);
  await mesh.until(() => mesh.hop(0, 3) !== undefined, "node 0 reaches node 3");
  await mesh.clock.advance(2 * HEARTBEAT_MS);
  return mesh;
}

Deno.test("a withdrawal leads to the other way, and only the last one to none", async () => {
  using mesh = await diamond();
  const first = mesh.hop(0, 3) ?? assert.fail();
  const second = 3 - first;
  mesh.cut(first, 3);
  await mesh.until(() => mesh.hop(0, 3) === second, "node 0 goes round");
  mesh.cut(second, 3);
  await mesh.until(() => mesh.hop(0, 3) === undefined, "node 0 knows no way");
  mesh.checkSums();
});

Deno.test("a silent neighbour is avoided before it has failed", async () => {
  using mesh = await diamond();
  const first = mesh.hop(0, 3) ?? assert.fail();
  const second = 3 - first;
  const told: [bigint, boolean][] = [];
  mesh.node(0).transport.onSuspicion((peer, isSuspected) => told.push([peer, isSuspected]));
  mesh.cutOneWay(first, 0);
  await mesh.until(() => mesh.node(0).transport.failureCounts().suspected === 1, "suspicion");
  assert.equal(mesh.hop(0, 3), second);
  assert.equal(mesh.node(0).transport.failureCounts().failed, 0);
  assert.equal(
    mesh.node(0).transport.connectedPeers().at(-1),
    mesh.node(first).nodeId,
    "asked last",
  );
  assert.deepEqual(told, [[mesh.node(first).nodeId, true]]);
  // Heard again, it is no longer avoided.
  mesh.cutOneWay(first, 0, false);
  await mesh.until(() => mesh.node(0).transport.failureCounts().suspected === 0, "relief");
  assert.equal(mesh.hop(0, first), first);
  assert.deepEqual(told.at(-1), [mesh.node(first).nodeId, false]);
  mesh.checkSums();
});

Deno.test("a session goes on through another relay when its own falls silent", async () => {
  using mesh = await diamond();
  const relay = mesh.hop(0, 3) ?? assert.fail();
  await mesh.dial(0, 3, relay);
  const ended: boolean[] = [];
  mesh.node(0).transport.onPeerChange((peer, isConnected) => {
    if (peer === mesh.node(3).nodeId) ended.push(isConnected);
  });
  await mesh.transfer(0, 3);
  // The relay is gone for both ends; each finds out on its own.
  for (const end of [0, 3]) mesh.cut(relay, end);
  await mesh.clock.advance(2 * TIMEOUT_MS + 3 * HEARTBEAT_MS);
  await mesh.transfer(0, 3);
  await mesh.transfer(3, 0);
  assert.deepEqual(ended, [], "the session never failed");
  assert.ok((mesh.node(0).transport.routingCounters().sessions_steered_total ?? 0) >= 1);
  await mesh.clock.advance(5 * TIMEOUT_MS);
  assert.equal(mesh.node(0).transport.peer(mesh.node(3).nodeId)?.state, "connected");
  mesh.checkSums();
});

Deno.test("a recovered neighbour has its own route back at once, others with their pingwaves", async () => {
  using mesh = new TestMesh(3);
  await mesh.connect(0, 1, 2);
  await mesh.until(() => mesh.hop(0, 2) === 1, "node 0 reaches node 2");
  mesh.cut(0, 1);
  await mesh.until(() => mesh.node(0).transport.failureCounts().failed === 1, "failure");
  assert.equal(mesh.hop(0, 1), undefined);
  assert.equal(mesh.hop(0, 2), undefined);
  mesh.cut(0, 1, false);
  await mesh.until(() => mesh.node(0).transport.failureCounts().healthy === 1, "recovery");
  assert.equal(mesh.hop(0, 1), 1);
  await mesh.until(() => mesh.hop(0, 2) === 1, "node 2 is back", 2 * HEARTBEAT_MS);
  mesh.checkSums();
});

Deno.test("what is sent to a failed peer ends at once, and now and then in a trial", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(0, 1);
  const [{ transport }, { nodeId }] = [mesh.node(0), mesh.node(1)];
  const send = () => transport.sendMessage(nodeId, 0x0d00, 0x0d00n, new Uint8Array(1));
  assert.ok(send());
  mesh.cut(0, 1);
  await mesh.until(() => transport.failureCounts().failed === 1, "failure");
  assert.ok(!send());
  assert.throws(() => transport.openSendStream(nodeId, 1n), { code: "unreachable" });
  await mesh.clock.advance(1_000);
  assert.ok(send(), "a trial");
  assert.ok(!send());
  mesh.cut(0, 1, false);
  await mesh.until(() => transport.failureCounts().healthy === 1, "recovery");
  assert.ok(send());
  await mesh.transfer(0, 1);
  mesh.checkSums();
});

Deno.test("a relay drops what was here before, and what claims to come from itself", async () => {
  using mesh = new TestMesh(3);
  await mesh.connect(0, 1, 2);
  await mesh.until(() => mesh.hop(0, 2) === 1, "node 0 reaches node 2");
  await mesh.dial(0, 2, 1);
  const [a, relay] = [mesh.node(0), mesh.node(1)];
  const seen: Uint8Array[] = [];
  const { filter } = mesh.network;
  mesh.network.filter = (bytes, from, to) => {
    const isData = bytes[0] === 0x52 && bytes[ROUTING_HEADER_BYTES + 3] !== 0x10;
    if (isData && from === a.address) seen.push(bytes.slice());
    return filter?.(bytes, from, to) ?? true;
  };
  await mesh.transfer(0, 2, 10);
  mesh.network.filter = filter;
  const { counters } = relay.transport;
  assert.equal(counters.drop_relay_loop_total, 0, "retransmissions and all else pass");
  const before = counters.relayed_packets_total;
  for (const bytes of seen) mesh.network.inject(bytes, a.address, relay.address);
  const forged = seen[0]?.slice() ?? assert.fail();
  new DataView(forged.buffer).setUint32(6, Number(relay.nodeId & 0xffffffffn), true);
  mesh.network.inject(forged, a.address, relay.address);
  // Back to where it came from is no way either.
  const back = seen[0]?.slice() ?? assert.fail();
  new DataView(back.buffer).setBigUint64(10, a.nodeId, true);
  mesh.network.inject(back, a.address, relay.address);
  await mesh.clock.advance(10);
  assert.equal(counters.drop_relay_loop_total, seen.length + 2);
  assert.ok(counters.relayed_packets_total - before <= 2, "nothing but what else went on");
  assert.equal(relay.transport.conduct(a.nodeId)?.loops, seen.length + 2);
  mesh.checkSums();
});

Deno.test("a relay drops what has no time to live, no route, or is too much, and counts which", async () => {
  using mesh = new TestMesh(3);
  await mesh.connect(0, 1, 2);
  await mesh.until(() => mesh.hop(0, 2) === 1, "node 0 reaches node 2");
  const [a, relay, b] = [mesh.node(0), mesh.node(1), mesh.node(2)];
  const { counters } = relay.transport;
  const packet = (destination: bigint, ttl: number, counter: number) => {
    const bytes = new Uint8Array(ROUTING_HEADER_BYTES + 84);
    const view = new DataView(bytes.buffer);
    bytes.set([0x52, 0x54, ttl]);
    view.setUint32(6, 77, true);
    view.setBigUint64(10, destination, true);
    view.setUint32(ROUTING_HEADER_BYTES + 16, counter, true);
    return bytes;
  };
  mesh.network.inject(packet(b.nodeId, 0, 1), a.address, relay.address);
  mesh.network.inject(packet(12_345n, 4, 2), a.address, relay.address);
  await mesh.clock.advance(5);
  assert.equal(counters.drop_relay_ttl_total, 1);
  assert.equal(counters.drop_relay_no_route_total, 1);
  assert.equal(relay.transport.conduct(a.nodeId)?.spentTtls, 1);
  // A stranger may relay a little, a neighbour much more.
  const stranger = { host: "10.9.9.9", port: 9 };
  for (let i = 0; i < 3_000; i++) {
    mesh.network.inject(packet(b.nodeId, 4, 1_000 + i), stranger, relay.address);
    mesh.network.inject(packet(b.nodeId, 4, 10_000 + i), a.address, relay.address);
  }
  await mesh.clock.advance(5);
  assert.ok(counters.drop_relay_limit_total >= 990 && counters.drop_relay_limit_total <= 1_000);
  assert.equal(relay.transport.conduct(a.nodeId)?.floods, 0);
  const [stream] = relay.transport.relayedStreams();
  assert.equal(stream?.drops, counters.drop_relay_limit_total + 2);
  assert.ok((stream?.packets ?? 0) >= 5_000);
  mesh.checkSums();
});

Deno.test("a relay passes on what an endpoint sends without a routing header", async () => {
  using mesh = new TestMesh(4);
  await mesh.connect(0, 1, 2);
  await mesh.connect(3, 1);
  const [, relay, b] = [mesh.node(0), mesh.node(1), mesh.node(2)];
  const { filter } = mesh.network;
  let stripped = 0;
  // Node 2 does as the Rust core does: only its handshakes carry a routing header.
  mesh.network.filter = (bytes, from, to) => {
    const isWrapped = bytes[0] === 0x52 && bytes[ROUTING_HEADER_BYTES + 3] !== 0x10;
    if (!isWrapped || from.host !== b.address.host) return filter?.(bytes, from, to) ?? true;
    stripped += 1;
    mesh.network.inject(bytes.subarray(ROUTING_HEADER_BYTES), from, to);
    return false;
  };
  await mesh.dial(0, 2, 1);
  await mesh.transfer(2, 0);
  await mesh.transfer(0, 2);
  // A second partner of the same address: now the session decides.
  await mesh.dial(3, 2, 1);
  await mesh.transfer(2, 3);
  await mesh.transfer(2, 0);
  assert.ok(stripped > 90, `${stripped} packets`);
  assert.ok(relay.transport.counters.relay_unwrapped_total >= stripped - 5);
  assert.equal(relay.transport.tableSizes().relayedPairs, 2);
  mesh.checkSums();
});

Deno.test("an old pingwave with a shorter way changes nothing", async () => {
  using mesh = new TestMesh(4);
  const old: Uint8Array[] = [];
  const { filter } = mesh.network;
  mesh.network.filter = (bytes, from, to) => {
    const isOwn = bytes.length === PINGWAVE_BYTES && from === mesh.node(3).address;
    if (isOwn) old.push(bytes.slice());
    return filter?.(bytes, from, to) ?? true;
  };
  await mesh.connect(0, 1, 3);
  await mesh.connect(0, 2);
  await mesh.until(() => mesh.hop(0, 3) === 1, "node 0 reaches node 3");
  await mesh.clock.advance(5 * HEARTBEAT_MS);
  const before = mesh.node(0).transport.counters.drop_pingwave_stale_total;
  const forged = old[0]?.slice() ?? assert.fail();
  // Node 2 says that it heard node 3 itself.
  mesh.network.inject(forged, mesh.node(2).address, mesh.node(0).address);
  await mesh.clock.advance(5);
  assert.equal(mesh.node(0).transport.counters.drop_pingwave_stale_total, before + 1);
  assert.equal(mesh.hop(0, 3), 1);
  mesh.checkSums();
});

Deno.test("a restarted node is known again at once though its sequence starts over", async () => {
  using mesh = new TestMesh(3);
  await mesh.connect(0, 1, 2);
  await mesh.clock.advance(60 * HEARTBEAT_MS);
  const ages = () =>
    mesh.node(0).transport.routes().find(({ nodeId }) => nodeId === mesh.node(2).nodeId)?.ageMs;
  const young = new Uint8Array(PINGWAVE_BYTES);
  const view = new DataView(young.buffer);
  view.setBigUint64(0, mesh.node(2).nodeId, true);
  view.setBigUint64(32, 1n, true);
  young[40] = 1;
  young[41] = 1;
  view.setBigUint64(42, BigInt((mesh.clock.wallMs() + 5_000) * 1_000), true);
  const accepted = mesh.node(0).transport.counters.pingwaves_accepted_total;
  mesh.network.inject(young, mesh.node(1).address, mesh.node(0).address);
  await mesh.clock.advance(1);
  assert.equal(mesh.node(0).transport.counters.pingwaves_accepted_total, accepted + 1);
  assert.ok((ages() ?? Infinity) <= 1);
});

Deno.test("a node tells of itself soon after what it can do has changed", async () => {
  using mesh = new TestMesh(3, { heartbeatMs: 60_000, sessionTimeoutMs: 600_000 });
  await mesh.connect(0, 1, 2);
  await mesh.clock.advance(2_000);
  const heard = () =>
    mesh.node(2).transport.discoveredNodes().find(({ nodeId }) => nodeId === mesh.node(0).nodeId);
  assert.equal(heard()?.capabilityVersion, 0);
  for (let version = 1; version <= 5; version++) {
    mesh.node(0).transport.announceFacts({ capabilityVersion: version, load: 9 });
  }
  const accepted = mesh.node(1).transport.counters.pingwaves_accepted_total;
  await mesh.clock.advance(90);
  assert.equal(heard()?.capabilityVersion, 0, "not before the debounce is over");
  await mesh.clock.advance(300);
  assert.deepEqual([heard()?.capabilityVersion, heard()?.load], [5, 9]);
  assert.equal(mesh.node(1).transport.counters.pingwaves_accepted_total, accepted + 2);
});

Deno.test("messages of a node to itself are delivered, and end when they go round", () => {
  using mesh = new TestMesh(1);
  const { transport, nodeId } = mesh.node(0);
  const send = () => transport.sendMessage(nodeId, 0x2222, 7n, Uint8Array.of(1));
  assert.ok(!send(), "nobody takes them");
  let depth = 0;
  transport.onMessage(0x2222, ({ from, streamId, payload }) => {
    assert.deepEqual([from, streamId, payload[0]], [nodeId, 7n, 1]);
    depth += 1;
    send();
  });
  assert.ok(send());
  assert.equal(depth, 8);
  assert.equal(transport.routingCounters().drop_loopback_depth_total, 1);
});

Deno.test("a signed announcement that came over hops makes a route", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(0, 1);
  const { transport } = mesh.node(0);
  transport.noteAnnouncement(99n, mesh.node(1).nodeId, 0);
  transport.noteAnnouncement(98n, 97n, 1);
  transport.noteAnnouncement(99n, mesh.node(1).nodeId, 2);
  const learned = transport.routes().filter(({ nodeId }) => nodeId === 99n || nodeId === 98n);
  assert.equal(learned.length, 1);
  assert.deepEqual([learned[0]?.metric, learned[0]?.isProtected], [4, true]);
});
