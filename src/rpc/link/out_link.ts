/**
 * A link to one peer: frames of one turn leave together, many per packet; what finds no credit waits, up to a
 * limit; small frames go before parts of large ones.
 */
import { idToHex } from "../../base/mod.ts";
import { RpcError } from "../error.ts";
import { FRAME_BYTES, type FrameRoute } from "../wire/mod.ts";
import type { FramePort } from "./frame_port.ts";
import { type LargeAllowance, type LargeFrame, LargeFrames } from "./large_frames.ts";
import { FLUSH_DOUBTS, FLUSH_TURNS, FRAME_BODY_BYTES_MAX, LARGE_WAITING_MAX } from "./limits.ts";
import { type FrameLink, NO_LINK_ROOM } from "./link.ts";
import type { LinkCounters } from "./link_counters.ts";
import { NO_ARENA_ROOM, PacketArena, PREFIX_BYTES } from "./packet_arena.ts";

/** What {@linkcode OutLink} needs. */
export interface OutLinkDeps {
  readonly port: FramePort;
  readonly counters: LinkCounters;
  /** Shared by all links to the peer. */
  readonly allowance: LargeAllowance;
  /** Runs something behind the microtasks that wait now; `queueMicrotask` when left out. */
  readonly defer?: (action: () => void) => void;
}

/** Options of {@linkcode OutLink}. */
export interface OutLinkOptions {
  readonly peer: bigint;
  readonly route: FrameRoute;
  readonly isExtended: boolean;
  /** Frames that one packet may hold; as many as fit when left out. */
  readonly framesPerPacketMax?: number;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Sends frames to one peer. */
export class OutLink implements FrameLink {
  readonly peer: bigint;
  readonly route: FrameRoute;
  readonly isExtended: boolean;
  readonly #port: FramePort;
  readonly #counters: LinkCounters;
  readonly #defer: (action: () => void) => void;
  readonly #framesPerPacketMax: number;
  readonly #arena = new PacketArena();
  readonly #large: LargeFrames;
  #waiters: Waiter[] = [];
  #endedBy: RpcError | undefined;
  /** A flush will run. */
  #isFlushDue = false;
  /** Frames written since the last one, how many it was then, and how many they were at the last turn. */
  #written = 0;
  #expected = 1;
  #writtenBefore = 0;
  /** Turns of the microtask queue in which nothing was written. */
  #idleTurns = 0;
  /** So many times more the end of a crowd is waited for, whatever is expected. */
  #doubts = 0;
  /** Turns for which it is still watched whether a frame comes right behind. */
  #watchTurns = 0;
  #isWatching = false;
  /** The port had no room, at all or for bulk: nothing of it is tried until it has. */
  #isStalled = false;
  #isBulkStalled = false;
  #isWaiting = false;
  readonly #send = (bytes: Uint8Array, start: number, length: number, count: number): boolean => {
    if (!this.#port.trySendFramed(bytes, start, length, count)) return false;
    this.#counters.packets_sent_total += 1;
    this.#counters.frames_sent_total += count;
    return true;
  };
  /** As many frames as left together the last time are not waited behind: likely these are all. */
  readonly #onTurn = () => {
    const written = this.#written;
    const isExpected = this.#doubts === 0 && written === this.#expected;
    if (!isExpected) {
      this.#idleTurns = written === this.#writtenBefore ? this.#idleTurns + 1 : 0;
      this.#writtenBefore = written;
      if (this.#idleTurns < FLUSH_TURNS) {
        this.#defer(this.#onTurn);
        return;
      }
    }
    this.#isFlushDue = false;
    if (written > 0) this.#expected = written;
    this.#written = 0;
    this.flush();
    if (!isExpected) this.#doubts = Math.max(0, this.#doubts - 1);
    else {
      this.#watchTurns = FLUSH_TURNS;
      this.#watch();
    }
  };
  /** A frame that comes right behind those that left belonged to them: a stream, not answers to one packet. */
  readonly #onWatch = () => {
    this.#isWatching = false;
    if (this.#watchTurns === 0) return;
    this.#watchTurns = this.#written > 0 ? 0 : this.#watchTurns - 1;
    if (this.#written > 0) this.#doubts = FLUSH_DOUBTS;
    else this.#watch();
  };

  constructor(deps: OutLinkDeps, options: OutLinkOptions) {
    const { port, counters, allowance, defer = queueMicrotask } = deps;
    const { peer, route, isExtended, framesPerPacketMax = Infinity } = options;
    this.peer = peer;
    this.route = route;
    this.isExtended = isExtended;
    this.#port = port;
    this.#counters = counters;
    this.#defer = defer;
    this.#framesPerPacketMax = framesPerPacketMax;
    const onRoom = () => this.#scheduleFlush();
    this.#large = new LargeFrames({ port, route, counters, allowance, onRoom });
  }

  get isOpen(): boolean {
    return this.#endedBy === undefined;
  }

  get frameBytesMax(): number {
    return this.#port.payloadBytesMax - PREFIX_BYTES;
  }

  get bytes(): Uint8Array {
    return this.#arena.bytes;
  }

  /** Bytes of frames that wait for room. */
  get waitingBytes(): number {
    return this.#arena.waitingBytes;
  }

  /** Large frames that have not left as a whole. */
  get largeFrames(): number {
    return this.#large.size;
  }

  reserve(length: number): number {
    const payloadMax = this.#port.payloadBytesMax;
    if (length > payloadMax - PREFIX_BYTES) {
      throw new RangeError(
        `Cannot send frame: it has ${length} bytes, at most ${payloadMax - PREFIX_BYTES}`,
      );
    }
    if (this.#endedBy !== undefined) return NO_LINK_ROOM;
    // What was written before is whole by now.
    if (this.#arena.hasFullPacket && !this.#isStalled) this.#sendFull();
    const at = this.#arena.reserve(length, payloadMax, this.#framesPerPacketMax);
    if (at === NO_ARENA_ROOM) {
      this.#counters.frames_refused_total += 1;
      return NO_LINK_ROOM;
    }
    this.#written += 1;
    if (!this.#isFlushDue) this.#scheduleFlush();
    return at;
  }

  async sendLarge(
    dispatch: number,
    callLow: number,
    callHigh: number,
    item: number,
    body: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    if (this.#endedBy !== undefined) throw this.#endedBy;
    this.#requireSize(body.length);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const frame: LargeFrame = {
      dispatch,
      callLow,
      callHigh,
      item,
      body,
      onSent: resolve,
      onFailed: reject,
    };
    const onAbort = () => {
      this.#large.abandon(frame);
      this.#scheduleFlush();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#large.add(frame);
    if (!this.#isFlushDue) this.#scheduleFlush();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  ready(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#endedBy !== undefined) return Promise.reject(this.#endedBy);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      const onAbort = () => {
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
      if (!this.#isStalled) this.#scheduleFlush();
    });
  }

  /** Something came from the peer: what is written from now on answers it, and follows nothing. */
  noteArrival(): void {
    this.#watchTurns = 0;
  }

  /** Sends what waits, as far as there is room. */
  flush(): void {
    if (this.#endedBy !== undefined) return;
    try {
      if (!this.#isStalled) this.#isStalled = !this.#arena.sendAll(this.#send);
      if (!this.#isStalled && !this.#isBulkStalled) this.#isBulkStalled = !this.#large.pump();
    } catch {
      // The stream has ended under it; whoever watches it ends the link.
      this.#isStalled = true;
    }
    if (this.#isStalled || this.#isBulkStalled) this.#waitForRoom();
    if (this.#waiters.length > 0) this.#wakeWaiters();
  }

  /**
   * Nothing leaves any more; whoever waits hears so.
   *
   * @param why What went wrong, in words.
   */
  end(why: string): void {
    if (this.#endedBy !== undefined) return;
    const error = this.#endedBy = new RpcError(
      "transport",
      `Cannot send to ${idToHex(this.peer)}: ${why}`,
      {
        target: this.peer,
        next: "call again; see net node peers for the nodes that are connected",
      },
    );
    this.#arena.clear();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
    this.#large.fail(error);
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue || this.#endedBy !== undefined) return;
    this.#isFlushDue = true;
    this.#idleTurns = 0;
    this.#writtenBefore = this.#written;
    this.#defer(this.#onTurn);
  }

  #watch(): void {
    if (this.#isWatching || this.#watchTurns === 0) return;
    this.#isWatching = true;
    this.#defer(this.#onWatch);
  }

  #sendFull(): void {
    try {
      this.#isStalled = !this.#arena.sendFull(this.#send);
    } catch {
      this.#isStalled = true;
    }
    if (this.#isStalled) this.#waitForRoom();
  }

  #waitForRoom(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    void this.#wait();
  }

  /** Goes on when the port has room. */
  async #wait(): Promise<void> {
    try {
      await this.#port.ready();
    } catch {
      // The port has ended, which ends the link from outside.
      return;
    }
    this.#isWaiting = false;
    this.#isStalled = false;
    this.#isBulkStalled = false;
    this.flush();
  }

  /** Lets those look again who found no room, when half of it is free. */
  #wakeWaiters(): void {
    const { waitingBytes, bytes } = this.#arena;
    if (waitingBytes * 2 > bytes.length) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve } of waiters) resolve();
  }

  #requireSize(bodyBytes: number): void {
    const bytesMax = this.isExtended ? FRAME_BODY_BYTES_MAX : this.frameBytesMax - FRAME_BYTES;
    const target = this.peer;
    if (bodyBytes > bytesMax || !this.isExtended) {
      throw new RpcError(
        "too_large",
        this.isExtended
          ? `Cannot send frame: its body has ${bodyBytes} bytes, must be at most ${bytesMax}`
          : `Body too large for this peer: the frame takes ${bodyBytes} bytes, must be at most ` +
            `${bytesMax} towards node ${idToHex(target)}, which takes no larger ones`,
        { target, next: "stream it in smaller items, or store it with net blob put" },
      );
    }
    if (this.#large.size < LARGE_WAITING_MAX) return;
    throw new RpcError(
      "backpressure",
      `Cannot send frame: ${LARGE_WAITING_MAX} large ones wait for node ${idToHex(target)}`,
      { target, retryAfterMs: 500, next: "try again later, or send fewer at a time" },
    );
  }
}
