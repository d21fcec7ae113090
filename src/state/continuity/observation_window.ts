/** What an observer has seen of others, when, and from how far away (`storage.md` 8). */
import { horizonBits } from "../causal/mod.ts";
import { OBSERVED_ENTITIES_MAX } from "./limits.ts";
import type { PropagationModel } from "./propagation.ts";

const SEQUENCE_SUM_MAX = 0xffff_ffff_ffff_ffffn;

/** Where an observation came from. */
export interface ObservationContext {
  readonly subnet: number;
  readonly hops: number;
  readonly model: PropagationModel;
}

/** How far the views of two observers are apart. */
export interface HorizonDivergence {
  readonly onlyOurs: number;
  readonly onlyTheirs: number;
  readonly common: number;
  /** Sum over the common ones; stops at the largest number of 64 bits. */
  readonly sequenceDifference: bigint;
  readonly isConverged: boolean;
}

interface Observation {
  readonly sequence: bigint;
  readonly atMs: number;
  readonly delayMs: number;
}

/** A bounded view; who was observed longest ago makes room. */
export class ObservationWindow {
  readonly localSubnet: number;
  /** Oldest observation first. */
  readonly #entities = new Map<bigint, Observation>();
  readonly #entitiesMax: number;
  #bits = 0n;
  #evicted = 0;

  constructor(localSubnet: number, entitiesMax = OBSERVED_ENTITIES_MAX) {
    this.localSubnet = localSubnet;
    this.#entitiesMax = entitiesMax;
  }

  get size(): number {
    return this.#entities.size;
  }

  /** Entities that made room for others. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Bloom bits of everybody ever observed. */
  get bits(): bigint {
    return this.#bits;
  }

  /** Takes note of an event. */
  observe(origin: bigint, sequence: bigint, nowMs: number, context?: ObservationContext): void {
    const known = this.#entities.get(origin);
    if (known !== undefined) this.#entities.delete(origin);
    else {
      this.#bits |= horizonBits(origin);
      if (this.#entities.size >= this.#entitiesMax) this.#evictOldest();
    }
    const delayNs = context?.model.estimateNs(context.subnet, this.localSubnet, context.hops);
    this.#entities.set(origin, {
      sequence: known !== undefined && known.sequence > sequence ? known.sequence : sequence,
      atMs: nowMs,
      delayMs: delayNs === undefined ? known?.delayMs ?? 0 : delayNs / 1e6,
    });
  }

  /** Highest number seen of an entity. */
  sequenceOf(origin: bigint): bigint | undefined {
    return this.#entities.get(origin)?.sequence;
  }

  /** Milliseconds since an entity was last observed. */
  stalenessMs(origin: bigint, nowMs: number): number | undefined {
    const observation = this.#entities.get(origin);
    return observation === undefined ? undefined : Math.max(0, nowMs - observation.atMs);
  }

  /** True when an entity was observed within a time, to which that of its news on the way is added. */
  isWithinCone(origin: bigint, maxDelayMs: number, nowMs: number): boolean {
    const observation = this.#entities.get(origin);
    if (observation === undefined) return false;
    return nowMs - observation.atMs <= maxDelayMs + observation.delayMs;
  }

  /** Entities that are {@linkcode ObservationWindow.isWithinCone}. */
  reachable(maxDelayMs: number, nowMs: number): bigint[] {
    return [...this.#entities.keys()].filter((origin) =>
      this.isWithinCone(origin, maxDelayMs, nowMs)
    );
  }

  /** Compares with what another has seen. */
  divergenceFrom(other: ObservationWindow): HorizonDivergence {
    let common = 0;
    let sum = 0n;
    for (const [origin, { sequence }] of this.#entities) {
      const theirs = other.#entities.get(origin)?.sequence;
      if (theirs === undefined) continue;
      common += 1;
      sum += sequence > theirs ? sequence - theirs : theirs - sequence;
    }
    const onlyOurs = this.size - common;
    const onlyTheirs = other.size - common;
    return {
      onlyOurs,
      onlyTheirs,
      common,
      sequenceDifference: sum > SEQUENCE_SUM_MAX ? SEQUENCE_SUM_MAX : sum,
      isConverged: onlyOurs === 0 && onlyTheirs === 0 && sum === 0n,
    };
  }

  #evictOldest(): void {
    const [oldest] = this.#entities.keys();
    if (oldest === undefined) return;
    this.#entities.delete(oldest);
    this.#evicted += 1;
  }
}
