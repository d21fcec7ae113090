/**
 * The way out for packets that may have to wait: relayed ones, in one queue per neighbour, and those of
 * scheduled streams, in one queue per stream (promises W4, W17).
 *
 * As long as there is room, packets go straight out: a run of relayed packets to one neighbour at once,
 * those for others together at the end of the turn, so that each neighbour's leave side by side and the
 * socket can join them. Without room everything waits its turn by weight. Room means that half of the
 * send slots are free: the other half is for what this node has to say without waiting.
 */

import type { TransportCounters } from "../counters.ts";
import { FairScheduler, NO_QUEUE, type SchedulerCounters } from "./fair_scheduler.ts";
import { SEND_SLOT_BYTES } from "../limits.ts";
import { EGRESS_BYTES_MAX, EGRESS_RESERVE } from "../mesh_limits.ts";
import type { PacketSender } from "../packet_sender.ts";
import type { SocketAddress } from "../types.ts";

/** What waits for its turn. */
export interface EgressItem {
  /** Its turn has come: seals and sends it. */
  leave(): void;
  /** It will never leave: its queue was closed. */
  drop(): void;
}

/** What {@linkcode Egress} needs. */
export interface EgressDeps {
  readonly sender: PacketSender;
  readonly counters: TransportCounters;
  /** The datagrams to be relayed lie here. */
  readonly memory: Uint8Array;
}

/** Relayed datagrams are mostly of this size or less. */
const SMALL_BYTES = 1_536;
/** Items kept for reuse, each with its buffer: 1.5 MB, at most 8.5 MB. */
const POOLED_MAX = 1_024;

/** A relayed datagram that waits. */
class Relayed implements EgressItem {
  readonly #egress: Egress;
  /** Grows to what it once had to hold. */
  buffer = new Uint8Array(SMALL_BYTES);
  length = 0;
  to: SocketAddress = { host: "", port: 0 };

  constructor(egress: Egress) {
    this.#egress = egress;
  }

  leave(): void {
    this.#egress.finish(this, true);
  }

  drop(): void {
    this.#egress.finish(this, false);
  }
}

/** The way out of one node. */
export class Egress {
  readonly #deps: EgressDeps;
  readonly #scheduler = new FairScheduler<EgressItem>();
  readonly #memory: Uint8Array;
  readonly #free: Relayed[] = [];
  /** Queue of each neighbour, by its slot. */
  readonly #queues: number[] = [];
  #bytesWaiting = 0;
  /** Where this turn's packets go straight out to. */
  #runTo: SocketAddress | undefined;
  #isDrainDue = false;
  #isBlocked = false;
  readonly #drainSoon = () => this.#drain();
  readonly #unblock = () => {
    this.#isBlocked = false;
    this.#scheduleDrain();
  };

  constructor(deps: EgressDeps) {
    this.#deps = deps;
    this.#memory = deps.memory;
  }

  /** Counters of the scheduler underneath. */
  get counters(): SchedulerCounters {
    return this.#scheduler.counters;
  }

  /** Items waiting. */
  get waiting(): number {
    return this.#scheduler.length;
  }

  // --- Relayed packets -------------------------------------------------------------------------

  /**
   * Passes on a datagram that lies in the cipher's memory; its bytes are the caller's again afterwards.
   *
   * @param hop Slot of the neighbour.
   * @returns False when it was dropped, and counted.
   */
  relay(at: number, length: number, hop: number, to: SocketAddress): boolean {
    const { sender, counters } = this.#deps;
    const queue = this.#queues[hop] ?? NO_QUEUE;
    // Behind what waits already, or the neighbour would get its packets out of order.
    const isFirst = queue === NO_QUEUE || this.#scheduler.queueLength(queue) === 0;
    if (isFirst && this.#hasRoom && (this.#runTo === undefined || this.#runTo === to)) {
      this.#runTo = to;
      if (sender.sendCopy(at, length, to)) {
        counters.relayed_packets_total += 1;
        this.#scheduleDrain();
        return true;
      }
    }
    return this.#wait(at, length, hop, to);
  }

  /** The neighbour is gone: what waits for it is dropped. */
  closeHop(hop: number): void {
    const queue = this.#queues[hop] ?? NO_QUEUE;
    if (queue === NO_QUEUE) return;
    this.#queues[hop] = NO_QUEUE;
    this.closeQueue(queue);
  }

  #wait(at: number, length: number, hop: number, to: SocketAddress): boolean {
    const { counters } = this.#deps;
    let queue = this.#queues[hop] ?? NO_QUEUE;
    if (queue === NO_QUEUE) queue = this.#queues[hop] = this.#scheduler.open();
    const isTooMuch = length > SEND_SLOT_BYTES || this.#bytesWaiting + length > EGRESS_BYTES_MAX;
    if (queue === NO_QUEUE || isTooMuch) {
      counters.drop_relay_queue_total += 1;
      return false;
    }
    const item = this.#free.pop() ?? new Relayed(this);
    if (length > item.buffer.length) item.buffer = new Uint8Array(SEND_SLOT_BYTES);
    item.buffer.set(this.#memory.subarray(at, at + length));
    item.length = length;
    item.to = to;
    if (!this.#scheduler.push(queue, item)) {
      this.#release(item);
      counters.drop_relay_queue_total += 1;
      return false;
    }
    counters.relay_packets_waiting += 1;
    this.#bytesWaiting += length;
    this.#scheduleDrain();
    return true;
  }

  /** A waiting datagram leaves, or is dropped; for {@linkcode Relayed} alone. */
  finish(item: Relayed, isSent: boolean): void {
    const { sender, counters } = this.#deps;
    counters.relay_packets_waiting -= 1;
    this.#bytesWaiting -= item.length;
    if (isSent) {
      counters.relayed_packets_total += 1;
      sender.sendRaw(item.buffer.subarray(0, item.length), item.to);
    } else counters.drop_relay_closed_total += 1;
    this.#release(item);
  }

  #release(item: Relayed): void {
    if (this.#free.length < POOLED_MAX) this.#free.push(item);
  }

  // --- Scheduled streams -----------------------------------------------------------------------

  /**
   * Opens a queue of the caller's own.
   *
   * @param weight Share of the way out, 1 to 1,024; a neighbour's relayed packets have 1.
   * @returns Its number, or {@linkcode NO_QUEUE} when there are too many.
   */
  openQueue(weight: number): number {
    return this.#scheduler.open(weight);
  }

  /** Closes a queue; what waits in it is dropped. */
  closeQueue(queue: number): void {
    this.#scheduler.close(queue, dropItem);
  }

  /** Changes a queue's share. */
  setWeight(queue: number, weight: number): void {
    this.#scheduler.setWeight(queue, weight);
  }

  /** Items waiting in a queue. */
  queueLength(queue: number): number {
    return this.#scheduler.queueLength(queue);
  }

  /**
   * Puts an item at the end of a queue; it leaves at once if there is room and nothing waits before it.
   *
   * @returns False when the queue is full: the item stays the caller's.
   */
  push(queue: number, item: EgressItem): boolean {
    if (!this.#scheduler.push(queue, item)) return false;
    this.#scheduleDrain();
    return true;
  }

  // --- Leaving ---------------------------------------------------------------------------------

  get #hasRoom(): boolean {
    return this.#deps.sender.slotsFree > EGRESS_RESERVE;
  }

  #scheduleDrain(): void {
    if (this.#isDrainDue || this.#isBlocked) return;
    this.#isDrainDue = true;
    queueMicrotask(this.#drainSoon);
  }

  #drain(): void {
    this.#isDrainDue = false;
    this.#runTo = undefined;
    while (this.#scheduler.length > 0) {
      if (!this.#hasRoom) {
        this.#isBlocked = true;
        this.#deps.sender.onSlotFree(this.#unblock);
        return;
      }
      this.#scheduler.take()?.leave();
    }
  }
}

const dropItem = (item: EgressItem) => item.drop();
