/**
 * The receiving end of a stream in causal order (`promises.md` S1): takes events of any number of chains as they
 * come, checks their links, and hands them on so that no event comes before what its writer had seen.
 *
 * - Events of one origin come by number, each checked against the one before.
 * - An event whose causes were handed over exactly waits until they were handed on.
 * - Of an event without them only its Bloom bits are known, which name origins and no numbers. It waits for the
 *   origins of which something is known to be missing; what is on its way unannounced it cannot wait for.
 *
 * What does not come in time is given up with a `gap`, never silently; causes that do not come make an event
 * `isEarly`. Pure: time is handed in, and `nextDeadlineMs` says when to call {@linkcode CausalReceiver.expire}.
 */
import { type CausalEvent, eventHash } from "./causal_link.ts";
import { CausalError } from "./error.ts";
import { decodeEventFrames } from "./event_frames.ts";
import {
  CAUSES_MAX,
  HELD_CAUSE_BYTES,
  RECEIVER_HELD_BYTES_MAX,
  RECEIVER_HELD_MAX,
  RECEIVER_HELD_PER_ORIGIN_MAX,
  RECEIVER_ORIGINS_MAX,
  RECEIVER_PATIENCE_MS,
} from "./limits.ts";
import { type HeldEvent, ReceivedChain } from "./_received_chain.ts";
import { WaitingLine } from "./_waiting_line.ts";
import type {
  CausalItem,
  CausalReceived,
  CausalReceiverOptions,
  CausalReceiverStat,
  Causes,
  ChainAnchor,
  ChainStart,
  ReceiverDrop,
} from "./receiver_types.ts";
import type { StateSnapshot } from "./state_snapshot.ts";

/** {@linkcode CausalReceived} while it is gathered. */
interface Collected {
  readonly items: CausalItem[];
  readonly drops: ReceiverDrop[];
}

/**
 * Orders events.
 *
 * @example
 * ```ts
 * import { CausalChain } from "./causal_chain.ts";
 * import { CausalReceiver } from "./causal_receiver.ts";
 * const chain = new CausalChain(7n);
 * const [first, second] = [chain.append(new Uint8Array()), chain.append(new Uint8Array())];
 * const receiver = new CausalReceiver({ strangers: "genesis" });
 * console.assert(receiver.receive(second, 0).items.length === 0);
 * console.assert(receiver.receive(first, 1).items.length === 2);
 * ```
 */
export class CausalReceiver {
  readonly #options: Required<Omit<CausalReceiverOptions, "strangers">>;
  readonly #strangers: CausalReceiverOptions["strangers"];
  readonly #chains = new Map<bigint, ReceivedChain>();
  readonly #line = new WaitingLine();
  readonly #drops: Record<ReceiverDrop, number> = {
    malformed: 0,
    stranger: 0,
    duplicate: 0,
    fork: 0,
    parent: 0,
    full: 0,
    too_many_causes: 0,
    unfollowed: 0,
  };
  #received = 0;
  #handedOn = 0;
  #early = 0;
  #gaps = 0;
  #held = 0;
  #heldBytes = 0;

  constructor(options: CausalReceiverOptions = {}) {
    this.#strangers = options.strangers;
    this.#options = {
      originsMax: options.originsMax ?? RECEIVER_ORIGINS_MAX,
      heldMax: options.heldMax ?? RECEIVER_HELD_MAX,
      heldPerOriginMax: options.heldPerOriginMax ?? RECEIVER_HELD_PER_ORIGIN_MAX,
      heldBytesMax: options.heldBytesMax ?? RECEIVER_HELD_BYTES_MAX,
      patienceMs: options.patienceMs ?? RECEIVER_PATIENCE_MS,
    };
  }

  /** When {@linkcode CausalReceiver.expire} has something to do; `undefined` while nothing is held. */
  get nextDeadlineMs(): number | undefined {
    const oldest = this.#line.oldest;
    return oldest === undefined ? undefined : oldest.waitsSinceMs + this.#options.patienceMs;
  }

  stat(): CausalReceiverStat {
    return {
      received: this.#received,
      handedOn: this.#handedOn,
      early: this.#early,
      gaps: this.#gaps,
      held: this.#held,
      heldBytes: this.#heldBytes,
      origins: this.#chains.size,
      drops: { ...this.#drops },
    };
  }

  /**
   * Takes up the chain of an origin.
   *
   * @throws CausalError `origin` when it is followed already, or when there are too many.
   */
  follow(origin: bigint, start: ChainStart): void {
    if (this.#chains.has(origin)) throw originError("it is followed already", "unfollow it first");
    if (this.#chains.size >= this.#options.originsMax) {
      throw originError(
        `there are ${this.#chains.size} already, must be at most ${this.#options.originsMax}`,
        "unfollow another, or raise originsMax",
      );
    }
    if (typeof start === "object" && start.link.origin !== origin) {
      throw originError("the event to start behind is of another origin", "give one of its own");
    }
    this.#chains.set(origin, new ReceivedChain(origin, start));
  }

  /** Lets go of an origin and of what is held of it; others may go on then. */
  unfollow(origin: bigint, nowMs: number): CausalReceived {
    const collected = collect();
    const chain = this.#chains.get(origin);
    if (chain === undefined) return collected;
    this.#chains.delete(origin);
    this.#line.remove(chain);
    this.#unblock(chain);
    this.#held -= chain.held;
    this.#heldBytes -= chain.heldBytes;
    for (let count = chain.held; count > 0; count--) this.#drop("unfollowed", collected);
    this.#settle([...chain.blocks], nowMs, collected);
    return collected;
  }

  /** Last number of an origin that was handed on, or given up; `undefined` before the first. */
  position(origin: bigint): bigint | undefined {
    const position = this.#chains.get(origin)?.position ?? -1n;
    return position < 0n ? undefined : position;
  }

  /**
   * End of a chain, to take it up there again with {@linkcode CausalReceiver.follow}; `undefined` before its first
   * event, and behind a gap.
   */
  anchor(origin: bigint): ChainAnchor | undefined {
    return this.#chains.get(origin)?.anchor;
  }

  /**
   * Lets the event behind a snapshot have the parent hash that a restore from it gives (`storage.md` 7.1), beside
   * that of an unbroken chain.
   *
   * @returns False when its origin is not followed, or the snapshot is not of an event that is still to be followed.
   */
  noteRestore({ link, state }: Pick<StateSnapshot, "link" | "state">): boolean {
    const chain = this.#chains.get(link.origin);
    return chain?.noteRestore({ link, hash: eventHash(link, state) }) ?? false;
  }

  /**
   * Takes framed events, up to the first that is malformed.
   *
   * @param bytes Events that are held are copied out of it.
   * @param count As many as there should be.
   */
  receiveFrames(bytes: Uint8Array, count: number, nowMs: number): CausalReceived {
    const { events, isComplete } = decodeEventFrames(bytes, count);
    const collected = collect();
    for (const event of events) this.#take(event, undefined, nowMs, collected);
    if (!isComplete) {
      this.#received += 1;
      this.#drop("malformed", collected);
    }
    return collected;
  }

  /**
   * Takes an event.
   *
   * @param event Its payload is copied if it has to be held.
   * @param causes What its writer had seen, exactly (see `decodeCauses`). Those of origins count that are followed
   * now.
   */
  receive(event: CausalEvent, nowMs: number, causes?: Causes): CausalReceived {
    const collected = collect();
    this.#take(event, causes, nowMs, collected);
    return collected;
  }

  /** Gives up what was waited for too long. */
  expire(nowMs: number): CausalReceived {
    const collected = collect();
    const since = nowMs - this.#options.patienceMs;
    for (const chain of this.#line.since(since)) {
      // What was given up before may have let it go on.
      if (!this.#line.has(chain) || chain.waitsSinceMs > since) continue;
      this.#giveUp(chain, nowMs, collected);
      this.#settle([chain, ...chain.blocks], nowMs, collected);
    }
    return collected;
  }

  #take(
    event: CausalEvent,
    causes: Causes | undefined,
    nowMs: number,
    collected: Collected,
  ): void {
    this.#received += 1;
    if (causes !== undefined && causes.size > CAUSES_MAX) {
      return this.#drop("too_many_causes", collected);
    }
    const chain = this.#chains.get(event.link.origin) ?? this.#takeStranger(event.link.origin);
    if (chain === undefined) return this.#drop("stranger", collected);
    const refusal = chain.refusal(event);
    if (refusal !== undefined) return this.#drop(refusal, collected);
    const isNext = chain.isNext(event);
    const held = this.#weigh(chain, event, causes);
    // What goes straight on needs neither room nor a copy.
    const isReady = isNext && this.#missingCause(chain, held) === undefined;
    if (isReady && chain.held === 0) return this.#passOn(chain, event, nowMs, collected);
    if (!isReady && !this.#hasRoom(chain, held)) return this.#drop("full", collected);
    const kept = { link: event.link, payload: isReady ? event.payload : event.payload.slice() };
    chain.hold({ ...held, event: kept }, nowMs);
    this.#held += 1;
    this.#heldBytes += held.bytes;
    this.#line.update(chain);
    // An event that is not the next of its chain lets nobody go on.
    if (isNext) this.#settle([chain, ...chain.blocks], nowMs, collected);
  }

  /** The common case: nothing has to be held. */
  #passOn(chain: ReceivedChain, event: CausalEvent, nowMs: number, collected: Collected): void {
    if (!chain.takeAtOnce(event, nowMs)) return this.#drop("parent", collected);
    this.#handedOn += 1;
    collected.items.push({ kind: "event", event, isEarly: false });
    if (chain.blocks.size > 0) this.#settle([...chain.blocks], nowMs, collected);
  }

  #weigh(chain: ReceivedChain, event: CausalEvent, causes: Causes | undefined): HeldEvent {
    const unmet = causes && [...causes].filter(([origin, sequence]) => {
      const other = this.#chains.get(origin);
      return other !== undefined && other !== chain && other.position < sequence;
    });
    const bytes = event.payload.length + HELD_CAUSE_BYTES * (unmet?.length ?? 0);
    return { event, causes: unmet, met: 0, bytes };
  }

  #takeStranger(origin: bigint): ReceivedChain | undefined {
    if (this.#strangers === undefined || this.#chains.size >= this.#options.originsMax) {
      return undefined;
    }
    const chain = new ReceivedChain(origin, this.#strangers);
    this.#chains.set(origin, chain);
    return chain;
  }

  #hasRoom(chain: ReceivedChain, { bytes }: HeldEvent): boolean {
    const { heldMax, heldPerOriginMax, heldBytesMax } = this.#options;
    return this.#held < heldMax && chain.held < heldPerOriginMax &&
      this.#heldBytes + bytes <= heldBytesMax;
  }

  /** Hands on what can be of these chains, and then of those that waited for them. */
  #settle(chains: ReceivedChain[], nowMs: number, collected: Collected): void {
    // It grows while it is walked.
    for (const chain of chains) {
      this.#unblock(chain);
      let hasMoved = false;
      while (this.#handOnNext(chain, nowMs, collected)) hasMoved = true;
      this.#line.update(chain);
      if (hasMoved) chains.push(...chain.blocks);
    }
  }

  #handOnNext(chain: ReceivedChain, nowMs: number, collected: Collected): boolean {
    for (const held of chain.dropWrongNext()) {
      this.#letGo(held);
      this.#drop("parent", collected);
    }
    const next = chain.next();
    if (next === undefined) return false;
    const missing = this.#missingCause(chain, next);
    if (missing !== undefined) {
      chain.blockedBy = missing;
      missing.blocks.add(chain);
      return false;
    }
    this.#handOn(chain, next, false, nowMs, collected);
    return true;
  }

  #unblock(chain: ReceivedChain): void {
    chain.blockedBy?.blocks.delete(chain);
    chain.blockedBy = undefined;
  }

  #handOn(
    chain: ReceivedChain,
    next: HeldEvent,
    isEarly: boolean,
    nowMs: number,
    collected: Collected,
  ): void {
    for (const held of chain.takeNext(next, nowMs)) {
      this.#letGo(held);
      if (held !== next) this.#drop("fork", collected);
    }
    this.#handedOn += 1;
    if (isEarly) this.#early += 1;
    collected.items.push({ kind: "event", event: next.event, isEarly });
  }

  /** The chain that an event has to wait for. */
  #missingCause(chain: ReceivedChain, held: HeldEvent): ReceivedChain | undefined {
    const { event, causes } = held;
    if (causes !== undefined) {
      for (; held.met < causes.length; held.met++) {
        const [origin, sequence] = causes[held.met] ?? [0n, 0n];
        const other = this.#chains.get(origin);
        if (other === undefined || other.position >= sequence) continue;
        if (!chain.isExcused(origin, sequence)) return other;
      }
      return undefined;
    }
    return this.#line.gapOf(chain, event.link.horizon);
  }

  /** What a chain waits for is not coming: causes are done without, missing events are skipped. */
  #giveUp(chain: ReceivedChain, nowMs: number, collected: Collected): void {
    const next = chain.next();
    if (next !== undefined) {
      for (const [origin, sequence] of next.causes?.slice(next.met) ?? []) {
        const other = this.#chains.get(origin);
        if (other !== undefined && other.position < sequence) chain.excuse(origin, sequence);
      }
      return this.#handOn(chain, next, true, nowMs, collected);
    }
    const skipped = chain.skipMissing(nowMs);
    if (skipped === undefined) return;
    this.#gaps += 1;
    collected.items.push({ kind: "gap", origin: chain.origin, ...skipped });
  }

  #letGo({ bytes }: HeldEvent): void {
    this.#held -= 1;
    this.#heldBytes -= bytes;
  }

  #drop(reason: ReceiverDrop, { drops }: Collected): void {
    this.#drops[reason] += 1;
    drops.push(reason);
  }
}

function collect(): Collected {
  return { items: [], drops: [] };
}

function originError(why: string, next: string): CausalError {
  return new CausalError("origin", `Cannot follow origin: ${why}`, next);
}
