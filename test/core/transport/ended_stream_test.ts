/** Both sides of a stream that ends early are told, whatever is lost on the way. */

import assert from "node:assert/strict";
import { STREAM_IDLE_MS } from "../../../src/core/transport/limits.ts";
import type { MeshTransport, StreamEnd } from "../../../src/core/transport/mod.ts";
import { connectMeshPair, createMeshPair } from "./mesh_pair.ts";

const STREAM_ID = 9n;
/** Bytes of a packet with one RESET event. */
const RESET_PACKET_BYTES = 68 + 4 + 8 + 16;

function read(receiver: MeshTransport, from: bigint) {
  const reader = { arrived: 0, ended: [] as StreamEnd[] };
  receiver.openReceiveStream(from, STREAM_ID, {
    onEvent: () => reader.arrived += 1,
    onEnd: (reason) => reader.ended.push(reason),
  });
  return reader;
}

Deno.test("abort() reaches the reader although the first RESETs are lost", async () => {
  using net = await connectMeshPair();
  const reader = read(net.receiver, net.sender.nodeId);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  assert.ok(stream.trySend(Uint8Array.of(1)));
  await net.clock.advance(100);
  let lost = 0;
  net.network.filter = (bytes, from) => {
    if (from.host !== net.sender.localAddress.host) return true;
    return bytes.length !== RESET_PACKET_BYTES || ++lost > 3;
  };
  stream.abort();
  await net.clock.advance(20_000);
  assert.ok(lost > 3);
  assert.deepEqual(reader, { arrived: 1, ended: ["reset"] });
});

Deno.test("openSendStream() anew stops the RESETs of the stream before it", async () => {
  using net = await connectMeshPair();
  const before = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  assert.ok(before.trySend(Uint8Array.of(1)));
  before.abort();
  await net.clock.advance(10);
  const reader = read(net.receiver, net.sender.nodeId);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  assert.ok(stream.trySend(Uint8Array.of(2)));
  await net.clock.advance(200_000);
  assert.deepEqual(reader, { arrived: 1, ended: [] });
});

Deno.test("a reader is told when its sender took it for lost", async () => {
  using net = await connectMeshPair();
  const reader = read(net.receiver, net.sender.nodeId);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  assert.ok(stream.trySend(Uint8Array.of(1)));
  await net.clock.advance(100);
  // Nothing comes back, so the sender fails its peer while the receiver notices nothing.
  net.network.filter = (_, from) => from.host === net.sender.localAddress.host;
  await net.clock.advance(100_000);
  assert.throws(() => stream.trySend(Uint8Array.of(2)), { code: "unreachable" });
  assert.deepEqual(reader, { arrived: 1, ended: ["reset"] });
});

Deno.test("a reader on the new session is told of a sender whose session it replaced", async () => {
  using net = await connectMeshPair();
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  await Promise.all([net.dial(), net.clock.advance(5)]);
  const reader = read(net.receiver, net.sender.nodeId);
  assert.throws(() => stream.trySend(Uint8Array.of(1)), { code: "unreachable" });
  await net.clock.advance(5_000);
  assert.deepEqual(reader, { arrived: 0, ended: ["reset"] });
});

Deno.test("a reader on the new session is told of a sender turned away on the old one", async () => {
  using net = await connectMeshPair();
  // The receiver takes a new session into use, and nothing it says on it gets through for now.
  net.network.filter = (bytes, from) =>
    bytes[0] === 0x52 || from.host === net.sender.localAddress.host;
  await Promise.all([net.dialBack(), net.clock.advance(5)]);
  const reader = read(net.receiver, net.sender.nodeId);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  assert.ok(stream.trySend(Uint8Array.of(1)));
  await net.clock.advance(10);
  assert.equal(net.receiver.counters.drop_superseded_total, 1);
  assert.deepEqual(reader, { arrived: 0, ended: ["reset"] });
});

Deno.test("both sides are told when a stream was silent for too long", async () => {
  using net = await connectMeshPair();
  const reader = read(net.receiver, net.sender.nodeId);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID);
  assert.ok(stream.trySend(Uint8Array.of(1)));
  await net.clock.advance(STREAM_IDLE_MS + 5_000);
  assert.throws(() => stream.trySend(Uint8Array.of(2)), { code: "unreachable" });
  assert.deepEqual(reader, { arrived: 1, ended: ["idle"] });
});

Deno.test("a sender out of credit is told when its reader took it for lost", async () => {
  using net = await connectMeshPair();
  const options = { windowBytes: 2_000 };
  const reader = net.receiver.readStream(net.sender.nodeId, STREAM_ID, options);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID, options);
  assert.ok(stream.trySend(new Uint8Array(1_800)));
  await net.clock.advance(500);
  const waiting = assert.rejects(stream.ready(), { code: "unreachable" });
  net.network.filter = (_, from) => from.host === net.receiver.localAddress.host;
  await net.clock.advance(100_000);
  await waiting;
  await reader.read();
  await assert.rejects(reader.read(), { code: "unreachable" });
});

Deno.test("a sender goes on although the grant that a slow reader caused was lost", async () => {
  using net = await connectMeshPair();
  const options = { windowBytes: 2_000 };
  const reader = net.receiver.readStream(net.sender.nodeId, STREAM_ID, options);
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID, options);
  const event = new Uint8Array(800);
  assert.ok(stream.trySend(event) && stream.trySend(event));
  await net.clock.advance(500);
  assert.ok(!stream.trySend(event), "what waits for the reader earns no credit");
  net.network.filter = () => false;
  await Promise.all([reader.read(), reader.read()]);
  await net.clock.advance(20);
  net.network.filter = undefined;
  await net.clock.advance(500);
  assert.ok(stream.trySend(event));
  reader.cancel();
});

Deno.test("dial() fails when the peer restarts between handshake and proof", async () => {
  using net = createMeshPair({ isSealing: true });
  // Message 1 and the peer's proof get through; ours does not, so the session stays half open.
  let isHeldBack = true;
  net.network.filter = (bytes, from) =>
    !isHeldBack || from.host !== net.sender.localAddress.host || bytes[0] === 0x52;
  let code: string | undefined;
  net.dial().catch((error) => code = error.code);
  await net.clock.advance(300);
  net.restartReceiver();
  isHeldBack = false;
  await net.clock.advance(1_000);
  assert.equal(code, "handshake_refused");
});

Deno.test("trySendAll() fills packets no further than the window lets them leave", async () => {
  using net = await connectMeshPair();
  const reader = read(net.receiver, net.sender.nodeId);
  const options = { windowBytes: 512 };
  const stream = net.sender.openSendStream(net.receiver.nodeId, STREAM_ID, options);
  const events = Array.from({ length: 100 }, () => new Uint8Array(64));
  for (let sent = 0; sent < events.length;) {
    const taken = stream.trySendAll(events, sent);
    sent += taken;
    if (taken === 0) await Promise.all([stream.ready(), net.clock.advance(50)]);
  }
  await net.clock.advance(1_000);
  assert.equal(reader.arrived, events.length);
});
