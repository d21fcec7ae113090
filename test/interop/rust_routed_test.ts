/**
 * Routed handshakes that the live Rust core begins (`wire.md` 4.5, 13.5): straight to us and through a
 * relay of ours.
 *
 * The core begins one only where NAT classes and a reflex address tell it to, so ours are announced.
 */
import assert from "node:assert/strict";
import {
  assertNothingRefused,
  dialNode,
  eventually,
  type MeshNode,
  startMeshNode,
  untilConnected,
} from "./mesh_node.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { assertTalking } from "./talking.ts";

const PSK = new Uint8Array(32).fill(0x4d);
const RUST_TIMES = { heartbeatIntervalMs: 100, sessionTimeoutMs: 10_000 };
const OUR_TIMES = { heartbeatMs: 100, sessionTimeoutMs: 10_000 };

rustPeerTest("MeshTransport answers a Rust node's routed handshake", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  await using coordinator = startMeshNode({ psk: PSK, ...OUR_TIMES });
  await using node = startMeshNode({ psk: PSK, ...OUR_TIMES });
  await introduce(rust, coordinator, node, "nat:open");
  await rust.call("connectVia", {
    peer: node.nodeId,
    publicKey: node.publicKey,
    coordinator: coordinator.nodeId,
  });
  await untilConnected(node, rust.nodeId);
  const info = node.transport.peer(rust.nodeId);
  assert.deepEqual([info?.form, info?.initiator, info?.isRelayed], ["routed", false, false]);
  assert.equal(coordinator.transport.counters.relayed_packets_total, 0);
  await assertTalking(node, rust);
  assertNothingRefused(coordinator);
});

rustPeerTest("MeshTransport answers a Rust node's handshake through a relay of ours", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK, ...RUST_TIMES });
  await using relay = startMeshNode({ psk: PSK, ...OUR_TIMES });
  await using node = startMeshNode({ psk: PSK, ...OUR_TIMES });
  await introduce(rust, relay, node, "nat:symmetric");
  await rust.call("connectVia", {
    peer: node.nodeId,
    publicKey: node.publicKey,
    coordinator: relay.nodeId,
  });
  await untilConnected(node, rust.nodeId);
  const info = node.transport.peer(rust.nodeId);
  assert.deepEqual([info?.form, info?.initiator, info?.isRelayed], ["routed", false, true]);
  assert.equal((await rust.call("counts", {})).peers, 2);
  // The core's packets come without a routing header (`wire.md` 9.4); the relay knows for whom they are.
  await assertTalking(node, rust);
  assert.ok(relay.transport.counters.relayed_packets_total > 300);
  assertNothingRefused(relay);
});

/** A Rust node, its coordinator of ours, and a node it knows from its announcement alone. */
async function introduce(
  rust: RustNode,
  coordinator: MeshNode,
  node: MeshNode,
  natTag: string,
): Promise<void> {
  await rust.call("start", {});
  await dialNode(coordinator, rust, "routed");
  await dialNode(node, coordinator, "routed");
  await untilConnected(coordinator, rust.nodeId, node.nodeId);
  node.announce(coordinator.nodeId, [natTag], { reflexAddress: node.address });
  await eventually("announced", () => coordinator.hasAnnouncementOf(node.nodeId));
  assert.ok(await coordinator.transport.ping(rust.nodeId, 3000) !== undefined, "passed on");
}
