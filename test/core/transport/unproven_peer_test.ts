/** What the planes above are told of a peer that never proves that it holds the keys. */

import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
} from "../../../src/core/crypto/mod.ts";
import { UNCONFIRMED_MS } from "../../../src/core/transport/limits.ts";
import { MeshTransport } from "../../../src/core/transport/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";

Deno.test({
  name: "onPeerChange() says that a peer is lost that it said was there",
  fn: forgetsUnprovenPeer,
});

Deno.test({
  name: "MeshTransport asks who dialled it for a packet, and does not wait for its heartbeat",
  fn: confirmsAtOnce,
});

/** The Rust core says nothing on a new session before its first heartbeat, after 5 s. */
async function confirmsAtOnce(): Promise<void> {
  const { clock, network, dialler, answerer, dial } = createPair();
  const heartbeatBytes = 84;
  network.filter = (bytes) => bytes.length !== heartbeatBytes;
  await Promise.all([dial(), clock.advance(50)]);
  assert.deepEqual(answerer.transport.connectedPeers(), [dialler.identity.nodeId]);
  for (const { transport } of [dialler, answerer]) transport.stop();
}

async function forgetsUnprovenPeer(): Promise<void> {
  const { clock, network, dialler, answerer, dial } = createPair();
  const changes: boolean[] = [];
  answerer.transport.onPeerChange((_, isConnected) => void changes.push(isConnected));
  // The first message gets through; the answer, and all that could follow it, is lost.
  network.filter = (_, from) => from.host === dialler.address.host;
  const dialled = dial();
  await Promise.all([assert.rejects(dialled), clock.advance(1_000)]);
  await clock.advance(UNCONFIRMED_MS + 2_000);
  assert.deepEqual(answerer.transport.peers(), []);
  assert.ok(changes.at(-1) !== true, `told ${changes.join(", ")}`);
  for (const { transport } of [dialler, answerer]) transport.stop();
}

function createPair() {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 1);
  const create = (number: number) => {
    const identity = createIdentity(new Uint8Array(32).fill(number));
    const keys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const socket = network.open(`10.0.0.${number}`, 4_000);
    const transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: 8 * 1024 * 1024, keySlots: 16 }),
      clock,
      log: silentLog,
    }, { nodeId: identity.nodeId, noiseKeys: keys, meshSecret: new Uint8Array(32).fill(7) });
    transport.start();
    return { identity, keys, transport, address: socket.localAddress };
  };
  const [dialler, answerer] = [create(1), create(2)];
  const dial = () =>
    dialler.transport.dial({
      nodeId: answerer.identity.nodeId,
      noisePublicKey: answerer.keys.publicKey,
      addresses: [answerer.address],
      form: "routed",
    }, 1_000);
  return { clock, network, dialler, answerer, dial };
}
