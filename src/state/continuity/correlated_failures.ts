/**
 * Tells nodes that fail one by one from nodes that fail together (`storage.md` 8), and of the latter whether it is
 * one subnet that went, which looks like a partition, or all over.
 */
import { SUBNET_GLOBAL, subnetDepth, subnetParent } from "../../base/mod.ts";
import { CORRELATED_NODES_MAX } from "./limits.ts";

/** When failures belong together. */
export interface CorrelatedFailureOptions {
  /** Failures this close together are looked at as one; default 2,000. */
  readonly windowMs?: number;
  /** Share of the tracked nodes that makes it a mass failure; default 0.3. */
  readonly massShare?: number;
  /** Share of the failed nodes within one subnet that makes it the subnet's failure; default 0.8. */
  readonly subnetShare?: number;
  /** Recoveries at a time during a mass failure; default 3. */
  readonly recoveriesMax?: number;
}

/** Why many nodes failed. */
export type FailureCause =
  | { readonly kind: "subnet"; readonly subnet: number; readonly share: number }
  | { readonly kind: "broad_outage" }
  /** Of no failed node the subnet is known. */
  | { readonly kind: "unknown" };

/** What a round of failures is taken for. */
export type FailureVerdict =
  | { readonly kind: "independent"; readonly failed: readonly bigint[] }
  | {
    readonly kind: "mass";
    /** All of the window, ascending. */
    readonly failed: readonly bigint[];
    readonly share: number;
    readonly cause: FailureCause;
  };

interface Failure {
  readonly node: bigint;
  readonly atMs: number;
}

/** Gathers failures. */
export class FailureCorrelator {
  readonly #options: Required<CorrelatedFailureOptions>;
  readonly #subnets = new Map<bigint, number>();
  /** Oldest first. */
  #failures: Failure[] = [];
  #tracked = 0;

  constructor(options: CorrelatedFailureOptions = {}) {
    this.#options = {
      windowMs: options.windowMs ?? 2_000,
      massShare: options.massShare ?? 0.3,
      subnetShare: options.subnetShare ?? 0.8,
      recoveriesMax: options.recoveriesMax ?? 3,
    };
  }

  /** Remembers where a node is; 65,536 of them, the first known makes room. */
  setSubnet(node: bigint, subnet: number): void {
    if (!this.#subnets.has(node) && this.#subnets.size >= CORRELATED_NODES_MAX) {
      const [oldest] = this.#subnets.keys();
      if (oldest !== undefined) this.#subnets.delete(oldest);
    }
    this.#subnets.set(node, subnet);
  }

  /** Forgets a node that left for good. */
  forget(node: bigint): void {
    this.#subnets.delete(node);
    this.#failures = this.#failures.filter((failure) => failure.node !== node);
  }

  /**
   * Judges nodes that failed now together with those of the window.
   *
   * @param tracked Nodes that are watched, failed ones among them.
   */
  record(failed: readonly bigint[], tracked: number, nowMs: number): FailureVerdict {
    this.#forgetOld(nowMs);
    this.#tracked = tracked;
    for (const node of failed) this.#failures.push({ node, atMs: nowMs });
    const excess = this.#failures.length - CORRELATED_NODES_MAX;
    if (excess > 0) this.#failures.splice(0, excess);
    const nodes = this.#nodes();
    const share = tracked > 0 ? nodes.length / tracked : 0;
    if (!this.#isMass(share)) return { kind: "independent", failed: [...failed] };
    return { kind: "mass", failed: nodes, share, cause: this.#causeOf(nodes) };
  }

  /** True while the failures of the window are a mass failure. */
  isMassFailure(nowMs: number): boolean {
    this.#forgetOld(nowMs);
    return this.#tracked > 0 && this.#isMass(this.#nodes().length / this.#tracked);
  }

  /** Recoveries that may run at a time; few during a mass failure, to spare those who are left. */
  recoveryBudget(nowMs: number): number {
    return this.isMassFailure(nowMs) ? this.#options.recoveriesMax : Number.POSITIVE_INFINITY;
  }

  /** Starts anew. */
  clear(): void {
    this.#failures = [];
  }

  #isMass(share: number): boolean {
    return share > 0 && share >= this.#options.massShare;
  }

  #forgetOld(nowMs: number): void {
    const since = nowMs - this.#options.windowMs;
    const kept = this.#failures.findIndex(({ atMs }) => atMs >= since);
    this.#failures.splice(0, kept < 0 ? this.#failures.length : kept);
  }

  #nodes(): bigint[] {
    const nodes = new Set(this.#failures.map(({ node }) => node));
    return [...nodes].sort((left, right) => (left < right ? -1 : 1));
  }

  /** The deepest subnet that has enough of the failed nodes; of equally deep ones that with the lower id. */
  #causeOf(nodes: readonly bigint[]): FailureCause {
    const counts = new Map<number, number>();
    let located = 0;
    for (const node of nodes) {
      const subnet = this.#subnets.get(node);
      if (subnet === undefined) continue;
      located += 1;
      for (let around = subnet; around !== SUBNET_GLOBAL; around = subnetParent(around)) {
        counts.set(around, (counts.get(around) ?? 0) + 1);
      }
    }
    if (counts.size === 0) return { kind: "unknown" };
    const { subnetShare } = this.#options;
    const [found] = [...counts].filter(([, count]) => count / located >= subnetShare).sort(
      ([left], [right]) => subnetDepth(right) - subnetDepth(left) || left - right,
    );
    if (found === undefined) return { kind: "broad_outage" };
    const [subnet, count] = found;
    return { kind: "subnet", subnet, share: count / located };
  }
}
