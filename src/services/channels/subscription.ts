/** One subscription of a program of this machine: its events, and what its publishers say. */
import { Emitter, NetError } from "../../base/mod.ts";
import {
  AckReason,
  type AttachmentState,
  type ChannelEvent,
  type ChannelId,
  EventQueue,
  type Overflow,
} from "../../channel/mod.ts";

/** How to subscribe. */
export interface SubscribeOptions {
  /** These publishers only; everybody who offers the channel when left out. */
  readonly from?: readonly bigint[];
  /** The queue group to share events with. */
  readonly queueGroup?: string;
  /** A token chain, as on the wire. */
  readonly chain?: Uint8Array;
  /** What is dropped for a slow reader of an unreliable channel; the oldest when left out. */
  readonly overflow?: Overflow;
}

/** What became of the request at one publisher. */
export interface PublisherStatus {
  readonly publisher: bigint;
  readonly state: AttachmentState | "lost";
  /** Why it refused; meaningful in that state. */
  readonly reason: AckReason;
  /** How often in a row it refused. */
  readonly refusals: number;
}

/** A subscription, read by one reader. */
export class ChannelSubscription implements AsyncDisposable {
  readonly channel: ChannelId;
  readonly options: SubscribeOptions;
  readonly queue: EventQueue;
  /** Tells how it goes at each publisher. */
  readonly onStatus = new Emitter<[status: PublisherStatus]>();
  readonly #from: ReadonlySet<bigint> | undefined;
  readonly #end: (subscription: ChannelSubscription) => void;

  constructor(
    channel: ChannelId,
    options: SubscribeOptions,
    end: (subscription: ChannelSubscription) => void,
  ) {
    this.channel = channel;
    this.options = options;
    this.queue = new EventQueue({ overflow: options.overflow });
    this.#from = options.from === undefined ? undefined : new Set(options.from);
    this.#end = end;
  }

  /** True when events of the publisher are wanted. */
  wants(publisher: bigint): boolean {
    return this.#from?.has(publisher) ?? true;
  }

  /** The next event; `undefined` once closed. */
  async next(signal?: AbortSignal): Promise<ChannelEvent | undefined> {
    for (;;) {
      const event = this.queue.take();
      if (event !== undefined || this.queue.isClosed) return event;
      await this.queue.ready(signal);
    }
  }

  /** Ends the subscription; idempotent. */
  close(): void {
    if (this.queue.isClosed) return;
    this.queue.close();
    this.#end(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/** The error that a refusal stands for. */
export function refusalError(channel: string, publisher: string, reason: AckReason): NetError {
  const action = `Cannot subscribe to "${channel}" at ${publisher}`;
  switch (reason) {
    case AckReason.UnknownChannel:
      return new NetError("not_found", `${action}: channel: unknown channel`, {
        next: "see which channels it has with net channel ls there",
      });
    case AckReason.RateLimited:
      return new NetError("limit", `${action}: channel: rate limited`, {
        next: "wait half a minute, then try again",
      });
    case AckReason.TooManyChannels:
      return new NetError("limit", `${action}: channel: too many channels`, {
        next: "unsubscribe from others first",
      });
    case AckReason.Unauthorized:
      return new NetError("not_allowed", `${action}: channel: unauthorized`, {
        next: "give a token chain of one of its roots with --token @FILE",
      });
    default:
      return new NetError("not_allowed", `${action}: channel: refused (${reason})`);
  }
}
