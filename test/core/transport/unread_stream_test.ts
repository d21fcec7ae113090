/** What becomes of packets of a reliable stream while nobody reads it. */

import assert from "node:assert/strict";
import { connectMeshPair } from "./mesh_pair.ts";

const STREAM_ID = 9n;
const ONE_EVENT = Uint8Array.of(1);
/** A sender gives up after about 7 s. */
const GIVEN_UP_MS = 10_000;

/** Sends one event and closes; the result is read once the clock was moved. */
function sendOne({ sender, receiver }: Awaited<ReturnType<typeof connectMeshPair>>) {
  const outcome: { code: string | undefined } = { code: "pending" };
  const stream = sender.openSendStream(receiver.nodeId, STREAM_ID);
  assert.ok(stream.trySend(ONE_EVENT));
  stream.close().then(
    () => outcome.code = undefined,
    (error) => outcome.code = error.code,
  );
  return outcome;
}

Deno.test("SendStream.close() fails when nobody reads the stream", async () => {
  using net = await connectMeshPair();
  const outcome = sendOne(net);
  await net.clock.advance(GIVEN_UP_MS);
  assert.equal(outcome.code, "unreachable");
  assert.ok(net.receiver.counters.drop_no_reader_total > 0);
  assert.equal(net.receiver.counters.streams_opened_total, 0);
});

Deno.test("openReceiveStream() gets what was sent shortly before it", async () => {
  using net = await connectMeshPair();
  const outcome = sendOne(net);
  await net.clock.advance(300);
  const arrived: number[] = [];
  const ended: string[] = [];
  net.receiver.openReceiveStream(net.sender.nodeId, STREAM_ID, {
    onEvent: (sequence) => arrived.push(sequence),
    onEnd: (reason) => ended.push(reason),
  });
  await net.clock.advance(GIVEN_UP_MS);
  assert.deepEqual(ended, []);
  assert.deepEqual(arrived, [0]);
  assert.equal(outcome.code, undefined);
});

Deno.test("SendStream.close() succeeds when the event handler took the events", async () => {
  using net = await connectMeshPair();
  let taken = 0;
  net.receiver.setEventHandler(() => taken += 1);
  const outcome = sendOne(net);
  await net.clock.advance(GIVEN_UP_MS);
  assert.equal(taken, 1);
  assert.equal(outcome.code, undefined);
});

Deno.test("events of an unreliable stream that nobody reads are counted", async () => {
  using net = await connectMeshPair();
  const options = { isReliable: false };
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID, options);
  assert.ok(stream.trySend(ONE_EVENT));
  await net.clock.advance(100);
  assert.equal(net.receiver.counters.events_unclaimed_total, 1);
});
