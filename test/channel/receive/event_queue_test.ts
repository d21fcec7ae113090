import assert from "node:assert/strict";
import { type ChannelEvent, EventQueue } from "../../../src/channel/mod.ts";

const eventOf = (number: number, length = 1): ChannelEvent => ({
  channel: "a",
  publisher: 1n,
  sequence: number,
  index: 0,
  bytes: new Uint8Array(length),
});

const numbers = (queue: EventQueue): number[] => {
  const taken: number[] = [];
  for (let event = queue.take(); event !== undefined; event = queue.take()) {
    taken.push(event.sequence);
  }
  return taken;
};

Deno.test("EventQueue makes room by the oldest, or refuses the newest, and counts", () => {
  for (
    const [overflow, kept] of [["drop_oldest", [2, 3, 4]], ["drop_newest", [0, 1, 2]]] as const
  ) {
    const queue = new EventQueue({ overflow, eventsMax: 3 });
    for (let i = 0; i < 5; i++) queue.push(eventOf(i));
    assert.equal(queue.dropped, 2);
    assert.deepEqual(numbers(queue), kept);
  }
});

Deno.test("EventQueue bounds bytes as well", () => {
  const queue = new EventQueue({ bytesMax: 100 });
  for (let i = 0; i < 5; i++) queue.push(eventOf(i, 40));
  queue.push(eventOf(9, 101));
  assert.deepEqual([queue.size, queue.dropped], [0, 6]);
});

Deno.test("EventQueue never drops what must be taken, and tells when it was", () => {
  const queue = new EventQueue({ eventsMax: 2 });
  let taken = 0;
  for (let i = 0; i < 5; i++) queue.push(eventOf(i), () => taken += 1);
  queue.push(eventOf(9));
  assert.deepEqual([queue.size, queue.dropped, taken], [5, 1, 0]);
  assert.equal(queue.take()?.sequence, 0);
  assert.equal(taken, 1);
  queue.close();
  assert.equal(taken, 5);
  queue.push(eventOf(7), () => taken += 1);
  assert.deepEqual([queue.size, taken], [0, 6]);
});

Deno.test("EventQueue.ready() resolves with an event, at the end, and rejects when given up", async () => {
  const queue = new EventQueue();
  const first = queue.ready();
  queue.push(eventOf(1));
  await first;
  await queue.ready();
  queue.take();
  const controller = new AbortController();
  const given = queue.ready(controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  const last = queue.ready();
  queue.close();
  await last;
  assert.equal(queue.take(), undefined);
});
