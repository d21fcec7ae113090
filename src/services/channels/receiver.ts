/**
 * Takes the events of one channel at one publisher off their stream (`identity-and-channels.md` 13).
 *
 * The stream lasts over subscribing and unsubscribing, because both sides count its packets; while nobody is
 * subscribed, what still comes is acknowledged and thrown away.
 */
import {
  FRAME_PREFIX_BYTES,
  PACKET_OVERHEAD_BYTES,
  type ReceiveStreamHandle,
  type StreamEnd,
} from "../../core/transport/mod.ts";
import type { ChannelId } from "../../channel/mod.ts";
import type { ChannelTransport } from "./channel_deps.ts";

/** Takes one event; `onTaken` has to be called once it was taken for good, where it is given. */
export type TakeEvent = (
  sequence: number,
  index: number,
  bytes: Uint8Array,
  onTaken: (() => void) | undefined,
) => void;

/** Options of {@linkcode ChannelReceiver}. */
export interface ChannelReceiverOptions {
  readonly peer: bigint;
  readonly channel: ChannelId;
  /**
   * The publisher is a node of ours: it keeps its half of the stream over silence, so this node may, and what
   * it flags as reliable it repeats. The Rust core flags its publishes and repeats none.
   */
  readonly isOurs: () => boolean;
  readonly take: TakeEvent;
  /** The stream ended; whoever wants more has to open it and ask again. */
  readonly onEnd: (reason: StreamEnd) => void;
}

const IGNORED = { onEvent: () => {}, onEnd: () => {} };

/** Receives from one publisher. */
export class ChannelReceiver {
  readonly #transport: Pick<ChannelTransport, "receiveStream">;
  readonly #options: ChannelReceiverOptions;
  #handle: ReceiveStreamHandle | undefined;

  constructor(
    transport: Pick<ChannelTransport, "receiveStream">,
    options: ChannelReceiverOptions,
  ) {
    this.#transport = transport;
    this.#options = options;
  }

  /** True while the stream is read. */
  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** True when the publisher repeats what was lost. */
  get isReliable(): boolean {
    return this.#handle?.isReliable ?? false;
  }

  /** Begins to read the stream, or goes on where it was left; without a session it ends at once. */
  open(): void {
    if (this.#handle !== undefined) return;
    const { peer, channel, take, onEnd } = this.#options;
    const isOurs = this.#options.isOurs();
    let hasEnded = false;
    const handle = this.#transport.receiveStream(peer, channel.streamId, {
      onEvent: (sequence, payload, index) => {
        const bytes = payload.slice();
        if (!handle.isReliable) return take(sequence, index, bytes, undefined);
        // What is not taken earns the publisher no credit: the slowest reader sets the pace.
        const cost = FRAME_PREFIX_BYTES + bytes.length + (index === 0 ? PACKET_OVERHEAD_BYTES : 0);
        handle.hold(cost);
        take(sequence, index, bytes, () => handle.hold(-cost));
      },
      onEnd: (reason) => {
        hasEnded = true;
        this.#handle = undefined;
        onEnd(reason);
      },
    }, { isOrdered: isOurs, isHeld: true, isKept: isOurs, isFlagIgnored: !isOurs });
    if (!hasEnded) this.#handle = handle;
  }

  /** Nobody wants the events any more. */
  close(): void {
    if (this.#handle === undefined) return;
    this.#handle.end();
    this.#handle = undefined;
    const { peer, channel } = this.#options;
    const isFlagIgnored = !this.#options.isOurs();
    this.#transport.receiveStream(peer, channel.streamId, IGNORED, { isFlagIgnored });
  }
}
