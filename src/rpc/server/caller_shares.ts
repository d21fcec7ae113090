/**
 * What the calls of one peer may hold of this node, over all services (promise N1): handlers that run, bodies that
 * they and those in front of them keep, long answers under way. A peer gets half of each at most, so that none
 * of them shuts out all others.
 */
import { Fifo } from "../engine/fifo.ts";
import {
  HELD_BYTES_MAX,
  HELD_BYTES_PER_CALLER_MAX,
  LARGE_REPLY_BYTES_MAX,
  LARGE_REPLY_BYTES_PER_CALLER_MAX,
  RUNNING_PER_CALLER_MAX,
  RUNNING_TOTAL_MAX,
} from "./limits.ts";

/** The sums over all peers. */
export class CallerShares {
  /** Handlers that run. */
  running = 0;
  /** Bytes of requests and items that are kept. */
  heldBytes = 0;
  /** Bytes of long answers under way. */
  replyBytes = 0;
  /** Peers with answers that wait until some of them have left. */
  readonly #waiting = new Set<CallerShare>();
  readonly #byPeer = new Map<bigint, CallerShare>();

  /** Peers that hold something, or are connected. */
  get size(): number {
    return this.#byPeer.size;
  }

  /** The share of a peer; {@linkcode CallerShares.release} has to follow. */
  acquire(peer: bigint): CallerShare {
    let share = this.#byPeer.get(peer);
    if (share === undefined) this.#byPeer.set(peer, share = new CallerShare(this, peer));
    share.users += 1;
    return share;
  }

  /** One user fewer. What its calls still hold counts on, also for a peer that comes back meanwhile. */
  release(share: CallerShare): void {
    share.users -= 1;
    this.forgetUnused(share);
  }

  /** Lets a peer wait until long answers have left. */
  wait(share: CallerShare): void {
    this.#waiting.add(share);
  }

  /** Room was given back: those who wait get it, the peer that waits longest first. */
  pass(): void {
    for (const share of this.#waiting) if (!share.passReplies()) this.#waiting.delete(share);
  }

  /** Forgets a share that holds nothing for nobody. */
  forgetUnused(share: CallerShare): void {
    if (share.users === 0 && share.isEmpty) this.#byPeer.delete(share.peer);
  }
}

interface WaitingReply {
  readonly bytes: number;
  readonly onRoom: () => void;
}

/** The share of one peer. */
export class CallerShare {
  readonly peer: bigint;
  /** Services that it calls. */
  users = 0;
  readonly #all: CallerShares;
  #running = 0;
  #heldBytes = 0;
  #replyBytes = 0;
  /** Answers that wait until others have left. */
  readonly #replies = new Fifo<WaitingReply>();

  constructor(all: CallerShares, peer: bigint) {
    this.#all = all;
    this.peer = peer;
  }

  /** True while it holds nothing. */
  get isEmpty(): boolean {
    return this.#running === 0 && this.#heldBytes === 0 && this.#replyBytes === 0 &&
      this.#replies.length === 0;
  }

  /** What there is no room for: a handler in this node, one of this peer, or neither. */
  get fullOf(): "node" | "caller" | undefined {
    if (this.#all.running >= RUNNING_TOTAL_MAX) return "node";
    return this.#running >= RUNNING_PER_CALLER_MAX ? "caller" : undefined;
  }

  /** A handler begins. */
  start(): void {
    this.#running += 1;
    this.#all.running += 1;
  }

  /** A handler is through. */
  end(): void {
    this.#running -= 1;
    this.#all.running -= 1;
    if (this.users === 0) this.#all.forgetUnused(this);
  }

  /** Books bytes that are kept for the peer; false when it has too many, or all have. */
  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > HELD_BYTES_PER_CALLER_MAX) return false;
    if (this.#all.heldBytes + bytes > HELD_BYTES_MAX) return false;
    this.#heldBytes += bytes;
    this.#all.heldBytes += bytes;
    return true;
  }

  /** Those are not kept any more. */
  release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#all.heldBytes -= bytes;
    if (this.users === 0) this.#all.forgetUnused(this);
  }

  /** Takes room for a long answer; false when there is none, or others wait for it. */
  takeReply(bytes: number): boolean {
    if (this.#replies.length > 0) return false;
    return this.#takeReply(bytes);
  }

  /** Resolves when room for a long answer was taken, in the order in which it was asked for. */
  awaitReply(bytes: number): Promise<void> {
    return new Promise((onRoom) => {
      this.#replies.push({ bytes, onRoom });
      this.#all.wait(this);
    });
  }

  /** Gives it back. */
  releaseReply(bytes: number): void {
    this.#replyBytes -= bytes;
    this.#all.replyBytes -= bytes;
    this.#all.pass();
    if (this.users === 0) this.#all.forgetUnused(this);
  }

  /** Takes room for answers that wait, as far as there is any; false when none waits any more. */
  passReplies(): boolean {
    for (let first = this.#replies.peek(); first !== undefined; first = this.#replies.peek()) {
      if (!this.#takeReply(first.bytes)) return true;
      this.#replies.shift();
      first.onRoom();
    }
    return false;
  }

  #takeReply(bytes: number): boolean {
    const all = this.#all;
    if (this.#replyBytes + bytes > LARGE_REPLY_BYTES_PER_CALLER_MAX) return false;
    if (all.replyBytes + bytes > LARGE_REPLY_BYTES_MAX) return false;
    this.#replyBytes += bytes;
    all.replyBytes += bytes;
    return true;
  }
}
