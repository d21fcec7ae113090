/** How well an endpoint is, and how busy: health, metrics and the score they make (`compute.md` 10). */

/** How an endpoint is, as far as is known. */
export type EndpointHealth = "healthy" | "degraded" | "unhealthy" | "unknown";

/** Share of its weight that an endpoint of this health counts with. */
export const HEALTH_MULTIPLIERS: Readonly<Record<EndpointHealth, number>> = {
  healthy: 1,
  degraded: 0.5,
  unhealthy: 0,
  unknown: 0.25,
};

/** What an endpoint says of its load; shares are 0 to 1. */
export interface LoadMetrics {
  readonly cpu: number;
  readonly memory: number;
  readonly connections: number;
  readonly responseMs: number;
  readonly errors: number;
  readonly queued: number;
}

const CONNECTIONS_FULL = 10_000;
const RESPONSE_MS_FULL = 1_000;

/**
 * Load from 0, idle, to 1.
 *
 * @param connections Calls under way as this node counts them; the larger of both numbers counts.
 *
 * @example
 * ```ts
 * import { loadScore } from "./load.ts";
 * const busy = { cpu: 1, memory: 1, connections: 1e4, responseMs: 1e3, errors: 1, queued: 0 };
 * console.assert(Math.abs(loadScore(busy, 0) - 1) < 1e-12);
 * console.assert(loadScore(undefined, 5_000) === 0.1);
 * ```
 */
export function loadScore(metrics: LoadMetrics | undefined, connections: number): number {
  const { cpu = 0, memory = 0, responseMs = 0, errors = 0 } = metrics ?? {};
  const underWay = Math.max(connections, metrics?.connections ?? 0);
  return 0.3 * cpu + 0.2 * memory + 0.2 * Math.min(underWay / CONNECTIONS_FULL, 1) +
    0.15 * Math.min(responseMs / RESPONSE_MS_FULL, 1) + 0.15 * errors;
}

/** True when the endpoint has more to do than it can bear. */
export function isOverloaded({ cpu, memory, errors, queued }: LoadMetrics): boolean {
  return cpu > 0.9 || memory > 0.95 || errors > 0.1 || queued > 1_000;
}

/** The metrics with everything in its range; what is no number counts as none. */
export function clampMetrics(metrics: LoadMetrics): LoadMetrics {
  const share = (value: number) => value > 0 ? Math.min(value, 1) : 0;
  const count = (value: number) => value > 0 ? Math.min(value, Number.MAX_SAFE_INTEGER) : 0;
  return {
    cpu: share(metrics.cpu),
    memory: share(metrics.memory),
    connections: count(metrics.connections),
    responseMs: count(metrics.responseMs),
    errors: share(metrics.errors),
    queued: count(metrics.queued),
  };
}
