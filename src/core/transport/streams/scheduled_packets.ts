/**
 * Packets of scheduled streams on their way through the fair scheduler (promise W4): booked when the
 * stream takes the events, sealed when their turn comes.
 */
import type { EgressItem } from "../routing/egress.ts";
import { NO_ROOM, type PacketStore } from "./packet_store.ts";
import type { SendState } from "./send_state.ts";
import type { Stream } from "./stream.ts";
import type { StreamSender } from "./stream_sender.ts";

/** Items kept for reuse. */
const POOLED_MAX = 1_024;

/** One packet that waits for its turn. */
export class ScheduledPacket implements EgressItem {
  readonly #pool: ScheduledPackets;
  sender: StreamSender | undefined;
  stream: Stream | undefined;
  state: SendState | undefined;
  sequence = 0;
  /** Where the plaintext of an unreliable packet lies; a reliable one's is the stream's to keep. */
  at = NO_ROOM;
  length = 0;
  count = 0;

  constructor(pool: ScheduledPackets) {
    this.#pool = pool;
  }

  leave(): void {
    this.sender?.sendScheduled(this);
    this.#pool.release(this);
  }

  drop(): void {
    this.#pool.release(this);
  }
}

/** Packets of all sessions. */
export class ScheduledPackets {
  readonly #store: PacketStore;
  readonly #free: ScheduledPacket[] = [];

  constructor(store: PacketStore) {
    this.#store = store;
  }

  /** An item to fill in. */
  take(): ScheduledPacket {
    return this.#free.pop() ?? new ScheduledPacket(this);
  }

  /** Takes an item back, and the memory it had. */
  release(item: ScheduledPacket): void {
    if (item.at !== NO_ROOM) this.#store.release(item.at);
    item.at = NO_ROOM;
    item.sender = item.stream = item.state = undefined;
    if (this.#free.length < POOLED_MAX) this.#free.push(item);
  }
}
