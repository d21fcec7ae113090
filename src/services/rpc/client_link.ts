/** A way to one service of one server: requests leave on one stream, answers come on another (`nrpc.md` 1). */
import { highHalf, lowHalf, NetError } from "../../base/mod.ts";
import type { ChannelId } from "../../channel/mod.ts";
import {
  type ClientSink,
  FrameIntake,
  type FrameLink,
  type LinkEnd,
  OutLink,
  RpcError,
} from "../../rpc/mod.ts";
import { isExtendedPeer } from "./extension.ts";
import { WINDOW_BYTES } from "./limits.ts";
import {
  LINK_END_TEXT,
  linkEndOf,
  noRouteError,
  openingError,
  refusedError,
} from "./link_errors.ts";
import { subscribeReplies } from "./reply_subscription.ts";
import type { LinkParts } from "./rpc_parts.ts";
import { StreamPort } from "./stream_port.ts";

/** The channels of a service as one caller uses them. */
export interface CallerChannels {
  readonly requests: ChannelId;
  readonly replies: ChannelId;
}

/** Options of {@linkcode openClientLink}. */
export interface ClientLinkOptions {
  readonly target: bigint;
  readonly service: string;
  readonly channels: CallerChannels;
  readonly sink: ClientSink;
  /** Ends the link, or opening it. */
  readonly signal: AbortSignal;
  /** It ended; nothing has to be done but to forget it. */
  readonly onEnd: (opened: ClientLink) => void;
}

/** A link and what hangs on it. */
export class ClientLink {
  readonly link: FrameLink;
  readonly target: bigint;
  readonly service: string;
  /** When it was last asked for, by the count of questions. */
  usedAt = 0;
  readonly #parts: LinkParts;
  readonly #options: ClientLinkOptions;
  readonly #out: OutLink;
  readonly #intake: FrameIntake;
  readonly #ended = new AbortController();
  readonly #stopWatch: () => void;
  #isReady = false;

  /** @throws NetError `unreachable` without a session. */
  constructor(parts: LinkParts, options: ClientLinkOptions) {
    const { target, service, channels, sink } = options;
    const { budget, clock, counters, originHash } = parts;
    this.#parts = parts;
    this.#options = options;
    this.target = target;
    this.service = service;
    const port = new StreamPort(parts, {
      peer: target,
      channel: channels.requests,
      onEnd: (reason) => this.end(linkEndOf(reason)),
    });
    const route = {
      originLow: lowHalf(originHash),
      originHigh: highHalf(originHash),
      channelLow: lowHalf(channels.requests.hash),
      channelHigh: highHalf(channels.requests.hash),
    };
    const out = this.#out = new OutLink(
      { port, counters, allowance: parts.allowances.acquire(target) },
      { peer: target, route, isExtended: isExtendedPeer(parts, target) },
    );
    this.link = out;
    this.#intake = new FrameIntake({
      clock,
      budget,
      counters,
      onFrame: (bytes, isOwned) => sink.onFrame(out, bytes, isOwned),
      onRefused: (frame) => sink.onRefused(out, frame),
    }, target);
    const stopWatch = parts.watch.add(target, () => this.end("peer_lost"));
    const onStop = () => this.end("closed");
    options.signal.addEventListener("abort", onStop);
    this.#stopWatch = () => {
      stopWatch();
      options.signal.removeEventListener("abort", onStop);
    };
    this.#receive();
  }

  /**
   * Subscribes to the answers.
   *
   * @throws RpcError when the server refuses or does not answer, or the link ended.
   */
  async prepare(): Promise<void> {
    const { target, service, channels } = this.#options;
    const { signal } = this.#ended;
    try {
      const outcome = await subscribeReplies(this.#parts, target, channels.replies, signal);
      signal.throwIfAborted();
      switch (outcome.kind) {
        case "accepted":
          this.#isReady = true;
          return;
        case "refused":
          throw refusedError(target, service, outcome.reason);
        case "lost":
          throw openingError(target, service, LINK_END_TEXT.replaced);
        case "unanswered":
          throw openingError(target, service, "it did not answer in time");
      }
    } catch (error) {
      this.end("closed");
      throw error;
    }
  }

  /** Ends the link; calls on it hear so. */
  end(reason: LinkEnd): void {
    if (this.#ended.signal.aborted) return;
    const { target, service, sink, onEnd } = this.#options;
    this.#ended.abort(openingError(target, service, LINK_END_TEXT[reason]));
    this.#stopWatch();
    this.#intake.end();
    this.#out.end(LINK_END_TEXT[reason]);
    this.#parts.allowances.release(target);
    onEnd(this);
    if (this.#isReady) sink.onEnd(this.#out, reason);
  }

  /**
   * Takes the answers off their stream. Silence may end it towards others than nodes of ours; else it lasts as
   * long as the session, also when the link has ended, because both sides count its packets.
   */
  #receive(): void {
    const { transport, facts } = this.#parts;
    const { target, channels } = this.#options;
    const isOurs = facts.isOurs(target);
    const intake = this.#intake;
    const { signal } = this.#ended;
    transport.receiveStream(target, channels.replies.streamId, {
      onEvent: (_sequence, payload, index) => {
        if (signal.aborted) return;
        if (index === 0) this.#out.noteArrival();
        intake.take(payload);
      },
      onEnd: (reason) => {
        if (reason === "idle" && !signal.aborted) this.#receive();
        else this.end(linkEndOf(reason));
      },
    }, {
      isKept: isOurs,
      isFlagIgnored: !isOurs,
      windowBytes: isOurs ? WINDOW_BYTES : undefined,
    });
  }
}

/**
 * Opens a way to a server.
 *
 * @throws RpcError `no_route` without a session, and what {@linkcode ClientLink.prepare} throws.
 */
export async function openClientLink(
  parts: LinkParts,
  options: ClientLinkOptions,
): Promise<ClientLink> {
  const { target, service } = options;
  let opened: ClientLink;
  try {
    opened = new ClientLink(parts, options);
  } catch (error) {
    if (error instanceof RpcError || !(error instanceof NetError)) throw error;
    throw noRouteError(target, service, error);
  }
  await opened.prepare();
  return opened;
}
