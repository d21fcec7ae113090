/**
 * What a log must hold, kept beside it while it is written to, crashed and opened again.
 *
 * An event may be in the log with the payload of any append that was tried at its number, once it is not
 * acknowledged; acknowledged it must be there, with its payload and time, unless retention may have taken it.
 */
import type { Retention, TailItem } from "../../../src/log/mod.ts";

/** An event as it was handed to the log. */
export interface ModelEvent {
  readonly payload: string;
  readonly timeNs: bigint;
  readonly isInline: boolean;
}

/** What is known of the log. */
export class CrashModel {
  /** What went wrong. */
  readonly faults: string[] = [];
  /** Events whose append returned, by number. */
  events = new Map<number, ModelEvent>();
  next = 0;
  /** All below was acknowledged as durable. */
  durable = 0;
  /** All below may be gone by retention. */
  goneMax = 0;
  /**
   * The disk never fails but by crashing. The format does not say which time belongs to which record once some
   * are damaged; a note says so, and a failing disk may refuse it.
   */
  hasAllNotes = true;
  /** Times at which the log was opened: what records get whose own time was not synced (`storage.md` 3.2, step 7). */
  readonly openTimes = new Set<bigint>();
  /** Every payload that was tried at a number; those whose append threw may have been written too. */
  #tried = new Map<number, Set<string>>();

  /** Before an append. */
  try(payloads: readonly string[]): void {
    for (const [i, payload] of payloads.entries()) {
      const seq = this.next + i;
      const tried = this.#tried.get(seq);
      if (tried === undefined) this.#tried.set(seq, new Set([payload]));
      else tried.add(payload);
    }
  }

  /** After an append that returned. */
  appended(first: number, payloads: readonly string[], timeNs: bigint, isInline: boolean): void {
    if (first !== this.next) this.faults.push(`an append got ${first}, must be ${this.next}`);
    for (const [i, payload] of payloads.entries()) {
      this.events.set(first + i, { payload, timeNs, isInline });
    }
    this.next = first + payloads.length;
  }

  /** The next number was moved on. */
  skipped(next: number): void {
    this.next = next;
  }

  /** All below is durable, says the log. */
  acknowledge(seq: number): void {
    this.durable = Math.max(this.durable, seq);
    if (seq > this.next) this.faults.push(`${seq} is acknowledged, but ${this.next} is next`);
  }

  /** Retention runs, or may run, until this time. */
  sweeping({ eventsMax, bytesMax, ageMaxMs }: Retention, wallMs: number): void {
    const kept = [...this.events].sort(([a], [b]) => a - b);
    let [count, bytes] = [0, 0];
    const notBeforeNs = ageMaxMs === undefined
      ? 0n
      : BigInt(Math.floor(wallMs) - ageMaxMs) * 1_000_000n;
    for (const [seq, { payload, timeNs }] of kept.reverse()) {
      count += 1;
      bytes += 20 + payload.length;
      if (
        count > (eventsMax ?? Infinity) || bytes > (bytesMax ?? Infinity) || timeNs < notBeforeNs
      ) {
        this.goneMax = Math.max(this.goneMax, seq + 1);
        return;
      }
    }
  }

  /**
   * Compares all of a log that was opened again with what it must be, and goes on from what is there.
   *
   * @param items All of a tail from 0.
   * @param hasLost Whether what was not acknowledged may be lost.
   */
  recovered(items: readonly TailItem[], nextSeq: number, hasLost: boolean): void {
    // Numbers that were passed over are only kept by an event behind them.
    const known = hasLost ? this.durable : this.next;
    const mustHave = 1 + Math.max(-1, ...[...this.events.keys()].filter((seq) => seq < known));
    if (nextSeq < mustHave) this.faults.push(`the next number is ${nextSeq}, must be ${mustHave}`);
    const there = this.checkItems(items, 0, nextSeq, mustHave);
    for (let seq = this.goneMax; seq < mustHave; seq++) {
      if (this.events.has(seq) && !there.has(seq)) this.faults.push(`event ${seq} is lost`);
    }
    this.events = there;
    this.next = nextSeq;
    this.durable = nextSeq;
    this.#tried = new Map([...there].map(([seq, { payload }]) => [seq, new Set([payload])]));
  }

  /** Checks what a tail gave: no gap that it does not name, and every event as it was appended. */
  checkItems(
    items: readonly TailItem[],
    from: number,
    to: number,
    exactBelow: number,
  ): Map<number, ModelEvent> {
    const there = new Map<number, ModelEvent>();
    let next = from;
    for (const item of items) {
      const first = Number(item.kind === "event" ? item.seq : item.from);
      if (first !== next) this.faults.push(`the tail gave ${first}, must be ${next}`);
      next = Number(item.kind === "event" ? item.seq : item.to) + 1;
      if (item.kind === "lag") {
        continue;
      }
      const payload = new TextDecoder().decode(item.payload);
      const known = this.events.get(first);
      if (!this.#tried.get(first)?.has(payload)) {
        this.faults.push(`event ${first} was never written: ${payload.slice(0, 20)}`);
      }
      if (first < exactBelow && known !== undefined) {
        if (known.payload !== payload) this.faults.push(`event ${first} is another one`);
        const isTimeKnown = known.timeNs === item.timeNs || this.openTimes.has(item.timeNs);
        if (!isTimeKnown && this.hasAllNotes) this.faults.push(`event ${first} has another time`);
      }
      there.set(first, { payload, timeNs: item.timeNs, isInline: known?.isInline ?? false });
    }
    if (next !== to) this.faults.push(`the tail ended at ${next}, must be ${to}`);
    return there;
  }
}
