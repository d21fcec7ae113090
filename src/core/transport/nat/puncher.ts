/**
 * Trains of keep-alive datagrams that open a hole in the own NAT towards a peer which does the same
 * (`nrpc.md` 16, `wire.md` 13.3).
 *
 * A keep-alive proves nothing: it says that packets from that source get through, and the handshake that
 * follows says whose they are. One from the peer's host but another port is taken too: that is the port a
 * symmetric NAT gave it for this node.
 */
import type { Clock } from "../../../base/mod.ts";
import { isSameAddress } from "../address.ts";
import type { NatCounters } from "./counters.ts";
import { PUNCH_DEADLINE_MS, PUNCH_TRAINS_MAX } from "./limits.ts";
import type { SocketAddress } from "../types.ts";
import type { KeepAlive } from "../wire/nat_frames.ts";

/** What {@linkcode Puncher} needs. */
export interface PuncherDeps {
  readonly clock: Clock;
  readonly counters: NatCounters;
  readonly sendKeepAlive: (punchId: number, to: SocketAddress) => void;
  /** Sets who takes keep-alives; nobody while no train runs. */
  readonly listen: (
    handler: ((keepAlive: KeepAlive, from: SocketAddress) => void) | undefined,
  ) => void;
  /** Milliseconds since the session without a relay began; `undefined` without one. */
  readonly directSessionAgeMs: (peer: bigint) => number | undefined;
}

/** A peer to punch towards, as a coordinator introduced it. */
export interface Introduction {
  readonly peer: bigint;
  readonly reflex: SocketAddress;
  /** Unix milliseconds of the first datagram. */
  readonly fireAtMs: number;
  /** This node asked for it; else the peer did. */
  readonly isAsked: boolean;
}

/** Keep-alives towards one peer. */
export interface PunchTrain extends Introduction {
  /** When it was introduced, and when the first datagram leaves; by the clock. */
  readonly introducedAt: number;
  readonly firesAt: number;
  /** Where keep-alives in the peer's name came from, the latest last; a few at the most. */
  readonly heardFrom: readonly SocketAddress[];
  readonly isOver: boolean;
}

interface RunningTrain extends PunchTrain {
  readonly heardFrom: SocketAddress[];
  isOver: boolean;
  sent: number;
  readonly onHeard: () => void;
  cancel: () => void;
}

const KEEP_ALIVE_ID = 0;
/** Times after the first datagram; then every 250 ms. */
const BURST_MS: readonly number[] = [0, 100, 250];
const PACE_MS = 250;
/** One that was forged must not hide the peer's own. */
const HEARD_MAX = 4;

/** Milliseconds from an introduction to its first datagram, whatever the two wall clocks say. */
export function punchLeadMs(fireAtMs: number, wallMs: number): number {
  return Math.min(Math.max(fireAtMs - wallMs, 0), PUNCH_DEADLINE_MS);
}

/**
 * When the datagram with this number leaves, in milliseconds after the introduction; `undefined` behind
 * the last one. The first three always do; the train ends with the first at or behind 5 s.
 *
 * @example
 * ```ts
 * import { keepAliveOffsetMs } from "./puncher.ts";
 * const offsets = [0, 1, 2, 3].map((number) => keepAliveOffsetMs(number, 300));
 * console.assert(offsets.join() === "300,400,550,800");
 * ```
 */
export function keepAliveOffsetMs(number: number, leadMs: number): number | undefined {
  const burst = BURST_MS[number];
  if (burst !== undefined) return leadMs + burst;
  const offset = leadMs + PACE_MS * (number - 1);
  return offset - PACE_MS < PUNCH_DEADLINE_MS ? offset : undefined;
}

/** Runs trains. */
export class Puncher {
  readonly #deps: PuncherDeps;
  readonly #trains = new Map<bigint, RunningTrain>();

  constructor(deps: PuncherDeps) {
    this.#deps = deps;
  }

  /** Trains running. */
  get size(): number {
    return this.#trains.size;
  }

  /**
   * Begins a train, in place of an earlier one towards the same peer.
   *
   * @param onHeard Called when the peer's first keep-alive comes.
   * @returns `undefined` when too many run. Those asked for are counted by themselves, so that no peer that
   * introduces others takes their places.
   */
  begin(introduction: Introduction, onHeard: () => void): PunchTrain | undefined {
    const { clock } = this.#deps;
    this.end(introduction.peer);
    let running = 0;
    for (const { isAsked } of this.#trains.values()) {
      if (isAsked === introduction.isAsked) running += 1;
    }
    if (running >= PUNCH_TRAINS_MAX) return undefined;
    const introducedAt = clock.now();
    const leadMs = punchLeadMs(introduction.fireAtMs, clock.wallMs());
    const train: RunningTrain = {
      ...introduction,
      introducedAt,
      firesAt: introducedAt + leadMs,
      heardFrom: [],
      isOver: false,
      sent: 0,
      onHeard,
      cancel: clock.after(leadMs, () => this.#fire(train)),
    };
    this.#trains.set(introduction.peer, train);
    this.#deps.listen((keepAlive, from) => this.#onKeepAlive(keepAlive, from));
    return train;
  }

  /** Where a train that was asked for goes, while one runs towards a peer. */
  askedReflex(peer: bigint): SocketAddress | undefined {
    const train = this.#trains.get(peer);
    return train?.isAsked === true ? train.reflex : undefined;
  }

  /** Ends the train towards a peer, if one runs. */
  end(peer: bigint): void {
    const train = this.#trains.get(peer);
    if (train === undefined) return;
    train.isOver = true;
    train.cancel();
    this.#trains.delete(peer);
    if (this.#trains.size === 0) this.#deps.listen(undefined);
  }

  /** Ends all of them. */
  stop(): void {
    for (const peer of [...this.#trains.keys()]) this.end(peer);
  }

  #fire(train: RunningTrain): void {
    const { clock, counters, sendKeepAlive, directSessionAgeMs } = this.#deps;
    const now = clock.now();
    // A session that was there before says nothing about the hole.
    const sessionAgeMs = directSessionAgeMs(train.peer);
    if (sessionAgeMs !== undefined && sessionAgeMs < now - train.introducedAt) {
      this.end(train.peer);
      return;
    }
    const leadMs = train.firesAt - train.introducedAt;
    if (keepAliveOffsetMs(train.sent, leadMs) === undefined) {
      this.end(train.peer);
      return;
    }
    sendKeepAlive(KEEP_ALIVE_ID, train.reflex);
    counters.keepalives_sent_total += 1;
    train.sent += 1;
    const next = keepAliveOffsetMs(train.sent, leadMs) ?? PUNCH_DEADLINE_MS + PACE_MS;
    train.cancel = clock.after(train.introducedAt + next - now, () => this.#fire(train));
  }

  #onKeepAlive(keepAlive: KeepAlive, from: SocketAddress): void {
    const { counters } = this.#deps;
    const train = this.#trains.get(keepAlive.senderNodeId);
    if (train === undefined || train.reflex.host !== from.host) {
      counters.drop_keepalive_unexpected_total += 1;
      return;
    }
    counters.keepalives_heard_total += 1;
    const { heardFrom } = train;
    if (heardFrom.length >= HEARD_MAX || heardFrom.some((one) => isSameAddress(one, from))) return;
    heardFrom.push(from);
    if (heardFrom.length === 1) train.onHeard();
  }
}
