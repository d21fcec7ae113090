/** Messages between two buses (docs/bus.md). */
import assert from "node:assert/strict";
import { parseId } from "../../../src/base/mod.ts";
import {
  decodeFeedMessage,
  decodeParcel,
  encodeFeedMessage,
  encodeParcel,
  encodePieces,
  feedStreams,
} from "../../../src/log/bus/adapters/mesh/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  listOf,
  numberOf,
  objectOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Cases of `docs/vectors/bus_feed.json`. */
export const BUS_FEED_SUITE: VectorSuite = () => ({
  streams: checkStreams,
  messages: checkMessage,
  parcels: checkParcel,
  malformed_messages: (vector) =>
    assert.equal(decodeFeedMessage(bytesOf(vector, "bytes")), undefined),
  malformed_parcels: (vector) => assert.equal(decodeParcel(bytesOf(vector, "bytes")), undefined),
});

function checkStreams(vector: VectorObject): void {
  assert.deepEqual(feedStreams(textOf(vector, "bus")), {
    events: wordOf(vector, "events"),
    answers: wordOf(vector, "answers"),
  });
}

function checkMessage(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const message = decodeFeedMessage(bytes);
  assert.ok(message !== undefined);
  const { kind } = message;
  assert.equal(kind, textOf(vector, "kind"));
  if (kind === "flush" || kind === "flushed") {
    assert.deepEqual(message, { kind, token: wordOf(vector, "token") });
    assert.deepEqual(encodeFeedMessage(message), bytes);
    return;
  }
  const key = {
    shard: numberOf(vector, "shard"),
    producerNonce: wordOf(vector, "producer"),
    sequence: wordOf(vector, "sequence"),
  };
  if (kind === "piece") {
    const part = bytesOf(vector, "part");
    const [total, offset] = [numberOf(vector, "total"), numberOf(vector, "offset")];
    assert.deepEqual(message, { kind, ...key, total, offset, bytes: part });
    assert.deepEqual([...encodePieces(key, part)], [bytes]);
    return;
  }
  const expected = kind === "kept"
    ? { kind, ...key }
    : { kind, ...key, refusal: textOf(vector, "refusal"), reason: textOf(vector, "reason") };
  assert.deepEqual(message, expected);
  assert.deepEqual(encodeFeedMessage(message), bytes);
}

function checkParcel(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const events = listOf(vector, "events").map((event) => objectOf(event, "event"))
    .map((event) => ({ raw: bytesOf(event, "raw"), insertionTs: wordOf(event, "time") }));
  assert.deepEqual(decodeParcel(bytes), events);
  assert.deepEqual(encodeParcel(events, 0, events.length), bytes);
}

function wordOf(vector: VectorObject, field: string): bigint {
  const word = parseId(textOf(vector, field));
  assert.ok(word !== undefined, field);
  return word;
}
