/**
 * The placement service: which of the known nodes suits something that needs one (`capabilities.md` 16).
 *
 * It chooses and does not act: moving daemons and copying chains is for those who ask.
 */
import {
  type Artifact,
  createIndexSource,
  createIntentRegistry,
  type IndexSource,
  type IntentRegistry,
  placeInIndex,
  type Placement,
  PlacementFilters,
  type PlacementPolicy,
  type PlacementRequest,
  rankInIndex,
} from "../core/capability/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { CounterSet, MetricRegistry } from "../observe/mod.ts";
import type { CapabilityService } from "./capabilities/mod.ts";

/** What {@linkcode PlacementService} needs. */
export interface PlacementServiceDeps {
  readonly metrics: MetricRegistry;
  readonly capabilities: Pick<CapabilityService, "index" | "own">;
  /** Round-trip time to a node in milliseconds, `undefined` when it was not measured. */
  readonly rttMs: (nodeId: bigint) => number | undefined;
}

/** Chooses nodes. */
export class PlacementService implements Service {
  readonly name = "placement";
  /** Kinds of work; programs add theirs. */
  readonly intents: IntentRegistry = createIntentRegistry();
  /** Filters of programs. */
  readonly filters = new PlacementFilters();
  readonly #deps: PlacementServiceDeps;
  readonly #source: IndexSource;

  constructor(deps: PlacementServiceDeps) {
    this.#deps = deps;
    this.#source = createIndexSource(deps.capabilities.index);
  }

  start(): Promise<void> {
    this.#deps.metrics.register("placement", () => this.#counters());
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** The best node for an artifact, this one included; `undefined` when none can take it. */
  place(artifact: Artifact, policy: PlacementPolicy = {}): Placement | undefined {
    return placeInIndex(this.#source, this.#request(artifact, policy));
  }

  /** All nodes that can take an artifact, the best first. */
  rank(artifact: Artifact, policy: PlacementPolicy = {}): readonly Placement[] {
    return rankInIndex(this.#source, this.#request(artifact, policy));
  }

  #request(artifact: Artifact, policy: PlacementPolicy): PlacementRequest {
    const { intents, filters } = this;
    const { capabilities } = this.#deps;
    const rttMs = (nodeId: bigint) =>
      nodeId === capabilities.own.nodeId ? 0 : this.#deps.rttMs(nodeId);
    return { artifact, policy, knowledge: { intents, filters, rttMs }, tieBreak: { rttMs } };
  }

  /** Counters of each filter, by its name. */
  #counters(): CounterSet {
    const counters: CounterSet = {};
    for (const [id, totals] of this.filters.counters) {
      for (const [name, value] of Object.entries(totals)) {
        counters[`filter_${name}{filter=${JSON.stringify(id)}}`] = value;
      }
    }
    return counters;
  }
}
