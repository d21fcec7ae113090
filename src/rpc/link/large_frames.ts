/**
 * Frames longer than a packet on their way out: in fragments, one of each in turn, so that none waits for
 * another to be through (docs/rpc-bodies.md).
 */
import {
  Dispatch,
  FRAGMENT_HEAD_BYTES,
  FRAME_BYTES,
  type FrameRoute,
  writeFragmentHead,
  writeFrameHead,
  writeU32,
} from "../wire/mod.ts";
import type { FramePort } from "./frame_port.ts";
import { LARGE_ACTIVE_MAX, LARGE_BYTES_PER_PEER_MAX } from "./limits.ts";
import type { LinkCounters } from "./link_counters.ts";
import { PREFIX_BYTES } from "./packet_arena.ts";

/** In front of each part: length, head of the frame, head of the fragment. */
const HEAD_BYTES = PREFIX_BYTES + FRAME_BYTES + FRAGMENT_HEAD_BYTES;

/** One frame on its way. */
export interface LargeFrame {
  readonly dispatch: number;
  readonly callLow: number;
  readonly callHigh: number;
  readonly item: number;
  readonly body: Uint8Array;
  readonly onSent: () => void;
  readonly onFailed: (error: unknown) => void;
}

interface ActiveFrame {
  readonly frame: LargeFrame;
  offset: number;
}

/**
 * Bytes of large frames that are on their way to one peer over all links: what it has room for at the least.
 */
export class LargeAllowance {
  readonly #waiting = new Set<() => void>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = LARGE_BYTES_PER_PEER_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes on their way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes room for a frame; without any, `onRoom` is called when there may be some. */
  take(bytes: number, onRoom: () => void): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) {
      this.#waiting.add(onRoom);
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  /** Gives room back. */
  give(bytes: number): void {
    this.#bytes -= bytes;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const onRoom of waiting) onRoom();
  }
}

/** What {@linkcode LargeFrames} needs. */
export interface LargeFramesDeps {
  readonly port: FramePort;
  readonly route: FrameRoute;
  readonly counters: LinkCounters;
  readonly allowance: LargeAllowance;
  /** Calls for {@linkcode LargeFrames.pump}: another link to the peer made room. */
  readonly onRoom: () => void;
}

/** The large frames of one link. */
export class LargeFrames {
  readonly #deps: LargeFramesDeps;
  /** One packet. */
  #packet = new Uint8Array(0);
  #active: ActiveFrame[] = [];
  #turn = 0;
  #waiting: LargeFrame[] = [];
  /** Frames given up of which the peer has parts. */
  #abandoned: LargeFrame[] = [];

  constructor(deps: LargeFramesDeps) {
    this.#deps = deps;
  }

  /** Frames that are on their way or wait for it. */
  get size(): number {
    return this.#active.length + this.#waiting.length;
  }

  /** Takes a frame; {@linkcode LargeFrames.pump} sends it. */
  add(frame: LargeFrame): void {
    this.#waiting.push(frame);
  }

  /** Gives a frame up; the peer is told if it has parts of it. */
  abandon(frame: LargeFrame): void {
    const at = this.#active.findIndex((active) => active.frame === frame);
    if (at >= 0) {
      const [active] = this.#active.splice(at, 1);
      if (this.#turn > at) this.#turn -= 1;
      if (active !== undefined && active.offset > 0) this.#abandoned.push(frame);
      this.#deps.counters.large_frames_abandoned_total += 1;
      this.#deps.allowance.give(frame.body.length);
    } else this.#waiting = this.#waiting.filter((waiting) => waiting !== frame);
  }

  /** Sends parts as long as there is room; true when nothing waits for room. */
  pump(): boolean {
    if (!this.#sendAbandoned()) return false;
    for (;;) {
      this.#activate();
      if (this.#active.length === 0) return true;
      if (this.#turn >= this.#active.length) this.#turn = 0;
      const active = this.#active[this.#turn] as ActiveFrame;
      if (!this.#sendPart(active)) return false;
      if (active.offset < active.frame.body.length) this.#turn += 1;
      else this.#finish(active);
    }
  }

  /** Fails every frame: the link has ended. */
  fail(error: unknown): void {
    const active = this.#active;
    const waiting = this.#waiting;
    this.#active = [];
    this.#waiting = [];
    this.#abandoned = [];
    for (const { frame } of active) {
      this.#deps.allowance.give(frame.body.length);
      frame.onFailed(error);
    }
    for (const frame of waiting) frame.onFailed(error);
  }

  #activate(): void {
    const { allowance, onRoom } = this.#deps;
    while (this.#active.length < LARGE_ACTIVE_MAX) {
      const [next] = this.#waiting;
      if (next === undefined || !allowance.take(next.body.length, onRoom)) return;
      this.#waiting.shift();
      this.#active.push({ frame: next, offset: 0 });
    }
  }

  #finish({ frame }: ActiveFrame): void {
    this.#active.splice(this.#turn, 1);
    const { counters, allowance } = this.#deps;
    counters.large_frames_sent_total += 1;
    allowance.give(frame.body.length);
    frame.onSent();
  }

  #sendPart(active: ActiveFrame): boolean {
    const { port, counters } = this.#deps;
    const { frame, offset } = active;
    const { body } = frame;
    const length = Math.min(body.length - offset, port.payloadBytesMax - HEAD_BYTES);
    if (length <= 0 || !port.canSendBulk(HEAD_BYTES + length)) return false;
    const at = this.#writeHead(frame, length, body.length, offset);
    this.#packet.set(body.subarray(offset, offset + length), at);
    if (!port.trySendFramed(this.#packet, 0, at + length, 1)) return false;
    counters.fragments_sent_total += 1;
    active.offset += length;
    return true;
  }

  #sendAbandoned(): boolean {
    for (let frame = this.#abandoned[0]; frame !== undefined; frame = this.#abandoned[0]) {
      const end = this.#writeHead(frame, 0, 0, 0);
      if (!this.#deps.port.trySendFramed(this.#packet, 0, end, 1)) return false;
      this.#abandoned.shift();
    }
    return true;
  }

  /** Writes all that stands in front of a part; returns where the part goes. */
  #writeHead(frame: LargeFrame, length: number, total: number, offset: number): number {
    const { dispatch, callLow, callHigh, item } = frame;
    if (this.#packet.length < HEAD_BYTES + length) {
      this.#packet = new Uint8Array(Math.max(HEAD_BYTES + length, this.#deps.port.payloadBytesMax));
    }
    const packet = this.#packet;
    writeU32(packet, 0, HEAD_BYTES - PREFIX_BYTES + length);
    const { route } = this.#deps;
    const at = writeFrameHead(
      packet,
      PREFIX_BYTES,
      Dispatch.fragment,
      route,
      callLow,
      callHigh,
      item,
    );
    return writeFragmentHead(packet, at, dispatch, total, offset);
  }
}
