/**
 * The peers of a node: who has a session, under which address, and how alive they are (`wire.md` 11).
 */

import { highHalf, lowHalf, PairMap } from "../../base/mod.ts";
import { addressKey } from "./address.ts";
import {
  CLONE_SHOWN_MS,
  EVICTED_TIMEOUTS,
  FAILED_TIMEOUTS,
  PEERS_MAX,
  SUSPECTED_TIMEOUTS,
} from "./limits.ts";
import type { PacketRoute } from "./packet_sender.ts";
import type { Session } from "./session.ts";
import type { PeerInfo, PeerState, SessionForm, SocketAddress } from "./types.ts";

/** One peer. */
export class Peer {
  readonly nodeId: bigint;
  readonly low: number;
  readonly high: number;
  /** Where packets for it go, and whether a relay is in between. */
  route: PacketRoute;
  form: SessionForm = "direct";
  /** True when its datagrams come from its own address: its pingwaves count. */
  ownsAddress = false;
  /** Session used for sending. */
  session: Session | undefined;
  /** Session of a newer handshake, not used until the peer sends on it. */
  candidate: Session | undefined;
  state: PeerState = "connecting";
  /** Time of the last authentic heartbeat, or of the session's start. */
  lastHeartbeatAt: number;
  /** Time of the last authentic packet. */
  lastReceivedAt: number;
  rttMs: number | undefined;
  /** When it was asked for a sign of life that did not come yet. */
  probedAt: number | undefined;
  /** Who waits for that sign, and gets the round-trip time. */
  onProbeAnswer: ((rttMs: number) => void)[] = [];
  /** Its ed25519 key, once it proved to hold it on a sealed session. */
  provenEntityId: Uint8Array | undefined;
  /** When it last looked as if another node had the same identity. */
  clonedAt: number | undefined;
  /** It announced that it understands SACKs (`wire.md` 7.6). */
  takesAckRanges = false;
  packetsSent = 0;
  packetsReceived = 0;
  bytesSent = 0;
  bytesReceived = 0;

  constructor(nodeId: bigint, address: SocketAddress, now: number) {
    this.nodeId = nodeId;
    this.low = lowHalf(nodeId);
    this.high = highHalf(nodeId);
    this.route = { address, relayTo: undefined };
    this.lastHeartbeatAt = now;
    this.lastReceivedAt = now;
  }

  /** True when data can be sent to it. */
  get isConnected(): boolean {
    return this.session?.isConfirmed === true && this.state !== "failed";
  }

  /** What the planes above may know of it. */
  info(now: number): PeerInfo {
    return {
      nodeId: this.nodeId,
      address: this.route.address,
      state: this.session?.isConfirmed ? this.state : "connecting",
      form: this.form,
      isRelayed: this.route.relayTo !== undefined,
      initiator: this.session?.isInitiator ?? false,
      isSealed: this.session?.proof !== undefined,
      hasDouble: this.clonedAt !== undefined && now - this.clonedAt < CLONE_SHOWN_MS,
      sessionAgeMs: this.session === undefined ? 0 : now - this.session.openedAt,
      streams: this.session?.streamsIfAny?.size ?? 0,
      rttMs: this.rttMs,
      idleMs: now - this.lastReceivedAt,
      packetsSent: this.packetsSent,
      packetsReceived: this.packetsReceived,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
    };
  }
}

/** What the failure detector found for one peer. */
export type LivenessChange = "failed" | "evicted" | undefined;

/** All peers of a node. */
export class PeerTable {
  readonly #byId = new PairMap<Peer>(64);
  /** Peers that own the address their datagrams come from. */
  readonly #byAddress = new Map<string, Peer>();
  readonly #timeoutMs: number;

  /** @param timeoutMs The session timeout T. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Number of peers known. */
  get size(): number {
    return this.#byId.size;
  }

  /** The peer with this id. */
  get(nodeId: bigint): Peer | undefined {
    return this.#byId.get(lowHalf(nodeId), highHalf(nodeId));
  }

  /** The peer with this id, as two halves. */
  getByHalves(low: number, high: number): Peer | undefined {
    return this.#byId.get(low, high);
  }

  /** The peer that owns the address. */
  ownerOf(address: SocketAddress): Peer | undefined {
    return this.#byAddress.get(addressKey(address));
  }

  /** All peers. */
  values(): Iterable<Peer> {
    return this.#byId.values();
  }

  /** The peer with this id, made when it is new; `undefined` when the table is full. */
  getOrCreate(nodeId: bigint, address: SocketAddress, now: number): Peer | undefined {
    const known = this.get(nodeId);
    if (known !== undefined) return known;
    if (this.#byId.size >= PEERS_MAX) return undefined;
    const peer = new Peer(nodeId, address, now);
    this.#byId.set(peer.low, peer.high, peer);
    return peer;
  }

  /** Sets where the peer's packets go. */
  setRoute(peer: Peer, route: PacketRoute, ownsAddress: boolean): void {
    this.#disown(peer);
    peer.route = route;
    peer.ownsAddress = ownsAddress;
    if (ownsAddress) this.#byAddress.set(addressKey(route.address), peer);
  }

  /** Forgets the peer. */
  remove(peer: Peer): void {
    this.#disown(peer);
    this.#byId.delete(peer.low, peer.high);
  }

  /** Moves the peer's state along with time. */
  judge(peer: Peer, now: number): LivenessChange {
    if (peer.session === undefined) return undefined;
    // Heartbeats alone count (`wire.md` 11), but none passes a relay.
    const lastSignAt = peer.route.relayTo === undefined
      ? peer.lastHeartbeatAt
      : peer.lastReceivedAt;
    const silentMs = now - lastSignAt;
    if (peer.state === "failed") {
      const idleMs = now - Math.max(peer.lastReceivedAt, peer.lastHeartbeatAt);
      return idleMs > EVICTED_TIMEOUTS * this.#timeoutMs ? "evicted" : undefined;
    }
    if (silentMs > FAILED_TIMEOUTS * this.#timeoutMs) {
      peer.state = "failed";
      return "failed";
    }
    peer.state = silentMs > SUSPECTED_TIMEOUTS * this.#timeoutMs ? "suspected" : "connected";
    return undefined;
  }

  #disown(peer: Peer): void {
    const key = addressKey(peer.route.address);
    if (this.#byAddress.get(key) === peer) this.#byAddress.delete(key);
  }
}
