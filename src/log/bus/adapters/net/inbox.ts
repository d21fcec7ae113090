/**
 * Events that came from the peer, packet by packet, until they are too many (`storage.md` 2.6).
 *
 * An event's id is `<packet>:<index>`. Packets are numbered by the sender from 0 in each session; those of a later
 * session go on where the earlier one ended, so that a cursor of before still says where its reader is. (The
 * reference lets them repeat, and a reader with an old cursor sees nothing of the new session.)
 */
import { ReplayWindow } from "../../../../core/crypto/mod.ts";
import { BusError } from "../../error.ts";
import type { ShardPoll, StoredEvent } from "../../types.ts";
import { INBOX_BYTES_MAX } from "./limits.ts";

interface Packet {
  /** Its number, over sessions. */
  readonly number: number;
  readonly events: readonly Uint8Array[];
  readonly bytes: number;
}

interface ShardBox {
  packets: Packet[];
  /** Where in `packets` the first one is that is still kept. */
  head: number;
  /** Events kept. */
  count: number;
  /** Numbers of this session begin here. */
  base: number;
  /** One more than the greatest number that came. */
  next: number;
  /** Numbers of this session that came. */
  seen: ReplayWindow;
}

/** Counters of an inbox. */
export interface InboxCounters {
  packets: number;
  events: number;
  /** Packets that came twice. */
  duplicates: number;
  /** Packets that did not come, or not yet. */
  missing: number;
  /** Events that went because there were too many. */
  evicted: number;
}

const ID = /^([0-9]{1,16}):([0-9]{1,5})$/;

/** Keeps the newest events of each shard. */
export class Inbox {
  readonly counters: InboxCounters = {
    packets: 0,
    events: 0,
    duplicates: 0,
    missing: 0,
    evicted: 0,
  };
  readonly #eventsMax: number;
  readonly #boxes = new Map<number, ShardBox>();
  #bytes = 0;

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
  }

  /** Shards that something came for. */
  get shards(): readonly number[] {
    return [...this.#boxes.keys()];
  }

  /** The peer numbers its packets from 0 again. */
  startSession(): void {
    for (const box of this.#boxes.values()) {
      box.base = box.next;
      box.seen = new ReplayWindow();
    }
  }

  /**
   * Keeps the events of a packet.
   *
   * @param window What tells packets that came twice; given by whoever files several streams under one shard.
   */
  add(shard: number, sequence: number, events: readonly Uint8Array[], window?: ReplayWindow): void {
    const box = this.#boxOf(shard);
    const seen = window ?? box.seen;
    const low = sequence >>> 0;
    if (!seen.accept(low, (sequence - low) / 2 ** 32)) {
      this.counters.duplicates += 1;
      return;
    }
    const number = box.base + sequence;
    if (number >= box.next) {
      this.counters.missing += number - box.next;
      box.next = number + 1;
    } else if (this.counters.missing > 0 && window === undefined) this.counters.missing -= 1;
    const bytes = events.reduce((sum, { length }) => sum + length, 0);
    box.packets.push({ number, events, bytes });
    box.count += events.length;
    this.#bytes += bytes;
    this.counters.packets += 1;
    this.counters.events += events.length;
    while (box.head < box.packets.length - 1 && this.#isTooMuch(box)) this.#evict(box);
  }

  /** What a shard has behind a cursor. @throws BusError `cursor` when it is none of this adapter's. */
  poll(shard: number, fromId: string | undefined, limit: number): ShardPoll {
    const from = fromId === undefined ? undefined : placeOf(fromId);
    const box = this.#boxes.get(shard);
    if (box === undefined) return { events: [], nextId: fromId, hasMore: false };
    const start = from === undefined
      ? { packet: box.head, index: 0, isGone: false }
      : find(box, from);
    const events: StoredEvent[] = [];
    let { packet, index } = start;
    for (; packet < box.packets.length && events.length < limit; packet++, index = 0) {
      const { number, events: raws } = box.packets[packet] as Packet;
      for (; index < raws.length && events.length < limit; index++) {
        const raw = raws[index] as Uint8Array;
        events.push({ id: `${number}:${index}`, raw, insertionTs: BigInt(number), shard });
      }
      if (index < raws.length) break;
    }
    return {
      events,
      nextId: events.at(-1)?.id ?? fromId,
      hasMore: packet < box.packets.length,
      // How many they were is not known any more; one at least.
      missed: start.isGone ? 1n : 0n,
    };
  }

  #boxOf(shard: number): ShardBox {
    const box = this.#boxes.get(shard) ??
      { packets: [], head: 0, count: 0, base: 0, next: 0, seen: new ReplayWindow() };
    this.#boxes.set(shard, box);
    return box;
  }

  #isTooMuch(box: ShardBox): boolean {
    return box.count > this.#eventsMax || this.#bytes > INBOX_BYTES_MAX;
  }

  #evict(box: ShardBox): void {
    const packet = box.packets[box.head] as Packet;
    box.packets[box.head] = { ...packet, events: [] };
    box.head += 1;
    box.count -= packet.events.length;
    this.#bytes -= packet.bytes;
    this.counters.evicted += packet.events.length;
    if (box.head < 1_024 || box.head < box.packets.length / 2) return;
    box.packets = box.packets.slice(box.head);
    box.head = 0;
  }
}

interface Place {
  readonly number: number;
  readonly index: number;
}

function placeOf(id: string): Place {
  const [, number, index] = ID.exec(id) ?? [];
  if (number !== undefined && index !== undefined) {
    return { number: Number(number), index: Number(index) };
  }
  throw new BusError("cursor", "Cannot poll shard: its ids are packet:index", {
    next: "the bus has another engine than when the cursor was made: start without it",
  });
}

/** Where to go on behind a place: packets lie in the order they came in, which is almost that of their numbers. */
function find(box: ShardBox, place: Place): { packet: number; index: number; isGone: boolean } {
  const oldest = { packet: box.head, index: 0 };
  // A number that never was is of an earlier life of this process: its reader has seen nothing of this one.
  if (place.number >= box.next) return { ...oldest, isGone: false };
  for (let packet = box.packets.length - 1; packet >= box.head; packet--) {
    if (box.packets[packet]?.number === place.number) {
      return { packet, index: place.index + 1, isGone: false };
    }
  }
  return { ...oldest, isGone: true };
}
