/**
 * Subscribes to the own reply channel at one server (`nrpc.md` 5): requests are repeated until one is answered,
 * and a server that does not know yet who asks is told and asked again.
 */
import type { ChannelId } from "../../channel/mod.ts";
import { AckReason } from "../../channel/mod.ts";
import type { MembershipAnswer } from "../channels/mod.ts";
import {
  SUBSCRIBE_MS,
  SUBSCRIBE_REPEAT_MS,
  SUBSCRIBE_REPEAT_MS_MAX,
  UNAUTHORIZED_PAUSES_MS,
} from "./limits.ts";
import type { LinkParts } from "./rpc_parts.ts";

/** How it went. */
export type SubscriptionOutcome = MembershipAnswer | { readonly kind: "unanswered" };

/** What {@linkcode subscribeReplies} needs. */
export type ReplySubscriptionParts = Pick<LinkParts, "clock" | "channels" | "announcements">;

/**
 * Subscribes.
 *
 * @param signal Ends waiting: the link has ended meanwhile.
 * @throws The signal's reason.
 */
export async function subscribeReplies(
  parts: ReplySubscriptionParts,
  peer: bigint,
  channel: ChannelId,
  signal: AbortSignal,
): Promise<SubscriptionOutcome> {
  const until = parts.clock.now() + SUBSCRIBE_MS;
  for (let refusals = 0;; refusals++) {
    const outcome = await ask(parts, peer, channel, until, signal);
    const isUnknown = outcome.kind === "refused" && outcome.reason === AckReason.Unauthorized;
    const pauseMs = UNAUTHORIZED_PAUSES_MS[refusals];
    if (!isUnknown || pauseMs === undefined) return outcome;
    parts.announcements.announceTo(peer);
    await pause(parts, pauseMs, signal);
  }
}

/** Asks, again and again, until an answer to any of the requests comes. */
async function ask(
  { clock, channels }: ReplySubscriptionParts,
  peer: bigint,
  channel: ChannelId,
  until: number,
  signal: AbortSignal,
): Promise<SubscriptionOutcome> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<SubscriptionOutcome>();
  const stops: (() => void)[] = [];
  let cancelTimer = () => {};
  const onAbort = () => reject(signal.reason);
  const send = (pauseMs: number) => {
    const left = until - clock.now();
    if (left <= 0) return resolve({ kind: "unanswered" });
    const giveUp = channels.ask(peer, channel, resolve);
    if (giveUp !== undefined) stops.push(giveUp);
    const next = Math.min(pauseMs * 2, SUBSCRIBE_REPEAT_MS_MAX);
    cancelTimer = clock.after(Math.min(pauseMs, left), () => send(next));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    send(SUBSCRIBE_REPEAT_MS);
    return await promise;
  } finally {
    cancelTimer();
    for (const stop of stops) stop();
    signal.removeEventListener("abort", onAbort);
  }
}

function pause(
  { clock }: ReplySubscriptionParts,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
