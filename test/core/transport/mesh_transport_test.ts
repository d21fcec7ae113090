import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
} from "../../../src/core/crypto/mod.ts";
import type { Identity, NoiseKeyPair } from "../../../src/core/crypto/mod.ts";
import { checkCounters, Dialer, MeshTransport } from "../../../src/core/transport/mod.ts";
import type { MeshTransportOptions, SocketAddress } from "../../../src/core/transport/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork, type NetworkConditions, PERFECT } from "../../sim/memory_network.ts";

const SECRET = new Uint8Array(32).fill(7);

interface TestNode {
  readonly identity: Identity;
  readonly keys: NoiseKeyPair;
  readonly transport: MeshTransport;
  readonly address: SocketAddress;
}

function createNode(
  network: MemoryNetwork,
  clock: ManualClock,
  number: number,
  options: Partial<MeshTransportOptions> = {},
): TestNode {
  const identity = createIdentity(new Uint8Array(32).fill(number));
  const keys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
  const socket = network.open(`10.0.0.${number}`, 4000);
  const transport = new MeshTransport({
    socket,
    cipher: createPacketCipher({ memoryBytes: 8 * 1024 * 1024, keySlots: 64 }),
    clock,
    log: silentLog,
  }, { nodeId: identity.nodeId, noiseKeys: keys, meshSecret: SECRET, ...options });
  transport.start();
  return { identity, keys, transport, address: socket.localAddress };
}

async function connect(
  from: TestNode,
  to: TestNode,
  clock: ManualClock,
  form: "direct" | "routed" = "routed",
): Promise<void> {
  const dialled = from.transport.dial({
    nodeId: to.identity.nodeId,
    noisePublicKey: to.keys.publicKey,
    addresses: [to.address],
    form,
  }, 1_000);
  await Promise.all([dialled, clock.advance(50)]);
}

function pair(
  conditions: NetworkConditions = PERFECT,
  options: Partial<MeshTransportOptions> = {},
) {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 42, conditions);
  const a = createNode(network, clock, 1, options);
  const b = createNode(network, clock, 2, options);
  return {
    clock,
    network,
    a,
    b,
    [Symbol.dispose]: () => {
      a.transport.stop();
      b.transport.stop();
    },
  };
}

function checkSums(...nodes: TestNode[]): void {
  for (const { transport } of nodes) assert.deepEqual(checkCounters(transport.counters), []);
}

/** Sends `count` events of `size` bytes and returns what arrived, in order of their numbers. */
async function transfer(
  from: TestNode,
  to: TestNode,
  clock: ManualClock,
  count: number,
  size: number,
  isOrdered = false,
): Promise<number[]> {
  const arrived: number[] = [];
  const endReceiving = to.transport.openReceiveStream(from.identity.nodeId, 9n, {
    onEvent: (sequence, payload) => {
      assert.equal(payload.length, size);
      assert.equal(payload[0], sequence & 0xff);
      arrived.push(sequence);
    },
    onEnd: (reason) => assert.fail(`stream ended: ${reason}`),
  }, { windowBytes: 256_000, isOrdered });
  const stream = from.transport.openSendStream(to.identity.nodeId, 9n, { windowBytes: 256_000 });
  let isClosed = false;
  const sending = (async () => {
    for (let i = 0; i < count; i++) {
      const event = new Uint8Array(size).fill(i & 0xff);
      while (!stream.trySend(event)) await stream.ready();
    }
    await stream.close();
    isClosed = true;
  })();
  assert.ok(await clock.advanceUntil(() => isClosed, 120_000), "the transfer did not end");
  await sending;
  endReceiving();
  return arrived;
}

for (const form of ["direct", "routed"] as const) {
  Deno.test(`MeshTransport.dial() connects by a ${form} handshake`, async () => {
    using net = pair(PERFECT, {
      expected: [createIdentity(new Uint8Array(32).fill(1)).nodeId],
    });
    await connect(net.a, net.b, net.clock, form);
    assert.deepEqual(net.a.transport.connectedPeers(), [net.b.identity.nodeId]);
    assert.deepEqual(net.b.transport.connectedPeers(), [net.a.identity.nodeId]);
    assert.equal(net.b.transport.peer(net.a.identity.nodeId)?.initiator, false);
    checkSums(net.a, net.b);
  });
}

Deno.test("MeshTransport.dial() is not answered with another mesh secret", async () => {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 1);
  const a = createNode(network, clock, 1);
  const b = createNode(network, clock, 2, { meshSecret: new Uint8Array(32).fill(8) });
  const dialled = a.transport.dial({
    nodeId: b.identity.nodeId,
    noisePublicKey: b.keys.publicKey,
    addresses: [b.address],
    form: "routed",
  }, 500);
  const refused = assert.rejects(dialled, { code: "timeout" });
  await clock.advance(1_000);
  await refused;
  assert.equal(b.transport.counters.drop_handshake_refused_total, 1);
  checkSums(a, b);
  a.transport.stop();
  b.transport.stop();
});

Deno.test("MeshTransport.openSendStream() delivers once and in order on a perfect network", async () => {
  using net = pair();
  await connect(net.a, net.b, net.clock);
  const arrived = await transfer(net.a, net.b, net.clock, 300, 8_000);
  assert.deepEqual(arrived, Array.from({ length: 300 }, (_, i) => i));
  assert.equal(net.a.transport.counters.tx_resent_total, 0);
  checkSums(net.a, net.b);
});

Deno.test("MeshTransport.openSendStream() delivers everything once at 10 % loss, duplicates and reordering", async () => {
  using net = pair();
  await connect(net.a, net.b, net.clock);
  net.network.conditions = { lossRate: 0.1, duplicateRate: 0.05, delayMs: 2, jitterMs: 4 };
  const arrived = await transfer(net.a, net.b, net.clock, 1_000, 8_000);
  assert.deepEqual([...arrived].sort((x, y) => x - y), Array.from({ length: 1_000 }, (_, i) => i));
  assert.ok(net.a.transport.counters.tx_resent_total > 0);
  checkSums(net.a, net.b);
});

Deno.test("MeshTransport.openReceiveStream() hands events on in order where asked to", async () => {
  using net = pair();
  await connect(net.a, net.b, net.clock);
  net.network.conditions = { lossRate: 0.1, duplicateRate: 0.1, delayMs: 2, jitterMs: 8 };
  const arrived = await transfer(net.a, net.b, net.clock, 1_000, 3_000, true);
  assert.deepEqual(arrived, Array.from({ length: 1_000 }, (_, i) => i));
  checkSums(net.a, net.b);
});

Deno.test("MeshTransport uses SACKs with peers that announced them", async () => {
  const endedAt: number[] = [];
  for (const takesAckRanges of [false, true]) {
    using net = pair();
    await connect(net.a, net.b, net.clock);
    net.b.transport.setPeerFeatures(net.a.identity.nodeId, { takesAckRanges });
    net.network.conditions = { lossRate: 0.05, duplicateRate: 0, delayMs: 10, jitterMs: 1 };
    const arrived = await transfer(net.a, net.b, net.clock, 2_000, 1_000);
    assert.equal(new Set(arrived).size, 2_000);
    endedAt.push(net.clock.now());
    checkSums(net.a, net.b);
  }
  // Told what arrived behind a gap, the sender repairs it without waiting for a timeout.
  const [without, withRanges] = endedAt as [number, number];
  assert.ok(withRanges < without, `${withRanges} ms with, ${without} ms without`);
});

Deno.test("MeshTransport keeps peers connected over five session timeouts without data", async () => {
  using net = pair(PERFECT, { heartbeatMs: 100, sessionTimeoutMs: 300 });
  await connect(net.a, net.b, net.clock);
  await net.clock.advance(5 * 300 * 3);
  assert.equal(net.a.transport.peer(net.b.identity.nodeId)?.state, "connected");
  assert.equal(net.b.transport.peer(net.a.identity.nodeId)?.state, "connected");
  assert.ok(net.a.transport.counters.pingwaves_accepted_total > 0);
  checkSums(net.a, net.b);
});

Deno.test("MeshTransport declares a silent peer failed, recovers it, evicts it", async () => {
  using net = pair(PERFECT, { heartbeatMs: 100, sessionTimeoutMs: 300 });
  await connect(net.a, net.b, net.clock);
  const changes: boolean[] = [];
  net.a.transport.onPeerChange((_, isConnected) => changes.push(isConnected));
  net.network.filter = () => false;
  await net.clock.advance(700);
  assert.equal(net.a.transport.peer(net.b.identity.nodeId)?.state, "suspected");
  await net.clock.advance(500);
  assert.equal(net.a.transport.peer(net.b.identity.nodeId)?.state, "failed");
  net.network.filter = undefined;
  await net.clock.advance(300);
  assert.equal(net.a.transport.peer(net.b.identity.nodeId)?.state, "connected");
  assert.deepEqual(changes, [false, true]);
  net.network.filter = () => false;
  await net.clock.advance(300 * 34);
  assert.equal(net.a.transport.peer(net.b.identity.nodeId), undefined);
});

Deno.test("MeshTransport lets a restarted peer back in at once", async () => {
  using net = pair();
  await connect(net.a, net.b, net.clock);
  await transfer(net.a, net.b, net.clock, 10, 100);
  net.a.transport.stop();
  const again = createNode(net.network, net.clock, 1);
  await connect(again, net.b, net.clock);
  const arrived = await transfer(net.b, again, net.clock, 10, 100);
  assert.equal(arrived.length, 10);
  assert.equal(net.b.transport.counters.sessions_replaced_total, 1);
  again.transport.stop();
});

Deno.test("MeshTransport keeps its session when a first message is replayed", async () => {
  using net = pair();
  let first: Uint8Array | undefined;
  net.network.filter = (bytes) => {
    if (first === undefined && bytes[0] === 0x52) first = bytes.slice();
    return true;
  };
  await connect(net.a, net.b, net.clock);
  net.network.filter = undefined;
  assert.ok(first !== undefined);
  net.network.inject(first, net.a.address, net.b.address);
  await net.clock.advance(50);
  assert.equal(net.b.transport.counters.drop_handshake_replayed_total, 1);
  assert.equal((await transfer(net.a, net.b, net.clock, 5, 10)).length, 5);
});

Deno.test("MeshTransport settles crossing connects on one session", async () => {
  using net = pair();
  await Promise.all([
    connect(net.a, net.b, net.clock),
    (async () => {
      const dialled = net.b.transport.dial({
        nodeId: net.a.identity.nodeId,
        noisePublicKey: net.a.keys.publicKey,
        addresses: [net.a.address],
        form: "routed",
      }, 1_000);
      await dialled;
    })(),
  ]);
  await net.clock.advance(100);
  const left = net.a.transport.peer(net.b.identity.nodeId);
  const right = net.b.transport.peer(net.a.identity.nodeId);
  assert.equal(left?.initiator, !right?.initiator);
  assert.equal((await transfer(net.a, net.b, net.clock, 20, 100)).length, 20);
});

Deno.test("Dialer.add() reconnects to a peer that was restarted", async () => {
  using net = pair(PERFECT, { heartbeatMs: 1_000, sessionTimeoutMs: 5_000 });
  const dialer = new Dialer({ transport: net.a.transport, clock: net.clock, log: silentLog });
  dialer.add({
    nodeId: net.b.identity.nodeId,
    noisePublicKey: net.b.keys.publicKey,
    addresses: [net.b.address],
    forms: ["routed"],
  });
  await net.clock.advance(100);
  assert.equal(net.a.transport.connectedPeers().length, 1);
  net.b.transport.stop();
  const again = createNode(net.network, net.clock, 2);
  net.a.transport.reportSilence(net.b.identity.nodeId);
  await net.clock.advance(1_500);
  assert.deepEqual(again.transport.connectedPeers(), [net.a.identity.nodeId]);
  dialer.stop();
  again.transport.stop();
});

Deno.test("MeshTransport relays between two peers that know only it", async () => {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 3);
  const [a, relay, b] = [1, 2, 3].map((n) => createNode(network, clock, n)) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  await connect(a, relay, clock);
  await connect(b, relay, clock);
  const dialled = a.transport.dial({
    nodeId: b.identity.nodeId,
    noisePublicKey: b.keys.publicKey,
    addresses: [relay.address],
    form: "routed",
  }, 1_000);
  await clock.advance(100);
  await dialled;
  assert.equal((await transfer(a, b, clock, 50, 1_000)).length, 50);
  assert.equal((await transfer(b, a, clock, 50, 1_000)).length, 50);
  assert.ok(relay.transport.counters.relayed_packets_total > 100);
  checkSums(a, b, relay);
  for (const node of [a, relay, b]) node.transport.stop();
});
