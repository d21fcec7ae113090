/**
 * Traversal with live Rust nodes (`nrpc.md` 16): reflex both ways, each side as coordinator, as punch target
 * and as the one that asks.
 */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import {
  type NatClass,
  NatPlane,
  parseAddress,
  type SocketAddress,
} from "../../src/core/transport/mod.ts";
import { encodeReflexResponse } from "../../src/core/transport/wire/nat_frames.ts";
import { SUBPROTOCOL_REFLEX } from "../../src/core/transport/wire/subprotocols.ts";
import {
  assertNothingRefused,
  dialNode,
  eventually,
  type MeshNode,
  type Reachable,
  sendAll,
  startMeshNode,
  untilConnected,
} from "./mesh_node.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";

const PSK = new Uint8Array(32).fill(0x4a);
const TIMES = { heartbeatMs: 500, sessionTimeoutMs: 10_000 };
const RUST_TIMES = { heartbeatIntervalMs: 500, sessionTimeoutMs: 10_000 };

/** A node of ours that traverses, of a class that the test gives it. */
interface Traverser extends MeshNode {
  readonly plane: NatPlane;
  readonly reflex: SocketAddress;
}

function startTraverser(
  natClass: NatClass,
  others: () => readonly Reachable[],
  expected: readonly bigint[] = [],
): Traverser {
  const node = startMeshNode({ psk: PSK, expected, ...TIMES });
  const reflex = addressOf(node.address);
  const reflexOf = (nodeId: bigint) => {
    const text = node.announcementOf(nodeId)?.reflexAddress;
    return text === undefined ? undefined : parseAddress(text);
  };
  const plane = new NatPlane({
    clock: systemClock,
    random: systemRandom,
    transport: node.transport,
    own: () => ({ natClass, reflex }),
    know: (nodeId) =>
      Promise.resolve({
        natClass: "cone",
        reflex: reflexOf(nodeId),
        isMapped: false,
        addresses: [],
        noisePublicKey: others().find((other) => other.nodeId === nodeId)?.publicKey,
      }),
    reflexOf,
    isRelayCapable: () => false,
  });
  plane.start();
  return {
    ...node,
    plane,
    reflex,
    [Symbol.asyncDispose]: async () => {
      plane.stop();
      await node[Symbol.asyncDispose]();
    },
  };
}

rustPeerTest("reflex: each side tells the other where it sees it", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  await rust.call("start", {});
  await using ours = startMeshNode({ psk: PSK, expected: [rust.nodeId], ...TIMES });
  // The core asks nobody whom it did not meet directly.
  await meet(rust, ours);
  assert.deepEqual(await ours.transport.queryReflex(rust.nodeId), addressOf(ours.address));
  assert.deepEqual(ours.transport.peer(rust.nodeId)?.reflex, addressOf(ours.address));
  assert.equal(await rust.call("probeReflex", { peer: ours.nodeId }), rust.address);
});

rustPeerTest("the Rust core introduces two nodes of ours, which punch and talk", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  await rust.call("start", {});
  const nodes: Reachable[] = [];
  await using left = startTraverser("cone", () => nodes);
  await using right = startTraverser("cone", () => nodes);
  nodes.push(left, right);
  for (const node of [left, right]) {
    await dialNode(node, rust, "routed");
    node.announce(rust.nodeId, ["nat:cone"], { reflexAddress: node.address });
  }
  await eventually("announced", () => left.hasAnnouncementOf(right.nodeId));

  const report = await left.plane.connector.connect(right.nodeId);
  assert.equal(report.action, "punch");
  assert.deepEqual(report.attempts.map(({ kind, via, outcome }) => ({ kind, via, outcome })), [
    { kind: "punch", via: rust.nodeId, outcome: "connected" },
  ]);
  assert.equal(report.outcome, "direct");
  await sendAll(left, right.nodeId, 3n, [Uint8Array.of(1), Uint8Array.of(2)]);
  // Both heard each other's keep-alives and said so; the core passed it on.
  await eventually("acked", () => left.plane.counters.acks_received_total > 0);
  assert.ok(right.plane.counters.acks_sent_total > 0);
  assert.equal(right.plane.counters.introductions_followed_total, 1);
  for (const { plane } of [left, right]) {
    assert.equal(plane.counters.peer_auth_rejections_total, 0);
    assert.equal(plane.counters.drop_malformed_total, 0);
  }
  assertNothingRefused(left, right);
});

rustPeerTest("the Rust core refuses, and ours says why", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  await rust.call("start", {});
  const nodes: Reachable[] = [];
  await using left = startTraverser("cone", () => nodes);
  await using right = startTraverser("cone", () => nodes);
  nodes.push(right);
  await dialNode(left, rust, "routed");
  await dialNode(right, rust, "routed");
  const report = await left.plane.connector.connect(right.nodeId);
  const [punch, relay] = report.attempts;
  assert.equal(punch?.error, "rendezvous-rejected");
  assert.match(punch?.reason ?? "", /announced no address/);
  assert.deepEqual([relay?.kind, relay?.outcome], ["relay", "connected"]);
  assert.equal(report.outcome, "relayed");
  assert.equal(left.plane.counters.punch_rejections, 1);
  assert.equal(left.plane.counters.relay_fallbacks, 1);
});

rustPeerTest(
  "a Rust node follows our introduction: its train reaches us, and its ack",
  async () => {
    await using peer = await startRustPeer();
    const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
    await rust.call("start", {});
    const nodes: Reachable[] = [rust];
    await using left = startTraverser("cone", () => nodes);
    await using coordinator = startTraverser("open", () => nodes);
    await dialNode(left, coordinator, "routed");
    await dialNode(coordinator, rust, "routed");
    await rust.call("setReflex", { address: rust.address });
    await rust.call("announce", { capabilities: { tags: [] } });
    await eventually("announced", () => left.hasAnnouncementOf(rust.nodeId));

    const report = await left.plane.connector.connect(rust.nodeId);
    assert.deepEqual(report.attempts.map(({ kind, outcome }) => [kind, outcome]), [
      ["punch", "connected"],
    ]);
    assert.equal(left.transport.peer(rust.nodeId)?.isRelayed, false);
    assert.ok(left.plane.counters.keepalives_heard_total > 0, "its keep-alives came");
    await eventually("acked", () => left.plane.counters.acks_received_total > 0);
    assert.equal(coordinator.plane.counters.introductions_sent_total, 1);
    assert.ok(coordinator.plane.counters.acks_forwarded_total > 0);
    assert.notEqual(await left.transport.ping(rust.nodeId, 3_000), undefined);
  },
);

rustPeerTest("ours introduces two Rust nodes, and relays when their punch fails", async () => {
  await using peer = await startRustPeer();
  const left = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  const right = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  for (const node of [left, right]) await node.call("start", {});
  const rusts = [left.nodeId, right.nodeId];
  await using coordinator = startTraverser("open", () => [], rusts);
  await using other = startTraverser("open", () => [], rusts);
  // They are told of ports that are not theirs, as behind a NAT, where nobody is.
  const seen = new Map<bigint, SocketAddress>([
    [left.nodeId, { host: "127.0.0.1", port: 9 }],
    [right.nodeId, { host: "127.0.0.1", port: 13 }],
  ]);
  for (const outside of [coordinator, other]) {
    answerReflex(outside, seen);
    for (const node of [left, right]) await meet(node, outside);
  }
  for (const node of [left, right]) {
    assert.equal(await node.call("classify", {}), "cone");
    await node.call("announce", { capabilities: { tags: [] } });
  }
  for (const [node, one] of [[left, right], [right, left]] as const) {
    await eventually("announced", () => coordinator.hasAnnouncementOf(node.nodeId));
    await untilClassKnown(node, one);
  }
  await left.call("connectVia", {
    peer: right.nodeId,
    publicKey: right.publicKey,
    coordinator: coordinator.nodeId,
  });
  const { punchesAttempted, relayFallbacks } = await left.call("traversal", {});
  assert.deepEqual([punchesAttempted, relayFallbacks], [1n, 1n]);
  assert.equal(coordinator.plane.counters.introductions_sent_total, 1);
  assert.equal(coordinator.plane.counters.drop_malformed_total, 0);
});

/** A direct session that the core begins. */
async function meet(rust: RustNode, ours: MeshNode): Promise<void> {
  const { address, publicKey, nodeId } = ours;
  await rust.call("connect", { address, publicKey, peer: nodeId });
  await untilConnected(ours, rust.nodeId);
}

/** Answers where it sees some peers with what the test says, as if a NAT stood in between. */
function answerReflex({ transport }: MeshNode, seen: ReadonlyMap<bigint, SocketAddress>): void {
  transport.onMessage(SUBPROTOCOL_REFLEX, ({ from, payload }) => {
    const address = seen.get(from);
    if (payload.length > 0 || address === undefined) return;
    const answer = encodeReflexResponse(address);
    transport.sendMessage(from, SUBPROTOCOL_REFLEX, BigInt(SUBPROTOCOL_REFLEX), answer);
  });
}

/** Waits until a Rust node knows of another one's class. */
async function untilClassKnown(node: RustNode, other: RustNode): Promise<void> {
  for (let tries = 0; await node.call("peerClass", { peer: other.nodeId }) !== "cone"; tries++) {
    assert.ok(tries < 100, "its announcement never came");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function addressOf(text: string): SocketAddress {
  return parseAddress(text) ?? assert.fail(`no address: ${text}`);
}
