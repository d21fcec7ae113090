/**
 * What may have had a part in an event (`storage.md` 8): everything that its writer had seen.
 *
 * Exactly when the writer's horizon is at hand, else by the 64 Bloom bits of the link, which never deny a cause
 * and name more and more others: with 16 origins almost every second (see `horizon.ts`).
 */
import { type CausalLink, mayHaveSeen, type ObservedHorizon } from "../causal/mod.ts";

/** Whether one event was seen before another was written. */
export type Causality = "definite" | "possible" | "no";

/** The past of one event. */
export class CausalCone {
  readonly origin: bigint;
  readonly sequence: bigint;
  /** Bloom bits of everything seen. */
  readonly bits: bigint;
  readonly #horizon: ObservedHorizon | undefined;

  private constructor(link: CausalLink, bits: bigint, horizon: ObservedHorizon | undefined) {
    this.origin = link.origin;
    this.sequence = link.sequence;
    this.bits = bits;
    this.#horizon = horizon;
  }

  /** @param horizon What the writer had seen when it wrote the event, copied. */
  static of(link: CausalLink, horizon?: ObservedHorizon): CausalCone {
    return new CausalCone(link, link.horizon, horizon?.copy());
  }

  /**
   * The past of several events together, standing for the first of them; `undefined` for none. Exact only when
   * all of them are.
   */
  static merge(cones: readonly CausalCone[]): CausalCone | undefined {
    const [first] = cones;
    if (first === undefined) return undefined;
    const link = { origin: first.origin, sequence: first.sequence, horizon: 0n, parent: 0n };
    const bits = cones.reduce((all, cone) => all | cone.bits, 0n);
    const horizon = first.#horizon?.copy();
    for (const cone of cones) {
      const { origin, sequence } = cone;
      const other = cone.#horizon;
      if (horizon === undefined || other === undefined) {
        return new CausalCone(link, bits, undefined);
      }
      horizon.merge(other);
      // What the others' own chains had brought.
      if (origin !== first.origin && sequence > 0n) horizon.observe(origin, sequence - 1n);
    }
    return new CausalCone(link, bits, horizon);
  }

  get isExact(): boolean {
    return this.#horizon !== undefined;
  }

  /**
   * Whether an event may have had a part in this one.
   *
   * @example
   * ```ts
   * import { CausalCone } from "./cone.ts";
   * const cone = CausalCone.of({ origin: 7n, sequence: 5n, horizon: 0n, parent: 0n });
   * console.assert(cone.causality(7n, 4n) === "definite" && cone.causality(8n, 1n) === "no");
   * ```
   */
  causality(origin: bigint, sequence: bigint): Causality {
    if (origin === this.origin) return sequence < this.sequence ? "definite" : "no";
    const horizon = this.#horizon;
    if (horizon === undefined) return mayHaveSeen(this.bits, origin) ? "possible" : "no";
    if (horizon.hasObserved(origin, sequence)) return "definite";
    // A horizon that had to forget origins knows of them by their bits only.
    const isForgotten = horizon.forgotten > 0 && !horizon.hasOrigin(origin);
    return isForgotten && mayHaveSeen(horizon.bits, origin) ? "possible" : "no";
  }

  /** True when neither event can have had a part in the other. */
  isConcurrentWith(other: CausalCone): boolean {
    if (other.origin === this.origin) return false;
    return this.causality(other.origin, other.sequence) === "no" &&
      other.causality(this.origin, this.sequence) === "no";
  }
}
