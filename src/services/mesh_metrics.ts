/** Peers, sessions, streams and tables of the mesh as metrics: sums alone, so that nobody is named. */
import type { MeshTransport } from "../core/transport/mod.ts";
import type { MetricFamily } from "../observe/mod.ts";
import { describeSessions } from "./peer_list.ts";

/** Families of a running transport. */
export function meshFamilies(
  transport: Pick<
    MeshTransport,
    "peers" | "counters" | "failureCounts" | "streams" | "tableSizes"
  >,
): readonly MetricFamily[] {
  const { sealed, compat, relayed, healthy, suspected, failed } = describeSessions({ transport });
  const { relayedPairs, relayedStreams, waiting, ...sizes } = transport.tableSizes();
  const tables = {
    ...sizes,
    relayed_pairs: relayedPairs,
    relayed_streams: relayedStreams,
    packets_waiting: waiting,
  };
  const streams = transport.streams();
  let unacked = 0;
  let waitingBytes = 0;
  for (const { send, receive } of streams) {
    unacked += send?.unacked ?? 0;
    waitingBytes += receive?.waitingBytes ?? 0;
  }
  return [
    byLabel("net_transport_sessions", "Sessions with peers, by what they are.", "kind", {
      sealed,
      compat,
    }),
    plain("net_transport_sessions_relayed", "Sessions that go through a relay.", relayed),
    byLabel("net_transport_peers", "Peers by how alive they are.", "state", {
      healthy,
      suspected,
      failed,
    }),
    plain("net_transport_streams", "Streams with peers.", streams.length),
    plain("net_transport_stream_packets_unacked", "Packets sent and not confirmed.", unacked),
    plain(
      "net_transport_stream_waiting_bytes",
      "Bytes that came and wait for their turn.",
      waitingBytes,
    ),
    byLabel(
      "net_transport_table_entries",
      "Entries of the tables that other nodes fill.",
      "table",
      tables,
    ),
  ];
}

function plain(name: string, help: string, value: number): MetricFamily {
  return { name, type: "gauge", help, samples: [{ value }] };
}

function byLabel(
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): MetricFamily {
  const samples = Object.entries(values).map(([text, value]) => ({
    labels: [[label, text]] as const,
    value,
  }));
  return { name, type: "gauge", help, samples };
}
