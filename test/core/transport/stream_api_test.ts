/** What a program does with streams: sending with patience, reading at its own pace, taking turns. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { TestMesh } from "./mesh_kit.ts";

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

function eventOf(number: number, length = 400): Uint8Array {
  const event = new Uint8Array(length).fill(number & 0xff);
  new DataView(event.buffer).setUint32(0, number, true);
  return event;
}

const numberOf = (event: Uint8Array) =>
  new DataView(event.buffer, event.byteOffset).getUint32(0, true);

/** Two connected nodes; node 1 holds what it takes until told. */
async function pair() {
  const mesh = new TestMesh(2);
  await mesh.connect(0, 1);
  const [source, target] = [mesh.node(0), mesh.node(1)];
  return { mesh, source, target, sender: source.transport, receiver: target.transport };
}

Deno.test("send() waits for room, in the order of the calls", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const got: number[] = [];
  receiver.openReceiveStream(source.nodeId, 1n, {
    onEvent: (_sequence, event) => void got.push(numberOf(event)),
    onEnd: () => {},
  }, { isOrdered: true });
  // A window of 512 bytes admits one packet at a time (promise W18).
  const stream = sender.openSendStream(target.nodeId, 1n, { windowBytes: 512 });
  const sends = Array.from({ length: 40 }, (_, i) => stream.send(eventOf(i)));
  assert.ok(!stream.canSend(400));
  await Promise.all([Promise.all(sends), mesh.until(() => got.length === 40, "all arrive")]);
  assert.deepEqual(got, Array.from({ length: 40 }, (_, i) => i));
  const closing = stream.close();
  await mesh.clock.advance(50);
  await closing;
  mesh.checkSums();
});

Deno.test("send() without patience fails with backpressure; nothing was queued then", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const reader = receiver.readStream(source.nodeId, 2n, { isOrdered: true });
  const stream = sender.openSendStream(target.nodeId, 2n, { windowBytes: 512 });
  await stream.send(eventOf(0));
  await assert.rejects(stream.send(eventOf(1), { isPatient: false }), hasCode("backpressure"));
  await assert.rejects(stream.sendAll([eventOf(1)], { isPatient: false }), hasCode("backpressure"));
  const first = reader.read();
  await mesh.clock.advance(20);
  assert.equal(numberOf(await first ?? assert.fail()), 0);
  await stream.send(eventOf(2), { isPatient: false });
  const second = reader.read();
  await mesh.clock.advance(20);
  assert.equal(numberOf(await second ?? assert.fail()), 2);
});

Deno.test("send() ends with its signal, and lets those behind it go on", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const got: number[] = [];
  mesh.cut(0, 1);
  const stream = sender.openSendStream(target.nodeId, 3n, { windowBytes: 512 });
  await stream.send(eventOf(0));
  const [first, second] = [new AbortController(), new AbortController()];
  const sends = [
    stream.send(eventOf(1), { signal: first.signal }),
    stream.send(eventOf(2), { signal: second.signal }),
    stream.send(eventOf(3)),
  ];
  await mesh.clock.advance(5);
  second.abort(new Error("second"));
  await assert.rejects(sends[1] ?? assert.fail(), /second/);
  first.abort(new Error("first"));
  await assert.rejects(sends[0] ?? assert.fail(), /first/);
  await assert.rejects(
    stream.send(eventOf(4), { signal: AbortSignal.abort(new Error("late")) }),
    /late/,
  );
  receiver.openReceiveStream(source.nodeId, 3n, {
    onEvent: (_sequence, event) => void got.push(numberOf(event)),
    onEnd: () => {},
  }, { isOrdered: true });
  mesh.cut(0, 1, false);
  await Promise.all([sends[2], mesh.until(() => got.length === 2, "both arrive")]);
  assert.deepEqual(got, [0, 3]);
});

Deno.test("send() and read() fail with a typed error when the stream is given up", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const reader = receiver.readStream(source.nodeId, 4n);
  const stream = sender.openSendStream(target.nodeId, 4n, { windowBytes: 512 });
  await stream.send(eventOf(0));
  const [waiting, behind] = [stream.send(eventOf(1)), stream.send(eventOf(2))];
  const failures = [
    assert.rejects(waiting, hasCode("unreachable")),
    assert.rejects(behind, hasCode("unreachable")),
  ];
  stream.abort();
  await Promise.all(failures);
  await mesh.clock.advance(20);
  // What came before is still to be had.
  assert.equal(numberOf(await reader.read() ?? assert.fail()), 0);
  await assert.rejects(reader.read(), hasCode("unreachable"));
  await assert.rejects(stream.send(eventOf(5)), hasCode("unreachable"));
  assert.throws(() => stream.trySend(eventOf(5)), hasCode("unreachable"));
});

Deno.test("an event over 8104 bytes is refused before anything is sent", async () => {
  const { mesh, target, sender } = await pair();
  using _ = mesh;
  const stream = sender.openSendStream(target.nodeId, 5n, { windowBytes: 1 << 20 });
  const large = new Uint8Array(8_105);
  assert.throws(() => stream.trySend(large), RangeError);
  assert.throws(() => stream.trySendAll([large]), RangeError);
  await assert.rejects(stream.send(large), RangeError);
  await assert.rejects(stream.sendAll([eventOf(1), large]), RangeError);
  assert.ok(!stream.canSend(8_105) && stream.canSend(8_104));
  assert.ok(stream.trySend(large.subarray(1)));
  // One that no credit would ever do for is refused as well, instead of waiting for ever.
  const small = sender.openSendStream(target.nodeId, 6n, { windowBytes: 512 });
  assert.throws(
    () => small.trySend(new Uint8Array(425)),
    /must be at most 424 with a window of 512/,
  );
  await assert.rejects(small.send(new Uint8Array(425)), RangeError);
  assert.ok(!small.canSend(425) && small.canSend(424));
  assert.ok(small.trySend(new Uint8Array(424)));
});

Deno.test("a slow reader slows its sender and holds no more than the window", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const windowBytes = 16_384;
  const reader = receiver.readStream(source.nodeId, 6n, { windowBytes, isOrdered: true });
  const stream = sender.openSendStream(target.nodeId, 6n, { windowBytes });
  const events = Array.from({ length: 400 }, (_, i) => eventOf(i, 100 + i));
  const sending = stream.sendAll(events);
  await mesh.clock.advance(2_000);
  const [info] = sender.streams(target.nodeId).filter(({ streamId }) => streamId === 6n);
  const stuck = info?.send?.events ?? 0;
  assert.ok(stuck > 10 && stuck < 200, `${stuck} events sent`);
  assert.equal(reader.available, stuck);
  const got: number[] = [];
  const reading = (async () => {
    for await (const event of reader) {
      assert.equal(event.length, 100 + got.length);
      got.push(numberOf(event));
      if (got.length === events.length) break;
    }
  })();
  await Promise.all([sending, reading, mesh.until(() => got.length === 400, "all are read")]);
  assert.deepEqual(got, events.map((_, i) => i));
  assert.equal(receiver.counters.drop_reader_full_total, 0);
  const closing = stream.close();
  await mesh.clock.advance(50);
  await closing;
  mesh.checkSums();
});

Deno.test("a reader refuses what a sender without a window sends beyond its bound", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const reader = receiver.readStream(source.nodeId, 7n, { windowBytes: 8_192, isOrdered: true });
  const stream = sender.openSendStream(target.nodeId, 7n, { windowBytes: 0 });
  const events = Array.from({ length: 600 }, (_, i) => eventOf(i, 1_000));
  const sending = (async () => {
    for (const event of events) await stream.send(event);
  })();
  await mesh.clock.advance(1_000);
  assert.ok(receiver.counters.drop_reader_full_total > 0);
  assert.ok(reader.available * 1_088 <= 4 * 65_536, `${reader.available} held`);
  const got: number[] = [];
  const reading = (async () => {
    while (got.length < 600) got.push(numberOf(await reader.read() ?? assert.fail()));
  })();
  await Promise.all([
    sending,
    reading,
    mesh.until(() => got.length === 600, "all are read", 60_000),
  ]);
  assert.deepEqual(got, events.map((_, i) => i));
  mesh.checkSums();
});

Deno.test("read() waits, ends with its signal or with cancel(), which tells the sender", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const reader = receiver.readStream(source.nodeId, 8n);
  const abort = new AbortController();
  const [aborted, waiting, last] = [
    reader.read({ signal: abort.signal }),
    reader.read(),
    reader.read(),
  ];
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const stream = sender.openSendStream(target.nodeId, 8n);
  stream.trySend(eventOf(7));
  await mesh.clock.advance(20);
  assert.equal(numberOf(await waiting ?? assert.fail()), 7);
  reader.cancel({ abort: true });
  assert.equal(await last, undefined);
  assert.equal(await reader.read(), undefined);
  await mesh.clock.advance(20);
  assert.throws(() => stream.trySend(eventOf(8)), hasCode("unreachable"));
  assert.throws(() => receiver.readStream(12_345n, 1n), hasCode("unreachable"));
});

Deno.test("scheduled streams share the way out by weight; others and control don't wait", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  const order: bigint[] = [];
  receiver.setEventHandler(({ streamId }) => void order.push(streamId));
  const options = { windowBytes: 1 << 20, isReliable: false, isScheduled: true };
  const light = sender.openSendStream(target.nodeId, 20n, options);
  const heavy = sender.openSendStream(target.nodeId, 21n, { ...options, weight: 3 });
  // Packets leave behind a microtask, so all of these compete for one turn.
  for (let i = 0; i < 96; i++) {
    assert.ok(light.trySend(eventOf(i)));
    assert.ok(heavy.trySend(eventOf(i)));
  }
  assert.equal(sender.egress.waiting, 192);
  await mesh.clock.advance(20);
  assert.equal(sender.egress.waiting, 0);
  assert.equal(order.length, 192);
  const firstHalf = order.slice(0, 128);
  const heavyShare = firstHalf.filter((id) => id === 21n).length;
  assert.ok(heavyShare >= 90 && heavyShare <= 96, `${heavyShare} of 128`);
  assert.throws(
    () => sender.openSendStream(target.nodeId, 22n, { isScheduled: true, weight: 0 }),
    RangeError,
  );
  assert.ok(source.nodeId !== target.nodeId);
  mesh.checkSums();
});

Deno.test("a scheduled reliable stream delivers everything through loss, and its end drops what waits", async () => {
  const { mesh, source, target, sender, receiver } = await pair();
  using _ = mesh;
  mesh.network.conditions = { lossRate: 0.2, duplicateRate: 0.05, delayMs: 2, jitterMs: 3 };
  const reader = receiver.readStream(source.nodeId, 30n, { isOrdered: true });
  const stream = sender.openSendStream(target.nodeId, 30n, { isScheduled: true, weight: 2 });
  const events = Array.from({ length: 300 }, (_, i) => eventOf(i, 50 + i));
  const got: number[] = [];
  const reading = (async () => {
    while (got.length < 300) got.push(numberOf(await reader.read() ?? assert.fail()));
  })();
  let isClosed = false;
  const sending = stream.sendAll(events).then(() => stream.close()).then(() => isClosed = true);
  await Promise.all([sending, reading, mesh.until(() => isClosed, "all are sent", 60_000)]);
  assert.deepEqual(got, events.map((_, i) => i));
  const other = sender.openSendStream(target.nodeId, 31n, { isScheduled: true });
  for (let i = 0; i < 10; i++) other.trySend(eventOf(i));
  assert.equal(sender.egress.waiting, 10);
  other.abort();
  assert.equal(sender.egress.waiting, 0);
  mesh.checkSums();
});
