/**
 * Looks after what peers promised to keep for this node (promise D1): promises are renewed long before they end, and
 * given back once no blob here refers to the chunk. This goes on when overflow is off: what was spilled then still
 * depends on it.
 */
import type { Clock, RandomBytes } from "../../base/mod.ts";
import { Backoff } from "./_backoff.ts";
import { HOLD_NONCE_BYTES, type HoldKind, type HoldReply } from "./hold_wire.ts";
import { LEASE_RENEW_MS, PROOF_TIMEOUT_MS, RENEWALS_PER_TICK_MAX, RETRY_MIN_MS } from "./limits.ts";
import type { FlowMesh, FlowStore, Spill } from "./ports.ts";
import { bounded } from "./wait.ts";

/** What {@linkcode Promises} needs. */
export interface PromisesDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly store: Pick<FlowStore, "spilled">;
  readonly mesh: Pick<FlowMesh, "hold">;
  /** A peer does not hold what it promised: the chunk should come back from another one. */
  readonly onLost: (spill: Spill) => void;
}

/** Counters of the promises. */
export interface PromiseCounters {
  renewed: number;
  lost: number;
  givenBack: number;
}

/** Peers whose silence is remembered. */
const SILENT_MAX = 1_024;

/** The promises that were given to one node. */
export class Promises {
  readonly counters: PromiseCounters = { renewed: 0, lost: 0, givenBack: 0 };
  readonly #deps: PromisesDeps;
  readonly #silent = new Backoff<bigint>(RETRY_MIN_MS, SILENT_MAX);
  #isBusy = false;

  constructor(deps: PromisesDeps) {
    this.#deps = deps;
  }

  /** Renews what is old, gives back what nobody needs; one look at a time. */
  async tick(signal: AbortSignal): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const { clock, store: { spilled } } = this.#deps;
      for (const spill of await spilled.unneeded(RENEWALS_PER_TICK_MAX)) {
        if (await this.#ask(spill, "release", signal) === "silent") continue;
        await spilled.remove(spill.hash, spill.holder);
        this.counters.givenBack += 1;
      }
      const before = clock.wallMs() - LEASE_RENEW_MS;
      for (const spill of await spilled.oldest(before, RENEWALS_PER_TICK_MAX)) {
        if (signal.aborted) return;
        await this.#renew(spill, signal);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #renew(spill: Spill, signal: AbortSignal): Promise<void> {
    const { clock, store: { spilled }, onLost } = this.#deps;
    const answer = await this.#ask(spill, "promise", signal);
    if (answer === "silent") return;
    if (answer.kind === "proven") {
      // There is nothing here to check the proof against: the promise is what is renewed.
      this.counters.renewed += 1;
      await spilled.write([{ ...spill, provenAtMs: clock.wallMs() }]);
      return;
    }
    this.counters.lost += 1;
    await spilled.remove(spill.hash, spill.holder);
    onLost(spill);
  }

  async #ask(
    { holder, hash }: Spill,
    kind: HoldKind,
    signal: AbortSignal,
  ): Promise<HoldReply | "silent"> {
    const { clock, mesh, random } = this.#deps;
    if (signal.aborted || this.#silent.isOff(holder, clock.now())) return "silent";
    const time = bounded(clock, PROOF_TIMEOUT_MS, signal);
    try {
      const nonce = random(HOLD_NONCE_BYTES);
      const reply = await mesh.hold(holder, { kind, hash, nonce }, time.signal);
      this.#silent.succeed(holder);
      return reply;
    } catch {
      // Away is not lost: the promise lasts, and it is asked again later.
      if (!signal.aborted) this.#silent.fail(holder, clock.now());
      return "silent";
    } finally {
      time.end();
    }
  }
}
