/** A subscription as programs read it: events in a loop, and who publishes. */
import { type Clock, idToHex, NetError } from "../base/mod.ts";
import { AckReason } from "../channel/mod.ts";
import type { ChannelEvent } from "../channel/mod.ts";
import { type ChannelSubscription, type PublisherStatus, refusalError } from "../services/mod.ts";
import { toText } from "./body.ts";
import { waitUntil } from "./wait_until.ts";

/** One event of a channel. */
export class ChannelMessage {
  readonly channel: string;
  /** The node that published it. */
  readonly publisher: bigint;
  readonly bytes: Uint8Array;

  constructor({ channel, publisher, bytes }: ChannelEvent) {
    this.channel = channel;
    this.publisher = publisher;
    this.bytes = bytes;
  }

  /** The bytes as UTF-8. */
  get text(): string {
    return toText(this.bytes);
  }
}

/** Options of {@linkcode Subscription.whenActive}. */
export interface WhenActiveOptions {
  /** Milliseconds to wait; 10000 when left out. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const ACTIVE_TIMEOUT_MS = 10_000;

/** Events of one channel, in the order in which each publisher sent them; leaving the loop ends it. */
export class Subscription implements AsyncIterable<ChannelMessage>, AsyncDisposable {
  readonly channel: string;
  readonly #subscription: ChannelSubscription;
  readonly #clock: Clock;
  readonly #closing: AbortSignal;
  readonly #states = new Map<bigint, PublisherStatus>();

  constructor(subscription: ChannelSubscription, clock: Clock, closing: AbortSignal) {
    this.channel = subscription.channel.name;
    this.#subscription = subscription;
    this.#clock = clock;
    this.#closing = closing;
    // Publishers are as many as the subscription itself keeps.
    subscription.onStatus.on((status) => {
      if (status.state === "lost") this.#states.delete(status.publisher);
      else this.#states.set(status.publisher, status);
    });
  }

  /** Publishers that send to it now. */
  get publishers(): readonly bigint[] {
    const active = [...this.#states.values()].filter(({ state }) => state === "active");
    return active.map(({ publisher }) => publisher).sort((a, b) => a < b ? -1 : 1);
  }

  /** Events that were lost because the program was too slow; never those of a reliable channel. */
  get dropped(): number {
    return this.#subscription.queue.dropped;
  }

  /**
   * Resolves when a publisher has let it in: what that one publishes from then on is heard.
   *
   * @throws NetError `timeout`, or why all publishers so far refused.
   */
  async whenActive(options: WhenActiveOptions = {}): Promise<void> {
    const { timeoutMs = ACTIVE_TIMEOUT_MS, signal } = options;
    const signals = signal === undefined ? [this.#closing] : [this.#closing, signal];
    await waitUntil({
      clock: this.#clock,
      look: () => this.publishers[0],
      changes: [(handler) => this.#subscription.onStatus.on(handler)],
      timeoutMs,
      signal: AbortSignal.any(signals),
      onTimeout: () => this.#unheard(timeoutMs),
    });
  }

  /** The next event; `undefined` once it is closed. */
  async next(options: { readonly signal?: AbortSignal } = {}): Promise<ChannelMessage | undefined> {
    const event = await this.#subscription.next(options.signal);
    return event === undefined ? undefined : new ChannelMessage(event);
  }

  /** Hears no more; readers find the end. */
  close(): void {
    this.#subscription.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage, void, undefined> {
    try {
      for (let one = await this.next(); one !== undefined; one = await this.next()) yield one;
    } finally {
      this.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #unheard(timeoutMs: number): NetError {
    const refused = [...this.#states.values()].find(({ state }) => state === "refused");
    if (refused !== undefined && refused.reason !== AckReason.UnknownChannel) {
      return refusalError(this.channel, idToHex(refused.publisher), refused.reason);
    }
    return new NetError(
      "timeout",
      `Cannot hear "${this.channel}": no publisher offered it within ${timeoutMs} ms`,
      { next: "create the channel on the node that publishes, and connect to that node" },
    );
  }
}
