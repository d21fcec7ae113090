/**
 * Spreads calls over endpoints (`capabilities.md` 17, `compute.md` 10).
 *
 * A pick works on an immutable snapshot of the members, and marks a place at the endpoint before anything
 * else can happen: within one thread nothing comes between, so nothing is tried twice. What is called is
 * the caller's business; how it ended, it says through the lease.
 */
import { type Clock, NetError } from "../../../base/mod.ts";
import {
  inZone,
  type OpenEndpoints,
  openEndpoints,
  type SelectionFault,
  withTags,
} from "./candidates.ts";
import { Endpoint, type EndpointInfo, type EndpointOptions } from "./endpoint.ts";
import { HashRing } from "./hash_ring.ts";
import { type CallOutcome, Lease } from "./lease.ts";
import { ADAPTIVE_LOAD, CIRCUIT_RECOVERY_MS, ENDPOINTS_MAX, METRICS_STALE_MS } from "./limits.ts";
import { clampMetrics, type EndpointHealth, isOverloaded, type LoadMetrics } from "./load.ts";
import {
  type BalancingStrategy,
  type Candidates,
  pickLeast,
  pickLeastConnections,
  pickLeastWeightedConnections,
  pickOfTwo,
  pickRandom,
  pickRoundRobin,
  pickWeightedRandom,
  pickWeightedRoundRobin,
  sumWeights,
  type WeightSums,
} from "./strategies.ts";

/** What {@linkcode LoadBalancer} needs. */
export interface LoadBalancerDeps {
  readonly clock: Pick<Clock, "now">;
  /** A number from 0 up to, but not, 1. */
  readonly random: () => number;
}

/** Options of {@linkcode LoadBalancer}. */
export interface LoadBalancerOptions {
  /** `round_robin` when left out. */
  readonly strategy?: BalancingStrategy;
  /** Zone of this node; requests may name another. */
  readonly zone?: string;
  /** True, the default, when endpoints of the own zone are preferred. */
  readonly isZoneAware?: boolean;
  /** True, the default, when other zones will do where the own one has nobody. */
  readonly hasZoneFallback?: boolean;
  /** Time a circuit stays open; 30000 when left out. */
  readonly circuitRecoveryMs?: number;
  /** Age at which metrics count as none; 10000 when left out. */
  readonly metricsStaleMs?: number;
}

/** What is known of a call; keys make it stick to an endpoint in hashing strategies. */
export interface BalancedRequest {
  readonly routingKey?: string;
  readonly sessionId?: string;
  readonly requestId?: string;
  readonly tags?: readonly string[];
  readonly zone?: string;
}

/** What {@linkcode LoadBalancer.select} found. */
export type Selection =
  | { readonly ok: true; readonly lease: Lease }
  | { readonly ok: false; readonly fault: SelectionFault };

const NO_REQUEST: BalancedRequest = {};
/** Weight of a new response time in the smoothed one. */
const SMOOTHING = 0.125;

/** Picks endpoints. */
export class LoadBalancer {
  readonly #deps: LoadBalancerDeps;
  readonly #options: Required<Omit<LoadBalancerOptions, "zone">> & { readonly zone?: string };
  readonly #byId = new Map<bigint, Endpoint>();
  readonly #bySlot: (Endpoint | undefined)[] = [];
  readonly #ring = new HashRing();
  /** Endpoints that the ring does not have yet: it is built when the first key is asked for. */
  readonly #unringed = new Set<Endpoint>();
  #snapshot: readonly Endpoint[] = [];
  #open: OpenEndpoints | undefined;
  /** Of everybody who is open. */
  #openWeights: WeightSums | undefined;
  /** Until then somebody's metrics count. */
  #metricsUntil = -Infinity;
  #ticket = 0;
  #mark = 0;
  /** Those who carry the mark of now. */
  #marked: Candidates | undefined;
  readonly #end = (endpoint: Endpoint, lease: Lease, outcome: CallOutcome) =>
    this.#finish(endpoint, lease, outcome);

  constructor(deps: LoadBalancerDeps, options: LoadBalancerOptions = {}) {
    this.#deps = deps;
    this.#options = {
      strategy: options.strategy ?? "round_robin",
      zone: options.zone,
      isZoneAware: options.isZoneAware ?? true,
      hasZoneFallback: options.hasZoneFallback ?? true,
      circuitRecoveryMs: Math.max(1, options.circuitRecoveryMs ?? CIRCUIT_RECOVERY_MS),
      metricsStaleMs: options.metricsStaleMs ?? METRICS_STALE_MS,
    };
  }

  /** Number of endpoints. */
  get size(): number {
    return this.#snapshot.length;
  }

  /**
   * Adds an endpoint, or replaces the one of the same node: its connections and circuit begin anew.
   *
   * @throws NetError `limit` when there are too many.
   * @throws RangeError when an option makes no sense.
   */
  add(options: EndpointOptions): void {
    const known = this.#byId.has(options.nodeId);
    if (!known && this.#snapshot.length >= ENDPOINTS_MAX) {
      throw new NetError(
        "limit",
        `Cannot add endpoint: there are ${this.#snapshot.length}, must be fewer than ${ENDPOINTS_MAX}`,
        { next: "spread them over several balancers" },
      );
    }
    const free = this.#bySlot.indexOf(undefined);
    const slot = free === -1 ? this.#bySlot.length : free;
    const endpoint = new Endpoint(slot, options, this.#options.circuitRecoveryMs);
    if (known) this.remove(options.nodeId);
    this.#bySlot[slot] = endpoint;
    this.#byId.set(options.nodeId, endpoint);
    this.#unringed.add(endpoint);
    this.#snapshot = [...this.#snapshot, endpoint];
    this.#open = undefined;
  }

  /** Takes an endpoint away; leases of it say so. False when it is not there. */
  remove(nodeId: bigint): boolean {
    const endpoint = this.#byId.get(nodeId);
    if (endpoint === undefined) return false;
    endpoint.isRemoved = true;
    this.#byId.delete(nodeId);
    this.#bySlot[endpoint.slot] = undefined;
    if (!this.#unringed.delete(endpoint)) this.#ring.remove(endpoint.slot);
    this.#snapshot = this.#snapshot.filter((one) => one !== endpoint);
    this.#open = undefined;
    return true;
  }

  /** Says how an endpoint is. False when it is not there. */
  setHealth(nodeId: bigint, health: EndpointHealth): boolean {
    return this.#change(nodeId, (endpoint) => void (endpoint.health = health));
  }

  /** Switches an endpoint off, or on again. False when it is not there. */
  setEnabled(nodeId: bigint, isEnabled: boolean): boolean {
    return this.#change(nodeId, (endpoint) => void (endpoint.isEnabled = isEnabled));
  }

  /** Takes in what an endpoint says of its load. False when it is not there. */
  setMetrics(nodeId: bigint, metrics: LoadMetrics): boolean {
    const endpoint = this.#byId.get(nodeId);
    if (endpoint === undefined) return false;
    endpoint.metrics = clampMetrics(metrics);
    endpoint.metricsAt = this.#deps.clock.now();
    this.#metricsUntil = endpoint.metricsAt + this.#options.metricsStaleMs;
    return true;
  }

  /** Endpoints as they are now, in the order they joined. */
  endpoints(): readonly EndpointInfo[] {
    const now = this.#deps.clock.now();
    const { metricsStaleMs } = this.#options;
    return this.#snapshot.map((endpoint) => {
      const metrics = endpoint.metricsNow(now, metricsStaleMs);
      return {
        nodeId: endpoint.nodeId,
        weight: endpoint.weight,
        zone: endpoint.zone,
        health: endpoint.health,
        isEnabled: endpoint.isEnabled,
        connections: endpoint.connections,
        circuit: endpoint.circuit.state(now),
        load: endpoint.load(now, metricsStaleMs),
        isOverloaded: metrics !== undefined && isOverloaded(metrics),
      };
    });
  }

  /** Picks an endpoint and takes a place there. */
  select(request: BalancedRequest = NO_REQUEST): Selection {
    const now = this.#deps.clock.now();
    const open = this.#openNow(now);
    if (open.fault !== undefined) return { ok: false, fault: open.fault };
    let candidates: Candidates = open.endpoints;
    const { tags } = request;
    if (tags !== undefined && tags.length > 0) {
      candidates = withTags(candidates, tags);
      if (candidates.length === 0) return { ok: false, fault: "no_matching_tags" };
    }
    const zone = request.zone ?? this.#options.zone;
    if (zone !== undefined && this.#options.isZoneAware) {
      const near = inZone(candidates, zone);
      if (near.length > 0) candidates = near;
      else if (!this.#options.hasZoneFallback) return { ok: false, fault: "no_matching_zone" };
    }
    return { ok: true, lease: this.#take(this.#choose(candidates, request, now), now) };
  }

  #choose(candidates: Candidates, request: BalancedRequest, now: number): Endpoint {
    const { random } = this.#deps;
    const { strategy, metricsStaleMs } = this.#options;
    switch (strategy) {
      case "round_robin":
        return pickRoundRobin(candidates, this.#ticket++);
      case "weighted_round_robin":
        return pickWeightedRoundRobin(this.#weights(candidates), this.#ticket++);
      case "least_connections":
        return pickLeastConnections(candidates);
      case "weighted_least_connections":
        return pickLeastWeightedConnections(candidates);
      case "random":
        return pickRandom(candidates, random());
      case "weighted_random":
        return pickWeightedRandom(this.#weights(candidates), random());
      case "consistent_hash":
        return this.#pickByKey(candidates, keyOf(request));
      case "least_latency":
        return pickLeast(candidates, (endpoint) => endpoint.latencyMs(now, metricsStaleMs));
      case "least_load":
        return pickLeast(candidates, (endpoint) => endpoint.load(now, metricsStaleMs));
      case "power_of_two":
        return pickOfTwo(candidates, random(), random());
      case "adaptive":
        return this.#adapt(candidates, request, now);
    }
  }

  #adapt(candidates: Candidates, request: BalancedRequest, now: number): Endpoint {
    if (this.#isLoaded(candidates, now)) return pickLeastConnections(candidates);
    const key = request.routingKey ?? request.sessionId;
    return key === undefined
      ? pickWeightedRoundRobin(this.#weights(candidates), this.#ticket++)
      : this.#pickByKey(candidates, key);
  }

  #isLoaded(candidates: Candidates, now: number): boolean {
    // Calls under way alone never make so much load.
    if (now > this.#metricsUntil) return false;
    let load = 0;
    for (const endpoint of candidates) load += endpoint.load(now, this.#options.metricsStaleMs);
    return load > ADAPTIVE_LOAD * candidates.length;
  }

  #weights(candidates: Candidates): WeightSums {
    if (candidates !== this.#open?.endpoints) return sumWeights(candidates);
    if (this.#openWeights?.candidates !== candidates) this.#openWeights = sumWeights(candidates);
    return this.#openWeights;
  }

  #pickByKey(candidates: Candidates, key: string | undefined): Endpoint {
    if (key === undefined) return pickRoundRobin(candidates, this.#ticket++);
    if (this.#unringed.size > 0) {
      this.#ring.add([...this.#unringed].map(({ slot, ringId }) => [slot, ringId]));
      this.#unringed.clear();
    }
    if (this.#marked !== candidates) {
      this.#mark += 1;
      for (const candidate of candidates) candidate.mark = this.#mark;
      this.#marked = candidates;
    }
    const mark = this.#mark;
    const slot = this.#ring.find(key, (owner) => this.#bySlot[owner]?.mark === mark);
    const found = slot === undefined ? undefined : this.#bySlot[slot];
    return found ?? pickRoundRobin(candidates, this.#ticket++);
  }

  #take(endpoint: Endpoint, now: number): Lease {
    const isProbe = endpoint.circuit.depart(now);
    endpoint.connections += 1;
    if (isProbe || endpoint.isFull) this.#open = undefined;
    return new Lease(endpoint, isProbe, now, this.#end);
  }

  #finish(endpoint: Endpoint, lease: Lease, outcome: CallOutcome): void {
    const now = this.#deps.clock.now();
    let hasChanged = endpoint.isFull;
    endpoint.connections -= 1;
    if (outcome === "success") {
      const sample = now - lease.startedAt;
      const before = endpoint.responseMs ?? sample;
      endpoint.responseMs = before + SMOOTHING * (sample - before);
      hasChanged = endpoint.circuit.succeed(lease.isProbe) || hasChanged;
    } else if (outcome === "failure") {
      hasChanged = endpoint.circuit.fail(lease.isProbe, now) || hasChanged;
    }
    if (hasChanged) this.#open = undefined;
  }

  /** Who could take any call: worked out anew only when somebody's state changed. */
  #openNow(now: number): OpenEndpoints {
    const known = this.#open;
    if (known !== undefined && now < known.until) return known;
    return this.#open = openEndpoints(this.#snapshot, now);
  }

  #change(nodeId: bigint, change: (endpoint: Endpoint) => void): boolean {
    const endpoint = this.#byId.get(nodeId);
    if (endpoint === undefined) return false;
    change(endpoint);
    this.#open = undefined;
    return true;
  }
}

function keyOf({ routingKey, sessionId, requestId }: BalancedRequest): string | undefined {
  return routingKey ?? sessionId ?? requestId;
}
