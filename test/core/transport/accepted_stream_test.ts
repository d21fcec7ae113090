/** Streams that peers begin, and events that are framed before they are sent. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { ACCEPTED_STREAMS_MAX } from "../../../src/core/transport/limits.ts";
import type { ReceiveStreamHandle } from "../../../src/core/transport/mod.ts";
import { encodeEvents } from "../../../src/core/transport/wire/event_frame.ts";
import { TestMesh } from "./mesh_kit.ts";

const STREAM_ID = 0x8000_0000_0000_002en;

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

/** A node that takes the stream of everybody, and what it got. */
function accepting(mesh: TestMesh, number: number) {
  const got: string[] = [];
  const ends: string[] = [];
  const handles: ReceiveStreamHandle[] = [];
  const origins: string[] = [];
  const end = mesh.node(number).transport.acceptStream(STREAM_ID, (peer) => {
    let handle: ReceiveStreamHandle | undefined;
    const from = mesh.nodes.findIndex(({ nodeId }) => nodeId === peer);
    return {
      handler: {
        onEvent: (_sequence, event) => {
          got.push(`${from}:${new TextDecoder().decode(event)}`);
          origins.push(`${handle?.packetOriginHigh.toString(16)}.${handle?.packetOriginLow}`);
        },
        onEnd: (reason) => void ends.push(`${from}:${reason}`),
      },
      attach: (opened) => {
        handle = opened;
        handles.push(opened);
      },
    };
  });
  return { got, ends, handles, origins, end };
}

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("acceptStream() takes what any peer begins, and only on that stream", async () => {
  using mesh = new TestMesh(3);
  await mesh.connect(1, 0);
  await mesh.connect(2, 0);
  const server = accepting(mesh, 0);
  const target = mesh.node(0).nodeId;
  for (const number of [1, 2]) {
    const { transport } = mesh.node(number);
    const label = { channelHash: 7, priority: 0, originHash: (3n << 32n) + BigInt(number) };
    assert.ok(transport.openSendStream(target, STREAM_ID, { label }).trySend(text("a")));
    assert.ok(transport.openSendStream(target, STREAM_ID + 1n).trySend(text("b")));
  }
  await mesh.clock.advance(20);
  assert.deepEqual(server.got.sort(), ["1:a", "2:a"]);
  assert.deepEqual(server.origins.sort(), ["3.1", "3.2"]);
  assert.ok(server.handles.every((handle) => handle.isReliable));
  // Nobody takes the others, so they are not acknowledged and come again.
  assert.ok(mesh.node(0).transport.counters.drop_no_reader_total >= 2);
  mesh.checkSums();
});

Deno.test("acceptStream() takes up a stream again that somebody took and ended", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(1, 0);
  const before = accepting(mesh, 0);
  const stream = mesh.node(1).transport.openSendStream(mesh.node(0).nodeId, STREAM_ID);
  assert.ok(stream.trySend(text("a")));
  await mesh.clock.advance(20);
  before.end();
  before.handles[0]?.end();
  assert.ok(stream.trySend(text("lost")));
  await mesh.clock.advance(20);
  const after = accepting(mesh, 0);
  assert.ok(stream.trySend(text("b")));
  await mesh.clock.advance(20);
  assert.deepEqual([before.got, after.got], [["1:a"], ["1:b"]]);
  mesh.checkSums();
});

Deno.test("acceptStream() tells that the stream ended with its peer", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(1, 0);
  const server = accepting(mesh, 0);
  const stream = mesh.node(1).transport.openSendStream(mesh.node(0).nodeId, STREAM_ID);
  assert.ok(stream.trySend(text("a")));
  await mesh.clock.advance(20);
  stream.abort();
  await mesh.clock.advance(20);
  assert.deepEqual(server.ends, ["1:reset"]);
  mesh.checkSums();
});

Deno.test("acceptStream() takes a stream that begins anew, and no late copy of the old one", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(1, 0);
  const server = accepting(mesh, 0);
  const { transport } = mesh.node(1);
  const open = () => transport.openSendStream(mesh.node(0).nodeId, STREAM_ID);
  const first = open();
  for (const letter of "abc") assert.ok(first.trySend(text(letter)));
  await mesh.clock.advance(20);
  let late: Uint8Array | undefined;
  mesh.network.filter = (bytes, from, to) => {
    const isEvent = from.host === "10.0.0.2" && to.host === "10.0.0.1" && bytes.length === 84 + 8;
    if (!isEvent) return true;
    late ??= bytes.slice();
    return false;
  };
  assert.ok(first.trySend(text("late")));
  await mesh.clock.advance(20);
  mesh.network.filter = undefined;
  first.abort();
  await mesh.clock.advance(20);
  assert.deepEqual(server.ends, ["1:reset"]);
  assert.ok(late !== undefined);
  const before = mesh.node(0).transport.counters.drop_stream_closed_total;
  mesh.network.inject(late, mesh.node(1).address, mesh.node(0).address);
  await mesh.clock.advance(20);
  assert.equal(mesh.node(0).transport.counters.drop_stream_closed_total, before + 1);
  assert.ok(open().trySend(text("again")));
  await mesh.clock.advance(20);
  assert.deepEqual(server.got, ["1:a", "1:b", "1:c", "1:again"]);
  mesh.checkSums();
});

Deno.test("acceptStream() refuses a stream twice, and more than it has room for", () => {
  using mesh = new TestMesh(1);
  const { transport } = mesh.node(0);
  const end = transport.acceptStream(0n, () => undefined);
  assert.throws(() => transport.acceptStream(0n, () => undefined), hasCode("conflict"));
  for (let id = 1n; id < ACCEPTED_STREAMS_MAX; id++) transport.acceptStream(id, () => undefined);
  assert.throws(() => transport.acceptStream(1n << 40n, () => undefined), hasCode("limit"));
  end();
  transport.acceptStream(0n, () => undefined);
});

Deno.test("acceptStream() leaves what it does not want as it was", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(1, 0);
  mesh.node(0).transport.acceptStream(STREAM_ID, () => undefined);
  const stream = mesh.node(1).transport.openSendStream(mesh.node(0).nodeId, STREAM_ID);
  assert.ok(stream.trySend(text("a")));
  await mesh.clock.advance(20);
  assert.ok(mesh.node(0).transport.counters.drop_no_reader_total > 0);
  mesh.checkSums();
});

for (const isScheduled of [false, true]) {
  const how = isScheduled ? "scheduled" : "at once";
  Deno.test(`trySendFramed() sends a packet of events (${how})`, async () => {
    using mesh = new TestMesh(2);
    await mesh.connect(1, 0);
    const server = accepting(mesh, 0);
    const stream = mesh.node(1).transport.openSendStream(mesh.node(0).nodeId, STREAM_ID, {
      isScheduled,
    });
    const framed = encodeEvents([text("one"), text(""), text("three")]);
    const bytes = new Uint8Array(framed.length + 20);
    bytes.set(framed, 9);
    assert.ok(stream.trySendFramed(bytes, 9, framed.length, 3));
    bytes.fill(0xff);
    await mesh.clock.advance(50);
    assert.deepEqual(server.got, ["1:one", "1:", "1:three"]);
    assert.throws(
      () => stream.trySendFramed(new Uint8Array(9_000), 0, stream.payloadBytesMax + 1, 1),
      RangeError,
    );
    await stream.close();
    assert.throws(() => stream.trySendFramed(framed, 0, framed.length, 3), hasCode("unreachable"));
    mesh.checkSums();
  });
}

Deno.test("trySendFramed() says when there is no credit, and sends on when there is", async () => {
  using mesh = new TestMesh(2);
  await mesh.connect(1, 0);
  const server = accepting(mesh, 0);
  const stream = mesh.node(1).transport.openSendStream(mesh.node(0).nodeId, STREAM_ID, {
    windowBytes: 512,
  });
  const framed = encodeEvents([new Uint8Array(300).fill(65)]);
  assert.ok(stream.trySendFramed(framed, 0, framed.length, 1));
  assert.ok(stream.creditBytes < framed.length);
  assert.ok(!stream.trySendFramed(framed, 0, framed.length, 1));
  const ready = stream.ready();
  await mesh.clock.advance(20);
  await ready;
  assert.ok(stream.trySendFramed(framed, 0, framed.length, 1));
  await mesh.clock.advance(20);
  assert.equal(server.got.length, 2);
  mesh.checkSums();
});
