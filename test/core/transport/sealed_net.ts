/** Whole transports with identities on a simulated network, for the tests of sealed sessions. */
import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  type Identity,
  type NoiseKeyPair,
} from "../../../src/core/crypto/mod.ts";
import {
  checkCounters,
  type DatagramSocket,
  MeshTransport,
  type ProvenPeer,
  type SealingPolicy,
  type SocketAddress,
} from "../../../src/core/transport/mod.ts";
import { type Log, silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork, seededRandom } from "../../sim/memory_network.ts";

/** The mesh secret of all nodes. */
export const SECRET = new Uint8Array(32).fill(9);

/** One node. */
export interface SealedNode {
  readonly nodeId: bigint;
  readonly entityId: Uint8Array;
  readonly identity: Identity;
  readonly publicKey: Uint8Array;
  readonly noiseKeys: NoiseKeyPair;
  readonly socket: MovableSocket;
  readonly transport: MeshTransport;
  /** Where it is now. */
  readonly address: SocketAddress;
  readonly proven: ProvenPeer[];
}

/** How a node differs from the others. */
export interface SealedNodeOptions {
  readonly isSealing?: boolean;
  readonly policyOf?: (nodeId: bigint) => SealingPolicy;
  /** Another seed for the identity than the number says. */
  readonly seed?: number;
  /** Another host than the number says. */
  readonly host?: string;
  readonly log?: Log;
}

/** A socket that can move to another address, as behind a NAT that forgot it. */
export class MovableSocket implements DatagramSocket {
  readonly counters = { sendErrors: 0, receiveErrors: 0 };
  readonly #network: MemoryNetwork;
  #inner: DatagramSocket;
  #start: Parameters<DatagramSocket["start"]> | undefined;

  constructor(network: MemoryNetwork, host: string, port: number) {
    this.#network = network;
    this.#inner = network.open(host, port);
  }

  get localAddress(): SocketAddress {
    return this.#inner.localAddress;
  }

  /** Changes the address; what is on its way to the old one is lost. */
  move(host: string, port: number): void {
    this.#inner.close();
    this.#inner = this.#network.open(host, port);
    if (this.#start !== undefined) this.#inner.start(...this.#start);
  }

  start(...parameters: Parameters<DatagramSocket["start"]>): void {
    this.#start = parameters;
    this.#inner.start(...parameters);
  }

  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void {
    this.#inner.send(bytes, to, onSent);
  }

  close(): void {
    this.#inner.close();
  }
}

/** A network of such nodes; at its end every node's counters must add up. */
export class SealedNet implements Disposable {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork;
  readonly #nodes: SealedNode[] = [];
  readonly #random: () => number;
  #streams = 0;

  constructor(seed = 7) {
    this.#random = seededRandom(seed);
    this.network = new MemoryNetwork(this.clock, seed);
  }

  /** Starts a node; its number gives its keys and its host. */
  node(number: number, options: SealedNodeOptions = {}): SealedNode {
    const seed = new Uint8Array(32).fill(options.seed ?? number);
    const identity = createIdentity(seed);
    const noiseKeys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const socket = new MovableSocket(this.network, options.host ?? `10.0.0.${number}`, 4000);
    const transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: 8 * 1024 * 1024, keySlots: 4_096 }),
      clock: this.clock,
      log: options.log ?? silentLog,
      random: (length) => Uint8Array.from({ length }, () => this.#random() * 256),
    }, {
      nodeId: identity.nodeId,
      noiseKeys,
      meshSecret: SECRET,
      sealing: options.isSealing === false ? undefined : {
        identity,
        resetTagger: createResetTagger(seed),
        policyOf: options.policyOf ?? (() => ({ isRequired: false })),
      },
    });
    const proven: ProvenPeer[] = [];
    transport.onProven((peer) => proven.push(peer));
    transport.start();
    const node: SealedNode = {
      nodeId: identity.nodeId,
      entityId: identity.entityId,
      identity,
      publicKey: noiseKeys.publicKey,
      noiseKeys,
      socket,
      transport,
      get address() {
        return socket.localAddress;
      },
      proven,
    };
    this.#nodes.push(node);
    return node;
  }

  /** How to reach a node, by way of another where one is given. */
  target(to: SealedNode, via = to) {
    const { nodeId, publicKey: noisePublicKey } = to;
    return { nodeId, noisePublicKey, addresses: [via.address], form: "routed" } as const;
  }

  /** One handshake attempt, and all the time its proofs may take. */
  async dial(from: SealedNode, to: SealedNode, via = to): Promise<void> {
    const dialled = from.transport.dial(this.target(to, via), 2_000);
    dialled.catch(() => {});
    await this.clock.advance(6_000);
    await dialled;
  }

  /** Sends numbered events on a new stream and returns what came, sorted. */
  async send(from: SealedNode, to: SealedNode, count: number): Promise<number[]> {
    const arrived: number[] = [];
    to.transport.setEventHandler(({ payload }) => arrived.push(payload[0] ?? -1));
    const stream = from.transport.openSendStream(to.nodeId, BigInt(++this.#streams));
    for (let i = 0; i < count; i++) assert.ok(stream.trySend(Uint8Array.of(i)));
    await this.clock.advance(2_000);
    return arrived.sort((a, b) => a - b);
  }

  /** Ends a node so suddenly that it can tell nobody. */
  crash({ socket, transport }: SealedNode): void {
    socket.close();
    transport.stop();
  }

  [Symbol.dispose](): void {
    for (const { transport } of this.#nodes) {
      assert.deepEqual(checkCounters(transport.counters), []);
      transport.stop();
    }
  }
}
