/**
 * Sending half of a stream: credit, congestion window, unacknowledged packets, retransmission
 * (`wire.md` 7.3 to 7.6). Pure: it decides, the session sends.
 */

import {
  BULK_RESERVE_SHARE,
  CONGESTION_WINDOW_INITIAL,
  CONGESTION_WINDOW_MIN,
  CREDIT_PATIENCE_MS,
  PACKET_OVERHEAD_BYTES,
  RESENDS_MAX,
  RTO_INITIAL_MS,
  RTO_MAX_MS,
  RTO_MIN_MS,
  STREAM_WINDOW_BYTES,
} from "../limits.ts";
import { receiveHorizon } from "./receive_state.ts";
import { judgeSack } from "./sack.ts";
import { UnackedRing } from "./unacked_ring.ts";

/** Options of {@linkcode SendState}. */
export interface SendStateOptions {
  /** Credit window in bytes; 0 is unlimited. */
  readonly windowBytes?: number;
  readonly isReliable: boolean;
  /**
   * Gets back the places of plaintexts that are done with.
   *
   * @param wireBytes What the packet cost: 84 + payload.
   */
  readonly release: (at: number, wireBytes: number, isAcknowledged: boolean) => void;
  /** A packet was lost. */
  readonly onLost?: () => void;
}

/** What a tick found out. */
export interface RetransmitPlan {
  /** Packets to send again now, by sequence. */
  readonly due: readonly number[];
  /** True when a packet used up its resends: the stream has failed. */
  readonly isGivenUp: boolean;
}

const NOTHING_DUE: RetransmitPlan = { due: [], isGivenUp: false };

/** Packets sent on one stream. */
export class SendState {
  readonly isReliable: boolean;
  readonly windowBytes: number;
  /** Number of the next packet. */
  nextSequence = 0;
  /** Packets sent and not acknowledged; empty on unreliable streams. */
  readonly unacked = new UnackedRing();
  congestionWindow = CONGESTION_WINDOW_INITIAL;
  /** Smoothed round-trip time; `undefined` before the first sample. */
  smoothedRttMs: number | undefined;
  rtoMs = RTO_INITIAL_MS;
  resentTotal = 0;
  eventsSent = 0;
  /** An unreliable stream took nothing for want of credit. */
  isRefusing = false;
  readonly #release: SendStateOptions["release"];
  readonly #onLost: (() => void) | undefined;
  readonly #trackedMax: number;
  readonly #spanMax: number;
  #slowStartThreshold = Infinity;
  #rttVariation = 0;
  #bytesSent = 0;
  #bytesConsumed = 0;
  #lastNackActedOn = -1;
  #isProbeAllowed = false;
  /** Bytes of an unreliable stream that were lost and count as consumed. */
  #bytesLost = 0;
  /** Bytes sent up to and with the last probe of an unreliable stream; 0 when it was answered. */
  #probedBytes = 0;
  /** When credit last came, or was asked for. */
  #creditAt = 0;
  /** Packets below this were in flight at the last loss: one reduction per episode. */
  #recoveryUntil = -1;

  constructor(options: SendStateOptions) {
    this.isReliable = options.isReliable;
    this.windowBytes = options.windowBytes ?? STREAM_WINDOW_BYTES;
    this.#release = options.release;
    this.#onLost = options.onLost;
    this.#trackedMax = Math.min(Math.max(Math.floor(this.windowBytes / 512), 32), 16_384);
    this.#spanMax = receiveHorizon(this.windowBytes);
  }

  /** Payload bytes sent for the first time. */
  get payloadBytes(): number {
    return this.#bytesSent - this.nextSequence * PACKET_OVERHEAD_BYTES;
  }

  /** Bytes that may still be sent before a grant. */
  get creditBytes(): number {
    if (this.windowBytes === 0) return Infinity;
    return this.windowBytes - (this.#bytesSent - this.#bytesConsumed);
  }

  /** Number of packets waiting for their acknowledgement. */
  get unackedCount(): number {
    return this.unacked.size;
  }

  /** Lets the next packet leave whatever window and credit say, to be acknowledged with those before it. */
  allowProbe(): void {
    this.#isProbeAllowed = true;
  }

  /** True when the next packet is a probe. */
  get isProbing(): boolean {
    return this.#isProbeAllowed;
  }

  /** True when a packet of this payload may leave now. */
  canSend(payloadLength: number): boolean {
    const hasCredit = this.creditBytes >= PACKET_OVERHEAD_BYTES + payloadLength;
    if (!this.isReliable) return hasCredit || this.#isProbeAllowed;
    const { size, base, end } = this.unacked;
    // Beyond the receiver's horizon a packet would only be refused there.
    if (size > 0 && end - base > this.#spanMax) return false;
    return this.#isProbeAllowed ||
      (hasCredit && size < Math.min(Math.floor(this.congestionWindow), this.#trackedMax));
  }

  /** The same, if an eighth of credit and congestion window is left for others; the first packet always may. */
  canSendBulk(payloadLength: number): boolean {
    if (!this.canSend(payloadLength)) return false;
    const { size } = this.unacked;
    if (size === 0 && this.isReliable) return true;
    const reserveBytes = this.windowBytes / BULK_RESERVE_SHARE;
    if (this.creditBytes - PACKET_OVERHEAD_BYTES - payloadLength < reserveBytes) return false;
    const packetsMax = Math.min(Math.floor(this.congestionWindow), this.#trackedMax);
    return !this.isReliable || size < packetsMax - packetsMax / BULK_RESERVE_SHARE;
  }

  /**
   * Books a packet that is about to leave.
   *
   * @param at Where its plaintext is kept until acknowledged; means nothing on unreliable streams.
   * @returns The packet's sequence.
   */
  record(at: number, payloadLength: number, eventCount: number, now: number): number {
    const sequence = this.nextSequence++;
    this.#bytesSent += PACKET_OVERHEAD_BYTES + payloadLength;
    if (this.isReliable) this.unacked.push(at, payloadLength, eventCount, now);
    else if (this.#isProbeAllowed) this.#probedBytes = this.#bytesSent;
    this.#isProbeAllowed = false;
    this.isRefusing = false;
    return sequence;
  }

  /**
   * Applies a grant.
   *
   * @param consumedBytes Absolute bytes the receiver accepted.
   * @param ackSequence Everything below it arrived.
   * @returns True when sending may go on where it could not before.
   */
  onGrant(consumedBytes: number, ackSequence: number, now: number): boolean {
    let consumed = Math.min(consumedBytes + this.#bytesLost, this.#bytesSent);
    let isProgress = false;
    if (consumed > this.#bytesConsumed) {
      if (this.#probedBytes > consumed) {
        // What left before the probe has arrived by now or never will.
        this.#bytesLost += this.#probedBytes - consumed;
        consumed = this.#probedBytes;
      }
      this.#probedBytes = 0;
      this.#creditAt = now;
      this.#bytesConsumed = consumed;
      isProgress = true;
    }
    return this.#acknowledgeBelow(ackSequence, now) || isProgress;
  }

  /**
   * Lets one packet of an unreliable stream leave when no credit came for long.
   *
   * Only what arrives is granted (`wire.md` 7.3), so each lost packet takes its credit along and a window
   * of losses would end the stream. The answer to the packet shows what did not arrive.
   *
   * @returns True when one may leave now.
   */
  onStarved(now: number): boolean {
    if (this.creditBytes >= this.windowBytes || now - this.#creditAt < CREDIT_PATIENCE_MS) {
      return false;
    }
    this.#creditAt = now;
    this.#isProbeAllowed = true;
    return true;
  }

  /**
   * Applies a SACK.
   *
   * @param ranges Half open, above `ackSequence`, highest first.
   * @returns Packets to send again now, and whether anything was acknowledged.
   */
  onSack(
    ackSequence: number,
    ranges: readonly (readonly [number, number])[],
    now: number,
  ): { readonly isProgress: boolean; readonly due: readonly number[] } {
    const patienceMs = 1.25 * (this.smoothedRttMs ?? this.rtoMs);
    const { acknowledged, lost } = judgeSack(this.unacked, ackSequence, ranges, patienceMs, now);
    for (const sequence of acknowledged) this.#acknowledge(sequence, now);
    for (const sequence of lost) this.unacked.noteResend(sequence, now);
    this.resentTotal += lost.length;
    const [first] = lost;
    if (first !== undefined) this.#noteLoss(first);
    return { isProgress: acknowledged.length > 0, due: lost };
  }

  /**
   * Applies a NACK; acts once per loss episode.
   *
   * @returns Packets to send again now.
   */
  onNack(
    nextExpected: number,
    bitmapLow: number,
    bitmapHigh: number,
    now: number,
  ): readonly number[] {
    if (nextExpected <= this.#lastNackActedOn) return [];
    this.#lastNackActedOn = nextExpected;
    const { unacked } = this;
    const due: number[] = [];
    const take = (sequence: number) => {
      if (!unacked.has(sequence) || unacked.resends(sequence) >= RESENDS_MAX) return;
      unacked.noteResend(sequence, now);
      due.push(sequence);
    };
    take(nextExpected);
    for (let i = 0; i < 32; i++) if ((bitmapLow >>> i) & 1) take(nextExpected + 1 + i);
    for (let i = 0; i < 32; i++) if ((bitmapHigh >>> i) & 1) take(nextExpected + 33 + i);
    this.resentTotal += due.length;
    if (due.length > 0) this.#noteLoss(nextExpected);
    return due;
  }

  /**
   * Looks for packets whose acknowledgement is overdue.
   *
   * Each resend doubles a packet's patience, and one tick resends no more than the congestion window
   * allows, oldest first, so that a stalled receiver is not buried under copies.
   */
  onTick(now: number): RetransmitPlan {
    const { unacked } = this;
    if (unacked.size === 0) return NOTHING_DUE;
    const due: number[] = [];
    let limit = Math.max(Math.floor(this.congestionWindow), CONGESTION_WINDOW_MIN);
    for (let sequence = unacked.base; sequence < unacked.end && due.length < limit; sequence++) {
      if (!unacked.has(sequence)) continue;
      const resends = unacked.resends(sequence);
      const patienceMs = Math.min(this.rtoMs * 2 ** resends, RTO_MAX_MS);
      if (now - unacked.sentAt(sequence) < patienceMs) continue;
      if (resends >= RESENDS_MAX) return { due: [], isGivenUp: true };
      if (sequence > this.#recoveryUntil) {
        this.#onLost?.();
        this.#slowStartThreshold = Math.max(this.congestionWindow / 2, CONGESTION_WINDOW_MIN);
        this.congestionWindow = CONGESTION_WINDOW_MIN;
        this.#recoveryUntil = this.nextSequence - 1;
        limit = CONGESTION_WINDOW_MIN;
      }
      unacked.noteResend(sequence, now);
      due.push(sequence);
    }
    this.resentTotal += due.length;
    return due.length === 0 ? NOTHING_DUE : { due, isGivenUp: false };
  }

  /** Forgets every packet and gives back where it lay. */
  clear(): void {
    const { unacked } = this;
    for (let sequence = unacked.base; sequence < unacked.end; sequence++) {
      if (unacked.has(sequence)) this.#forget(sequence, false);
    }
  }

  /** Halves the window, once per episode: for the packets in flight when it began. */
  #noteLoss(sequence: number): void {
    this.#onLost?.();
    if (sequence <= this.#recoveryUntil) return;
    this.#recoveryUntil = this.nextSequence - 1;
    this.congestionWindow = Math.max(this.congestionWindow / 2, CONGESTION_WINDOW_MIN);
    this.#slowStartThreshold = this.congestionWindow;
  }

  #acknowledgeBelow(ackSequence: number, now: number): boolean {
    const { unacked } = this;
    const before = unacked.size;
    const until = Math.min(ackSequence, unacked.end);
    for (let sequence = unacked.base; sequence < until; sequence++) {
      if (unacked.has(sequence)) this.#acknowledge(sequence, now);
    }
    if (ackSequence > this.#lastNackActedOn) this.#lastNackActedOn = -1;
    return unacked.size !== before;
  }

  #acknowledge(sequence: number, now: number): void {
    const { unacked } = this;
    const rttMs = now - unacked.sentAt(sequence);
    // A packet that has not left yet has none, whatever the peer says of it.
    if (unacked.resends(sequence) === 0 && rttMs >= 0) this.#sampleRtt(rttMs);
    this.#forget(sequence, true);
    this.congestionWindow = Math.min(
      this.#trackedMax,
      this.congestionWindow < this.#slowStartThreshold
        ? this.congestionWindow + 1
        : this.congestionWindow + 1 / this.congestionWindow,
    );
  }

  #forget(sequence: number, isAcknowledged: boolean): void {
    const wireBytes = PACKET_OVERHEAD_BYTES + this.unacked.length(sequence);
    this.#release(this.unacked.remove(sequence), wireBytes, isAcknowledged);
  }

  /** RFC 6298 with the bounds of the wire specification. */
  #sampleRtt(rttMs: number): void {
    if (this.smoothedRttMs === undefined) {
      this.smoothedRttMs = rttMs;
      this.#rttVariation = rttMs / 2;
    } else {
      this.#rttVariation = 0.75 * this.#rttVariation + 0.25 * Math.abs(this.smoothedRttMs - rttMs);
      this.smoothedRttMs = 0.875 * this.smoothedRttMs + 0.125 * rttMs;
    }
    const rto = this.smoothedRttMs + 4 * this.#rttVariation;
    this.rtoMs = Math.min(Math.max(rto, RTO_MIN_MS), RTO_MAX_MS);
  }
}
