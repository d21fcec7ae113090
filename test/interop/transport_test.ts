/**
 * Our transport against the live Rust core: handshakes in both roles and forms, events both ways, both
 * sides still connected after many session timeouts, nothing of ours dropped.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
} from "../../src/core/crypto/mod.ts";
import {
  checkCounters,
  formatAddress,
  type MeshEvent,
  MeshTransport,
  openUdpSocket,
  parseAddress,
} from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import type { RustNodeOptions } from "./rust_protocol.ts";

const SECRET = new Uint8Array(32).fill(0x5a);
/** Short times: with a timeout of 100 ms the core evicts a silent peer after 3.02 s. */
const HEARTBEAT_MS = 30;
const SESSION_TIMEOUT_MS = 100;
/** More than thirty session timeouts: a peer that was not kept alive is gone by then. */
const KEPT_ALIVE_MS = 4_000;

interface OurNode extends Disposable {
  readonly nodeId: bigint;
  readonly publicKey: Uint8Array;
  readonly address: string;
  readonly transport: MeshTransport;
  readonly events: { streamId: bigint; bytes: Uint8Array }[];
}

function createOurNode(expected: readonly bigint[] = []): OurNode {
  const identity = createIdentity(crypto.getRandomValues(new Uint8Array(32)));
  const keys = createNoiseKeyPair();
  const transport = new MeshTransport({
    socket: openUdpSocket({ host: "127.0.0.1", port: 0 }),
    cipher: createPacketCipher(),
    clock: systemClock,
    log: silentLog,
  }, {
    nodeId: identity.nodeId,
    noiseKeys: keys,
    meshSecret: SECRET,
    expected,
    heartbeatMs: HEARTBEAT_MS,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  const events: OurNode["events"] = [];
  transport.setEventHandler(({ streamId, payload }: MeshEvent) => {
    events.push({ streamId, bytes: payload.slice() });
  });
  transport.start();
  return {
    nodeId: identity.nodeId,
    publicKey: keys.publicKey,
    address: formatAddress(transport.localAddress),
    transport,
    events,
    [Symbol.dispose]: () => transport.stop(),
  };
}

async function dial(ours: OurNode, rust: RustNode, form: "direct" | "routed"): Promise<void> {
  const address = parseAddress(rust.address);
  assert.ok(address !== undefined);
  await ours.transport.dial({
    nodeId: rust.nodeId,
    noisePublicKey: rust.publicKey,
    addresses: [address],
    form,
  }, 5_000);
}

/** Events both ways on reliable streams, then silence for long, then events again. */
async function exchangeAndKeepAlive(ours: OurNode, rust: RustNode): Promise<void> {
  await exchange(ours, rust, 5n, 6n, 300);
  await new Promise((resolve) => setTimeout(resolve, KEPT_ALIVE_MS));
  assert.equal((await rust.call("counts", {})).peers, 1, "the core lost us");
  assert.equal(ours.transport.peer(rust.nodeId)?.state, "connected", "we lost the core");
  await exchange(ours, rust, 7n, 8n, 50);
  const { counters } = ours.transport;
  assert.deepEqual(checkCounters(counters), []);
  assert.equal(counters.drop_bad_tag_total, 0);
  assert.equal(counters.drop_unknown_session_total, 0);
  assert.equal(counters.drop_unknown_class_total, 0);
  assert.equal(counters.drop_malformed_control_total, 0);
  assert.equal(counters.peers_failed_total, 0);
}

async function exchange(
  ours: OurNode,
  rust: RustNode,
  outgoing: bigint,
  incoming: bigint,
  count: number,
): Promise<void> {
  const sent = Array.from({ length: count }, (_, i) => new Uint8Array(1_000).fill(i & 0xff));
  const stream = ours.transport.openSendStream(rust.nodeId, outgoing);
  for (const event of sent) while (!stream.trySend(event)) await stream.ready();
  // Closing waits for the core's acknowledgement of every packet: none was dropped.
  await stream.close({ signal: AbortSignal.timeout(10_000) });
  const received = await rust.receive(count);
  assert.equal(received.length, count);
  assert.deepEqual(received.map((event) => event.bytes), sent);

  await rust.call("openStream", { peer: ours.nodeId, streamId: incoming, isReliable: true });
  for (let at = 0; at < count; at += 50) {
    const events = sent.slice(at, at + 50);
    await rust.call("send", { peer: ours.nodeId, streamId: incoming, events });
  }
  const until = performance.now() + 5_000;
  const arrived = () => ours.events.filter((event) => event.streamId === incoming);
  while (arrived().length < count && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(arrived().map((event) => event.bytes), sent);
}

const RUST_OPTIONS: RustNodeOptions = {
  psk: SECRET,
  heartbeatIntervalMs: HEARTBEAT_MS,
  sessionTimeoutMs: SESSION_TIMEOUT_MS,
};

rustPeerTest("MeshTransport initiates a direct session with the Rust core", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode(RUST_OPTIONS);
  using ours = createOurNode();
  const accepted = rust.call("accept", { peer: ours.nodeId });
  await dial(ours, rust, "direct");
  assert.equal(await accepted, ours.address);
  await rust.call("start", {});
  await exchangeAndKeepAlive(ours, rust);
  assert.ok(ours.transport.counters.pingwaves_accepted_total > 0);
});

rustPeerTest("MeshTransport responds to a direct session of the Rust core", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode(RUST_OPTIONS);
  using ours = createOurNode([rust.nodeId]);
  const { address, publicKey, nodeId } = ours;
  await rust.call("connect", { address, publicKey, peer: nodeId });
  await rust.call("start", {});
  await exchangeAndKeepAlive(ours, rust);
  assert.ok(ours.transport.counters.pingwaves_accepted_total > 0);
});

rustPeerTest("MeshTransport enters a running Rust core by a routed handshake", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode(RUST_OPTIONS);
  await rust.call("start", {});
  using ours = createOurNode();
  await dial(ours, rust, "routed");
  await exchangeAndKeepAlive(ours, rust);
});

rustPeerTest("MeshTransport refuses a Rust core with another mesh secret", async () => {
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ ...RUST_OPTIONS, psk: new Uint8Array(32).fill(1) });
  await rust.call("start", {});
  using ours = createOurNode([rust.nodeId]);
  await assert.rejects(
    ours.transport.dial({
      nodeId: rust.nodeId,
      noisePublicKey: rust.publicKey,
      addresses: [parseAddress(rust.address) ?? assert.fail()],
      form: "routed",
    }, 500),
    { code: "timeout" },
  );
});
