/** Transports of whole nodes on a simulated network, for the services above them. */
import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
} from "../../src/core/crypto/mod.ts";
import { checkCounters, MeshTransport, type SocketAddress } from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import type { SealingPolicies } from "../../src/services/sealing_policies.ts";
import { ManualClock } from "./manual_clock.ts";
import { MemoryNetwork } from "./memory_network.ts";

const SECRET = new Uint8Array(32).fill(9);

/** One node of a {@linkcode MeshKit}. */
export interface KitNode {
  readonly nodeId: bigint;
  readonly publicKey: Uint8Array;
  readonly address: SocketAddress;
  readonly transport: MeshTransport;
}

/** A simulated network with nodes; disposing of it checks every node's counters. */
export class MeshKit implements Disposable {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork;
  readonly #nodes: KitNode[] = [];

  constructor(seed = 7) {
    this.network = new MemoryNetwork(this.clock, seed);
  }

  /** Makes a node; one that does not seal speaks compat sessions only. Without policies anybody may be anybody. */
  node(
    number: number,
    options: { readonly isSealing?: boolean; readonly policies?: SealingPolicies } = {},
  ): KitNode {
    const seed = new Uint8Array(32).fill(number);
    const identity = createIdentity(seed);
    const keys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const socket = this.network.open(`10.0.0.${number}`, 4000);
    const transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: 8 * 1024 * 1024, keySlots: 256 }),
      clock: this.clock,
      log: silentLog,
    }, {
      nodeId: identity.nodeId,
      noiseKeys: keys,
      meshSecret: SECRET,
      sealing: options.isSealing === false ? undefined : {
        identity,
        resetTagger: createResetTagger(seed),
        policyOf: (nodeId) => options.policies?.get(nodeId) ?? { isRequired: false },
      },
    });
    transport.start();
    const node = {
      nodeId: identity.nodeId,
      publicKey: keys.publicKey,
      address: socket.localAddress,
      transport,
    };
    this.#nodes.push(node);
    return node;
  }

  /** Opens a session, through `relay` if one is given. */
  async connect(from: KitNode, to: KitNode, relay?: KitNode): Promise<void> {
    const dialled = from.transport.dial({
      nodeId: to.nodeId,
      noisePublicKey: to.publicKey,
      addresses: [(relay ?? to).address],
      form: "routed",
    }, 2_000);
    dialled.catch(() => {});
    await this.clock.advance(1_000);
    await dialled;
  }

  /** Moves time on until the promise has settled; fails when it has not after `limitMs`. */
  async settle<T>(promise: Promise<T>, limitMs = 120_000): Promise<T> {
    let isSettled = false;
    const watched = promise.finally(() => isSettled = true);
    watched.catch(() => {});
    assert.ok(await this.clock.advanceUntil(() => isSettled, limitMs), "it did not settle");
    return await watched;
  }

  [Symbol.dispose](): void {
    for (const { transport } of this.#nodes) {
      assert.deepEqual(checkCounters(transport.counters), []);
      transport.stop();
    }
  }
}
