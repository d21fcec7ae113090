/**
 * Shares one way out among many queues by weight: deficit round robin, for relayed traffic by neighbour
 * and for our own scheduled streams (`wire.md` 15, promise W4).
 *
 * Every operation costs the same however many queues there are, and none allocates once a queue has
 * reached its size. What an item is, and when it may leave, is the user's business.
 */

import {
  SCHEDULER_DEPTH,
  SCHEDULER_ITEMS_MAX,
  SCHEDULER_QUANTUM,
  SCHEDULER_QUEUES_MAX,
} from "../mesh_limits.ts";

/** No queue. */
export const NO_QUEUE = -1;

/** Options of {@linkcode FairScheduler}. */
export interface FairSchedulerOptions {
  readonly queuesMax?: number;
  /** Items one queue holds at most. */
  readonly depthMax?: number;
  /** Items all queues together hold at most. */
  readonly itemsMax?: number;
  /** Cost a queue of weight 1 may spend per turn; 16 packets when left out. */
  readonly quantum?: number;
}

/** Counters of a scheduler: what went in came out, was dropped, or waits. */
export interface SchedulerCounters {
  scheduled_total: number;
  taken_total: number;
  /** Offered, but the queue was full. */
  drop_queue_full_total: number;
  /** Offered, but all queues together were full. */
  drop_scheduler_full_total: number;
  /** Waiting when their queue was closed. */
  drop_queue_closed_total: number;
}

const RING_INITIAL = 16;
const WEIGHT_MAX = 1_024;

/** Waiting items of one owner. */
interface Queue<T> {
  items: (T | undefined)[];
  costs: Uint32Array;
  /** Place of the first item; the ring's length is a power of two. */
  head: number;
  length: number;
  weight: number;
  deficit: number;
  isOpen: boolean;
  /** Neighbours in the round of queues that have something. */
  next: number;
  previous: number;
}

/** Deficit round robin over queues. */
export class FairScheduler<T> {
  readonly counters: SchedulerCounters = {
    scheduled_total: 0,
    taken_total: 0,
    drop_queue_full_total: 0,
    drop_scheduler_full_total: 0,
    drop_queue_closed_total: 0,
  };
  readonly #queuesMax: number;
  readonly #depthMax: number;
  readonly #itemsMax: number;
  readonly #quantum: number;
  readonly #queues: Queue<T>[] = [];
  readonly #free: number[] = [];
  /** Queue whose turn it is, in the round of queues that have something. */
  #current = NO_QUEUE;
  /** True once the current queue got this turn's quantum. */
  #isGranted = false;
  #length = 0;

  constructor(options: FairSchedulerOptions = {}) {
    this.#queuesMax = options.queuesMax ?? SCHEDULER_QUEUES_MAX;
    this.#depthMax = options.depthMax ?? SCHEDULER_DEPTH;
    this.#itemsMax = options.itemsMax ?? SCHEDULER_ITEMS_MAX;
    this.#quantum = options.quantum ?? SCHEDULER_QUANTUM;
  }

  /** Items waiting. */
  get length(): number {
    return this.#length;
  }

  /** Queues open. */
  get queuesOpen(): number {
    return this.#queues.length - this.#free.length;
  }

  /**
   * Opens a queue.
   *
   * @param weight Share of the way out, 1 to 1,024.
   * @returns Its number, or {@linkcode NO_QUEUE} when there are too many.
   * @throws RangeError when the weight is none.
   */
  open(weight = 1): number {
    const checked = requireWeight(weight);
    if (this.queuesOpen >= this.#queuesMax) return NO_QUEUE;
    const number = this.#free.pop() ?? this.#queues.length;
    this.#queues[number] = {
      items: [],
      costs: new Uint32Array(0),
      head: 0,
      length: 0,
      weight: checked,
      deficit: 0,
      isOpen: true,
      next: NO_QUEUE,
      previous: NO_QUEUE,
    };
    return number;
  }

  /**
   * Closes a queue; what waits in it is dropped.
   *
   * @param onDrop Gets back each item.
   */
  close(number: number, onDrop: (item: T) => void = () => {}): void {
    const queue = this.#queues[number];
    if (queue === undefined || !queue.isOpen) return;
    if (queue.length > 0) this.#leaveRound(number, queue);
    queue.isOpen = false;
    const { items, head, length } = queue;
    queue.items = [];
    queue.length = 0;
    this.#free.push(number);
    this.#length -= length;
    this.counters.drop_queue_closed_total += length;
    for (let i = 0; i < length; i++) onDrop(items[(head + i) & (items.length - 1)] as T);
  }

  /** Changes a queue's share from its next turn on; throws as {@linkcode FairScheduler.open} does. */
  setWeight(number: number, weight: number): void {
    const queue = this.#queues[number];
    if (queue?.isOpen) queue.weight = requireWeight(weight);
  }

  /** Items waiting in one queue. */
  queueLength(number: number): number {
    return this.#queues[number]?.length ?? 0;
  }

  /**
   * Puts an item at the end of a queue.
   *
   * @param cost Its share of a quantum, at least 1; one above the quantum counts as the quantum.
   * @returns False when it was dropped: the item stays the caller's.
   */
  push(number: number, item: T, cost = 1): boolean {
    const queue = this.#queues[number];
    if (queue === undefined || !queue.isOpen || queue.length >= this.#depthMax) {
      this.counters.drop_queue_full_total += 1;
      return false;
    }
    if (this.#length >= this.#itemsMax) {
      this.counters.drop_scheduler_full_total += 1;
      return false;
    }
    if (queue.length === queue.items.length) this.#grow(queue);
    const place = (queue.head + queue.length) & (queue.items.length - 1);
    queue.items[place] = item;
    queue.costs[place] = Math.min(Math.max(cost, 1), this.#quantum);
    queue.length += 1;
    this.#length += 1;
    this.counters.scheduled_total += 1;
    if (queue.length === 1) this.#joinRound(number, queue);
    return true;
  }

  /** The item that leaves next, or `undefined` when nothing waits. */
  take(): T | undefined {
    let queue = this.#queues[this.#current];
    if (queue === undefined) return undefined;
    if (!this.#isGranted) this.#grant(queue);
    let cost = queue.costs[queue.head] ?? 1;
    if (cost > queue.deficit) {
      // Its turn is over. The next queue's quantum covers any cost, so this goes no further.
      this.#current = queue.next;
      queue = this.#queues[this.#current];
      if (queue === undefined) return undefined;
      this.#grant(queue);
      cost = queue.costs[queue.head] ?? 1;
    }
    const item = queue.items[queue.head];
    queue.items[queue.head] = undefined;
    queue.head = (queue.head + 1) & (queue.items.length - 1);
    queue.length -= 1;
    queue.deficit -= cost;
    this.#length -= 1;
    this.counters.taken_total += 1;
    if (queue.length === 0) this.#leaveRound(this.#current, queue);
    return item;
  }

  #grant(queue: Queue<T>): void {
    queue.deficit += this.#quantum * queue.weight;
    this.#isGranted = true;
  }

  /** A queue that was empty waits for its turn behind all others. */
  #joinRound(number: number, queue: Queue<T>): void {
    const current = this.#queues[this.#current];
    if (current === undefined) {
      queue.next = number;
      queue.previous = number;
      this.#current = number;
      this.#isGranted = false;
      return;
    }
    const last = this.#queues[current.previous] ?? current;
    queue.next = this.#current;
    queue.previous = current.previous;
    last.next = number;
    current.previous = number;
  }

  #leaveRound(number: number, queue: Queue<T>): void {
    queue.deficit = 0;
    if (queue.next === number) this.#current = NO_QUEUE;
    else {
      const next = this.#queues[queue.next];
      const previous = this.#queues[queue.previous];
      if (next !== undefined) next.previous = queue.previous;
      if (previous !== undefined) previous.next = queue.next;
      if (this.#current !== number) return;
      this.#current = queue.next;
    }
    this.#isGranted = false;
  }

  #grow(queue: Queue<T>): void {
    const { items, costs, head, length } = queue;
    const size = Math.max(RING_INITIAL, items.length * 2);
    queue.items = Array.from<T | undefined>({ length: size });
    queue.costs = new Uint32Array(size);
    for (let i = 0; i < length; i++) {
      const place = (head + i) & (items.length - 1);
      queue.items[i] = items[place];
      queue.costs[i] = costs[place] ?? 1;
    }
    queue.head = 0;
  }
}

function requireWeight(weight: number): number {
  if (weight >= 1 && weight <= WEIGHT_MAX) return weight;
  throw new RangeError(`Cannot weigh queue: weight is ${weight}, must be 1 to ${WEIGHT_MAX}`);
}
