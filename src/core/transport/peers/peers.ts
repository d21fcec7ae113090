/**
 * The peers of a node: who has a session, under which address, and in which state. Each has a slot, a
 * small number by which other tables keep columns about it. `liveness.ts` moves the states.
 */

import { highHalf, lowHalf } from "../../../base/mod.ts";
import { isSameAddress } from "../address.ts";
import { AddressIndex } from "./address_index.ts";
import { CLONE_SHOWN_MS, PEERS_MAX } from "../limits.ts";
import type { PacketRoute } from "../packet_sender.ts";
import { NO_SLOT, PeerSlots } from "./peer_slots.ts";
import type { ResetRepeats } from "../streams/reset_repeats.ts";
import type { Session } from "../session/session.ts";
import type { PeerInfo, PeerState, SessionForm, SocketAddress } from "../types.ts";

/** How many peers are in each state. */
export type StateCounts = Record<PeerState, number>;

/** One peer, and the route of its packets. */
export class Peer implements PacketRoute {
  readonly nodeId: bigint;
  /** Its number in columns about peers; `NO_SLOT` as long as it is in no table. */
  readonly slot: number;
  readonly #low: number;
  readonly #high: number;
  /** Where packets for it go: to itself or to a relay. */
  address: SocketAddress;
  relayTo: PacketRoute["relayTo"];
  form: SessionForm = "direct";
  /** True when its datagrams come from its own address: its pingwaves count. */
  ownsAddress = false;
  /** Session used for sending. */
  session: Session | undefined;
  /** Session of a newer handshake, not used until the peer sends on it. */
  candidate: Session | undefined;
  /** Time of the last authentic heartbeat, or of the session's start. */
  lastHeartbeatAt: number;
  /** Time of the last authentic packet. */
  lastReceivedAt: number;
  rttMs: number | undefined;
  /** When it was asked for a sign of life that did not come yet. */
  probedAt: number | undefined;
  /** Who waits for that sign, and gets the round-trip time and the address of ours that came with it. */
  onProbeAnswer: ((rttMs: number, reflex: SocketAddress | undefined) => void)[] | undefined;
  /** Where it says that it sees this node; its last answer counts. */
  reflex: SocketAddress | undefined;
  /** Where it last proved itself on a sealed session. */
  provenAt: SocketAddress | undefined;
  /** When it last looked as if another node had the same identity. */
  clonedAt: number | undefined;
  /** Streams to it that ended early; outlives the session they were on. Made when there is one. */
  resets: ResetRepeats | undefined;
  /** It announced that it understands SACKs (`wire.md` 7.6). */
  takesAckRanges = false;
  /** It announced that it understands subnet and hop limit in headers (`decisions.md` 11). */
  takesSubnetHeader = false;
  packetsSent = 0;
  packetsReceived = 0;
  bytesSent = 0;
  bytesReceived = 0;
  #state: PeerState = "connecting";
  #counts: StateCounts | undefined;

  /**
   * @param slot Its slot in a table; left out, it is in none.
   * @param counts Counts of that table, in which this peer counts from now on.
   */
  constructor(
    nodeId: bigint,
    address: SocketAddress,
    now: number,
    slot = NO_SLOT,
    counts?: StateCounts,
  ) {
    this.nodeId = nodeId;
    this.slot = slot;
    this.#counts = counts;
    if (counts !== undefined) counts[this.#state] += 1;
    // Signed: such a number lies in the peer itself, a larger one elsewhere.
    this.#low = lowHalf(nodeId) | 0;
    this.#high = highHalf(nodeId) | 0;
    this.address = address;
    this.lastHeartbeatAt = now;
    this.lastReceivedAt = now;
  }

  /** Low half of its id. */
  get low(): number {
    return this.#low >>> 0;
  }

  /** High half of its id. */
  get high(): number {
    return this.#high >>> 0;
  }

  /** Where it is in its life; the table's counts follow. */
  get state(): PeerState {
    return this.#state;
  }

  set state(state: PeerState) {
    if (this.#counts !== undefined) {
      this.#counts[this.#state] -= 1;
      this.#counts[state] += 1;
    }
    this.#state = state;
  }

  /** True when data can be sent to it. */
  get isConnected(): boolean {
    return this.session?.isConfirmed === true && this.#state !== "failed";
  }

  /** True when packets reach it, and it us, without a relay. */
  get isNeighbour(): boolean {
    return this.ownsAddress && this.isConnected;
  }

  /** Takes it out of the counts it was part of. */
  uncount(): void {
    if (this.#counts !== undefined) this.#counts[this.#state] -= 1;
    this.#counts = undefined;
  }

  /** What the planes above may know of it. */
  info(now: number): PeerInfo {
    return {
      nodeId: this.nodeId,
      address: this.address,
      state: this.#state,
      form: this.form,
      isRelayed: this.relayTo !== undefined,
      initiator: this.session?.isInitiator ?? false,
      isSealed: this.session?.isSealed ?? false,
      hasDouble: this.clonedAt !== undefined && now - this.clonedAt < CLONE_SHOWN_MS,
      sessionAgeMs: this.session === undefined ? 0 : now - this.session.openedAt,
      streams: this.session?.streamsIfAny?.size ?? 0,
      rttMs: this.rttMs,
      reflex: this.reflex,
      idleMs: now - this.lastReceivedAt,
      packetsSent: this.packetsSent,
      packetsReceived: this.packetsReceived,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
    };
  }
}

/** All peers of a node. */
export class PeerTable {
  readonly #slots = new PeerSlots(PEERS_MAX);
  readonly #bySlot: (Peer | undefined)[] = [];
  readonly #counts: StateCounts = { connecting: 0, connected: 0, suspected: 0, failed: 0 };
  /** Peers that own the address their datagrams come from. */
  readonly #owners = new AddressIndex((slot, address) => {
    const peer = this.#bySlot[slot];
    return peer !== undefined && isSameAddress(peer.address, address);
  });
  /** A source is mostly the same object again. */
  #lastAddress: SocketAddress | undefined;
  #lastOwner: Peer | undefined;

  /** Number of peers known. */
  get size(): number {
    return this.#slots.size;
  }

  /** Peers by state; exact at any time. */
  get counts(): Readonly<StateCounts> {
    return this.#counts;
  }

  /** All slots in use are below this. */
  get slotsEnd(): number {
    return this.#bySlot.length;
  }

  /** The slot of the peer with this id, or `NO_SLOT`. */
  slotOf(low: number, high: number): number {
    return this.#slots.get(low, high);
  }

  /** The peer with this slot. */
  at(slot: number): Peer | undefined {
    return this.#bySlot[slot];
  }

  /** The peer with this id. */
  get(nodeId: bigint): Peer | undefined {
    return this.getByHalves(lowHalf(nodeId), highHalf(nodeId));
  }

  /** The peer with this id, as two halves. */
  getByHalves(low: number, high: number): Peer | undefined {
    return this.#bySlot[this.#slots.get(low, high)];
  }

  /** The peer that owns the address; cheapest for the address object that was asked for last. */
  ownerOf(address: SocketAddress): Peer | undefined {
    if (address === this.#lastAddress) return this.#lastOwner;
    this.#lastAddress = address;
    return this.#lastOwner = this.#bySlot[this.#owners.get(address)];
  }

  /** All peers. */
  *values(): Generator<Peer, void, undefined> {
    for (const peer of this.#bySlot) if (peer !== undefined) yield peer;
  }

  /** The peer with this id, made when it is new; `undefined` when the table is full. */
  getOrCreate(nodeId: bigint, address: SocketAddress, now: number): Peer | undefined {
    const known = this.get(nodeId);
    if (known !== undefined) return known;
    const slot = this.#slots.claim(lowHalf(nodeId), highHalf(nodeId));
    if (slot === NO_SLOT) return undefined;
    const peer = new Peer(nodeId, address, now, slot, this.#counts);
    this.#bySlot[slot] = peer;
    return peer;
  }

  /** Sets where the peer's packets go. */
  setRoute(peer: Peer, route: PacketRoute, ownsAddress: boolean): void {
    this.#disown(peer);
    const isOwner = ownsAddress && this.#bySlot[peer.slot] === peer;
    // Whose it was before is an owner no longer, and may not have this address much longer either.
    if (isOwner) this.#owners.delete(route.address);
    peer.address = route.address;
    peer.relayTo = route.relayTo;
    peer.ownsAddress = ownsAddress;
    if (isOwner) this.#owners.set(route.address, peer.slot);
    this.#lastAddress = undefined;
  }

  /** Forgets the peer; its slot may then be another one's. */
  remove(peer: Peer): void {
    if (this.#bySlot[peer.slot] !== peer) return;
    this.#disown(peer);
    this.#slots.release(peer.low, peer.high);
    this.#bySlot[peer.slot] = undefined;
    peer.uncount();
  }

  #disown(peer: Peer): void {
    const { address } = peer;
    if (this.#bySlot[peer.slot] !== peer || this.#owners.get(address) !== peer.slot) return;
    this.#owners.delete(address);
    this.#lastAddress = undefined;
  }
}
