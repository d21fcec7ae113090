import assert from "node:assert/strict";
import { renderPrometheus } from "../../src/observe/mod.ts";
import { meshFamilies } from "../../src/services/mesh_metrics.ts";
import { readExposition } from "../observe/exposition_reader.ts";

type Transport = Parameters<typeof meshFamilies>[0];

Deno.test("meshFamilies() adds up what is told of peers and streams, and names none", () => {
  const peer = { nodeId: 0xabcdefn, state: "connected", isSealed: true, isRelayed: true };
  const transport = {
    peers: () => [peer, { ...peer, isRelayed: false }, { ...peer, isSealed: false }],
    counters: {},
    failureCounts: () => ({ healthy: 3, suspected: 0, failed: 1 }),
    streams: () => [
      { peer: 0xabcdefn, send: { unacked: 2 }, receive: undefined },
      { peer: 0xabcdefn, send: { unacked: 5 }, receive: { waitingBytes: 70 } },
    ],
    tableSizes: () => ({
      peers: 3,
      sessions: 4,
      routes: 0,
      edges: 0,
      nodes: 0,
      relayedPairs: 1,
      relayedStreams: 0,
      waiting: 9,
    }),
  } as unknown as Transport;
  const text = renderPrometheus(meshFamilies(transport));
  assert.ok(!text.includes("abcdef"));
  const read = readExposition(text);
  const value = (name: string, labels = "") => read.get(name)?.samples.get(`${name}{${labels}}`);
  assert.equal(value("net_transport_sessions", 'kind="sealed"'), 2);
  assert.equal(value("net_transport_sessions", 'kind="compat"'), 1);
  assert.equal(value("net_transport_sessions_relayed"), 2);
  assert.equal(value("net_transport_peers", 'state="failed"'), 1);
  assert.equal(value("net_transport_streams"), 2);
  assert.equal(value("net_transport_stream_packets_unacked"), 7);
  assert.equal(value("net_transport_stream_waiting_bytes"), 70);
  assert.equal(value("net_transport_table_entries", 'table="packets_waiting"'), 9);
});
