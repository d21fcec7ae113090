/** Two transports with a session between them, on a network in memory. */

import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
} from "../../../src/core/crypto/mod.ts";
import { checkCounters, MeshTransport } from "../../../src/core/transport/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";

/** Options of {@linkcode createMeshPair}. */
export interface MeshPairOptions {
  readonly isSealing?: boolean;
}

/** The sender and the receiver of a test; nobody has dialled yet. */
export function createMeshPair(options: MeshPairOptions = {}) {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 1);
  const create = (number: number) => {
    const seed = new Uint8Array(32).fill(number);
    const identity = createIdentity(seed);
    const keys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const transport = new MeshTransport({
      socket: network.open(`10.0.0.${number}`, 4_000),
      cipher: createPacketCipher({ memoryBytes: 8 * 1024 * 1024, keySlots: 16 }),
      clock,
      log: silentLog,
    }, {
      nodeId: identity.nodeId,
      noiseKeys: keys,
      meshSecret: new Uint8Array(32).fill(7),
      sealing: options.isSealing
        ? {
          identity,
          resetTagger: createResetTagger(seed),
          policyOf: () => ({ isRequired: false }),
        }
        : undefined,
    });
    transport.start();
    return transport;
  };
  const dial = (from: MeshTransport, to: MeshTransport, number: number) =>
    from.dial({
      nodeId: to.nodeId,
      noisePublicKey: createNoiseKeyPair(new Uint8Array(32).fill(100 + number)).publicKey,
      addresses: [to.localAddress],
      form: "routed",
    }, 1_000);
  const pair = {
    clock,
    network,
    sender: create(1),
    receiver: create(2),
    /** The sender dials the receiver. */
    dial: () => dial(pair.sender, pair.receiver, 2),
    /** The receiver dials the sender. */
    dialBack: () => dial(pair.receiver, pair.sender, 1),
    /** The receiver ends and begins anew with nothing remembered. */
    restartReceiver: () => {
      pair.receiver.stop();
      pair.receiver = create(2);
    },
    [Symbol.dispose]: () => {
      for (const transport of [pair.sender, pair.receiver]) {
        assert.deepEqual(checkCounters(transport.counters), []);
        transport.stop();
      }
    },
  };
  return pair;
}

/** As {@linkcode createMeshPair}, with a session. */
export async function connectMeshPair(options: MeshPairOptions = {}) {
  const pair = createMeshPair(options);
  await Promise.all([pair.dial(), pair.clock.advance(500)]);
  return pair;
}
