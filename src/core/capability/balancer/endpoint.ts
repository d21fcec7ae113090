/** One endpoint of a balancer: what it is set up with, and what is known of it now. */
import { Circuit } from "./circuit.ts";
import { BALANCER_TAGS_MAX, CONNECTIONS_MAX, WEIGHT_DEFAULT } from "./limits.ts";
import { type EndpointHealth, HEALTH_MULTIPLIERS, type LoadMetrics, loadScore } from "./load.ts";

const RING_ID_BYTES = 32;

/** An endpoint to balance over. */
export interface EndpointOptions {
  readonly nodeId: bigint;
  /** Share of the calls it takes in weighted strategies; 100 when left out, 0 for none. */
  readonly weight?: number;
  readonly zone?: string;
  readonly tags?: readonly string[];
  /** Calls it may have under way; 10000 when left out. */
  readonly connectionsMax?: number;
  /** `unknown` when left out. */
  readonly health?: EndpointHealth;
  /**
   * 32 bytes by which it is known on the hash ring: its entity id, to agree with the core; made of the
   * node id when left out.
   */
  readonly ringId?: Uint8Array;
}

/** What a balancer tells of an endpoint. */
export interface EndpointInfo {
  readonly nodeId: bigint;
  readonly weight: number;
  readonly zone: string | undefined;
  readonly health: EndpointHealth;
  readonly isEnabled: boolean;
  /** Calls under way. */
  readonly connections: number;
  readonly circuit: "closed" | "open" | "half_open";
  readonly load: number;
  readonly isOverloaded: boolean;
}

/** State of an endpoint; changed by its balancer only. */
export class Endpoint {
  readonly nodeId: bigint;
  readonly weight: number;
  readonly zone: string | undefined;
  readonly tags: ReadonlySet<string>;
  readonly connectionsMax: number;
  readonly circuit: Circuit;
  readonly ringId: Uint8Array;
  /** Weight that its health leaves it. */
  effectiveWeight: number;
  isEnabled = true;
  /** Gone: a pick from an older snapshot is not to be used. */
  isRemoved = false;
  connections = 0;
  metrics: LoadMetrics | undefined;
  metricsAt = -Infinity;
  /** Smoothed time of the calls that ended; `undefined` before the first. */
  responseMs: number | undefined;
  /** Number of the latest set of candidates for a key that this endpoint is one of. */
  mark = 0;
  #health: EndpointHealth;

  /**
   * @param slot Number that no other endpoint of the balancer has.
   * @throws RangeError when the weight, the limit, the ring id or the number of tags makes no sense.
   */
  constructor(readonly slot: number, options: EndpointOptions, recoveryMs: number) {
    const { weight = WEIGHT_DEFAULT, connectionsMax = CONNECTIONS_MAX, tags = [] } = options;
    if (!(weight >= 0 && weight <= 1e9)) {
      throw new RangeError(`Cannot add endpoint: weight is ${weight}, must be 0..1e9`);
    }
    if (!Number.isInteger(connectionsMax) || connectionsMax < 1) {
      throw new RangeError(
        `Cannot add endpoint: connectionsMax is ${connectionsMax}, must be a whole number above 0`,
      );
    }
    if (tags.length > BALANCER_TAGS_MAX) {
      throw new RangeError(
        `Cannot add endpoint: it has ${tags.length} tags, must be at most ${BALANCER_TAGS_MAX}`,
      );
    }
    const id = options.ringId ?? ringId(options.nodeId);
    if (id.length !== RING_ID_BYTES) {
      throw new RangeError(
        `Cannot add endpoint: its ring id has ${id.length} bytes, must have ${RING_ID_BYTES}`,
      );
    }
    this.nodeId = options.nodeId;
    this.ringId = id.slice();
    this.weight = weight;
    this.zone = options.zone;
    this.tags = new Set(tags);
    this.connectionsMax = connectionsMax;
    this.#health = options.health ?? "unknown";
    this.effectiveWeight = weight * HEALTH_MULTIPLIERS[this.#health];
    this.circuit = new Circuit(recoveryMs);
  }

  get health(): EndpointHealth {
    return this.#health;
  }

  set health(health: EndpointHealth) {
    this.#health = health;
    this.effectiveWeight = this.weight * HEALTH_MULTIPLIERS[health];
  }

  get isFull(): boolean {
    return this.connections >= this.connectionsMax;
  }

  /** Metrics that are not stale. */
  metricsNow(now: number, staleMs: number): LoadMetrics | undefined {
    return now - this.metricsAt > staleMs ? undefined : this.metrics;
  }

  /** Load score of now. */
  load(now: number, staleMs: number): number {
    return loadScore(this.metricsNow(now, staleMs), this.connections);
  }

  /** Time a call takes, as measured here, or else as the endpoint says; 0 when nobody knows. */
  latencyMs(now: number, staleMs: number): number {
    return this.responseMs ?? this.metricsNow(now, staleMs)?.responseMs ?? 0;
  }
}

/** The 32 bytes by which a node is known on a hash ring: its id, lowest byte first, and zeros. */
export function ringId(nodeId: bigint): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(RING_ID_BYTES);
  new DataView(id.buffer).setBigUint64(0, nodeId, true);
  return id;
}
