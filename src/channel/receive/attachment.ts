/**
 * One channel at one publisher, as its subscriber sees it: asking, getting events, asking again
 * (`identity-and-channels.md` 10). Pure; the caller sends and keeps time.
 *
 * Past the reference, a subscription survives: it is asked for again when the session was replaced, when the
 * publisher ended the stream, after a refusal with growing pauses, and every minute, because a publisher that
 * thought this node lost has forgotten it without a word.
 */
import { AckReason } from "../membership/membership_wire.ts";
import {
  ACK_TIMEOUT_MS,
  REFUSED_PAUSES_MS,
  RENEW_MS,
  THROTTLED_PAUSE_MS,
  UNANSWERED_PAUSE_MS_MAX,
} from "../limits.ts";

/** What the publisher last said. */
export type AttachmentState = "asking" | "active" | "refused" | "unanswered";

/** Asks one publisher for one channel, again and again. */
export class Attachment {
  #state: AttachmentState = "asking";
  #reason: AckReason = AckReason.Ok;
  #askAt: number;
  #isAsked = false;
  #refusals = 0;
  #unanswered = 0;

  constructor(now: number) {
    this.#askAt = now;
  }

  /** What the publisher last said. */
  get state(): AttachmentState {
    return this.#state;
  }

  /** Why it refused; meaningful in that state. */
  get reason(): AckReason {
    return this.#reason;
  }

  /** How often in a row it refused. */
  get refusals(): number {
    return this.#refusals;
  }

  /** When to ask next; `undefined` while an answer is awaited. */
  get askAt(): number | undefined {
    return this.#isAsked ? undefined : this.#askAt;
  }

  /** True when it is time to ask. */
  isDue(now: number): boolean {
    return !this.#isAsked && now >= this.#askAt;
  }

  /** A request was sent. */
  onAsked(): void {
    this.#isAsked = true;
  }

  /** Its answer came. */
  onAck(isAccepted: boolean, reason: AckReason, now: number): void {
    this.#isAsked = false;
    this.#unanswered = 0;
    if (isAccepted) {
      this.#state = "active";
      this.#refusals = 0;
      this.#askAt = now + RENEW_MS;
      return;
    }
    this.#reason = reason;
    if (reason === AckReason.RateLimited) {
      // Events go on coming meanwhile if they did before.
      if (this.#state !== "active") this.#state = "refused";
      this.#askAt = now + THROTTLED_PAUSE_MS;
      return;
    }
    this.#state = "refused";
    const pauses = REFUSED_PAUSES_MS;
    this.#askAt = now + (pauses[Math.min(this.#refusals, pauses.length - 1)] ?? RENEW_MS);
    this.#refusals += 1;
  }

  /** No answer came in time, or it could not be sent. */
  onUnanswered(now: number): void {
    this.#isAsked = false;
    if (this.#state !== "active") this.#state = "unanswered";
    const pauseMs = ACK_TIMEOUT_MS * 2 ** Math.min(this.#unanswered, 8);
    this.#askAt = now + Math.min(pauseMs, UNANSWERED_PAUSE_MS_MAX);
    this.#unanswered += 1;
  }

  /** Something changed that makes it worth asking at once: a new session, a stream that ended, an offer. */
  askSoon(now: number): void {
    if (!this.#isAsked) this.#askAt = now;
  }

  /** The session is gone, and whatever was asked on it; the subscription is not there any more. */
  onLost(now: number): void {
    this.#isAsked = false;
    this.#state = "asking";
    this.#unanswered = 0;
    this.#askAt = now;
  }
}
