/** What time asks of a transport, apart from judging who is alive: busy sessions, leftovers. */
import type { Clock } from "../../base/mod.ts";
import type { AddressGuard } from "./handshake/address_guard.ts";
import type { Handshaker } from "./handshake/handshake.ts";
import { RETRANSMIT_TICK_MS, SWEEP_MS } from "./limits.ts";
import type { Peer } from "./peers/peers.ts";
import type { Session } from "./session/session.ts";
import type { SessionRegistry } from "./session/session_registry.ts";

/** What {@linkcode Upkeep} needs. */
export interface UpkeepDeps {
  readonly clock: Clock;
  readonly sessions: SessionRegistry;
  readonly guard: AddressGuard;
  readonly handshaker: Handshaker;
  /** The peer has no session any more and never had a working one. */
  readonly forget: (peer: Peer) => void;
}

/** Ticks busy sessions, and sweeps everything now and then. */
export class Upkeep {
  readonly #deps: UpkeepDeps;
  /** Sessions on which something is waited for. */
  readonly #busy = new Set<Session>();
  #cancelTick: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
  }

  /** Begins the sweeps. */
  start(): void {
    this.#cancelSweep = this.#deps.clock.after(SWEEP_MS, () => {
      this.#sweep();
      this.start();
    });
  }

  /** Ends all of it; idempotent. */
  stop(): void {
    this.#cancelTick?.();
    this.#cancelSweep?.();
  }

  /** The session needs ticks until it says otherwise. */
  markBusy(session: Session): void {
    this.#busy.add(session);
    this.#scheduleTick();
  }

  #scheduleTick(): void {
    this.#cancelTick ??= this.#deps.clock.after(RETRANSMIT_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const { clock, sessions } = this.#deps;
    this.#cancelTick = undefined;
    const now = clock.now();
    for (const session of this.#busy) {
      const isReady = session.isOpen && session.isConfirmed;
      const isOpening = !isReady && sessions.tickOpening(session, now);
      if (session.isEnded || (!session.streamsIfAny?.tick(now) && !isOpening)) {
        this.#busy.delete(session);
      }
    }
    if (this.#busy.size > 0) this.#scheduleTick();
  }

  #sweep(): void {
    const { clock, guard, handshaker, sessions, forget } = this.#deps;
    guard.sweep();
    handshaker.sweep();
    for (const peer of sessions.sweep(clock.now())) forget(peer);
  }
}
