/**
 * One frame being joined from its fragments, in whatever order they come (docs/rpc-bodies.md): they are copied
 * to their place in one piece of memory, and a frame whose parts do not fit together is none.
 */
import { type FragmentBody, FRAME_BYTES, type FrameHead } from "../wire/mod.ts";
import { JOIN_RUNS_MAX } from "./limits.ts";

/** What became of a part. */
export type JoinStep = "more" | "whole" | "malformed";

/** A frame that is not whole yet. */
export class FrameJoin {
  /** The whole frame; its head is that of its first part, but for the dispatch. */
  readonly bytes: Uint8Array;
  readonly dispatch: number;
  readonly originLow: number;
  readonly originHigh: number;
  readonly callLow: number;
  readonly callHigh: number;
  readonly item: number;
  /** When its last part came. */
  touchedAt: number;
  /** Another frame of the same call. */
  next: FrameJoin | undefined;
  /** What came, ascending: start, end (exclusive), start, end, … in the body. */
  #runs: number[] = [];

  constructor(head: FrameHead, fragment: FragmentBody, part: Uint8Array, now: number) {
    this.bytes = new Uint8Array(FRAME_BYTES + fragment.total);
    this.bytes.set(part.subarray(0, FRAME_BYTES));
    this.bytes[0] = fragment.dispatch;
    this.dispatch = fragment.dispatch;
    this.originLow = head.originLow;
    this.originHigh = head.originHigh;
    this.callLow = head.callLow;
    this.callHigh = head.callHigh;
    this.item = head.item;
    this.touchedAt = now;
  }

  /** Bytes of its body. */
  get total(): number {
    return this.bytes.length - FRAME_BYTES;
  }

  /** True for the frame that a fragment belongs to; its call is known to be the same. */
  isOf(head: FrameHead, fragment: FragmentBody): boolean {
    return this.item === head.item && this.dispatch === fragment.dispatch &&
      this.originLow === head.originLow && this.originHigh === head.originHigh;
  }

  /**
   * Takes a part.
   *
   * @param bytes The event that holds it.
   */
  take(fragment: FragmentBody, bytes: Uint8Array, now: number): JoinStep {
    const { partAt, offset, total } = fragment;
    if (total !== this.total || !this.#note(offset, offset + bytes.length - partAt)) {
      return "malformed";
    }
    this.bytes.set(bytes.subarray(partAt), FRAME_BYTES + offset);
    this.touchedAt = now;
    return this.#runs.length === 2 && this.#runs[0] === 0 && this.#runs[1] === total
      ? "whole"
      : "more";
  }

  /** Notes what came; false when some of it had come before, or there are too many holes. */
  #note(start: number, end: number): boolean {
    const runs = this.#runs;
    // Nearly always it follows the last one.
    let at = runs.length;
    while (at > 0 && (runs[at - 2] as number) >= end) at -= 2;
    // Runs before `at` begin before `end`.
    if (at > 0 && (runs[at - 1] as number) > start) return false;
    const joinsBefore = at > 0 && runs[at - 1] === start;
    const joinsAfter = at < runs.length && runs[at] === end;
    if (joinsBefore && joinsAfter) runs.splice(at - 1, 2);
    else if (joinsBefore) runs[at - 1] = end;
    else if (joinsAfter) runs[at] = start;
    else if (runs.length >= 2 * JOIN_RUNS_MAX) return false;
    else runs.splice(at, 0, start, end);
    return true;
  }
}
