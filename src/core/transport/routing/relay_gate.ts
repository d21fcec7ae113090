/**
 * Lets a gateway decide on packets of channels that are relayed through this node (`decisions.md` 11;
 * promises I1, I2). What it decides by is the clear header alone; who decides is handed in from above.
 *
 * Handshakes, heartbeats and every subprotocol but the event plane pass unseen: a session between subnets is
 * never hindered, only what is published over it.
 */
import type { Peer } from "../peers/peers.ts";
import {
  FLAG_HANDSHAKE,
  FLAG_HEARTBEAT,
  HEADER_BYTES,
  PACKET_MAGIC,
  PacketHeader,
  readHeader,
} from "../wire/header.ts";

/** What becomes of a relayed packet. */
export const GateVerdict = {
  /** None of the gate's business. */
  Pass: 0,
  /** It leaves its subnet, and may: one more gateway is counted in its header. */
  Forward: 1,
  Drop: 2,
} as const;
/** A value of the table of the same name. */
export type GateVerdict = (typeof GateVerdict)[keyof typeof GateVerdict];

/** A packet of the event plane that is about to be passed on; one object is reused for all. */
export class GatedPacket {
  /** Its clear header. */
  readonly header = new PacketHeader();
  /** The neighbour it comes from when that is where it began; both 0 otherwise. */
  senderLow = 0;
  senderHigh = 0;
  destinationLow = 0;
  destinationHigh = 0;
}

/** Who decides. */
export interface RelayGate {
  /** Called for every relayed packet of the event plane; must not keep what it is given. */
  judge(packet: GatedPacket): GateVerdict;
}

const HOP_COUNT_AT = 6;
const FLAGS_AT = 3;
const SUBPROTOCOL_AT = 8;
const UNGATED = FLAG_HANDSHAKE | FLAG_HEARTBEAT;

/** The place in the relay where a gate stands, or none. */
export class GatePlace {
  /** Nothing is looked at as long as there is none. */
  gate: RelayGate | undefined;
  readonly #view: DataView;
  readonly #packet = new GatedPacket();

  /** @param view Of the memory packets lie in. */
  constructor(view: DataView) {
    this.#view = view;
  }

  /**
   * True when the packet may be passed on; the gateway is counted in it then.
   *
   * @param at Start of the packet behind the routing header.
   * @param owner The peer it came from.
   * @param source Low half of the node it began at, as it claims.
   */
  admits(
    at: number,
    length: number,
    owner: Peer | undefined,
    source: number,
    destinationLow: number,
    destinationHigh: number,
  ): boolean {
    const { gate } = this;
    if (gate === undefined) return true;
    const view = this.#view;
    // What is no packet is relayed as everywhere, and dropped at its destination.
    if (length < HEADER_BYTES || view.getUint16(at, true) !== PACKET_MAGIC) return true;
    if (view.getUint16(at + SUBPROTOCOL_AT, true) !== 0) return true;
    if ((view.getUint8(at + FLAGS_AT) & UNGATED) !== 0) return true;
    const packet = this.#packet;
    readHeader(view, at, packet.header);
    const isSender = owner !== undefined && owner.low === source;
    packet.senderLow = isSender ? owner.low : 0;
    packet.senderHigh = isSender ? owner.high : 0;
    packet.destinationLow = destinationLow;
    packet.destinationHigh = destinationHigh;
    const verdict = gate.judge(packet);
    if (verdict === GateVerdict.Drop) return false;
    if (verdict === GateVerdict.Forward) {
      // The one byte of the header that a packet's seal leaves out, so that it can be counted in.
      view.setUint8(at + HOP_COUNT_AT, Math.min(255, packet.header.hopCount + 1));
    }
    return true;
  }
}
