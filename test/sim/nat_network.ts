/**
 * NATs for the simulated network: every kind of RFC 4787's mapping and filtering that has a name of its
 * own, seeded port allocation, mappings that expire, no hairpin.
 *
 * A NAT stands between the socket of a node and the network: what the node sends leaves from the public
 * host, what comes to a public port is let in only as the kind allows.
 */
import type { Clock } from "../../src/base/mod.ts";
import {
  addressKey,
  type DatagramSocket,
  type SocketAddress,
} from "../../src/core/transport/mod.ts";
import { type MemoryNetwork, seededRandom } from "./memory_network.ts";

/** Kinds of NAT, from the one that lets in most to the one that lets in least. */
export type NatKind = "open" | "full_cone" | "restricted_cone" | "port_restricted" | "symmetric";

/** All kinds. */
export const NAT_KINDS: readonly NatKind[] = [
  "open",
  "full_cone",
  "restricted_cone",
  "port_restricted",
  "symmetric",
];

/** Options of {@linkcode NatBox}. */
export interface NatBoxOptions {
  readonly clock: Clock;
  readonly network: MemoryNetwork;
  readonly kind: Exclude<NatKind, "open">;
  readonly publicHost: string;
  readonly seed: number;
  /** A mapping without outgoing traffic is forgotten after this; 30 s when left out. */
  readonly lifetimeMs?: number;
}

interface Mapping {
  readonly inside: NattedSocket;
  /** Socket of the public port. */
  readonly outside: DatagramSocket;
  /** When something was last sent, by destination: what the filter lets in. */
  readonly sentTo: Map<string, number>;
  usedAt: number;
}

/** Addresses of the network behind a NAT. */
const LOCAL = "192.168.";
const LOCAL_DELAY_MS = 0.1;
const PORT_MIN = 20_000;
const PORT_COUNT = 40_000;

/** One NAT, with the nodes behind it. */
export class NatBox {
  readonly counters = { letIn: 0, filtered: 0, mappings: 0, expired: 0 };
  readonly #options: Required<NatBoxOptions>;
  readonly #random: () => number;
  /** By inside address, and for symmetric NATs destination too. */
  readonly #mappings = new Map<string, Mapping>();
  readonly #ports = new Set<number>();
  /** Sockets behind it: they reach each other without it. */
  readonly #inside = new Map<string, NattedSocket>();

  constructor(options: NatBoxOptions) {
    this.#options = { ...options, lifetimeMs: options.lifetimeMs ?? 30_000 };
    this.#random = seededRandom(options.seed);
  }

  /** A socket behind the NAT. */
  open(host: string, port: number): DatagramSocket {
    const socket = new NattedSocket(this, { host, port });
    this.#inside.set(addressKey(socket.localAddress), socket);
    return socket;
  }

  /** Public addresses in use now. */
  publicAddresses(): SocketAddress[] {
    return [...this.#mappings.values()].map(({ outside }) => outside.localAddress);
  }

  /** Sends a datagram of a node behind it. */
  send(inside: NattedSocket, bytes: Uint8Array, to: SocketAddress): void {
    const { clock, publicHost } = this.#options;
    // No hairpin: what goes to the NAT's own public host is dropped.
    if (to.host === publicHost) return;
    if (to.host.startsWith(LOCAL)) {
      const copy = bytes.slice();
      const neighbour = this.#inside.get(addressKey(to));
      clock.after(LOCAL_DELAY_MS, () => neighbour?.deliver(copy, inside.localAddress));
      return;
    }
    const mapping = this.#mapping(inside, to);
    mapping.usedAt = clock.now();
    mapping.sentTo.set(this.#filterKey(to), clock.now());
    mapping.outside.send(bytes, to, () => {});
  }

  /** Forgets what a closed socket had. */
  close(inside: NattedSocket): void {
    this.#inside.delete(addressKey(inside.localAddress));
    for (const [key, mapping] of this.#mappings) {
      if (mapping.inside === inside) this.#forget(key, mapping);
    }
  }

  #mapping(inside: NattedSocket, to: SocketAddress): Mapping {
    const { clock, kind, lifetimeMs } = this.#options;
    const own = addressKey(inside.localAddress);
    const key = kind === "symmetric" ? `${own}>${addressKey(to)}` : own;
    const known = this.#mappings.get(key);
    if (known !== undefined && clock.now() - known.usedAt <= lifetimeMs) return known;
    if (known !== undefined) this.#expire(key, known);
    return this.#map(key, inside);
  }

  #map(key: string, inside: NattedSocket): Mapping {
    const { clock, network, publicHost, lifetimeMs } = this.#options;
    const outside = network.open(publicHost, this.#freePort());
    const mapping: Mapping = { inside, outside, sentTo: new Map(), usedAt: clock.now() };
    const buffer = new Uint8Array(65_536);
    outside.start(buffer, (length, from) => {
      if (clock.now() - mapping.usedAt > lifetimeMs) this.#expire(key, mapping);
      else if (this.#letsIn(mapping, from)) {
        this.counters.letIn += 1;
        inside.deliver(buffer.subarray(0, length), from);
      } else this.counters.filtered += 1;
    }, () => {});
    this.#mappings.set(key, mapping);
    this.counters.mappings += 1;
    return mapping;
  }

  #letsIn({ sentTo }: Mapping, from: SocketAddress): boolean {
    const { kind, clock, lifetimeMs } = this.#options;
    if (kind === "full_cone") return true;
    const at = sentTo.get(this.#filterKey(from));
    return at !== undefined && clock.now() - at <= lifetimeMs;
  }

  #filterKey(address: SocketAddress): string {
    return this.#options.kind === "restricted_cone" ? address.host : addressKey(address);
  }

  #freePort(): number {
    for (;;) {
      const port = PORT_MIN + Math.floor(this.#random() * PORT_COUNT);
      if (this.#ports.has(port)) continue;
      this.#ports.add(port);
      return port;
    }
  }

  #expire(key: string, mapping: Mapping): void {
    this.counters.expired += 1;
    this.#forget(key, mapping);
  }

  #forget(key: string, mapping: Mapping): void {
    if (this.#mappings.get(key) === mapping) this.#mappings.delete(key);
    this.#ports.delete(mapping.outside.localAddress.port);
    mapping.outside.close();
  }
}

class NattedSocket implements DatagramSocket {
  readonly localAddress: SocketAddress;
  readonly counters = { sendErrors: 0, receiveErrors: 0 };
  readonly #nat: NatBox;
  #buffer: Uint8Array | undefined;
  #onDatagram: ((length: number, from: SocketAddress) => void) | undefined;

  constructor(nat: NatBox, localAddress: SocketAddress) {
    this.#nat = nat;
    this.localAddress = localAddress;
  }

  start(buffer: Uint8Array, onDatagram: (length: number, from: SocketAddress) => void): void {
    this.#buffer = buffer;
    this.#onDatagram = onDatagram;
  }

  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void {
    this.#nat.send(this, bytes, to);
    onSent();
  }

  close(): void {
    this.#onDatagram = undefined;
    this.#nat.close(this);
  }

  deliver(bytes: Uint8Array, from: SocketAddress): void {
    if (this.#buffer === undefined || this.#onDatagram === undefined) return;
    this.#buffer.set(bytes);
    this.#onDatagram(bytes.length, from);
  }
}
