/** The health of a node as metrics (`onions.md` 24): each state of each part is a series, 1 for the one it has. */
import type { MetricFamily } from "../observe/mod.ts";
import { type HealthSnapshot, missingFor } from "./health.ts";
import type { HealthView } from "./health_documents.ts";
import type { PartState } from "./service.ts";

const STATES: readonly PartState[] = ["starting", "healthy", "degraded", "unhealthy", "stopping"];

/** Families of a node's health. */
export function healthFamilies(
  { member, health, uptimeSecs }: HealthView,
): readonly MetricFamily[] {
  const snapshot = health.snapshot();
  const isDraining = snapshot.drain.phase !== "open";
  return [
    gauge("net_up", "1: the node answers.", 1),
    gauge("net_ready", "1 while the node takes work.", Number(snapshot.isReady)),
    gauge("net_draining", "1 while new work is refused.", Number(isDraining)),
    gauge("net_drain_in_flight", "Work under way that a drain waits for.", snapshot.drain.inFlight),
    gauge("net_uptime_seconds", "Time since the start.", uptimeSecs()),
    gauge(
      "net_clients_connected",
      "Connections of clients, all ways in.",
      health.activeConnections,
    ),
    readiness(snapshot),
    {
      name: "net_service_state",
      type: "gauge",
      help: "State of each part: 1 for the one it is in.",
      samples: [...snapshot.parts].flatMap(([service, { state }]) =>
        STATES.map((one) => ({
          labels: [["service", service], ["state", one]] as const,
          value: Number(one === state),
        }))
      ),
    },
    {
      name: "service_restarts_total",
      type: "counter",
      help: "Times a part was started again.",
      samples: [...snapshot.parts].map(([service, { restarts }]) => ({
        labels: [["service", service]] as const,
        value: restarts,
      })),
    },
    {
      name: "net_build_info",
      type: "gauge",
      help: "Which build answers; the value says nothing.",
      samples: [{
        labels: [["version", member.version], ["revision", member.build.buildHash]],
        value: 1,
      }],
    },
  ];
}

/** Readiness by what is asked for. */
function readiness(snapshot: HealthSnapshot): MetricFamily {
  return {
    name: "health_ready",
    type: "gauge",
    help: "1 while the node is ready for such work.",
    samples: (["read", "write"] as const).map((use) => ({
      labels: [["check", use]],
      value: Number(missingFor(snapshot, use).length === 0),
    })),
  };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, type: "gauge", help, samples: [{ value }] };
}
