/**
 * What our sealed sessions bring with them does not touch the live Rust core (`sealed.md` 1, 5, 6):
 * blocks in handshakes, RETRY and RESET datagrams, refusals.
 */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { encodeReset, encodeRetried, encodeRetry } from "../../src/core/crypto/mod.ts";
import { parseAddress, sendAsStranger, startLossyProxy } from "./lossy_proxy.ts";
import { dialNode, eventually, type MeshNode, startMeshNode } from "./mesh_node.ts";
import { rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { assertTalking } from "./talking.ts";

const PSK = new Uint8Array(32).fill(0x53);
const SEED = new Uint8Array(32).fill(4);
const TIMES = { heartbeatIntervalMs: 100, sessionTimeoutMs: 10_000 };

rustPeerTest(
  "the Rust core answers a handshake with our block, and the session is compat",
  async () => {
    await using peer = await startRustPeer();
    const rust = await peer.createNode({ psk: PSK, ...TIMES });
    await rust.call("start", {});
    await using node = startMeshNode({ psk: PSK });
    await dialNode(node, rust, "routed");
    assert.equal(node.transport.peer(rust.nodeId)?.isSealed, false);
    assert.equal(node.transport.counters.sessions_unproven_total, 0);
    await assertTalking(node, rust);
  },
);

rustPeerTest(
  "a node that requires sealing refuses the Rust core, which serves the next one",
  async () => {
    await using peer = await startRustPeer();
    const rust = await peer.createNode({ psk: PSK, ...TIMES });
    await rust.call("start", {});
    await using strict = startMeshNode({
      psk: PSK,
      requiresSealing: true,
      expected: [rust.nodeId],
    });
    await assert.rejects(dialNode(strict, rust, "routed"), { code: "handshake_refused" });
    await assert.rejects(dialNode(strict, rust, "direct"), { code: "handshake_refused" });
    assert.deepEqual(strict.transport.connectedPeers(), []);
    await using node = startMeshNode({ psk: PSK });
    await dialNode(node, rust, "routed");
    await assertTalking(node, rust);
  },
);

rustPeerTest("the Rust core ignores RETRY, RESET and everything like them", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK, ...TIMES });
  await rust.call("start", {});
  using proxy = startLossyProxy(rust.address);
  await using node = startMeshNode({ psk: PSK });
  let sessionId: [low: number, high: number] | undefined;
  proxy.lose((_, datagram) => {
    const view = new DataView(datagram.buffer, datagram.byteOffset);
    if (datagram.length >= 84 && view.getUint16(0, true) === 0x4e45) {
      sessionId ??= [view.getUint32(24, true), view.getUint32(28, true)];
    }
    return false;
  });
  await dialNode(node, { ...rust, address: proxy.address }, "routed");
  await assertTalking(node, rust);
  assert.ok(sessionId !== undefined);
  const ephemeral = new Uint8Array(32).fill(1);
  const token = new Uint8Array(32).fill(2);
  const datagrams = [
    encodeRetry(ephemeral, token),
    encodeRetried(token, new Uint8Array(142).fill(3)),
    encodeReset(...sessionId, new Uint8Array(16).fill(4)),
    // The class and nothing else, in every length up to beyond the largest packet's.
    ...[2, 3, 13, 15, 71, 73, 84, 116, 8192, 9000].map((length) => {
      const bytes = new Uint8Array(length);
      bytes.set([0x4e, 0x53]);
      return bytes;
    }),
  ];
  // From the session's own address, and from somebody else's.
  for (let round = 0; round < 20; round++) {
    for (const datagram of datagrams) proxy.inject(datagram);
    await sendAsStranger(rust.address, datagrams);
  }
  await assertTalking(node, rust, 41n);
  assert.equal((await rust.call("counts", {})).peers, 1);
  const { counters } = node.transport;
  assert.equal(counters.handshakes_completed_total, 1, "the session is the same");
});

rustPeerTest(
  "the Rust core ignores the RESET of a node of ours that lost its session",
  async () => {
    await using peer = await startRustPeer();
    const rust = await peer.createNode({ psk: PSK, ...TIMES });
    await rust.call("start", {});
    const before = startMeshNode({ psk: PSK, seed: SEED, expected: [rust.nodeId] });
    const { address, publicKey, nodeId } = before;
    await rust.call("connect", { address, publicKey, peer: nodeId });
    await assertTalking(before, rust);
    await before[Symbol.asyncDispose]();
    // Restarted in its place, it is sent the core's heartbeats of a session it does not know.
    await using after = await startAgain(parseAddress(address).port);
    const { counters } = after.transport;
    await eventually("it says so", () => counters.resets_sent_total > 3);
    assert.equal((await rust.call("counts", {})).peers, 1, "the core keeps waiting for it");
    // Others are served as before.
    await using other = startMeshNode({ psk: PSK });
    await dialNode(other, rust, "routed");
    await assertTalking(other, rust);
  },
);

/** The same node on the port it had, as soon as the system has freed that. */
async function startAgain(port: number): Promise<MeshNode> {
  for (;;) {
    try {
      return startMeshNode({ psk: PSK, seed: SEED, port });
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== "address_in_use") throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
