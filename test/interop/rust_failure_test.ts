/**
 * Failure, withdrawal and recovery among nodes of ours and live Rust nodes (`wire.md` 11, 12).
 *
 * Who has to notice a death has short time-outs; who has to learn of it has long ones, so that it can
 * only have been told.
 */
import assert from "node:assert/strict";
import { startLossyProxy } from "./lossy_proxy.ts";
import {
  assertNothingRefused,
  dialNode,
  dialVia,
  eventually,
  type MeshNode,
  type Reachable,
  startMeshNode,
  untilConnected,
} from "./mesh_node.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { assertTalking } from "./talking.ts";

const PSK = new Uint8Array(32).fill(0x66);
const X_SEED = new Uint8Array(32).fill(3);
const HEARTBEAT_MS = 100;
/** Failed after 1.2 s. */
const SHORT_MS = 400;
const LONG_MS = 60_000;

rustPeerTest(
  "a dead Rust node is withdrawn by us, a Rust neighbour acts on it, and it comes back",
  async () => {
    await using peer = await startRustPeer();
    const neighbour = await startRust(peer, LONG_MS);
    await using first = await startRustPeer();
    const mortal = await startRust(first, LONG_MS, X_SEED);
    await using middle = startOurs(SHORT_MS, [neighbour.nodeId, mortal.nodeId]);
    await using outer = startOurs(LONG_MS, [neighbour.nodeId]);
    await connect(neighbour, middle);
    await connect(neighbour, outer);
    await connect(mortal, middle);
    await eventually("the way is learned", () => hopOf(outer, mortal) === neighbour.nodeId);
    // Two relays in between, one of each kind.
    await dialVia(outer, mortal, neighbour);
    const { counters } = middle.transport;
    assert.ok(counters.relay_routed_total >= 2);
    const failedBefore = counters.peers_failed_total;

    first.kill();
    await eventually("we notice", () => middle.transport.peer(mortal.nodeId)?.state === "failed");
    assert.equal(counters.peers_failed_total, failedBefore + 1);
    // The core cascades only what left it without a way.
    await eventually("the core passes it on", () => hopOf(outer, mortal) === undefined);
    assert.equal(neighbour.nodeId, hopOf(outer, middle), "only that way is gone");
    const relayedBefore = counters.rx_routed_total;
    await assert.rejects(dialNode(outer, { ...mortal, address: neighbour.address }, "routed", 200));
    assert.equal(counters.rx_routed_total, relayedBefore, "the core hands us nothing for it");

    await using second = await startRustPeer();
    const reborn = await startRust(second, LONG_MS, X_SEED);
    assert.equal(reborn.nodeId, mortal.nodeId);
    await connect(reborn, middle);
    await untilConnected(middle, reborn.nodeId);
    await eventually("the way is back", () => hopOf(outer, reborn) === neighbour.nodeId);
    await dialVia(outer, reborn, neighbour);
    await assertTalking(middle, reborn);
    assertNothingRefused(middle, outer);
  },
);

rustPeerTest("a dead node of ours is withdrawn by the Rust core, and we act on it", async () => {
  await using peer = await startRustPeer();
  const core = await startRust(peer, SHORT_MS);
  await using outer = startOurs(LONG_MS, [core.nodeId]);
  const mortal = startOurs(LONG_MS, [core.nodeId]);
  await connect(core, outer);
  await connect(core, mortal);
  await eventually("the way is learned", () => hopOf(outer, mortal) === core.nodeId);
  await mortal[Symbol.asyncDispose]();
  await eventually("we are told", () => hopOf(outer, mortal) === undefined);
  assert.equal(hopOf(outer, core), core.nodeId);
  await assertTalking(outer, core);
});

rustPeerTest(
  "we and the Rust core take each other back after a silence, without a handshake",
  async () => {
    await using peer = await startRustPeer();
    const rust = await startRust(peer, SHORT_MS);
    using proxy = startLossyProxy(rust.address);
    await using node = startOurs(SHORT_MS);
    await dialNode(node, { ...rust, address: proxy.address }, "routed");
    await assertTalking(node, rust);
    proxy.lose(() => true);
    await eventually("we notice", () => node.transport.peer(rust.nodeId)?.state === "failed");
    assert.deepEqual(node.transport.connectedPeers(), []);
    proxy.lose();
    await untilConnected(node, rust.nodeId);
    const { counters } = node.transport;
    assert.equal(counters.peers_recovered_total, 1);
    assert.equal(counters.handshakes_completed_total, 1);
    assert.equal((await rust.call("counts", {})).peers, 1);
    await assertTalking(node, rust, 41n);
  },
);

/** A started node of the core. */
async function startRust(
  peer: Awaited<ReturnType<typeof startRustPeer>>,
  sessionTimeoutMs: number,
  seed?: Uint8Array,
): Promise<RustNode> {
  const times = { heartbeatIntervalMs: HEARTBEAT_MS, sessionTimeoutMs };
  const rust = await peer.createNode({ psk: PSK, seed, ...times });
  await rust.call("start", {});
  return rust;
}

function startOurs(sessionTimeoutMs: number, expected: readonly bigint[] = []): MeshNode {
  return startMeshNode({ psk: PSK, heartbeatMs: HEARTBEAT_MS, sessionTimeoutMs, expected });
}

/** A direct handshake that the core begins: pingwaves count on such sessions alone. */
async function connect(rust: RustNode, { address, publicKey, nodeId }: Reachable): Promise<void> {
  await rust.call("connect", { address, publicKey, peer: nodeId });
}

/** The neighbour that packets of ours for the node are handed to. */
function hopOf(node: MeshNode, target: Reachable): bigint | undefined {
  return node.transport.routes().find(({ nodeId }) => nodeId === target.nodeId)?.via;
}
