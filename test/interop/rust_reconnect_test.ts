/**
 * Who may take over a session with the live Rust core, and when (`wire.md` 4.5): a node that restarted,
 * on either side, and a first message that comes again.
 */
import assert from "node:assert/strict";
import { sendAsStranger, startLossyProxy } from "./lossy_proxy.ts";
import {
  assertNothingRefused,
  dialNode,
  eventually,
  type MeshNode,
  sendAll,
  startMeshNode,
  untilConnected,
} from "./mesh_node.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { assertTalking } from "./talking.ts";

const PSK = new Uint8Array(32).fill(0x45);
const SEED = new Uint8Array(32).fill(9);
const HEARTBEAT_MS = 100;
const TIMEOUT_MS = 1500;
const ATTEMPT_MS = 150;
/** First message of a routed handshake behind its routing header, and a little more for our block. */
const MESSAGE_1_BYTES_MIN = 142;
const ROUTED_MAGIC = 0x5452;

rustPeerTest(
  "a restarted node of ours is let in by the Rust core once its busy session is silent",
  async () => {
    await using peer = await startRustPeer();
    const rust = await startRust(peer);
    const before = startOurs();
    await dialNode(before, rust, "routed");
    await assertTalking(before, rust);
    await before[Symbol.asyncDispose]();
    const silentSinceMs = performance.now();

    await using after = startOurs();
    assert.equal(after.nodeId, before.nodeId);
    let refused = 0;
    for (;;) {
      try {
        await dialNode(after, rust, "routed", 200);
        break;
      } catch {
        refused += 1;
        assert.ok(refused < 40);
      }
    }
    const waitedMs = performance.now() - silentSinceMs;
    assert.ok(refused > 0, "the first message was dropped while the old session was busy");
    assert.ok(
      waitedMs > TIMEOUT_MS - 300 && waitedMs < 2 * TIMEOUT_MS,
      `let in after ${waitedMs} ms`,
    );
    assert.equal((await rust.call("counts", {})).peers, 1);
    await assertTalking(after, rust);
  },
);

rustPeerTest("a restarted node of ours is let in at once where its session was idle", async () => {
  await using peer = await startRustPeer();
  const rust = await startRust(peer);
  const before = startOurs();
  await dialNode(before, rust, "routed");
  await before[Symbol.asyncDispose]();
  await using after = startOurs();
  // The first answer goes where the old session was, so it takes a second message.
  assert.ok(await dialUntilAnswered(after, rust) <= 2);
  await assertTalking(after, rust);
});

rustPeerTest(
  "a first message repeated, or newer while busy, does not disturb a session with the core",
  async () => {
    await using peer = await startRustPeer();
    const rust = await startRust(peer);
    using proxy = startLossyProxy(rust.address);
    let first: Uint8Array | undefined;
    proxy.lose((direction, datagram) => {
      const isFirst = direction === "toTarget" && datagram.length >= MESSAGE_1_BYTES_MIN &&
        new DataView(datagram.buffer, datagram.byteOffset).getUint16(0, true) === ROUTED_MAGIC;
      if (isFirst) first ??= datagram.slice();
      return false;
    });
    await using node = startOurs();
    await dialNode(node, { ...rust, address: proxy.address }, "routed");
    // While nothing has been said on it the session is idle, and yet a repeated message is known for one.
    assert.ok(first !== undefined);
    await sendAsStranger(rust.address, [first]);
    await assertTalking(node, rust);

    await using newer = startOurs();
    await assert.rejects(dialNode(newer, rust, "routed", 300), { code: "timeout" });
    await assertTalking(node, rust, 41n);
    assert.deepEqual(newer.transport.connectedPeers(), []);
    assertNothingRefused(node);
  },
);

rustPeerTest("the Rust core keeps a session it began itself while that is active", async () => {
  await using peer = await startRustPeer();
  const rust = await startRust(peer);
  await using node = startOurs([rust.nodeId]);
  const { address, publicKey, nodeId } = node;
  await rust.call("connect", { address, publicKey, peer: nodeId });
  await untilConnected(node, rust.nodeId);
  await assert.rejects(dialNode(node, rust, "routed", 300), { code: "timeout" });
  await assertTalking(node, rust);
  assert.equal(node.transport.peer(rust.nodeId)?.initiator, false);
});

rustPeerTest(
  "a restarted Rust node is let in by us at once, whatever its session was doing",
  async () => {
    await using first = await startRustPeer();
    const before = await startRust(first, SEED);
    await using node = startMeshNode({ psk: PSK, expected: [before.nodeId] });
    const { address, publicKey, nodeId } = node;
    await before.call("connect", { address, publicKey, peer: nodeId });
    await assertTalking(node, before);
    first.kill();
    await using second = await startRustPeer();
    const after = await startRust(second, SEED);
    assert.equal(after.nodeId, before.nodeId);
    const startMs = performance.now();
    await after.call("connect", { address, publicKey, peer: nodeId });
    await eventually(
      "its new session is in use",
      () => node.transport.counters.sessions_replaced_total === 1,
    );
    await sendAll(node, after.nodeId, 5n, [new Uint8Array(10)]);
    assert.equal((await after.receive(1)).length, 1);
    assert.ok(performance.now() - startMs < 1000, "within a second");
    await assertTalking(node, after);
  },
);

/** Dials again and again; returns how many first messages it took. */
async function dialUntilAnswered(node: MeshNode, rust: RustNode): Promise<number> {
  for (let attempt = 1;; attempt++) {
    try {
      await dialNode(node, rust, "routed", ATTEMPT_MS);
      return attempt;
    } catch (error) {
      if (attempt * ATTEMPT_MS > 4 * TIMEOUT_MS) throw error;
    }
  }
}

async function startRust(
  peer: Awaited<ReturnType<typeof startRustPeer>>,
  seed?: Uint8Array,
): Promise<RustNode> {
  const times = { heartbeatIntervalMs: HEARTBEAT_MS, sessionTimeoutMs: TIMEOUT_MS };
  const rust = await peer.createNode({ psk: PSK, seed, ...times });
  await rust.call("start", {});
  return rust;
}

/** Always the same node, on a new port and with new keys. */
function startOurs(expected: readonly bigint[] = []): MeshNode {
  const times = { heartbeatMs: HEARTBEAT_MS, sessionTimeoutMs: 10_000 };
  return startMeshNode({ psk: PSK, seed: SEED, expected, ...times });
}
