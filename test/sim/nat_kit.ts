/** Nodes behind simulated NATs, with coordinators outside that see them and introduce them. */
import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
} from "../../src/core/crypto/mod.ts";
import {
  checkCounters,
  type Classification,
  classifyReflex,
  type DatagramSocket,
  MeshTransport,
  NatPlane,
  type PathReport,
  UNKNOWN_NAT,
} from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { HeapClock } from "./heap_clock.ts";
import { MemoryNetwork, type NetworkConditions, seededRandom } from "./memory_network.ts";
import { NatBox, type NatKind } from "./nat_network.ts";

const SECRET = new Uint8Array(32).fill(9);
const PORT = 4_000;

/** One node. */
export interface NatNode {
  readonly nodeId: bigint;
  readonly publicKey: Uint8Array;
  readonly transport: MeshTransport;
  readonly plane: NatPlane;
  readonly nat: NatBox | undefined;
  /** What it announced of itself. */
  announced: Classification;
}

/** Options of {@linkcode NatKit.node}. */
export interface NatNodeOptions {
  readonly lifetimeMs?: number;
  readonly isSealing?: boolean;
}

/** A network with NATs. */
export class NatKit implements Disposable {
  readonly clock = new HeapClock();
  readonly network: MemoryNetwork;
  readonly nodes: NatNode[] = [];
  readonly #seed: number;
  readonly #random: () => number;
  #streams = 0n;

  constructor(seed: number, conditions?: NetworkConditions) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.network = new MemoryNetwork(this.clock, seed, conditions);
  }

  /** Starts a node behind a NAT of its own, or in the open. */
  node(kind: NatKind, { lifetimeMs, isSealing = true }: NatNodeOptions = {}): NatNode {
    const number = this.nodes.length + 1;
    const identity = createIdentity(new Uint8Array(32).fill(this.#seed * 16 + number));
    const keys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const publicHost = `203.0.113.${number}`;
    const nat = kind === "open" ? undefined : new NatBox({
      clock: this.clock,
      network: this.network,
      kind,
      publicHost,
      seed: this.#seed * 100 + number,
      lifetimeMs,
    });
    const socket = nat?.open("192.168.0.2", PORT) ?? this.network.open(publicHost, PORT);
    const transport = this.#transport(socket, identity, keys, number, isSealing);
    const node: NatNode = {
      nodeId: identity.nodeId,
      publicKey: keys.publicKey,
      transport,
      nat,
      announced: UNKNOWN_NAT,
      plane: new NatPlane({
        clock: this.clock,
        random: (length) => Uint8Array.from({ length }, () => this.#random() * 256),
        transport,
        own: () => node.announced,
        know: (peer) => Promise.resolve(this.#know(peer)),
        reflexOf: (peer) => this.#find(peer)?.announced.reflex,
        isRelayCapable: () => false,
      }),
    };
    node.plane.start();
    this.nodes.push(node);
    return node;
  }

  /** Opens a session from a node to one in the open, or through one. */
  async join(from: NatNode, to: NatNode, via = to): Promise<void> {
    const dialled = from.transport.dial({
      nodeId: to.nodeId,
      noisePublicKey: to.publicKey,
      addresses: [via.transport.localAddress],
      form: "routed",
    }, 2_000);
    await this.settle(dialled);
  }

  /** Asks the coordinators where they see the node, and takes over what that says. */
  async classify(node: NatNode, coordinators: readonly NatNode[]): Promise<void> {
    const { transport } = node;
    const asked = coordinators.map(({ nodeId }) => transport.queryReflex(nodeId));
    const answers = await this.settle(Promise.all(asked));
    const { port } = transport.localAddress;
    node.announced = classifyReflex(answers, { host: "0.0.0.0", port });
  }

  /** Connects two nodes and lets the time pass that it takes. */
  connect(from: NatNode, to: NatNode): Promise<PathReport> {
    return this.settle(from.plane.connector.connect(to.nodeId));
  }

  /** Sends events over a reliable stream; fails unless each arrives once. */
  async transfer(from: NatNode, to: NatNode, count = 20): Promise<void> {
    const arrived: number[] = [];
    const streamId = ++this.#streams;
    const end = to.transport.openReceiveStream(from.nodeId, streamId, {
      onEvent: (_, payload) => void arrived.push(payload[0] ?? -1),
      onEnd: () => {},
    });
    const stream = from.transport.openSendStream(to.nodeId, streamId);
    const sending = (async () => {
      for (let i = 0; i < count; i++) {
        while (!stream.trySend(Uint8Array.of(i))) await stream.ready();
      }
      await stream.close();
    })();
    await this.settle(sending);
    end();
    assert.deepEqual(arrived.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  }

  /** Moves time on until the promise has settled. */
  async settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false;
    const watched = promise.finally(() => isSettled = true);
    watched.catch(() => {});
    assert.ok(await this.clock.advanceUntil(() => isSettled, limitMs, 20), "it did not settle");
    return await watched;
  }

  [Symbol.dispose](): void {
    for (const { plane, transport } of this.nodes) {
      plane.stop();
      assert.deepEqual(checkCounters(transport.counters), []);
      transport.stop();
    }
  }

  #transport(
    socket: DatagramSocket,
    identity: ReturnType<typeof createIdentity>,
    noiseKeys: ReturnType<typeof createNoiseKeyPair>,
    number: number,
    isSealing: boolean,
  ): MeshTransport {
    const transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: 6 * 1024 * 1024, keySlots: 256 }),
      clock: this.clock,
      log: silentLog,
    }, {
      nodeId: identity.nodeId,
      noiseKeys,
      meshSecret: SECRET,
      sealing: isSealing
        ? {
          identity,
          resetTagger: createResetTagger(new Uint8Array(32).fill(number)),
          policyOf: () => ({ isRequired: false }),
        }
        : undefined,
    });
    transport.start();
    return transport;
  }

  #know(peer: bigint) {
    const node = this.#find(peer);
    return {
      natClass: node?.announced.natClass ?? "unknown",
      reflex: node?.announced.reflex,
      isMapped: false,
      addresses: [],
      noisePublicKey: node?.publicKey,
    };
  }

  #find(nodeId: bigint): NatNode | undefined {
    return this.nodes.find((node) => node.nodeId === nodeId);
  }
}
