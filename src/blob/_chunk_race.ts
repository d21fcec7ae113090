/**
 * The attempts for one chunk: one peer after the other, and a second one beside the first when that
 * takes much longer than others do.
 */
import { type Clock, idToHex, NetError, toHex } from "../base/mod.ts";
import type { Flight, HolderBook, Pick } from "./_holder_book.ts";
import { HEADER_PATIENCE_MS, HEDGE_FACTOR, HEDGE_MIN_MS } from "./limits.ts";
import type { AttemptResult } from "./transfer_requester.ts";

/** An attempt that has ended. */
export interface AttemptOutcome {
  readonly peer: bigint;
  readonly result: AttemptResult;
}

/** Asks one peer once; see `TransferRequester.attempt`. */
export type Attempt = (
  peer: bigint,
  headerPatienceMs: number,
  signal: AbortSignal,
) => Promise<AttemptResult>;

/** What {@linkcode ChunkRace} needs. */
export interface ChunkRaceDeps {
  readonly clock: Clock;
  readonly book: HolderBook;
  readonly attempt: Attempt;
  /** Told of a second attempt beside the first. */
  readonly onHedge: () => void;
}

interface Running {
  readonly abort: AbortController;
  readonly flight: Flight;
  /** When it last said something. */
  heardMs: number;
}

/** Sessions with one peer that may be lost during one chunk before attempts count. */
const LOSSES_MAX = 4;

/** Attempts under way at once for one chunk. */
const ATTEMPTS_AT_ONCE = 2;

/** What a chunk is taken to measure when nobody knows. */
const TYPICAL_BYTES = 4 * 1024 * 1024;

/** The attempts for one chunk. */
export class ChunkRace {
  readonly #deps: ChunkRaceDeps;
  readonly #running = new Map<bigint, Running>();
  /** Outcomes nobody looked at yet. */
  readonly #outcomes: (AttemptOutcome | { readonly error: unknown })[] = [];
  #wake = () => {};
  readonly #attempts = new Map<bigint, number>();
  /** Sessions lost under way. */
  readonly #losses = new Map<bigint, number>();
  /** Peers that need not be asked again. */
  readonly #done = new Set<bigint>();
  readonly #kinds = new Set<AttemptResult["kind"]>();
  /** Peers that stopped answering and may come back. */
  readonly #away = new Set<bigint>();
  #liar: bigint | undefined;
  /** True once somebody delivered while others were still at it. */
  #isOvertaken = false;

  constructor(deps: ChunkRaceDeps) {
    this.#deps = deps;
  }

  /** Attempts under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Whom to ask now: of the least tried, the best that has room. */
  pick(order: readonly bigint[]): Pick {
    const { book } = this.#deps;
    for (let tries = 0; tries < HEADER_PATIENCE_MS.length; tries++) {
      const open = order.filter((peer) => this.#isOpen(peer) && this.#tries(peer) === tries);
      const pick = book.pick(open);
      // Who failed before is not asked while others only have no room.
      if (pick.kind !== "nobody") return pick;
    }
    return { kind: "nobody" };
  }

  /** Begins an attempt. */
  start(peer: bigint, bytes: number | undefined): void {
    const { clock, book, attempt } = this.#deps;
    const abort = new AbortController();
    const patienceMs = HEADER_PATIENCE_MS[this.#tries(peer)] ?? HEADER_PATIENCE_MS[0] ?? 0;
    const flight = book.begin(peer, clock.now());
    this.#running.set(peer, { abort, flight, heardMs: clock.now() });
    const end = (outcome: AttemptOutcome | { readonly error: unknown }) => {
      this.#running.delete(peer);
      this.#outcomes.push(outcome);
      this.#wake();
    };
    attempt(peer, patienceMs, abort.signal).then((result) => {
      const { kind } = result;
      if (kind === "chunk") flight.delivered(bytes ?? result.bytes.length, clock.now());
      else flight.ended(kind !== "not_found");
      end({ peer, result });
    }, (error) => {
      flight.ended(this.#isOvertaken);
      end({ error });
    });
  }

  /**
   * The next outcome. While one attempt is under way and takes long, a second one is begun with a holder
   * that has room.
   *
   * @param candidates Peers connected now, best first.
   * @throws The reason of `signal`, and what an attempt throws.
   */
  async next(
    bytes: number | undefined,
    candidates: () => readonly bigint[],
    signal: AbortSignal | undefined,
  ): Promise<AttemptOutcome> {
    const { clock } = this.#deps;
    const onAbort = () => this.#wake();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        signal?.throwIfAborted();
        const outcome = this.#outcomes.shift();
        if (outcome !== undefined) {
          if ("error" in outcome) throw outcome.error;
          this.#note(outcome);
          this.#isOvertaken = outcome.result.kind === "chunk";
          return outcome;
        }
        const woken = Promise.withResolvers<void>();
        this.#wake = woken.resolve;
        const cancel = this.#running.size < ATTEMPTS_AT_ONCE
          ? clock.after(this.#hedgeMs(bytes), () => {
            this.#hedge(bytes, candidates());
            woken.resolve();
          })
          : () => {};
        await woken.promise;
        cancel();
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Notes that a peer sent something. */
  heard(peer: bigint): void {
    const running = this.#running.get(peer);
    if (running !== undefined) running.heardMs = this.#deps.clock.now();
  }

  /** Notes that a peer sent everything, so that it may be asked for the next chunk while this one is verified. */
  received(peer: bigint, bytes: number): void {
    this.#running.get(peer)?.flight.delivered(bytes, this.#deps.clock.now());
  }

  /** Peers that were overtaken by another one, and have been silent for a while. */
  overtaken(): bigint[] {
    const sinceMs = this.#deps.clock.now() - HEDGE_MIN_MS / 2;
    return [...this.#running].filter(([, { heardMs }]) => heardMs <= sinceMs).map(([peer]) => peer);
  }

  /** Gives up what is still under way. */
  stop(): void {
    for (const { abort } of this.#running.values()) {
      abort.abort(new DOMException("No longer needed", "AbortError"));
    }
  }

  /** True when a peer that was asked is not connected and may come back. */
  isAnyoneAway(connected: readonly bigint[]): boolean {
    for (const peer of this.#away) if (!connected.includes(peer)) return true;
    return false;
  }

  /** Why nobody gave the chunk. */
  toError(hash: Uint8Array): NetError {
    const what = `Cannot fetch chunk ${toHex(hash).slice(0, 16)}…`;
    if (this.#liar !== undefined) {
      const peer = idToHex(this.#liar);
      return new NetError("integrity", `${what}: node ${peer} sent other bytes`, {
        next: `disconnect node ${peer}, and connect to another one that holds the blob`,
        data: { peer },
      });
    }
    const has = (kind: AttemptResult["kind"]) => this.#kinds.has(kind);
    if (has("silent") || has("stalled")) {
      return new NetError("timeout", `${what}: the nodes asked did not answer in time`, {
        next: "see net node peers, then repeat the command",
      });
    }
    if (has("disconnected") || has("reset")) {
      return new NetError("unreachable", `${what}: the connection to its holder was lost`, {
        next: "see net node peers, then repeat the command",
      });
    }
    return new NetError("not_found", `${what}: no connected node has it`, {
      next: "connect to a node that holds it with net node start --join",
    });
  }

  #hedgeMs(bytes: number | undefined): number {
    const typicalMs = this.#deps.book.typicalMs(bytes ?? TYPICAL_BYTES) ?? 0;
    return Math.max(HEDGE_MIN_MS, HEDGE_FACTOR * typicalMs);
  }

  #hedge(bytes: number | undefined, order: readonly bigint[]): void {
    const open = order.filter((peer) => this.#isOpen(peer));
    const second = this.#deps.book.pickSecond(open);
    if (second === undefined) return;
    this.#deps.onHedge();
    this.start(second, bytes);
  }

  #isOpen(peer: bigint): boolean {
    return !this.#done.has(peer) && !this.#running.has(peer);
  }

  #tries(peer: bigint): number {
    return this.#attempts.get(peer) ?? 0;
  }

  #note({ peer, result: { kind } }: AttemptOutcome): void {
    const losses = (this.#losses.get(peer) ?? 0) + (kind === "disconnected" ? 1 : 0);
    this.#losses.set(peer, losses);
    // A new session is a new chance, but not for a peer that comes and goes.
    const isFresh = kind === "disconnected" && losses <= LOSSES_MAX;
    this.#attempts.set(peer, isFresh ? 0 : this.#tries(peer) + 1);
    this.#kinds.add(kind);
    if (kind === "wrong_hash" || kind === "malformed") this.#liar = peer;
    if (kind === "not_found" || kind === "wrong_hash" || kind === "malformed") this.#done.add(peer);
    else this.#away.add(peer);
  }
}
