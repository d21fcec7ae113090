/**
 * The mesh service: socket, transport and dialling of a node.
 *
 * It keeps the UDP port over restarts, so that addresses in tickets stay right, and remembers peers it
 * was told about, so that a node finds its mesh again without being told twice.
 */

import { type Clock, idToHex, NetError, toNetError } from "../base/mod.ts";
import {
  createPacketCipher,
  createResetTagger,
  deriveNodeId,
  type NativeAead,
  type NodeKeys,
  openNativeAead,
  type Ticket,
} from "../core/crypto/mod.ts";
import {
  CaptureFile,
  captureSocket,
  type DatagramSocket,
  Dialer,
  type DialTarget,
  formatAddress,
  MeshTransport,
  openBestUdpSocket,
  type ProvenPeer,
  type SealingPolicy,
  type SocketAddress,
  withLatestAddress,
} from "../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { CounterSet, Log, MetricRegistry } from "../observe/mod.ts";
import { meshFamilies } from "./mesh_metrics.ts";
import { SealingPolicies } from "./sealing_policies.ts";

/** A peer remembered across restarts. */
export interface KnownPeer {
  readonly nodeId: bigint;
  readonly entityId: Uint8Array | undefined;
  readonly noisePublicKey: Uint8Array;
  readonly addresses: readonly SocketAddress[];
  readonly label: string;
  /** It proved once on a sealed session who it is; it may never be talked to unsealed again. */
  readonly isPinned: boolean;
  /** Unix milliseconds of its last proof; `undefined` when it never gave one. */
  readonly lastSeenMs?: number;
}

/** What the service keeps across restarts. */
export interface MeshMemory {
  readUdpPort(): Promise<number | undefined>;
  writeUdpPort(port: number): Promise<void>;
  readPeers(): Promise<readonly KnownPeer[]>;
  writePeer(peer: KnownPeer): Promise<void>;
  /** Notes that a peer was here just now. */
  touchPeer(nodeId: bigint): Promise<void>;
  /** Forgets a peer and its pin; false when it was not known. */
  removePeer(nodeId: bigint): Promise<boolean>;
}

/**
 * Who said where a peer is: the ticket this node joined with, a flag of its start, what it kept of a peer
 * that proved itself, or of one that did not.
 */
export type AddressSource = "ticket" | "flag" | "pin" | "memory";

/** An address of a peer. */
export interface KnownAddress {
  readonly address: SocketAddress;
  readonly source: AddressSource;
}

/** What {@linkcode MeshService} needs. */
export interface MeshServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly memory: MeshMemory;
  readonly keys: NodeKeys;
}

/** How the node takes part in the mesh. */
export interface MeshServiceOptions {
  /** Port 0 means the kept one, or any. */
  readonly udp: SocketAddress;
  readonly meshSecret: Uint8Array;
  readonly expect: readonly bigint[];
  /** Peers given one by one, by address, id and Noise key. */
  readonly peers: readonly KnownPeer[];
  /** The ticket to join with. */
  readonly ticket: Ticket | undefined;
  /** No session that is not sealed. */
  readonly isSealedOnly: boolean;
  /** Records every datagram there. */
  readonly pcapFile?: string;
  readonly heartbeatMs?: number;
  readonly sessionTimeoutMs?: number;
  /** Microseconds for which the socket is polled after traffic, 0 for none; 50 when left out. */
  readonly pollMicroseconds?: number;
}

/** Addresses a ticket holds at most. */
const ADDRESSES_MAX = 8;

/**
 * Six key slots a session, for as many as the transport holds: 98,304 × 32 B is 3 MB. Nearly all hold four
 * at a time, so that 8,192 more can be half open or replaced.
 */
const KEY_SLOTS = 98_304;

/** A peer that was not here for a week is not looked for any more; its pin stays. */
const ABSENT_MS_MAX = 7 * 86_400_000;

/** Peers nobody named in this run are dialled with patience. */
const KNOWN_PEER_PAUSE_MS = 30_000;

/** A node's place in the mesh. */
export class MeshService implements Service {
  readonly name = "mesh";
  readonly #deps: MeshServiceDeps;
  readonly #options: MeshServiceOptions;
  readonly #policies = new SealingPolicies();
  #transport: MeshTransport | undefined;
  #dialer: Dialer | undefined;
  #native: NativeAead | undefined;

  constructor(deps: MeshServiceDeps, options: MeshServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The running transport. */
  get transport(): MeshTransport {
    if (this.#transport !== undefined) return this.#transport;
    throw new NetError("not_ready", "Cannot use the mesh: it has not started");
  }

  /** Peers this node dials, and how that goes. */
  get dialer(): Dialer {
    if (this.#dialer !== undefined) return this.#dialer;
    throw new NetError("not_ready", "Cannot use the mesh: it has not started");
  }

  async start(): Promise<void> {
    const { clock, log, metrics, memory, keys } = this.#deps;
    const { udp, meshSecret, expect, heartbeatMs, sessionTimeoutMs } = this.#options;
    const socket = await this.#open(udp);
    try {
      if (socket.localAddress.port !== await memory.readUdpPort()) {
        await memory.writeUdpPort(socket.localAddress.port);
      }
      const targets = await this.#targets();
      this.#native = openNativeAead();
      log.debug("packet_cipher_opened", { native: this.#native !== undefined });
      const cipher = createPacketCipher({ keySlots: KEY_SLOTS, native: this.#native });
      const transport = new MeshTransport({ socket, cipher, clock, log }, {
        nodeId: keys.identity.nodeId,
        noiseKeys: keys.noise,
        meshSecret,
        expected: expect,
        heartbeatMs,
        sessionTimeoutMs,
        sealing: {
          identity: keys.identity,
          resetTagger: createResetTagger(keys.identitySeed),
          policyOf: (nodeId) => this.#policies.get(nodeId) ?? this.#stranger,
        },
      });
      this.#transport = transport;
      transport.onProven((peer) => void this.#pin(peer));
      transport.onPeerMoved((nodeId, address) => void this.#learnAddress(nodeId, address));
      metrics.register("transport", () => ({
        ...transport.counters,
        ...transport.routingCounters(),
        peers_connected: transport.connectedPeers().length,
        ...socketCounters(socket.counters),
      }));
      metrics.registerFamilies("mesh", () => this.#transport ? meshFamilies(transport) : []);
      transport.start();
      const dialer = this.#dialer = new Dialer({ transport, clock, log });
      for (const target of targets) dialer.add(target);
    } catch (error) {
      socket.close();
      this.#native?.[Symbol.dispose]();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#dialer?.stop();
    const transport = this.#transport;
    transport?.stop();
    // Nothing is sealed or opened any more: the transport ignores what still comes.
    this.#native?.[Symbol.dispose]();
    this.#native = undefined;
    this.#dialer = undefined;
    this.#transport = undefined;
    await transport?.stopped;
  }

  health(): ServiceHealth {
    if (this.#transport === undefined) return { state: "unhealthy", detail: "not started" };
    const { failure } = this.#transport;
    if (failure !== undefined) return { state: "unhealthy", detail: failure.message };
    // Peers that are only remembered may be away for good reasons; those named for this run may not.
    const targets = (this.#dialer?.targets() ?? []).filter(({ target }) =>
      target.pauseMaxMs === undefined
    );
    if (targets.length === 0 || targets.some((state) => state.isConnected)) {
      return { state: "healthy" };
    }
    const ids = targets.slice(0, 4).map((state) => idToHex(state.target.nodeId)).join(", ");
    return { state: "degraded", detail: `no session with ${ids}` };
  }

  /** From now on no session with this node may be unsealed: it says that it seals. */
  requireSealing(nodeId: bigint, entityId: Uint8Array): void {
    this.#policies.tell(nodeId, { knownEntityId: entityId, isRequired: true });
  }

  /** How a node is reached, as far as it was ever told or proven; `undefined` for a stranger. */
  async findPeer(
    nodeId: bigint,
  ): Promise<Pick<KnownPeer, "noisePublicKey" | "addresses"> | undefined> {
    const dialled = this.#dialer?.targets().find(({ target }) => target.nodeId === nodeId)?.target;
    if (dialled !== undefined) return dialled;
    return (await this.#deps.memory.readPeers()).find((peer) => peer.nodeId === nodeId);
  }

  /** Every address that this node was told of a peer or remembers of it, with who said so. */
  async addressesOf(nodeId: bigint): Promise<readonly KnownAddress[]> {
    const { ticket, peers } = this.#options;
    const isTicket = ticket !== undefined && deriveNodeId(ticket.entityId) === nodeId;
    const known = (await this.#deps.memory.readPeers()).find((peer) => peer.nodeId === nodeId);
    const from = (source: AddressSource, addresses: readonly SocketAddress[] = []) =>
      addresses.map((address) => ({ address, source }));
    return [
      ...from("ticket", isTicket ? ticket.addresses : []),
      ...from("flag", peers.find((peer) => peer.nodeId === nodeId)?.addresses),
      ...from(known?.isPinned ? "pin" : "memory", known?.addresses),
    ];
  }

  /** Forgets a peer: its pin, its addresses, the wish to stay connected. */
  async forget(nodeId: bigint): Promise<boolean> {
    const wasKnown = this.#policies.forget(nodeId);
    this.dialer.remove(nodeId);
    return await this.#deps.memory.removePeer(nodeId) || wasKnown;
  }

  /** Addresses of the mesh socket, one usable from this machine first. */
  addresses(): SocketAddress[] {
    const { host, port } = this.transport.localAddress;
    if (host !== "0.0.0.0" && host !== "::") return [{ host, port }];
    const addresses = [{ host: "127.0.0.1", port }];
    for (const face of Deno.networkInterfaces()) {
      const isUsable = face.family === "IPv4" ? !face.address.startsWith("127.") : host === "::" &&
        !/^(::1$|fe80:)/i.test(face.address);
      if (isUsable) addresses.push({ host: face.address, port });
    }
    return addresses.slice(0, ADDRESSES_MAX);
  }

  /** Addresses as text. */
  addressTexts(): string[] {
    return this.addresses().map(formatAddress);
  }

  /** What is asked of nodes that nothing is known of. */
  get #stranger(): SealingPolicy {
    return { isRequired: this.#options.isSealedOnly };
  }

  /** Keeps what a peer proved, so that nobody can ever take its place. */
  async #pin(peer: ProvenPeer): Promise<void> {
    const { memory, log } = this.#deps;
    const { nodeId, entityId, noisePublicKey } = peer;
    if (this.#policies.pin(nodeId, entityId)) log.info("peer_pinned", { peer: idToHex(nodeId) });
    try {
      const known = (await memory.readPeers()).find((other) => other.nodeId === nodeId);
      const before = known?.addresses ?? [];
      await memory.writePeer({
        nodeId,
        entityId,
        noisePublicKey,
        // Behind a relay its own address is unknown.
        addresses: peer.isRelayed ? before : withLatestAddress(before, peer.address),
        label: known?.label ?? "",
        isPinned: true,
      });
      await memory.touchPeer(nodeId);
    } catch (error) {
      log.warn("pin_not_kept", {
        peer: idToHex(nodeId),
        reason: toNetError(error, "Cannot keep pin").message,
      });
    }
  }

  /** Looks for a peer that moved where it is now. */
  async #learnAddress(nodeId: bigint, address: SocketAddress): Promise<void> {
    const { memory, log } = this.#deps;
    this.#dialer?.learn(nodeId, address);
    try {
      const known = (await memory.readPeers()).find((other) => other.nodeId === nodeId);
      if (known === undefined) return;
      await memory.writePeer({ ...known, addresses: withLatestAddress(known.addresses, address) });
    } catch (error) {
      log.warn("address_not_kept", {
        peer: idToHex(nodeId),
        reason: toNetError(error, "Cannot keep address").message,
      });
    }
  }

  /** The bound socket, recorded if asked for. */
  async #open(udp: SocketAddress): Promise<DatagramSocket> {
    const { pcapFile } = this.#options;
    const capture = pcapFile === undefined ? undefined : CaptureFile.open(pcapFile);
    try {
      const socket = await this.#bind(udp);
      if (capture === undefined) return socket;
      this.#deps.metrics.register("capture", () => ({
        datagrams_total: capture.counters.datagrams,
        dropped_total: capture.counters.dropped,
      }));
      return captureSocket(socket, capture);
    } catch (error) {
      capture?.close();
      throw error;
    }
  }

  async #bind(udp: SocketAddress) {
    const kept = udp.port === 0 ? await this.#deps.memory.readUdpPort() : undefined;
    const { log } = this.#deps;
    const options = { log, pollMicroseconds: this.#options.pollMicroseconds };
    if (kept === undefined) return openBestUdpSocket(udp, options);
    try {
      return openBestUdpSocket({ host: udp.host, port: kept }, options);
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== "address_in_use") throw error;
      log.warn("udp_port_taken", {
        port: kept,
        hint: "another one is used, so tickets given out before show the wrong port",
      });
      return openBestUdpSocket(udp, options);
    }
  }

  async #targets(): Promise<DialTarget[]> {
    const { ticket, peers } = this.#options;
    const { clock, memory, keys } = this.#deps;
    const byId = new Map<bigint, DialTarget>();
    for (const peer of await memory.readPeers()) {
      const { nodeId, entityId } = peer;
      if (entityId !== undefined && peer.isPinned) this.#policies.pin(nodeId, entityId);
      else if (entityId !== undefined) {
        this.#policies.tell(nodeId, { knownEntityId: entityId, isRequired: false });
      }
      const absentMs = clock.wallMs() - (peer.lastSeenMs ?? clock.wallMs());
      if (peer.addresses.length === 0 || absentMs > ABSENT_MS_MAX) continue;
      byId.set(peer.nodeId, { ...toTarget(peer, ["routed"]), pauseMaxMs: KNOWN_PEER_PAUSE_MS });
    }
    // A Rust peer given by address may be waiting for a direct handshake or run already.
    for (const peer of peers) byId.set(peer.nodeId, toTarget(peer, ["direct", "routed"]));
    if (ticket !== undefined) {
      const peer: KnownPeer = {
        nodeId: deriveNodeId(ticket.entityId),
        entityId: ticket.entityId,
        noisePublicKey: ticket.noisePublicKey,
        addresses: ticket.addresses,
        label: ticket.label,
        isPinned: false,
      };
      const isRequired = this.#options.isSealedOnly;
      this.#policies.tell(peer.nodeId, { knownEntityId: ticket.entityId, isRequired });
      byId.set(peer.nodeId, toTarget(peer, ["routed"]));
      if (peer.nodeId !== keys.identity.nodeId) await memory.writePeer(peer);
    }
    byId.delete(keys.identity.nodeId);
    return [...byId.values()];
  }
}

function toTarget(peer: KnownPeer, forms: DialTarget["forms"]): DialTarget {
  const { nodeId, noisePublicKey, addresses } = peer;
  return { nodeId, noisePublicKey, addresses, forms };
}

/** Counters of whichever socket it is, by the names of metrics. */
function socketCounters(counters: object): CounterSet {
  const named: CounterSet = {};
  for (const [name, value] of Object.entries(counters)) {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (typeof value === "number") named[`socket_${snake}_total`] = value;
  }
  return named;
}
