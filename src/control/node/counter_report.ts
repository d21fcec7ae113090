/** Counters as `node.counters` tells of them: all by name, the transport's stages added up, what was dropped. */
import {
  checkCounters,
  COUNTER_STAGES,
  type TableSizes,
  type TransportCounters,
} from "../../core/transport/mod.ts";
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
    tables: node.hasMesh ? describeTables(node.mesh.transport.tableSizes()) : {},
    mismatches: transport === undefined ? [] : checkCounters(transport),
  };
}

/** Entries in the tables that other nodes fill, by the names of metrics. */
function describeTables(sizes: TableSizes): object {
  return {
    peers: sizes.peers,
    sessions: sizes.sessions,
    nodes: sizes.nodes,
    routes: sizes.routes,
    edges: sizes.edges,
    relayed_pairs: sizes.relayedPairs,
    relayed_streams: sizes.relayedStreams,
    packets_waiting: sizes.waiting,
  };
}

function describeStages(counters: TransportCounters): object[] {
  return COUNTER_STAGES.map(({ name, inputs, outcomes }) => {
    const named = (names: typeof inputs) =>
      names.map((one) => [TRANSPORT_PREFIX + one, counters[one]] as const);
    const sum = (names: typeof inputs) => names.reduce((total, one) => total + counters[one], 0);
    const [came, went] = [sum(inputs), sum(outcomes)];
    return {
      name,
      in: came,
      accounted: went,
      adds_up: came === went,
      inputs: Object.fromEntries(named(inputs)),
      outcomes: Object.fromEntries(named(outcomes)),
    };
  });
}
