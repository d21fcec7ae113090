/**
 * Takes the frames of one peer on one channel: whole ones go on at once, fragments are joined first, within
 * limits of memory, number and time (docs/rpc-bodies.md).
 */
import { type Clock, PairMap } from "../../base/mod.ts";
import { Dispatch, FragmentBody, FRAME_BYTES, FrameHead } from "../wire/mod.ts";
import { FrameJoin } from "./frame_join.ts";
import type { JoinBudget } from "./join_budget.ts";
import {
  FRAME_BODY_BYTES_MAX,
  JOIN_IDLE_MS,
  JOIN_RETRY_MS,
  JOIN_SWEEP_MS,
  JOINS_MAX,
  REFUSED_FRAMES_MAX,
} from "./limits.ts";
import type { RefusedFrame } from "./link.ts";
import type { LinkCounters } from "./link_counters.ts";

/** What {@linkcode FrameIntake} needs. */
export interface FrameIntakeDeps {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly budget: JoinBudget;
  readonly counters: LinkCounters;
  /** Gets each whole frame; `bytes` is valid only during the call unless `isOwned`. */
  readonly onFrame: (bytes: Uint8Array, isOwned: boolean) => void;
  /** Hears of frames that were not taken. */
  readonly onRefused: (frame: RefusedFrame) => void;
}

/** Frames of one peer. */
export class FrameIntake {
  readonly #deps: FrameIntakeDeps;
  readonly #peer: bigint;
  readonly #head = new FrameHead();
  readonly #fragment = new FragmentBody();
  /** Frames being joined, by call. */
  readonly #joins = new PairMap<FrameJoin>();
  #size = 0;
  /** Frames whose further parts are dropped. */
  readonly #refused = new Set<string>();
  #cancelSweep: (() => void) | undefined;

  constructor(deps: FrameIntakeDeps, peer: bigint) {
    this.#deps = deps;
    this.#peer = peer;
  }

  /** Frames being joined. */
  get joining(): number {
    return this.#size;
  }

  /** Takes one event of the stream. */
  take(bytes: Uint8Array): void {
    const { counters, onFrame } = this.#deps;
    if (bytes[0] === Dispatch.fragment) return this.#takeFragment(bytes);
    counters.frames_received_total += 1;
    onFrame(bytes, false);
  }

  /** Gives up what is not whole: nothing more comes. */
  end(): void {
    for (const [low, high, first] of this.#joins.entries()) {
      for (let join: FrameJoin | undefined = first; join !== undefined; join = join.next) {
        this.#deps.budget.release(this.#peer, join.total);
        this.#deps.counters.drop_join_ended_total += 1;
      }
      this.#joins.delete(low, high);
    }
    this.#size = 0;
    this.#refused.clear();
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #takeFragment(bytes: Uint8Array): void {
    const { counters, clock, onFrame } = this.#deps;
    const head = this.#head;
    const fragment = this.#fragment;
    counters.fragments_received_total += 1;
    const isRead = head.read(bytes) && fragment.read(bytes, FRAME_BYTES);
    if (!isRead || fragment.dispatch === Dispatch.fragment) {
      counters.drop_fragment_malformed_total += 1;
      return;
    }
    const known = this.#find(head, fragment);
    if (fragment.isAbandoned) return this.#abandon(head, fragment, known);
    const now = clock.now();
    const join = known ?? this.#begin(head, fragment, bytes, now);
    if (join === undefined) return;
    switch (join.take(fragment, bytes, now)) {
      case "more":
        return;
      case "malformed":
        this.#drop(join);
        return this.#refuse(head, fragment, "malformed");
      case "whole":
        this.#drop(join);
        counters.joins_finished_total += 1;
        counters.frames_received_total += 1;
        onFrame(join.bytes, true);
    }
  }

  #begin(
    head: FrameHead,
    fragment: FragmentBody,
    bytes: Uint8Array,
    now: number,
  ): FrameJoin | undefined {
    const { counters, budget } = this.#deps;
    if (this.#refused.size > 0 && this.#refused.has(keyOf(head, fragment))) {
      counters.drop_fragment_refused_total += 1;
      return undefined;
    }
    const { total } = fragment;
    if (total > FRAME_BODY_BYTES_MAX) {
      this.#refuse(head, fragment, "too_large");
      return undefined;
    }
    if (this.#size >= JOINS_MAX || !budget.claim(this.#peer, total)) {
      this.#refuse(head, fragment, "budget");
      return undefined;
    }
    const join = new FrameJoin(head, fragment, bytes, now);
    join.next = this.#joins.get(head.callLow, head.callHigh);
    this.#joins.set(head.callLow, head.callHigh, join);
    this.#size += 1;
    counters.joins_started_total += 1;
    this.#cancelSweep ??= this.#deps.clock.after(JOIN_SWEEP_MS, () => this.#sweep());
    return join;
  }

  #find(head: FrameHead, fragment: FragmentBody): FrameJoin | undefined {
    let join = this.#joins.get(head.callLow, head.callHigh);
    while (join !== undefined && !join.isOf(head, fragment)) join = join.next;
    return join;
  }

  /** The sender gives a frame up. Parts of it that were overtaken by this are dropped. */
  #abandon(head: FrameHead, fragment: FragmentBody, join: FrameJoin | undefined): void {
    this.#remember(keyOf(head, fragment));
    if (join === undefined) return;
    this.#drop(join);
    this.#deps.counters.joins_abandoned_total += 1;
  }

  /** Takes a frame out, and gives its room back. */
  #drop(join: FrameJoin): void {
    const { callLow, callHigh } = join;
    const first = this.#joins.get(callLow, callHigh);
    if (first === join) {
      if (join.next === undefined) this.#joins.delete(callLow, callHigh);
      else this.#joins.set(callLow, callHigh, join.next);
    } else {
      let before = first;
      while (before !== undefined && before.next !== join) before = before.next;
      if (before !== undefined) before.next = join.next;
    }
    this.#size -= 1;
    this.#deps.budget.release(this.#peer, join.total);
  }

  #refuse(
    { originLow, originHigh, callLow, callHigh, item }: FrameHead | FrameJoin,
    { dispatch }: { readonly dispatch: number },
    reason: RefusedFrame["reason"],
  ): void {
    const { counters, onRefused } = this.#deps;
    if (reason === "budget") counters.drop_join_budget_total += 1;
    else if (reason === "too_large") counters.drop_join_too_large_total += 1;
    else if (reason === "malformed") counters.drop_join_malformed_total += 1;
    else counters.drop_join_late_total += 1;
    const retryAfterMs = JOIN_RETRY_MS;
    const frame = { dispatch, originLow, originHigh, callLow, callHigh, item, reason };
    this.#remember(keyOf(frame, frame));
    onRefused({ ...frame, retryAfterMs });
  }

  #remember(key: string): void {
    if (this.#refused.size >= REFUSED_FRAMES_MAX) {
      for (const oldest of this.#refused) {
        this.#refused.delete(oldest);
        break;
      }
    }
    this.#refused.add(key);
  }

  /** Gives up frames of which nothing came for long. */
  #sweep(): void {
    this.#cancelSweep = undefined;
    const late = this.#deps.clock.now() - JOIN_IDLE_MS;
    for (const [, , first] of this.#joins.entries()) {
      for (let join: FrameJoin | undefined = first; join !== undefined;) {
        const { next }: FrameJoin = join;
        if (join.touchedAt <= late) {
          this.#drop(join);
          this.#refuse(join, join, "late");
        }
        join = next;
      }
    }
    if (this.#size === 0) return;
    this.#cancelSweep = this.#deps.clock.after(JOIN_SWEEP_MS, () => this.#sweep());
  }
}

interface FrameIds {
  readonly originLow: number;
  readonly originHigh: number;
  readonly callLow: number;
  readonly callHigh: number;
  readonly item: number;
}

function keyOf(ids: FrameIds, { dispatch }: { readonly dispatch: number }): string {
  const { originLow, originHigh, callLow, callHigh, item } = ids;
  return `${dispatch}.${originHigh}.${originLow}.${callHigh}.${callLow}.${item}`;
}
