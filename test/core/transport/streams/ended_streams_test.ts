import assert from "node:assert/strict";
import { EndedStreams } from "../../../../src/core/transport/streams/ended_streams.ts";
import { ENDED_STREAM_MS, ENDED_STREAMS_MAX } from "../../../../src/core/transport/limits.ts";

Deno.test("EndedStreams.refuses() holds for a while, and not once the stream is wanted again", () => {
  const ended = new EndedStreams();
  ended.add(1, 2, 0);
  ended.add(3, 2, 0);
  assert.ok(ended.refuses(1, 2, ENDED_STREAM_MS - 1));
  assert.ok(!ended.refuses(1, 2, ENDED_STREAM_MS));
  assert.ok(!ended.refuses(2, 1, 0));
  ended.delete(3, 2);
  assert.ok(!ended.refuses(3, 2, 0));
});

Deno.test("EndedStreams.sweep() forgets what is over, and add() keeps a bound", () => {
  const ended = new EndedStreams();
  for (let low = 0; low <= ENDED_STREAMS_MAX; low++) ended.add(low, 0, low);
  assert.ok(ended.refuses(ENDED_STREAMS_MAX - 1, 0, ENDED_STREAMS_MAX));
  assert.ok(!ended.refuses(ENDED_STREAMS_MAX, 0, ENDED_STREAMS_MAX));
  assert.equal(ended.sweep(ENDED_STREAM_MS + 9), ENDED_STREAMS_MAX - 10);
  assert.equal(ended.sweep(Infinity), 0);
});
