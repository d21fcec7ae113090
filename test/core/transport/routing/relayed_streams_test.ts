import assert from "node:assert/strict";
import { RELAYED_STREAM_IDLE_MS } from "../../../../src/core/transport/mesh_limits.ts";
import {
  NO_STREAM,
  RelayedStreams,
} from "../../../../src/core/transport/routing/relayed_streams.ts";

Deno.test("RelayedStreams counts each stream, and all together", () => {
  const streams = new RelayedStreams();
  const first = streams.find(1, 0, 0);
  streams.onPassed(first, 100);
  streams.onPassed(streams.find(1, 0, 1), 50);
  streams.onDropped(streams.find(2, 5, 1));
  assert.deepEqual(streams.get(1, 0), { streamId: 1n, packets: 2, bytes: 150, drops: 0 });
  assert.deepEqual(streams.get(2, 5), {
    streamId: (5n << 32n) + 2n,
    packets: 0,
    bytes: 0,
    drops: 1,
  });
  assert.equal(streams.streams().length, 2);
  assert.deepEqual(streams.counters, {
    relayed_streams_seen_total: 2,
    relayed_streams_left_out_total: 0,
    relayed_stream_packets_total: 2,
    relayed_stream_bytes_total: 150,
    relayed_stream_drops_total: 1,
  });
});

Deno.test("RelayedStreams has no statistics for a new stream beyond its bound", () => {
  const streams = new RelayedStreams(2);
  for (let id = 0; id < 5; id++) streams.onPassed(streams.find(id, 0, 0), 10);
  assert.equal(streams.size, 2);
  assert.equal(streams.find(4, 0, 0), NO_STREAM);
  assert.equal(streams.get(4, 0), undefined);
  streams.onDropped(NO_STREAM);
  assert.equal(streams.counters.relayed_stream_packets_total, 5);
  assert.equal(streams.counters.relayed_stream_drops_total, 1);
  assert.equal(streams.counters.relayed_streams_left_out_total, 4);
});

Deno.test("RelayedStreams.sweep() forgets idle streams, and their places start from zero", () => {
  const streams = new RelayedStreams(2);
  streams.onPassed(streams.find(1, 0, 0), 10);
  streams.onPassed(streams.find(2, 0, 100), 10);
  streams.sweep(RELAYED_STREAM_IDLE_MS + 1);
  assert.equal(streams.get(1, 0), undefined);
  assert.equal(streams.get(2, 0)?.packets, 1);
  streams.find(3, 0, RELAYED_STREAM_IDLE_MS + 1);
  assert.deepEqual(streams.get(3, 0), { streamId: 3n, packets: 0, bytes: 0, drops: 0 });
});
