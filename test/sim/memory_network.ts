/** A network in memory: seeded loss, delay, reordering and duplication; partitions on demand. */

import type { Clock } from "../../src/base/mod.ts";
import { addressKey } from "../../src/core/transport/mod.ts";
import type { DatagramSocket, SocketAddress } from "../../src/core/transport/mod.ts";

/** How bad the network is. */
export interface NetworkConditions {
  /** 0..1. */
  readonly lossRate: number;
  readonly duplicateRate: number;
  readonly delayMs: number;
  /** Added at random, 0 to this; more than the pace of sending reorders. */
  readonly jitterMs: number;
  /** Share of datagrams with one wrong bit, where a tag would notice: not in pingwaves and routing headers. */
  readonly corruptRate?: number;
}

/** A perfect network with half a millisecond one way. */
export const PERFECT: NetworkConditions = {
  lossRate: 0,
  duplicateRate: 0,
  delayMs: 0.5,
  jitterMs: 0,
};

/** A small, fast, seeded generator (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Sees every datagram before it travels; false drops it. */
export type Filter = (bytes: Uint8Array, from: SocketAddress, to: SocketAddress) => boolean;

const PINGWAVE_BYTES = 72;
const ROUTING_HEADER_BYTES = 18;
/** "R" of "RT". */
const ROUTED_FIRST_BYTE = 0x52;

/** Connects in-memory sockets. */
export class MemoryNetwork {
  conditions: NetworkConditions;
  filter: Filter | undefined;
  /** Called when a datagram was delivered and handled. */
  onDelivered: ((to: SocketAddress) => void) | undefined;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #sockets = new Map<string, MemorySocket>();

  constructor(clock: Clock, seed: number, conditions: NetworkConditions = PERFECT) {
    this.#clock = clock;
    this.#random = seededRandom(seed);
    this.conditions = conditions;
  }

  /** Binds a socket. */
  open(host: string, port: number): DatagramSocket {
    const socket = new MemorySocket(this, { host, port });
    this.#sockets.set(addressKey(socket.localAddress), socket);
    return socket;
  }

  /** Puts a datagram on its way, as if `from` had sent it. */
  inject(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const copy = bytes.slice();
    if (this.filter !== undefined && !this.filter(copy, from, to)) return;
    const { lossRate, duplicateRate, delayMs, jitterMs, corruptRate = 0 } = this.conditions;
    const copies = this.#random() < duplicateRate ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#random() < lossRate) continue;
      const arriving = corruptRate > 0 && this.#random() < corruptRate ? this.#corrupt(copy) : copy;
      this.#clock.after(delayMs + this.#random() * jitterMs, () => {
        const socket = this.#sockets.get(addressKey(to));
        if (socket === undefined) return;
        socket.deliver(arriving, from);
        this.onDelivered?.(to);
      });
    }
  }

  /** Hands a datagram over at once, past filter and conditions. */
  deliver(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    this.#sockets.get(addressKey(to))?.deliver(bytes, from);
  }

  #corrupt(bytes: Uint8Array): Uint8Array {
    if (bytes.length === PINGWAVE_BYTES) return bytes;
    const corrupt = bytes.slice();
    const start = bytes[0] === ROUTED_FIRST_BYTE ? ROUTING_HEADER_BYTES : 0;
    const at = start + Math.floor(this.#random() * (bytes.length - start));
    corrupt[at] = (corrupt[at] ?? 0) ^ (1 << Math.floor(this.#random() * 8));
    return corrupt;
  }

  /** Unbinds an address. */
  forget(address: SocketAddress): void {
    this.#sockets.delete(addressKey(address));
  }
}

class MemorySocket implements DatagramSocket {
  readonly localAddress: SocketAddress;
  readonly counters = { sendErrors: 0, receiveErrors: 0 };
  readonly #network: MemoryNetwork;
  #buffer: Uint8Array | undefined;
  #onDatagram: ((length: number, from: SocketAddress) => void) | undefined;
  #isClosed = false;

  constructor(network: MemoryNetwork, address: SocketAddress) {
    this.#network = network;
    this.localAddress = address;
  }

  start(buffer: Uint8Array, onDatagram: (length: number, from: SocketAddress) => void): void {
    this.#buffer = buffer;
    this.#onDatagram = onDatagram;
  }

  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void {
    if (!this.#isClosed) this.#network.inject(bytes, this.localAddress, to);
    onSent();
  }

  close(): void {
    this.#isClosed = true;
    this.#onDatagram = undefined;
    this.#network.forget(this.localAddress);
  }

  deliver(bytes: Uint8Array, from: SocketAddress): void {
    if (this.#buffer === undefined || this.#onDatagram === undefined) return;
    this.#buffer.set(bytes);
    this.#onDatagram(bytes.length, from);
  }
}
