/** The sending end of a stream in causal order: a chain whose events say what their writer had seen. */
import { CausalChain } from "./causal_chain.ts";
import type { CausalEvent } from "./causal_link.ts";
import { ObservedHorizon } from "./horizon.ts";
import { CAUSES_MAX } from "./limits.ts";
import type { Causes } from "./receiver_types.ts";

/** An event with what goes beside it. */
export interface WrittenEvent {
  readonly event: CausalEvent;
  /** What was seen before it, exactly; `undefined` when that is more than 4,096 origins, or not known. */
  readonly causes: Causes | undefined;
}

/**
 * Writes events. All that are written between two observations share what was seen (`storage.md` 7).
 *
 * @example
 * ```ts
 * import { CausalReceiver } from "./causal_receiver.ts";
 * import { CausalWriter } from "./causal_writer.ts";
 * const writer = new CausalWriter(7n);
 * writer.observe(8n, 3n);
 * const { event, causes } = writer.write(new Uint8Array([1]));
 * const receiver = new CausalReceiver();
 * receiver.follow(7n, "genesis");
 * receiver.follow(8n, "genesis");
 * console.assert(receiver.receive(event, 0, causes).items.length === 0);
 * ```
 */
export class CausalWriter {
  readonly chain: CausalChain;
  readonly horizon: ObservedHorizon;
  /** Of what was seen until now; made when it is asked for. */
  #causes: Causes | undefined;

  /**
   * @param chain A chain to go on with, or the origin of a new one.
   * @param horizon What was seen before; used on, not copied.
   */
  constructor(chain: CausalChain | bigint, horizon: ObservedHorizon = new ObservedHorizon()) {
    this.chain = typeof chain === "bigint" ? new CausalChain(chain) : chain;
    this.horizon = horizon;
  }

  /** Takes note of an event of somebody else's before what is written next; its own chain is left out. */
  observe(origin: bigint, sequence: bigint): void {
    if (origin === this.chain.origin) return;
    this.horizon.observe(origin, sequence);
    this.#causes = undefined;
  }

  /**
   * Writes an event.
   *
   * @throws CausalError `sequence_overflow`.
   */
  write(payload: Uint8Array): WrittenEvent {
    const event = this.chain.append(payload, this.horizon.bits);
    const { size, forgotten } = this.horizon;
    if (size > CAUSES_MAX || forgotten > 0) return { event, causes: undefined };
    return { event, causes: this.#causes ??= new Map(this.horizon.entries()) };
  }
}
