/** The writing end of a chain (`storage.md` 7): gives each payload its link. */
import type { StateSnapshot } from "./state_snapshot.ts";
import { type CausalEvent, type CausalLink, eventHash, genesisEvent } from "./causal_link.ts";
import { CausalError } from "./error.ts";
import { SEQUENCE_MAX } from "./limits.ts";

/**
 * Makes the events of one origin, one after the other.
 *
 * @example
 * ```ts
 * import { CausalChain } from "./causal_chain.ts";
 * const chain = new CausalChain(0x1111222233334444n);
 * const event = chain.append(new TextEncoder().encode("one"));
 * console.assert(event.link.sequence === 1n);
 * ```
 */
export class CausalChain {
  #head: CausalEvent;

  /** A chain without events. */
  constructor(origin: bigint) {
    this.#head = genesisEvent(origin);
  }

  /**
   * A chain that goes on behind an event.
   *
   * @param payload Kept, not copied.
   */
  static after(link: CausalLink, payload: Uint8Array): CausalChain {
    const chain = new CausalChain(link.origin);
    chain.#head = { link, payload };
    return chain;
  }

  /**
   * A chain that goes on behind a snapshot. Its head's payload is not in there, so the state takes its place
   * in the hash of the next event, as in the Rust core. A strict check reports a parent mismatch across that;
   * {@linkcode EntityLog.noteRestore} lets a log know.
   */
  static afterSnapshot(snapshot: Pick<StateSnapshot, "link" | "state">): CausalChain {
    return CausalChain.after(snapshot.link, snapshot.state);
  }

  get origin(): bigint {
    return this.#head.link.origin;
  }

  /** The last event; genesis when there is none. */
  get head(): CausalEvent {
    return this.#head;
  }

  /**
   * The next event.
   *
   * @param payload Kept until the next call, not copied.
   * @param horizon Bloom bits of what was observed before it.
   * @throws CausalError `sequence_overflow` when there is no number left; the chain stays as it is.
   */
  append(payload: Uint8Array, horizon = 0n): CausalEvent {
    const { link, payload: before } = this.#head;
    if (link.sequence === SEQUENCE_MAX) {
      throw new CausalError(
        "sequence_overflow",
        "Cannot append to chain: causal sequence overflow",
        "fork the entity; the fork starts at 0 again",
      );
    }
    return this.#head = {
      link: {
        origin: link.origin,
        horizon,
        sequence: link.sequence + 1n,
        parent: eventHash(link, before),
      },
      payload,
    };
  }
}
