/** Whole nodes over a network in memory, for tests of how they route and relay for each other. */

import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  type NoiseKeyPair,
} from "../../../src/core/crypto/mod.ts";
import {
  checkCounters,
  MeshTransport,
  type MeshTransportOptions,
  type SocketAddress,
} from "../../../src/core/transport/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { HeapClock } from "../../sim/heap_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";

/** Short times, so that a minute of a network takes no time. */
export const HEARTBEAT_MS = 200;
export const TIMEOUT_MS = 1_000;

const SECRET = new Uint8Array(32).fill(7);

/** A node. */
export interface MeshNode {
  readonly nodeId: bigint;
  readonly keys: NoiseKeyPair;
  readonly transport: MeshTransport;
  readonly address: SocketAddress;
}

/** Nodes and what is between them. */
export class TestMesh implements Disposable {
  readonly clock = new HeapClock();
  readonly network = new MemoryNetwork(this.clock, 11);
  readonly nodes: MeshNode[] = [];
  /** Directed pairs of hosts between which nothing passes, as `from>to`. */
  readonly #cut = new Set<string>();
  #streams = 100n;

  constructor(count: number, options: Partial<MeshTransportOptions> = {}) {
    this.network.filter = (_, from, to) => !this.#cut.has(`${from.host}>${to.host}`);
    for (let number = 1; number <= count; number++) this.#add(number, options);
  }

  #add(number: number, options: Partial<MeshTransportOptions>): void {
    const identity = createIdentity(new Uint8Array(32).fill(number));
    const keys = createNoiseKeyPair(new Uint8Array(32).fill(100 + number));
    const socket = this.network.open(`10.0.0.${number}`, 4_000);
    const transport = new MeshTransport({
      socket,
      cipher: createPacketCipher({ memoryBytes: 5 * 1024 * 1024, keySlots: 64 }),
      clock: this.clock,
      log: silentLog,
    }, {
      nodeId: identity.nodeId,
      noiseKeys: keys,
      meshSecret: SECRET,
      heartbeatMs: HEARTBEAT_MS,
      sessionTimeoutMs: TIMEOUT_MS,
      ...options,
    });
    transport.start();
    this.nodes.push({ nodeId: identity.nodeId, keys, transport, address: socket.localAddress });
  }

  /** The node with this number, from 0. */
  node(number: number): MeshNode {
    return this.nodes[number] ?? assert.fail(`there is no node ${number}`);
  }

  /** Opens sessions along the way. */
  async connect(...numbers: number[]): Promise<void> {
    for (const [i, number] of numbers.slice(1).entries()) {
      await this.dial(numbers[i] ?? 0, number, number);
    }
  }

  /** Opens a session, its packets handed to the node `via`. */
  async dial(from: number, to: number, via: number): Promise<void> {
    const { nodeId, keys } = this.node(to);
    const dialled = this.node(from).transport.dial({
      nodeId,
      noisePublicKey: keys.publicKey,
      addresses: [this.node(via).address],
      form: "routed",
    }, 1_000);
    await Promise.all([dialled, this.clock.advance(50)]);
  }

  /** Lets nothing pass between two nodes, or everything again. */
  cut(left: number, right: number, isCut = true): void {
    this.cutOneWay(left, right, isCut);
    this.cutOneWay(right, left, isCut);
  }

  /** Lets nothing pass from one node to the other, or everything again. */
  cutOneWay(from: number, to: number, isCut = true): void {
    const key = `${this.node(from).address.host}>${this.node(to).address.host}`;
    if (isCut) this.#cut.add(key);
    else this.#cut.delete(key);
  }

  /** Number of the node that packets of `from` for `to` are handed to; `undefined` without a route. */
  hop(from: number, to: number): number | undefined {
    const { nodeId } = this.node(to);
    const route = this.node(from).transport.routes().find((other) => other.nodeId === nodeId);
    const place = this.nodes.findIndex((node) => node.nodeId === route?.via);
    return place < 0 ? undefined : place;
  }

  /** Waits until it is so. */
  async until(isSo: () => boolean, what: string, limitMs = 20 * TIMEOUT_MS): Promise<void> {
    assert.ok(await this.clock.advanceUntil(isSo, limitMs, 20), `never came true: ${what}`);
  }

  /** Sends events over a reliable stream; fails unless each arrives once. */
  async transfer(from: number, to: number, count = 30): Promise<void> {
    const [source, target] = [this.node(from), this.node(to)];
    const arrived: number[] = [];
    const streamId = this.#streams++;
    const end = target.transport.openReceiveStream(source.nodeId, streamId, {
      onEvent: (sequence) => void arrived.push(sequence),
      onEnd: () => {},
    });
    const stream = source.transport.openSendStream(target.nodeId, streamId);
    let isDone = false;
    const sending = (async () => {
      for (let i = 0; i < count; i++) {
        while (!stream.trySend(new Uint8Array(500).fill(i))) await stream.ready();
      }
      await stream.close();
      isDone = true;
    })();
    const waiting = this.until(() => isDone, `transfer from ${from} to ${to}`, 10_000);
    await Promise.all([sending, waiting]);
    end();
    assert.deepEqual(arrived.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  }

  /** Fails unless every node's counters add up. */
  checkSums(): void {
    for (const { transport } of this.nodes) assert.deepEqual(checkCounters(transport.counters), []);
  }

  [Symbol.dispose](): void {
    for (const { transport } of this.nodes) transport.stop();
  }
}
