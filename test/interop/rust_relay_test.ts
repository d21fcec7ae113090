/**
 * Pingwaves, routes and relaying among nodes of ours and live Rust nodes (`wire.md` 9, 10): the core in
 * the middle of ours, chains of both, and ours in the middle of the core.
 */
import assert from "node:assert/strict";
import {
  assertNothingRefused,
  dialNode,
  dialVia,
  eventually,
  type MeshNode,
  type Reachable,
  sendAll,
  startMeshNode,
  untilConnected,
} from "./mesh_node.ts";
import { type RustNode, type RustPeer, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { assertSameEvents, assertTalking, eventsOnce } from "./talking.ts";

const PSK = new Uint8Array(32).fill(0x2e);
const RUST_TIMES = { heartbeatIntervalMs: 100, sessionTimeoutMs: 10_000 };
const OUR_TIMES = { heartbeatMs: 100, sessionTimeoutMs: 10_000 };
const WAIT_MS = 5000;
const POLL_MS = 10;

rustPeerTest(
  "the Rust core relays a sealed session between two nodes of ours, both ways",
  async () => {
    await using peer = await startRustPeer();
    const relay = await startRust(peer);
    await using left = startOurs();
    await using right = startOurs();
    await dialNode(left, relay, "routed");
    await dialNode(right, relay, "routed");
    await dialVia(left, right, relay);
    await assertRelayed(left, right);
    assert.deepEqual(await relay.receive(1, 50), [], "nothing of it is for the relay");
    // The core relays no heartbeats, and yet both keep the session.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(left.transport.peer(right.nodeId)?.state, "connected");
    assert.equal(right.transport.peer(left.nodeId)?.state, "connected");
  },
);

rustPeerTest(
  "two Rust nodes pass our pingwaves on and relay for us what they learned",
  async () => {
    await using peer = await startRustPeer();
    const near = await peer.createNode({ psk: PSK, ...RUST_TIMES });
    const far = await peer.createNode({ psk: PSK, ...RUST_TIMES });
    const accepted = far.call("accept", { peer: near.nodeId });
    await connect(near, far);
    await accepted;
    await near.call("start", {});
    await far.call("start", {});
    await using left = startOurs([near.nodeId]);
    await using right = startOurs([far.nodeId]);
    // Pingwaves count on direct sessions alone.
    await connect(near, left);
    await connect(far, right);
    // Neither core was told of the other's neighbour but by pingwaves.
    await untilDiscovered(near, 3);
    await untilDiscovered(far, 3);
    for (const [node, other, hop] of [[left, right, near], [right, left, far]] as const) {
      await eventually(
        "ours learn the way",
        () => node.transport.routes().some((way) => way.nodeId === other.nodeId),
      );
      const way = node.transport.routes().find(({ nodeId }) => nodeId === other.nodeId);
      assert.equal(way?.via, hop.nodeId);
    }
    await dialVia(left, right, near);
    await assertRelayed(left, right);
  },
);

rustPeerTest("ours pass Rust nodes' pingwaves on and relay between them, both ways", async () => {
  await using peer = await startRustPeer();
  const left = await startRust(peer);
  const right = await startRust(peer);
  await using relay = startOurs([left.nodeId, right.nodeId]);
  await connect(left, relay);
  await connect(right, relay);
  await untilDiscovered(left, 2);
  await untilDiscovered(right, 2);
  assert.equal(relay.transport.counters.drop_pingwave_invalid_total, 0);
  // The core dials through a relay what announces the relay's address as its own.
  await right.call("setReflex", { address: relay.address });
  await right.call("announce", { capabilities: { tags: [] } });
  await eventually("announced", () => relay.hasAnnouncementOf(right.nodeId));
  assert.ok(await relay.transport.ping(left.nodeId, 3000) !== undefined, "passed on");
  await left.call("connectVia", {
    peer: right.nodeId,
    publicKey: right.publicKey,
    coordinator: relay.nodeId,
  });
  // Neither end wraps what it sends (`wire.md` 9.4), so a relay of the core would drop it.
  for (const [from, to, streamId] of [[left, right, 5n], [right, left, 6n]] as const) {
    const name = { peer: to.nodeId, streamId };
    await from.call("openStream", { ...name, isReliable: true });
    const events = Array.from({ length: 200 }, (_, i) => new Uint8Array(1000).fill(i));
    for (let at = 0; at < events.length; at += 10) {
      await from.call("send", { ...name, events: events.slice(at, at + 10), mode: "spin" });
    }
    assertSameEvents(eventsOnce(await to.receive(events.length + 1, 500)), events);
  }
  assert.ok(relay.transport.counters.relay_unwrapped_total >= 50);
  assert.equal(relay.transport.counters.drop_unknown_session_total, 0);
  assertNothingRefused(relay);
});

rustPeerTest(
  "ours relay between a node of ours and a Rust node that ours dials, both ways",
  async () => {
    await using peer = await startRustPeer();
    const rust = await startRust(peer);
    await using relay = startOurs([rust.nodeId]);
    await using node = startOurs();
    await connect(rust, relay);
    await dialNode(node, relay, "routed");
    await untilConnected(relay, rust.nodeId, node.nodeId);
    await dialVia(node, rust, relay);
    await untilConnected(node, rust.nodeId);
    assert.equal(node.transport.peer(rust.nodeId)?.isRelayed, true);
    await assertTalking(node, rust);
    assertNothingRefused(relay);
  },
);

rustPeerTest(
  "a Rust node behind a relay of the core cannot answer, and our stream says so",
  async () => {
    await using peer = await startRustPeer();
    const relay = await startRust(peer);
    const far = await peer.createNode({ psk: PSK, ...RUST_TIMES });
    const accepted = relay.call("connect", {
      address: far.address,
      publicKey: far.publicKey,
      peer: far.nodeId,
    });
    await far.call("accept", { peer: relay.nodeId });
    await accepted;
    await far.call("start", {});
    await using node = startOurs();
    await dialNode(node, relay, "routed");
    await dialVia(node, far, relay);
    const stream = node.transport.openSendStream(far.nodeId, 5n);
    assert.ok(stream.trySend(Uint8Array.of(7)));
    assert.equal((await far.receive(1)).length, 1, "what we wrap goes through");
    // Its grant comes without a routing header, which the core drops (`wire.md` 9.4).
    await assert.rejects(stream.close({ signal: AbortSignal.timeout(15_000) }), {
      code: "unreachable",
    });
    assertNothingRefused(node);
  },
);

async function startRust(peer: RustPeer): Promise<RustNode> {
  const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  await rust.call("start", {});
  return rust;
}

function startOurs(expected: readonly bigint[] = []): MeshNode {
  return startMeshNode({ psk: PSK, expected, ...OUR_TIMES });
}

/** A direct handshake that the core begins. */
async function connect(rust: RustNode, { address, publicKey, nodeId }: Reachable): Promise<void> {
  await rust.call("connect", { address, publicKey, peer: nodeId });
}

/** Waits until the core has heard the pingwaves of so many nodes. */
async function untilDiscovered(rust: RustNode, count: number): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  for (;;) {
    const { discovered } = await rust.call("counts", {});
    if (discovered === count) return;
    assert.ok(performance.now() < deadlineMs, `heard of ${discovered}, not ${count} nodes`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Both ends have a sealed session through a relay and exchange events of many sizes. */
async function assertRelayed(left: MeshNode, right: MeshNode): Promise<void> {
  for (const [node, other] of [[left, right], [right, left]] as const) {
    await untilConnected(node, other.nodeId);
    const info = node.transport.peer(other.nodeId);
    assert.deepEqual([info?.isRelayed, info?.isSealed], [true, true]);
  }
  for (const [from, to] of [[left, right], [right, left]] as const) {
    const sent = Array.from(
      { length: 100 },
      (_, index) => new Uint8Array(index === 99 ? 8086 : (index * 37) % 1400).fill(index),
    );
    const before = to.events.length;
    await sendAll(from, to.nodeId, 9n, sent);
    await eventually("all arrived", () => to.events.length - before >= sent.length);
    assertSameEvents(to.events.slice(before).map(({ bytes }) => bytes), sent);
    assertNothingRefused(from, to);
  }
}
