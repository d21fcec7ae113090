/** Reads the clear header of packets that pass a proxy (`wire.md` 3), and loses chosen ones. */
import type { Direction, LossRule } from "./lossy_proxy.ts";

/** Control events by subprotocol id. */
export const GRANT = 0x0b00;
export const NACK = 0x0b01;
export const RESET = 0x0b02;
export const SACK = 0x0b03;
/** Plain events. */
export const EVENTS = 0;

/** The stream of control events. */
export const CONTROL_STREAM = (1n << 64n) - 1n;

/** What the header of a packet says. */
export interface SeenPacket {
  readonly direction: Direction;
  readonly atMs: number;
  readonly subprotocol: number;
  readonly streamId: bigint;
  readonly sequence: number;
}

const MAGIC_AT = 0;
const MAGIC = 0x4e45;
const FLAGS_AT = 3;
const FLAGS_HANDSHAKE_HEARTBEAT = 0x30;
const HEADER_BYTES = 68;

/**
 * A rule that notes every direct packet in `seen` and loses those `isLost` says; heartbeats, handshakes
 * and everything else pass unnoted.
 */
export function tap(
  seen: SeenPacket[],
  isLost: (packet: SeenPacket) => boolean = () => false,
): LossRule {
  return (direction, datagram) => {
    if (datagram.length < HEADER_BYTES) return false;
    const view = new DataView(datagram.buffer, datagram.byteOffset);
    if (view.getUint16(MAGIC_AT, true) !== MAGIC) return false;
    if ((view.getUint8(FLAGS_AT) & FLAGS_HANDSHAKE_HEARTBEAT) !== 0) return false;
    const packet: SeenPacket = {
      direction,
      atMs: performance.now(),
      subprotocol: view.getUint16(8, true),
      streamId: view.getBigUint64(32, true),
      sequence: Number(view.getBigUint64(40, true)),
    };
    seen.push(packet);
    return isLost(packet);
  };
}
