/**
 * The way to one subscriber: the stream its events are published on (`identity-and-channels.md` 13).
 *
 * The stream lasts as long as the session, over unsubscribing and subscribing again, because both sides count
 * its packets; it is opened anew when it has ended.
 */
import { type Clock, idToHex, NetError } from "../../base/mod.ts";
import {
  type ChannelConfig,
  type ChannelId,
  PATIENCE_MS,
  type SubscriberLink,
} from "../../channel/mod.ts";
import {
  MAX_EVENT_BYTES,
  type MeshTransport,
  type SendStreamHandle,
} from "../../core/transport/mod.ts";

/** What {@linkcode StreamLink} needs. */
export interface StreamLinkDeps {
  readonly clock: Clock;
  readonly transport: Pick<MeshTransport, "openSendStream">;
  /** Origin hash of this node. */
  readonly originHash: bigint;
}

/** Options of {@linkcode StreamLink}. */
export interface StreamLinkOptions {
  readonly peer: bigint;
  readonly channel: ChannelId;
  readonly config: Pick<ChannelConfig, "isReliable" | "priority">;
  /** The peer keeps its half of the stream over silence, so this node may. */
  readonly isKept: boolean;
}

/** Sends the events of one channel to one peer. */
export class StreamLink implements SubscriberLink {
  readonly isPatient: boolean;
  readonly #deps: StreamLinkDeps;
  readonly #options: StreamLinkOptions;
  #handle: SendStreamHandle | undefined;

  constructor(deps: StreamLinkDeps, options: StreamLinkOptions) {
    this.#deps = deps;
    this.#options = options;
    this.isPatient = options.config.isReliable;
  }

  trySend(events: readonly Uint8Array[], start: number): number {
    const handle = this.#open(this.#options.isKept);
    if (handle.isWaitedFor) return 0;
    this.#requireFit(handle, events, start);
    return handle.trySendAll(events, start);
  }

  async send(
    events: readonly Uint8Array[],
    start: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const handle = this.#open(this.#options.isKept);
    const patience = new AbortController();
    const late = new NetError(
      "backpressure",
      `Cannot send to ${idToHex(this.#options.peer)}: it took nothing for ${PATIENCE_MS} ms`,
    );
    const cancel = this.#deps.clock.after(PATIENCE_MS, () => patience.abort(late));
    const onAbort = () => patience.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      await handle.sendAll(start === 0 ? events : events.slice(start), { signal: patience.signal });
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Nothing more is sent: silence may end the stream from now on. */
  release(): void {
    if (this.#handle?.isOpen !== true) return;
    this.#handle = undefined;
    try {
      this.#open(false);
    } catch (error) {
      // Without a session there is no stream to let go of.
      if (!(error instanceof NetError)) throw error;
    }
  }

  /** Ends the stream, so that a new one can begin in another manner; the peer is told. */
  abort(): void {
    this.#handle?.abort();
    this.#handle = undefined;
  }

  #open(isKept: boolean): SendStreamHandle {
    if (this.#handle?.isOpen) return this.#handle;
    const { peer, channel, config } = this.#options;
    this.#handle = this.#deps.transport.openSendStream(peer, channel.streamId, {
      isReliable: config.isReliable,
      isKept,
      label: {
        channelHash: channel.wireHash,
        priority: config.priority,
        originHash: this.#deps.originHash,
      },
    });
    return this.#handle;
  }

  /** Behind a relay events must be a little shorter. */
  #requireFit(handle: SendStreamHandle, events: readonly Uint8Array[], start: number): void {
    const bytesMax = handle.eventBytesMax;
    if (bytesMax >= MAX_EVENT_BYTES) return;
    for (let at = start; at < events.length; at++) {
      const length = events[at]?.length ?? 0;
      if (length <= bytesMax) continue;
      throw new NetError(
        "limit",
        `Cannot send to ${
          idToHex(this.#options.peer)
        }: the event has ${length} bytes, must be at ` +
          `most ${bytesMax} through a relay`,
      );
    }
  }
}
