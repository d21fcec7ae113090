/** Our transport against the live Rust core: handshakes in both roles, events, liveness. */
import assert from "node:assert/strict";
import { dialNode, eventually, startMeshNode } from "./mesh_node.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { assertTalking } from "./talking.ts";

const PSK = new Uint8Array(32).fill(0x77);
/** With these the core evicts a peer it does not hear after 3 s (30 timeouts). */
const IMPATIENT = { heartbeatIntervalMs: 50, sessionTimeoutMs: 100 };
const OURS_IMPATIENT = { heartbeatMs: 50, sessionTimeoutMs: 100 };

rustPeerTest("MeshTransport.dial() reaches an accepting Rust node directly", async () => {
  await using peer = await startRustPeer();
  await using node = startMeshNode({ psk: PSK });
  const rust = await peer.createNode({ psk: PSK });
  const accepted = rust.call("accept", { peer: node.nodeId });
  await dialNode(node, rust, "direct");
  assert.equal(await accepted, node.address);
  await rust.call("start", {});
  await assertTalking(node, rust);
  const pushed = { address: node.address, event: new Uint8Array([1, 2, 3]) };
  assert.equal(await rust.call("push", pushed), true);
  await eventually("the push arrives", () => node.events.at(-1)?.streamId === 0n);
  assert.deepEqual(node.events.at(-1)?.bytes, pushed.event);
});

rustPeerTest("MeshTransport.dial() reaches a running Rust node by a routed handshake", async () => {
  await using peer = await startRustPeer();
  await using node = startMeshNode({ psk: PSK });
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  await dialNode(node, rust, "routed");
  assert.equal((await rust.call("counts", {})).peers, 1);
  await assertTalking(node, rust);
});

rustPeerTest("MeshTransport answers a Rust node's direct handshake", async (t) => {
  await using peer = await startRustPeer();
  for (const order of ["before start", "after start"]) {
    await t.step(order, async () => {
      const rust = await peer.createNode({ psk: PSK });
      await using node = startMeshNode({ psk: PSK, expected: [rust.nodeId] });
      if (order === "after start") await rust.call("start", {});
      const { address, publicKey, nodeId } = node;
      await rust.call("connect", { address, publicKey, peer: nodeId });
      if (order === "before start") await rust.call("start", {});
      await assertTalking(node, rust);
      await rust.call("shutdown", {});
    });
  }
});

rustPeerTest("MeshTransport and a Rust node stay connected long after the time-outs", async (t) => {
  await using peer = await startRustPeer();
  for (const form of ["direct", "routed"] as const) {
    await t.step(form, async () => {
      await using node = startMeshNode({ psk: PSK, ...OURS_IMPATIENT });
      const rust = await peer.createNode({ psk: PSK, ...IMPATIENT });
      const accepted = form === "direct"
        ? rust.call("accept", { peer: node.nodeId })
        : rust.call("start", {}).then(() => "");
      await dialNode(node, rust, form);
      await accepted;
      if (form === "direct") await rust.call("start", {});
      // 40 session timeouts of silence but for heartbeats and pingwaves.
      await new Promise((resolve) => setTimeout(resolve, 4000));
      const counts = await rust.call("counts", {});
      assert.equal(counts.peers, 1, "the core did not evict us");
      if (form === "direct") assert.equal(counts.discovered, 1, "our pingwaves are heard");
      assert.deepEqual(node.transport.connectedPeers(), [rust.nodeId]);
      assert.equal(node.transport.peer(rust.nodeId)?.state, "connected");
      assert.equal(node.transport.counters.peers_failed_total, 0);
      await assertTalking(node, rust);
      // The other way round: a core that is gone is noticed.
      await rust.call("shutdown", {});
      await eventually(
        "the silent core is failed",
        () => node.transport.peer(rust.nodeId)?.state !== "connected",
      );
    });
  }
});

rustPeerTest("MeshTransport.dial() fails when secret, key or id is wrong", async (t) => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  const wrong: Record<string, readonly [Uint8Array, RustNode]> = {
    "other secret": [new Uint8Array(32), rust],
    "other key": [PSK, { ...rust, publicKey: Uint8Array.fromHex(`09${"00".repeat(31)}`) }],
    "other id": [PSK, { ...rust, nodeId: rust.nodeId ^ 1n }],
  };
  for (const [name, [psk, target]] of Object.entries(wrong)) {
    await t.step(name, async () => {
      await using node = startMeshNode({ psk });
      await assert.rejects(dialNode(node, target, "routed", 500));
      assert.deepEqual(node.transport.connectedPeers(), []);
    });
  }
  // A failed attempt must not stand in the way of a good one.
  await using node = startMeshNode({ psk: PSK });
  await dialNode(node, rust, "routed");
  await assertTalking(node, rust);
});
