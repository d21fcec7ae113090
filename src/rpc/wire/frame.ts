/**
 * The head of every nRPC frame: event metadata and route word (`nrpc.md` 2).
 *
 * Ids stay in 32-bit halves here. What lies in bytes 20 to 24, a checksum that nRPC does not use, numbers the
 * items of a stream between nodes of ours, from 1, so that they may arrive in any order
 * (docs/rpc-bodies.md); to others it is 0.
 *
 * Each side of a call numbers what it sends by itself. Request items of an upload: the REQUEST is 1, each chunk
 * the next; an END chunk without an item takes a number too, and so the receiver knows what is missing in front
 * of it. Response items of a stream: from 1, and the end, or the failure, takes the next. Requests and answers
 * that stand alone, and all else, are 0. A stream that begins with 0 is in order of arrival.
 */
import { FRAME_BYTES } from "./limits.ts";

/** Who sends, which call, which channel: what the heads of one link's frames have in common. */
export interface FrameRoute {
  /** Origin hash of the sender. */
  readonly originLow: number;
  readonly originHigh: number;
  /** Canonical hash of the channel that carries the frame. */
  readonly channelLow: number;
  readonly channelHigh: number;
}

/** The head of a frame as read; one object serves for all of them. */
export class FrameHead {
  dispatch = 0;
  originLow = 0;
  originHigh = 0;
  callLow = 0;
  callHigh = 0;
  /** Number of an item of a stream, from 1; 0 for none. */
  item = 0;
  channelLow = 0;
  channelHigh = 0;

  /** Reads the head; false when the frame is too short for one. */
  read(bytes: Uint8Array): boolean {
    if (bytes.length < FRAME_BYTES) return false;
    this.dispatch = bytes[0] as number;
    this.originLow = readU32(bytes, 4);
    this.originHigh = readU32(bytes, 8);
    this.callLow = readU32(bytes, 12);
    this.callHigh = readU32(bytes, 16);
    this.item = readU32(bytes, 20);
    this.channelLow = readU32(bytes, 24);
    this.channelHigh = readU32(bytes, 28);
    return true;
  }
}

/** Writes the head of a frame; its body begins {@linkcode FRAME_BYTES} behind `at`. */
export function writeFrameHead(
  target: Uint8Array,
  at: number,
  dispatch: number,
  route: FrameRoute,
  callLow: number,
  callHigh: number,
  item: number,
): number {
  target[at] = dispatch;
  target[at + 1] = 0;
  target[at + 2] = 0;
  target[at + 3] = 0;
  writeU32(target, at + 4, route.originLow);
  writeU32(target, at + 8, route.originHigh);
  writeU32(target, at + 12, callLow);
  writeU32(target, at + 16, callHigh);
  writeU32(target, at + 20, item);
  writeU32(target, at + 24, route.channelLow);
  writeU32(target, at + 28, route.channelHigh);
  return at + FRAME_BYTES;
}

/** A little-endian u32; the caller has checked that it is there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/** A big-endian u32, as credits are. */
export function readU32BigEndian(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}

/** Writes a little-endian u32. */
export function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

/** Writes a big-endian u32. */
export function writeU32BigEndian(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
