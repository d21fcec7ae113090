/** Transports behind simulated NATs, on a network whose time is the test's. */
import assert from "node:assert/strict";
import type { RandomBytes } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
} from "../../src/core/crypto/mod.ts";
import { checkCounters, MeshTransport } from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { HeapClock } from "./heap_clock.ts";
import { MemoryNetwork, type NetworkConditions, seededRandom } from "./memory_network.ts";
import { NatBox, type NatKind } from "./nat_network.ts";

const SECRET = new Uint8Array(32).fill(9);
const PORT = 4_000;
const JOIN_TRIES_MAX = 5;

/** One node. */
export interface NatNetNode {
  readonly nodeId: bigint;
  readonly publicKey: Uint8Array;
  readonly transport: MeshTransport;
  /** What it stands behind; `undefined` in the open. */
  readonly box: NatBox | undefined;
}

/** Options of {@linkcode NatNet.node}. */
export interface NatNodeOptions {
  readonly lifetimeMs?: number;
  readonly isSealing?: boolean;
  /** The NAT of another node, which it shares. */
  readonly box?: NatBox;
}

/** A network with NATs; disposing of it checks every node's counters. */
export class NatNet implements Disposable {
  readonly clock = new HeapClock();
  readonly network: MemoryNetwork;
  readonly nodes: NatNetNode[] = [];
  readonly randomBytes: RandomBytes;
  /** Run before the transports stop. */
  readonly cleanUps: (() => void)[] = [];
  readonly #seed: number;
  #streams = 0n;

  constructor(seed: number, conditions?: NetworkConditions) {
    this.#seed = seed;
    const random = seededRandom(seed);
    this.randomBytes = (length) => Uint8Array.from({ length }, () => random() * 256);
    this.network = new MemoryNetwork(this.clock, seed, conditions);
  }

  /** Starts a node behind a NAT of its own, or in the open. */
  node(
    kind: NatKind,
    { lifetimeMs, isSealing = true, box: shared }: NatNodeOptions = {},
  ): NatNetNode {
    const number = this.nodes.length + 1;
    const seed = new Uint8Array(32).fill(this.#seed * 16 + number);
    const identity = createIdentity(seed);
    const noiseKeys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const publicHost = `203.0.113.${number}`;
    const box = shared ?? (kind === "open" ? undefined : new NatBox({
      clock: this.clock,
      network: this.network,
      kind,
      publicHost,
      seed: this.#seed * 100 + number,
      lifetimeMs,
    }));
    const socket = box?.open(`192.168.0.${number}`, PORT) ?? this.network.open(publicHost, PORT);
    const transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: 6 * 1024 * 1024, keySlots: 256 }),
      clock: this.clock,
      log: silentLog,
      random: this.randomBytes,
    }, {
      nodeId: identity.nodeId,
      noiseKeys,
      meshSecret: SECRET,
      sealing: isSealing
        ? {
          identity,
          resetTagger: createResetTagger(seed),
          policyOf: () => ({ isRequired: false }),
        }
        : undefined,
    });
    transport.start();
    const node = { nodeId: identity.nodeId, publicKey: noiseKeys.publicKey, transport, box };
    this.nodes.push(node);
    return node;
  }

  /** Opens a session from a node to one in the open, or through one; again where packets are lost. */
  async join(from: NatNetNode, to: NatNetNode, via = to): Promise<void> {
    const target = {
      nodeId: to.nodeId,
      noisePublicKey: to.publicKey,
      addresses: [via.transport.localAddress],
      form: "routed",
    } as const;
    for (let tries = 1;; tries++) {
      try {
        return await this.settle(from.transport.dial(target, 2_000));
      } catch (error) {
        if (tries === JOIN_TRIES_MAX) throw error;
      }
    }
  }

  /** Sends events over a reliable stream; fails unless each arrives once. */
  async transfer(from: NatNetNode, to: NatNetNode, count = 20): Promise<void> {
    // Who was dialled learns a little later that the session is in use.
    const isKnown = () => to.transport.connectedPeers().includes(from.nodeId);
    assert.ok(await this.clock.advanceUntil(isKnown, 5_000, 10), "the peer never knew");
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
    for (const cleanUp of this.cleanUps) cleanUp();
    for (const { transport } of this.nodes) {
      assert.deepEqual(checkCounters(transport.counters), []);
      transport.stop();
    }
  }
}
