/**
 * The way of a link's packets to a peer: the sending half of the stream of one channel (`nrpc.md` 1). Silence
 * may end the stream towards others than nodes of ours; it is begun anew then.
 */
import { NetError } from "../../base/mod.ts";
import type { ChannelId } from "../../channel/mod.ts";
import {
  MAX_RELAYED_PAYLOAD,
  type SendStreamHandle,
  type StreamEnd,
} from "../../core/transport/mod.ts";
import type { FramePort } from "../../rpc/mod.ts";
import { WINDOW_BYTES } from "./limits.ts";
import type { LinkParts } from "./rpc_parts.ts";

/** Options of {@linkcode StreamPort}. */
export interface StreamPortOptions {
  readonly peer: bigint;
  readonly channel: ChannelId;
  /** The stream ended for good. */
  readonly onEnd: (reason: StreamEnd) => void;
}

/** Sends on one stream. */
export class StreamPort implements FramePort {
  readonly #parts: Pick<LinkParts, "transport" | "facts" | "originHash">;
  readonly #options: StreamPortOptions;
  #handle: SendStreamHandle;

  /** @throws NetError `unreachable` without a session. */
  constructor(
    parts: Pick<LinkParts, "transport" | "facts" | "originHash">,
    options: StreamPortOptions,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#handle = this.#open();
  }

  get payloadBytesMax(): number {
    return Math.min(this.#handle.payloadBytesMax, MAX_RELAYED_PAYLOAD);
  }

  trySendFramed(bytes: Uint8Array, start: number, length: number, count: number): boolean {
    return this.#handle.trySendFramed(bytes, start, length, count);
  }

  canSendBulk(length: number): boolean {
    return this.#handle.canSendBulk(length);
  }

  ready(): Promise<void> {
    return this.#handle.ready();
  }

  #open(): SendStreamHandle {
    const { transport, facts, originHash } = this.#parts;
    const { peer, channel } = this.#options;
    const isOurs = facts.isOurs(peer);
    const isSealed = transport.peer(peer)?.isSealed === true;
    return transport.openSendStream(peer, channel.streamId, {
      isReliable: true,
      isKept: isOurs,
      windowBytes: isOurs ? WINDOW_BYTES : undefined,
      // Sealed packets say nothing to those in between (`sealed.md`).
      label: isSealed ? undefined : { channelHash: channel.wireHash, priority: 0, originHash },
      onEnd: (reason) => this.#onEnd(reason),
    });
  }

  #onEnd(reason: StreamEnd): void {
    if (reason !== "idle") return this.#options.onEnd(reason);
    try {
      this.#handle = this.#open();
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      this.#options.onEnd("peer_lost");
    }
  }
}
