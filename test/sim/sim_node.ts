/** A node of a simulated network: a real transport and dialer that can be stopped and started again. */

import type { Clock } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  type Identity,
  type NoiseKeyPair,
} from "../../src/core/crypto/mod.ts";
import {
  checkCounters,
  type DatagramSocket,
  Dialer,
  MeshTransport,
  type SealingPolicy,
  type SocketAddress,
} from "../../src/core/transport/mod.ts";
import type { Log } from "../../src/observe/mod.ts";
import type { MemoryNetwork } from "./memory_network.ts";
import type { NodePlan } from "./scenario_plan.ts";

/** Heartbeats come often and failures are found fast, so that a scenario has time for several. */
export const HEARTBEAT_MS = 1_000;
export const SESSION_TIMEOUT_MS = 2_000;

const SECRET = new Uint8Array(32).fill(7);
/** Send slots take 4.2 MB. */
const CIPHER_BYTES = 5 * 1024 * 1024;

/** What a node is told when it starts. */
export interface SimNodeStart {
  readonly network: MemoryNetwork;
  readonly log: Log;
  /** Nodes whose direct handshakes it takes. */
  readonly expected: readonly bigint[];
  readonly policyOf: (nodeId: bigint) => SealingPolicy;
  /** True for nodes that announced that they understand SACKs. */
  readonly takesAckRanges: (nodeId: bigint) => boolean;
}

/** One node. */
export class SimNode {
  readonly identity: Identity;
  readonly keys: NoiseKeyPair;
  readonly address: SocketAddress;
  readonly clock: SkewedClock;
  transport: MeshTransport | undefined;
  dialer: Dialer | undefined;
  /** Broken promises of the node itself. */
  readonly faults: string[] = [];
  datagrams = 0;
  readonly #seed: Uint8Array;
  #socket: DatagramSocket | undefined;

  constructor(readonly number: number, readonly plan: NodePlan, clock: Clock) {
    this.#seed = new Uint8Array(32).fill(number + 1);
    this.identity = createIdentity(this.#seed);
    this.keys = createNoiseKeyPair(new Uint8Array(32).fill(number + 101));
    this.address = { host: `10.0.0.${number + 1}`, port: 4_000 };
    this.clock = new SkewedClock(clock);
  }

  /** Begins a life of the node. */
  start({ network, log, expected, policyOf, takesAckRanges }: SimNodeStart): void {
    const { clock, identity } = this;
    const socket = this.#socket = network.open(this.address.host, this.address.port);
    const transport = this.transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: CIPHER_BYTES, keySlots: 512 }),
      clock,
      log,
    }, {
      nodeId: identity.nodeId,
      noiseKeys: this.keys,
      meshSecret: SECRET,
      expected,
      heartbeatMs: HEARTBEAT_MS,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      sealing: this.plan.isSealing
        ? { identity, resetTagger: createResetTagger(this.#seed), policyOf }
        : undefined,
    });
    transport.onPeerChange((peer) => {
      transport.setPeerFeatures(peer, { takesAckRanges: takesAckRanges(peer) });
    });
    transport.start();
    this.dialer = new Dialer({ transport, clock, log });
  }

  /** Ends a life of the node so suddenly that it can tell nobody. */
  crash(): void {
    this.#socket?.close();
    this.stop();
  }

  /** Ends a life of the node; its counters are looked at a last time. */
  stop(): void {
    if (this.transport === undefined) return;
    this.look();
    this.datagrams += this.transport.counters.rx_datagrams_total;
    this.dialer?.stop();
    this.transport.stop();
    this.dialer = undefined;
    this.transport = undefined;
  }

  /** Looks at the counters between two packets: those that do not add up are noted, once. */
  look(): void {
    if (this.transport === undefined || this.faults.length > 0) return;
    const { counters } = this.transport;
    const wrong = checkCounters(counters);
    this.faults.push(...wrong.map((stage) => `node ${this.number}: counters: ${stage}`));
    if (counters.rx_failures_total > 0) {
      this.faults.push(`node ${this.number}: a packet made its handler throw`);
    }
  }
}

/** A node's view of the simulation's clock: it may be ahead, and its wall time may be anywhere. */
export class SkewedClock implements Clock {
  readonly #clock: Clock;
  #aheadMs = 0;
  #wallAheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.#aheadMs;
  }

  wallMs(): number {
    return this.#clock.wallMs() + this.#wallAheadMs;
  }

  after(delayMs: number, action: () => void): () => void {
    return this.#clock.after(delayMs, action);
  }

  soon(action: () => void): void {
    this.#clock.soon(action);
  }

  /** Lets the node's own time jump ahead, as after a suspension: what was due meanwhile comes late. */
  jump(ms: number): void {
    this.#aheadMs += Math.max(0, ms);
  }

  /** Sets the wall clock. */
  jumpWall(ms: number): void {
    this.#wallAheadMs += ms;
  }
}
