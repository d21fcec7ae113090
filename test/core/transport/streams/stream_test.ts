import assert from "node:assert/strict";
import { SendState } from "../../../../src/core/transport/streams/send_state.ts";
import { Stream } from "../../../../src/core/transport/streams/stream.ts";
import type { StreamEnd } from "../../../../src/core/transport/mod.ts";

Deno.test("wake() lets every waiter go on, once", async () => {
  const stream = new Stream(1, 0, 0);
  const order: number[] = [];
  const waits = [1, 2].map((n) => stream.wait().then(() => void order.push(n)));
  stream.wake();
  stream.wake();
  await Promise.all(waits);
  assert.deepEqual(order, [1, 2]);
});

Deno.test("wait() ends with its signal and leaves the others waiting", async () => {
  const stream = new Stream(1, 0, 0);
  const abort = new AbortController();
  const aborted = stream.wait(abort.signal);
  const other = stream.wait();
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await assert.rejects(stream.wait(abort.signal), /enough/);
  stream.wake();
  await other;
});

Deno.test("end() tells the handler and whoever waits, once, and frees the packets", async () => {
  for (const reason of ["reset", "peer_lost", "closed"] as const) {
    const stream = new Stream(1, 0, 0);
    const ends: StreamEnd[] = [];
    stream.handler = { onEvent: () => {}, onEnd: (end) => void ends.push(end) };
    let released = 0;
    stream.send = new SendState({ isReliable: true, release: () => void (released += 1) });
    for (let i = 0; i < 3; i++) stream.send.record(i, 1, 1, 0);
    const waiting = stream.wait();
    stream.end(reason);
    stream.end("reset");
    await waiting;
    assert.equal(stream.ended, reason);
    assert.equal(released, 3);
    // A close is what the user asked for.
    assert.deepEqual(ends, reason === "closed" ? [] : [reason]);
  }
});

Deno.test("isClosed needs both halves to be unused or done with", () => {
  const stream = new Stream(1, 0, 0);
  assert.ok(stream.isClosed);
  stream.send = new SendState({ isReliable: true, release: () => {} });
  assert.ok(!stream.isClosed);
  stream.isSendClosed = true;
  assert.ok(stream.isClosed);
});
