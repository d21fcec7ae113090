/** Counters as `node.counters` tells of them: all by name, the transport's stages added up, what was dropped. */
import { checkCounters, COUNTER_STAGES, type TransportCounters } from "../../core/transport/mod.ts";
import type { Node } from "../../node.ts";

const TRANSPORT_PREFIX = "net_transport_";

/** Result of `node.counters`. */
export function describeCounters(node: Node): object {
  const counters = node.counters();
  const transport = node.hasMesh ? node.mesh.transport.counters : undefined;
  return {
    counters,
    stages: transport === undefined ? [] : describeStages(transport),
    drops: node.drops(),
    mismatches: transport === undefined ? [] : checkCounters(transport),
  };
}

function describeStages(counters: TransportCounters): object[] {
  return COUNTER_STAGES.map(({ name, input, outcomes }) => {
    const sum = outcomes.reduce((total, outcome) => total + counters[outcome], 0);
    return {
      name,
      input: TRANSPORT_PREFIX + input,
      in: counters[input],
      accounted: sum,
      adds_up: sum === counters[input],
      outcomes: Object.fromEntries(
        outcomes.map((outcome) => [TRANSPORT_PREFIX + outcome, counters[outcome]]),
      ),
    };
  });
}
