/**
 * Builds, seals and sends packets.
 *
 * Each packet is built once in a slot of the cipher's memory, sealed there and handed to the socket;
 * the slot is free again when the socket is done with it. A slot leaves room in front of the packet
 * for a routing header.
 */

import { SUBNET_GLOBAL } from "../../base/mod.ts";
import type { PacketCipher } from "../crypto/mod.ts";
import type { TransportCounters } from "./counters.ts";
import { HEADER_BYTES, PacketHeader, TAG_BYTES, writeHeader } from "./wire/header.ts";
import { DATA_TTL, SEND_SLOT_BYTES, SEND_SLOTS } from "./limits.ts";
import { NO_ROOM } from "./streams/packet_store.ts";
import { NO_LABEL } from "./streams/stream_label.ts";
import { ROUTING_HEADER_BYTES, RoutingHeader, writeRoutingHeader } from "./wire/routing_header.ts";
import type { DatagramSocket } from "./socket/socket.ts";
import type { SocketAddress } from "./types.ts";

/** Room in front of the packet; a multiple of 16 keeps the packet aligned. */
const PACKET_START = 32;

/** One buffer for an outgoing datagram. */
interface SendSlot {
  readonly offset: number;
  readonly release: () => void;
}

/** Where a packet goes and, if a relay is in between, for whom it is. */
export interface PacketRoute {
  readonly address: SocketAddress;
  /** Set when the packet has to carry a routing header. */
  readonly relayTo: { readonly low: number; readonly high: number } | undefined;
}

/** What sealing needs of a session. */
export interface SealingSession {
  readonly sendKey: number;
  /** Halves of its id and the start of its nonces; 32 bits each, with or without a sign. */
  readonly sessionLow: number;
  readonly sessionHigh: number;
  readonly noncePrefix: number;
  /** Next packet counter; exact below 2^53. */
  sendCounter: number;
  /** The peer understands what the header says of subnets. */
  readonly takesSubnetHeader: boolean;
}

/** Sends packets through one socket. */
export class PacketSender {
  /** Subnet of this node, told to peers that understand it. */
  subnet = SUBNET_GLOBAL;
  readonly #cipher: PacketCipher;
  readonly #socket: DatagramSocket;
  readonly #counters: TransportCounters;
  readonly #routingId: number;
  readonly #view: DataView;
  readonly #free: SendSlot[] = [];
  readonly #header = new PacketHeader();
  readonly #routing: RoutingHeader = new RoutingHeader();
  #begun: SendSlot | undefined;
  #onSlotFree: (() => void) | undefined;

  constructor(
    deps: {
      readonly cipher: PacketCipher;
      readonly socket: DatagramSocket;
      readonly counters: TransportCounters;
      readonly routingId: number;
    },
  ) {
    this.#cipher = deps.cipher;
    this.#socket = deps.socket;
    this.#counters = deps.counters;
    this.#routingId = deps.routingId;
    const memory = deps.cipher.memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    for (let i = 0; i < SEND_SLOTS; i++) {
      const slot: SendSlot = {
        offset: deps.cipher.allocate(SEND_SLOT_BYTES, 16),
        release: () => {
          this.#free.push(slot);
          const callback = this.#onSlotFree;
          if (callback === undefined) return;
          this.#onSlotFree = undefined;
          callback();
        },
      };
      this.#free.push(slot);
    }
  }

  /** Slots not in use. */
  get slotsFree(): number {
    return this.#free.length;
  }

  /** Calls back, once, when another slot is free. */
  onSlotFree(callback: () => void): void {
    this.#onSlotFree = callback;
  }

  /**
   * Begins a packet: its plaintext goes where this returns, up to 8108 bytes, unless it lies elsewhere in
   * the cipher's memory. {@linkcode PacketSender.finish} has to follow before anything else is sent.
   *
   * @returns An offset in the cipher's memory, or {@linkcode NO_ROOM} when no slot is free.
   */
  begin(): number {
    this.#begun ??= this.#free.pop();
    if (this.#begun !== undefined) return this.#begun.offset + PACKET_START + HEADER_BYTES;
    this.#counters.drop_tx_no_slot_total += 1;
    return NO_ROOM;
  }

  /**
   * Seals the packet begun and sends it.
   *
   * @param streamLow Id of the stream as two halves.
   * @param sourceAt Where the plaintext lies; where {@linkcode PacketSender.begin} said when left out.
   * @param label What the header says of the stream beside.
   */
  finish(
    session: SealingSession,
    route: PacketRoute,
    flags: number,
    subprotocol: number,
    streamLow: number,
    streamHigh: number,
    sequence: number,
    payloadLength: number,
    eventCount: number,
    sourceAt?: number,
    label = NO_LABEL,
  ): void {
    const slot = this.#begun;
    if (slot === undefined) throw new TypeError("Cannot send packet: none was begun");
    this.#begun = undefined;
    const packet = slot.offset + PACKET_START;
    const header = this.#header;
    header.flags = flags;
    header.subprotocol = subprotocol;
    header.noncePrefix = session.noncePrefix;
    header.counterLow = session.sendCounter >>> 0;
    header.counterHigh = Math.floor(session.sendCounter / 0x1_0000_0000);
    header.sessionLow = session.sessionLow;
    header.sessionHigh = session.sessionHigh;
    header.streamLow = streamLow;
    header.streamHigh = streamHigh;
    header.sequenceLow = sequence >>> 0;
    header.sequenceHigh = Math.floor(sequence / 0x1_0000_0000);
    header.payloadLength = payloadLength;
    header.eventCount = eventCount;
    header.channelHash = label.channelHash;
    header.priority = label.priority;
    header.originLow = label.originLow;
    header.originHigh = label.originHigh;
    // Others see what the Rust core sends: neither is ever set (`decisions.md` 11).
    header.hopTtl = session.takesSubnetHeader ? DATA_TTL : 0;
    header.subnetId = session.takesSubnetHeader ? this.subnet : SUBNET_GLOBAL;
    writeHeader(this.#view, packet, header);
    this.#cipher.sealPacket(session.sendKey, packet, payloadLength, sourceAt);
    session.sendCounter += 1;
    this.#transmit(slot, packet, HEADER_BYTES + payloadLength + TAG_BYTES, route);
  }

  /** Sends bytes as they are: handshakes, pingwaves, relayed packets. */
  sendRaw(bytes: Uint8Array, to: SocketAddress): void {
    const slot = this.#free.pop();
    if (slot === undefined || bytes.length > SEND_SLOT_BYTES) {
      if (slot !== undefined) slot.release();
      this.#counters.drop_tx_no_slot_total += 1;
      return;
    }
    this.#cipher.memory.set(bytes, slot.offset);
    this.#send(slot, slot.offset, bytes.length, to);
  }

  /**
   * Sends what lies in the cipher's memory as it is, copied once: packets being relayed.
   *
   * @param at Where it starts.
   * @returns False when no slot was free, or it fits in none.
   */
  sendCopy(at: number, length: number, to: SocketAddress): boolean {
    if (length > SEND_SLOT_BYTES) return false;
    const slot = this.#free.pop();
    if (slot === undefined) return false;
    this.#cipher.memory.copyWithin(slot.offset, at, at + length);
    this.#send(slot, slot.offset, length, to);
    return true;
  }

  #transmit(slot: SendSlot, packet: number, length: number, route: PacketRoute): void {
    let start = packet;
    if (route.relayTo !== undefined) {
      start = packet - ROUTING_HEADER_BYTES;
      const routing = this.#routing;
      routing.ttl = DATA_TTL;
      routing.source = this.#routingId;
      routing.destinationLow = route.relayTo.low;
      routing.destinationHigh = route.relayTo.high;
      writeRoutingHeader(this.#view, start, routing);
    }
    this.#send(slot, start, packet + length - start, route.address);
  }

  #send(slot: SendSlot, start: number, length: number, to: SocketAddress): void {
    this.#counters.tx_packets_total += 1;
    this.#counters.tx_bytes_total += length;
    this.#socket.send(this.#cipher.memory.subarray(start, start + length), to, slot.release);
  }
}
