/** One chain as a receiver knows it: its last event and what came too early. */
import {
  type CausalEvent,
  type CausalLink,
  checkLinkAfter,
  eventHash,
  genesisEvent,
  isSameEvent,
  isSameLink,
} from "./causal_link.ts";
import { horizonBits } from "./horizon.ts";
import { RECEIVER_EXCUSED_MAX, RECEIVER_RIVALS_MAX, SEQUENCE_MAX } from "./limits.ts";
import type { ChainAnchor, ChainStart, ReceiverDrop } from "./receiver_types.ts";

/** An event that waits. */
export interface HeldEvent {
  readonly event: CausalEvent;
  /** Causes that had not been handed on when it came; `undefined` when only Bloom bits are known. */
  readonly causes: readonly (readonly [origin: bigint, sequence: bigint])[] | undefined;
  /** Those in front of this one are met. */
  met: number;
  /** What it counts for. */
  readonly bytes: number;
}

/** The state of one chain. */
export class ReceivedChain {
  readonly origin: bigint;
  /** Bloom bits of the origin. */
  readonly bits: bigint;
  /** Chains that wait for this one, and the one that this waits for. */
  readonly blocks = new Set<ReceivedChain>();
  blockedBy: ReceivedChain | undefined;
  /** {@linkcode ReceivedChain.waitsSinceMs} when it was put in line. */
  inLineSinceMs: number | undefined;
  /** By number; several when different events claim one place. */
  readonly #held = new Map<bigint, HeldEvent[]>();
  /** Causes of other origins that are not waited for any more. */
  readonly #excused = new Map<bigint, bigint>();
  /** Last event and its hash; `undefined` before the first, and behind a gap. */
  #last: ChainAnchor | undefined;
  /** An event whose successor may have another parent: its writer was restored behind it. */
  #restored: ChainAnchor | undefined;
  /** Number of the last event or of the end of a gap; -1 in front of all. */
  #position: bigint;
  #isStarted: boolean;
  #heldCount = 0;
  #heldBytes = 0;
  #waitsSinceMs = 0;

  constructor(origin: bigint, start: ChainStart) {
    this.origin = origin;
    this.bits = horizonBits(origin);
    this.#isStarted = start !== "first-received";
    if (start !== "first-received") {
      this.#last = anchorOf(start === "genesis" ? genesisEvent(origin) : start);
    }
    this.#position = this.#last?.link.sequence ?? -1n;
  }

  get position(): bigint {
    return this.#position;
  }

  /** End of the chain; `undefined` before the first event, and behind a gap. */
  get anchor(): ChainAnchor | undefined {
    return this.#last;
  }

  /** Takes note of a restore; false when it is of an event that another one has the place of, or of a past one. */
  noteRestore(anchor: ChainAnchor): boolean {
    const { sequence } = anchor.link;
    if (sequence < this.#position) return false;
    if (sequence === this.#position && this.#last && !isSameLink(this.#last.link, anchor.link)) {
      return false;
    }
    this.#restored = anchor;
    return true;
  }

  get held(): number {
    return this.#heldCount;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Since when the chain waits for what it waits for now. */
  get waitsSinceMs(): number {
    return this.#waitsSinceMs;
  }

  /** True when events are held and the one in front of them is missing. */
  get hasGap(): boolean {
    return this.#heldCount > 0 && this.next() === undefined;
  }

  /** True when nothing holds this place yet and it comes next. */
  isNext({ link }: CausalEvent): boolean {
    if (!this.#isStarted) return true;
    return link.sequence === this.#position + 1n && this.next() === undefined;
  }

  /** Why an event cannot be of use. */
  refusal(event: CausalEvent): ReceiverDrop | undefined {
    const { link, payload } = event;
    if (!this.#isStarted) return undefined;
    if (link.sequence <= this.#position) {
      const last = this.#last;
      if (last?.link.sequence !== link.sequence) return "duplicate";
      const isSame = isSameLink(last.link, link) && eventHash(link, payload) === last.hash;
      return isSame ? "duplicate" : "fork";
    }
    const rivals = this.#held.get(link.sequence) ?? [];
    if (rivals.some((rival) => isSameEvent(rival.event, event))) return "duplicate";
    return rivals.length >= RECEIVER_RIVALS_MAX ? "full" : undefined;
  }

  /** Keeps an event that was not refused. */
  hold(held: HeldEvent, nowMs: number): void {
    const { sequence } = held.event.link;
    this.#startAt(sequence);
    if (this.#heldCount === 0) this.#waitsSinceMs = nowMs;
    const rivals = this.#held.get(sequence);
    if (rivals === undefined) this.#held.set(sequence, [held]);
    else rivals.push(held);
    this.#heldCount += 1;
    this.#heldBytes += held.bytes;
  }

  /** Takes away those of the next place that do not continue the chain. */
  dropWrongNext(): readonly HeldEvent[] {
    const place = this.#position + 1n;
    const rivals = this.#held.get(place);
    if (rivals === undefined) return [];
    const right = rivals.filter(({ event }) => this.#continues(event.link));
    if (right.length === rivals.length) return [];
    if (right.length === 0) this.#held.delete(place);
    else this.#held.set(place, right);
    const wrong = rivals.filter((rival) => !right.includes(rival));
    for (const held of wrong) this.#forget(held);
    return wrong;
  }

  /** Moves on to an event that has the next place while nothing is held; false when it does not continue the chain. */
  takeAtOnce(event: CausalEvent, nowMs: number): boolean {
    this.#startAt(event.link.sequence);
    if (!this.#continues(event.link)) return false;
    this.#moveTo(event, nowMs);
    return true;
  }

  /** The event with the next place. */
  next(): HeldEvent | undefined {
    return this.#held.get(this.#position + 1n)?.[0];
  }

  /** Moves on to an event; it and all others that claimed its place. */
  takeNext({ event }: HeldEvent, nowMs: number): readonly HeldEvent[] {
    const { link } = event;
    const rivals = this.#held.get(link.sequence) ?? [];
    this.#held.delete(link.sequence);
    for (const rival of rivals) this.#forget(rival);
    this.#moveTo(event, nowMs);
    return rivals;
  }

  /** Gives up the numbers up to the first event that is held. */
  skipMissing(nowMs: number): { readonly from: bigint; readonly to: bigint } | undefined {
    let first = SEQUENCE_MAX + 1n;
    for (const sequence of this.#held.keys()) if (sequence < first) first = sequence;
    const from = this.#position + 1n;
    if (first > SEQUENCE_MAX || first === from) return undefined;
    this.#last = undefined;
    this.#position = first - 1n;
    this.#waitsSinceMs = nowMs;
    return { from, to: first - 1n };
  }

  /** Does without events of another origin up to a number from now on. */
  excuse(origin: bigint, sequence: bigint): void {
    if (this.#excused.size >= RECEIVER_EXCUSED_MAX) {
      const [oldest] = this.#excused.keys();
      if (oldest !== undefined) this.#excused.delete(oldest);
    }
    this.#excused.set(origin, sequence);
  }

  isExcused(origin: bigint, sequence: bigint): boolean {
    return sequence <= (this.#excused.get(origin) ?? -1n);
  }

  #startAt(sequence: bigint): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#position = sequence - 1n;
  }

  /** True for what follows the last event; behind a gap for anything. */
  #continues(link: CausalLink): boolean {
    const last = this.#last;
    if (last === undefined || checkLinkAfter(last.link, last.hash, link) === undefined) return true;
    const restored = this.#restored;
    return restored !== undefined && isSameLink(restored.link, last.link) &&
      checkLinkAfter(last.link, restored.hash, link) === undefined;
  }

  #moveTo(event: CausalEvent, nowMs: number): void {
    this.#last = anchorOf(event);
    this.#position = event.link.sequence;
    this.#waitsSinceMs = nowMs;
  }

  #forget({ bytes }: HeldEvent): void {
    this.#heldCount -= 1;
    this.#heldBytes -= bytes;
  }
}

function anchorOf(event: CausalEvent | ChainAnchor): ChainAnchor {
  if ("hash" in event) return { link: event.link, hash: event.hash };
  return { link: event.link, hash: eventHash(event.link, event.payload) };
}
