/** A node's peer whose NAT gives it another port, over real sockets. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import { createRamKeys } from "../../src/core/crypto/mod.ts";
import type { SocketAddress } from "../../src/core/transport/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { type KnownPeer, type MeshMemory, MeshService } from "../../src/services/mod.ts";

const LOOPBACK = "127.0.0.1";

/** Translates one client's address, and forgets which it gave on demand. */
class Nat implements AsyncDisposable {
  readonly #front = listen();
  readonly #target: Deno.NetAddr;
  readonly #running: Promise<void>[] = [];
  #back = listen();
  #client: Deno.Addr | undefined;

  constructor(target: SocketAddress) {
    this.#target = { transport: "udp", hostname: target.host, port: target.port };
    this.#running.push(this.#outward(), this.#inward(this.#back));
  }

  get inside(): SocketAddress {
    return addressOf(this.#front);
  }

  get outside(): SocketAddress {
    return addressOf(this.#back);
  }

  renumber(): void {
    const old = this.#back;
    this.#back = listen();
    this.#running.push(this.#inward(this.#back));
    old.close();
  }

  async #outward(): Promise<void> {
    for await (const [datagram, source] of this.#front) {
      this.#client = source;
      await this.#back.send(datagram, this.#target);
    }
  }

  async #inward(back: Deno.DatagramConn): Promise<void> {
    for await (const [datagram] of back) {
      if (this.#client !== undefined) await this.#front.send(datagram, this.#client);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#front.close();
    this.#back.close();
    await Promise.allSettled(this.#running);
  }
}

/** What a node remembers, and who wants to know of it. */
class RamMemory implements MeshMemory {
  readonly peers = new Map<bigint, KnownPeer>();
  onWrite: (peer: KnownPeer) => void = () => {};

  readUdpPort = () => Promise.resolve(undefined);
  writeUdpPort = () => Promise.resolve();
  readPeers = () => Promise.resolve([...this.peers.values()]);
  touchPeer = () => Promise.resolve();
  removePeer = (nodeId: bigint) => Promise.resolve(this.peers.delete(nodeId));

  writePeer(peer: KnownPeer): Promise<void> {
    this.peers.set(peer.nodeId, peer);
    this.onWrite(peer);
    return Promise.resolve();
  }
}

function listen(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port: 0 });
}

function addressOf(socket: Deno.DatagramConn): SocketAddress {
  const { hostname, port } = socket.addr as Deno.NetAddr;
  return { host: hostname, port };
}

function createService(keys: ReturnType<typeof createRamKeys>, peers: readonly KnownPeer[]) {
  const memory = new RamMemory();
  const service = new MeshService({
    clock: systemClock,
    log: silentLog,
    metrics: createMetricRegistry(),
    memory,
    keys,
  }, {
    udp: { host: LOOPBACK, port: 0 },
    meshSecret: new Uint8Array(32).fill(3),
    expect: [],
    peers,
    ticket: undefined,
    isSealedOnly: true,
    heartbeatMs: 50,
  });
  return { service, memory };
}

Deno.test("a peer behind a NAT that renumbers keeps its session, and its pin learns the address", async () => {
  const [leftKeys, rightKeys] = [createRamKeys(), createRamKeys()];
  const right = createService(rightKeys, []);
  await right.service.start();
  const { transport } = right.service;
  await using nat = new Nat(transport.localAddress);
  const left = createService(leftKeys, [{
    nodeId: rightKeys.identity.nodeId,
    entityId: undefined,
    noisePublicKey: rightKeys.noise.publicKey,
    addresses: [nat.inside],
    label: "",
    isPinned: false,
  }]);
  const { nodeId } = leftKeys.identity;
  const pinned = written(right.memory, () => true);
  await left.service.start();
  try {
    assert.deepEqual((await pinned).addresses, [nat.outside]);
    const session = transport.peer(nodeId);
    assert.ok(session?.isSealed);
    const changes: boolean[] = [];
    transport.onPeerChange((_, isConnected) => changes.push(isConnected));
    const before = nat.outside;
    nat.renumber();
    const learned = await written(right.memory, ({ addresses }) => addresses.length === 2);
    assert.deepEqual(learned.addresses, [nat.outside, before]);
    assert.ok(learned.isPinned);
    assert.deepEqual(transport.peer(nodeId)?.address, nat.outside);
    assert.deepEqual(changes, []);
    // Both directions still work: the other side answers.
    assert.ok(await transport.ping(nodeId, 5_000) !== undefined);
    assert.equal(transport.counters.sessions_opened_total, 1);
  } finally {
    await left.service.stop();
    await right.service.stop();
  }
});

function written(memory: RamMemory, isIt: (peer: KnownPeer) => boolean): Promise<KnownPeer> {
  return new Promise((resolve) => {
    memory.onWrite = (peer) => {
      if (isIt(peer)) resolve(peer);
    };
  });
}
