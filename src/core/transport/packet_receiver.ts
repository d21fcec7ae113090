/**
 * The way of a datagram from the socket to an opened packet: class, routing header, packet header,
 * session, tag, replay window (`wire.md` 2 to 5, 9); `packet_dispatch.ts` takes it from there. Each stage
 * counts what it got and what became of it; `checkCounters` adds them up.
 */
import { type Clock, highHalf, lowHalf } from "../../base/mod.ts";
import { FLAG_EPOCH_PARITY, type PacketCipher } from "../crypto/mod.ts";
import { classifyDatagram, DatagramClass } from "./wire/classify.ts";
import { type ConductTable, Misconduct } from "./peers/conduct.ts";
import type { TransportCounters } from "./counters.ts";
import type { Handshaker } from "./handshake/handshake.ts";
import {
  FLAG_HANDSHAKE,
  FLAG_HEARTBEAT,
  HEADER_BYTES,
  PacketHeader,
  PacketReject,
  readHeader,
  validatePacket,
} from "./wire/header.ts";
import { decodeKeepAlive, type KeepAlive } from "./wire/nat_frames.ts";
import type { PacketDispatch } from "./packet_dispatch.ts";
import type { PeerTable } from "./peers/peers.ts";
import type { Pingwaves } from "./routing/pingwaves.ts";
import { STRANGERS } from "./peers/rate_limits.ts";
import type { Relay } from "./routing/relay.ts";
import { readRoutingHeader, ROUTING_HEADER_BYTES, RoutingHeader } from "./wire/routing_header.ts";
import type { SealedDatagrams } from "./handshake/sealed_datagrams.ts";
import type { SessionResets } from "./session/session_resets.ts";
import type { SessionRegistry } from "./session/session_registry.ts";
import type { SocketAddress } from "./types.ts";

/** Takes keep-alive datagrams; nothing about them is authentic, the source least of all. */
export type KeepAliveHandler = (keepAlive: KeepAlive, from: SocketAddress) => void;

/** What {@linkcode PacketReceiver} needs. */
export interface PacketReceiverDeps {
  readonly cipher: PacketCipher;
  readonly clock: Clock;
  readonly counters: TransportCounters;
  readonly peers: PeerTable;
  readonly sessions: SessionRegistry;
  readonly pingwaves: Pingwaves;
  readonly relay: Relay;
  readonly conduct: ConductTable;
  readonly handshaker: Handshaker;
  /** Says and hears that sessions were lost; `undefined` where no session is sealed. */
  readonly resets: SessionResets | undefined;
  /** Takes the sealing's own class of datagrams; `undefined` as above. */
  readonly sealedDatagrams: SealedDatagrams | undefined;
  /** Takes packets once they are opened. */
  readonly dispatch: PacketDispatch;
}

/** Receives datagrams. */
export class PacketReceiver {
  /** Takes keep-alive datagrams; without one they are counted and dropped. */
  keepAliveHandler: KeepAliveHandler | undefined;
  readonly #deps: PacketReceiverDeps;
  readonly #low: number;
  readonly #high: number;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #header = new PacketHeader();
  readonly #routing = new RoutingHeader();

  constructor(deps: PacketReceiverDeps, nodeId: bigint) {
    this.#deps = deps;
    this.#low = lowHalf(nodeId);
    this.#high = highHalf(nodeId);
    const { memory } = deps.cipher;
    this.#memory = memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  /**
   * Takes one datagram.
   *
   * @param at Where it lies in the cipher's memory; packets are opened there.
   */
  receive(at: number, length: number, from: SocketAddress): void {
    const { counters } = this.#deps;
    counters.rx_datagrams_total += 1;
    counters.rx_bytes_total += length;
    switch (classifyDatagram(this.#view, at, length)) {
      case DatagramClass.Direct:
        counters.rx_direct_total += 1;
        this.#receivePacket(at, length, from, undefined);
        break;
      case DatagramClass.Routed:
        counters.rx_routed_total += 1;
        this.#receiveRouted(at, length, from);
        break;
      case DatagramClass.Pingwave:
        counters.rx_pingwaves_total += 1;
        this.#receivePingwave(at, from);
        break;
      case DatagramClass.Sealed:
        counters.rx_sealed_datagrams_total += 1;
        if (this.#deps.sealedDatagrams === undefined) counters.drop_sealed_datagram_total += 1;
        else this.#deps.sealedDatagrams.receive(this.#memory.subarray(at, at + length), from);
        break;
      case DatagramClass.KeepAlive:
        counters.rx_keepalives_total += 1;
        this.#receiveKeepAlive(at, length, from);
        break;
      case DatagramClass.RouteHop:
        counters.drop_route_hop_total += 1;
        break;
      default:
        counters.drop_unknown_class_total += 1;
    }
  }

  #receiveKeepAlive(at: number, length: number, from: SocketAddress): void {
    // Read only while somebody waits for one: anybody may send them.
    if (this.keepAliveHandler === undefined) return;
    const keepAlive = decodeKeepAlive(this.#memory.subarray(at, at + length));
    if (keepAlive !== undefined) this.keepAliveHandler(keepAlive, from);
  }

  #receivePingwave(at: number, from: SocketAddress): void {
    const { clock, peers, pingwaves } = this.#deps;
    pingwaves.receive(this.#memory, this.#view, at, peers.ownerOf(from), clock.now());
  }

  #receiveRouted(at: number, length: number, from: SocketAddress): void {
    const routing = this.#routing;
    readRoutingHeader(this.#view, at, routing);
    if (routing.destinationLow !== this.#low || routing.destinationHigh !== this.#high) {
      this.#deps.relay.receive(at, length, routing, from, this.#deps.clock.now());
      return;
    }
    this.#deps.counters.routed_delivered_total += 1;
    this.#receivePacket(at + ROUTING_HEADER_BYTES, length - ROUTING_HEADER_BYTES, from, routing);
  }

  #receivePacket(
    at: number,
    length: number,
    from: SocketAddress,
    routing: RoutingHeader | undefined,
  ): void {
    const { counters } = this.#deps;
    const header = this.#header;
    counters.rx_packets_total += 1;
    if (validatePacket(this.#view, at, length) !== PacketReject.None) {
      counters.drop_bad_header_total += 1;
      const { conduct, peers } = this.#deps;
      conduct.note(peers.ownerOf(from)?.slot ?? STRANGERS, Misconduct.Malformed);
      return;
    }
    readHeader(this.#view, at, header);
    const payloadAt = at + HEADER_BYTES;
    if ((header.flags & FLAG_HANDSHAKE) !== 0) {
      counters.rx_handshakes_total += 1;
      // A view: most of a flood is dropped unread.
      const message = this.#memory.subarray(payloadAt, payloadAt + header.payloadLength);
      if (routing === undefined) this.#deps.handshaker.receiveDirect(message, from);
      else this.#deps.handshaker.receiveRouted(message, routing, from);
      return;
    }
    if ((header.flags & FLAG_HEARTBEAT) !== 0 && routing !== undefined) {
      counters.drop_routed_heartbeat_total += 1;
      return;
    }
    const session = this.#deps.sessions.get(header.sessionLow, header.sessionHigh);
    if (session === undefined) {
      this.#receiveUnknown(at, length, header, from, routing !== undefined);
      return;
    }
    const { cipher, clock } = this.#deps;
    const now = clock.now();
    const { epochs } = session;
    const counter = header.counterHigh * 0x1_0000_0000 + header.counterLow;
    const parity = (header.flags & FLAG_EPOCH_PARITY) === 0 ? 0 : 1;
    const key = epochs === undefined
      ? session.receiveKey
      : epochs.receiveSlot(parity, counter, now);
    if (key === undefined) {
      counters.drop_epoch_key_total += 1;
      return;
    }
    if (!cipher.openPacket(key, at, header.payloadLength, session.noncePrefix)) {
      counters.drop_bad_tag_total += 1;
      return;
    }
    if (!session.replay.accept(header.counterLow, header.counterHigh)) {
      counters.drop_replay_total += 1;
      return;
    }
    counters.rx_opened_total += 1;
    epochs?.onAuthentic(key, counter, now);
    const isRouted = routing !== undefined;
    this.#deps.dispatch.dispatch(session, header, payloadAt, length, from, isRouted, now);
  }

  /** Takes a packet whose session is not here: lost, forged, or somebody else's. */
  #receiveUnknown(
    at: number,
    length: number,
    { sessionLow, sessionHigh }: PacketHeader,
    from: SocketAddress,
    isRouted: boolean,
  ): void {
    const { clock, counters, relay, resets } = this.#deps;
    if (
      !isRouted &&
      relay.receiveUnwrapped(at, length, sessionLow, sessionHigh, from, clock.now())
    ) return;
    counters.drop_unknown_session_total += 1;
    // What overtook the answer to a handshake is of the session to come, which nobody lost.
    if (this.#deps.handshaker.isDialled(from)) return;
    resets?.answer(sessionLow, sessionHigh, from, isRouted, length);
  }
}
