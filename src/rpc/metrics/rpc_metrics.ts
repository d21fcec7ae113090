/**
 * What is measured of calls (`nrpc.md` 15): the table of meters that the engines count in, its snapshot, and the
 * observer.
 */
import type { Clock } from "../../base/mod.ts";
import { METERED_SERVICES_MAX } from "./limits.ts";
import type { RpcObserver } from "./observer_event.ts";
import { ObserverQueue } from "./observer_queue.ts";
import { prometheusText } from "./prometheus.ts";
import { type RpcCallEvent, type RpcMeters, ServiceMeter } from "./service_meter.ts";
import { type RpcMetricsSnapshot, serviceMetrics } from "./snapshot.ts";

/** Name under which all services beyond the table are counted. */
export const OVERFLOW_SERVICE = "__overflow__";

/** What {@linkcode RpcMetrics} needs. */
export interface RpcMetricsDeps {
  readonly clock: Pick<Clock, "soon">;
}

/** Meters of all services, and whoever observes calls. */
export class RpcMetrics implements RpcMeters {
  readonly #meters = new Map<string, ServiceMeter>();
  readonly #overflow = new ServiceMeter(OVERFLOW_SERVICE);
  readonly #queue: ObserverQueue;
  /** Lookups that found the table full since it was last swept. */
  #crowdedLookups = 0;
  #evicted = 0;

  constructor(deps: RpcMetricsDeps) {
    this.#queue = new ObserverQueue(deps.clock);
  }

  /** The counters of a service; further names than the table holds share {@linkcode OVERFLOW_SERVICE}. */
  of(service: string): ServiceMeter {
    const known = this.#meters.get(service);
    if (known !== undefined) return known;
    if (service === OVERFLOW_SERVICE) return this.#overflow;
    if (this.#meters.size >= METERED_SERVICES_MAX && !this.#makeRoom()) return this.#overflow;
    const meter = new ServiceMeter(service);
    this.#meters.set(service, meter);
    return meter;
  }

  get isObserved(): boolean {
    return this.#queue.isObserved;
  }

  tell(event: RpcCallEvent): void {
    this.#queue.push(event);
  }

  /** Sets or replaces the observer while calls run; `undefined` removes it. */
  observe(observer: RpcObserver | undefined): void {
    this.#queue.observe(observer);
  }

  /** The counters now; services that were never used are forgotten first. */
  snapshot(): RpcMetricsSnapshot {
    this.#sweep();
    const meters = [...this.#meters.values()];
    if (!this.#overflow.isUnused) meters.push(this.#overflow);
    meters.sort((a, b) => a.service < b.service ? -1 : 1);
    return {
      services: meters.map(serviceMetrics),
      observer_dropped_total: this.#queue.dropped,
    };
  }

  /** The same for Prometheus. */
  prometheusText(): string {
    return prometheusText(this.snapshot());
  }

  /** What the document of the Rust core has no place for, over all services. */
  get counters(): Readonly<Record<string, number>> {
    let responsesDropped = this.#overflow.responsesDropped;
    let overloaded = this.#overflow.overloaded;
    let callsDenied = this.#overflow.callsDenied;
    for (const meter of this.#meters.values()) {
      responsesDropped += meter.responsesDropped;
      overloaded += meter.overloaded;
      callsDenied += meter.callsDenied;
    }
    return {
      services: this.#meters.size,
      services_evicted_total: this.#evicted,
      responses_dropped_total: responsesDropped,
      requests_overloaded_total: overloaded,
      calls_denied_total: callsDenied,
      observer_waiting: this.#queue.waiting,
      observer_dropped_total: this.#queue.dropped,
      observer_failed_total: this.#queue.failed,
    };
  }

  /** Sweeps a full table once per as many lookups as it has rows, so that a lookup stays cheap. */
  #makeRoom(): boolean {
    const isDue = this.#crowdedLookups % METERED_SERVICES_MAX === 0;
    this.#crowdedLookups += 1;
    if (isDue) this.#sweep();
    return this.#meters.size < METERED_SERVICES_MAX;
  }

  #sweep(): void {
    for (const [service, meter] of this.#meters) {
      if (!meter.isUnused) continue;
      this.#meters.delete(service);
      this.#evicted += 1;
    }
  }
}
