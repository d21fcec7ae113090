import assert from "node:assert/strict";
import type { StreamInfo } from "../../../../src/core/transport/mod.ts";
import { type KitNode, MeshKit } from "../../../sim/mesh_kit.ts";

const WINDOW_BYTES = 65_536;

function streamOf(node: KitNode, peer: KitNode, streamId: bigint): StreamInfo {
  const info = node.transport.streams(peer.nodeId).find((one) => one.streamId === streamId);
  assert.ok(info !== undefined, "the stream is listed");
  return info;
}

Deno.test("MeshTransport.streams() counts what both halves of a stream did", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  b.transport.openReceiveStream(a.nodeId, 5n, { onEvent: () => {}, onEnd: () => {} });
  const stream = a.transport.openSendStream(b.nodeId, 5n);
  const event = new Uint8Array(100);
  // Two packets: three events in one, one in the other.
  assert.equal(stream.trySendAll([event, event, event]), 3);
  assert.ok(stream.trySend(event));

  const before = streamOf(a, b, 5n);
  assert.equal(before.direction, "out");
  assert.equal(before.peer, b.nodeId);
  assert.equal(before.receive, undefined);
  assert.equal(before.send?.unacked, 2);
  assert.equal(before.send?.creditBytes, WINDOW_BYTES - 4 * 104 - 2 * 84);
  assert.equal(before.send?.rttMs, undefined);

  await kit.settle(stream.close());
  await kit.clock.advance(40);
  const sent = streamOf(a, b, 5n).send;
  assert.deepEqual([sent?.packets, sent?.events, sent?.bytes], [2, 4, 4 * 104]);
  assert.deepEqual([sent?.resent, sent?.unacked, sent?.isClosed], [0, 0, true]);
  assert.ok((sent?.rttMs ?? 0) >= 1);
  assert.equal(sent?.creditBytes, WINDOW_BYTES);

  const info = streamOf(b, a, 5n);
  assert.equal(info.direction, "in");
  assert.ok(info.idleMs >= 40, `${info.idleMs} ms`);
  const { receive } = info;
  assert.deepEqual([receive?.packets, receive?.events, receive?.bytes], [2, 4, 4 * 104]);
  assert.deepEqual([receive?.duplicates, receive?.refused, receive?.hasGap], [0, 0, false]);
});

Deno.test("MeshTransport.streams() shows loss, copies and what waits to be put in order", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  b.transport.openReceiveStream(
    a.nodeId,
    6n,
    { onEvent: () => {}, onEnd: () => {} },
    { isOrdered: true },
  );
  const stream = a.transport.openSendStream(b.nodeId, 6n);
  let dropped = 0;
  kit.network.filter = (_, from) => from.host !== a.address.host || ++dropped > 1;
  for (let i = 0; i < 4; i++) assert.ok(stream.trySend(Uint8Array.of(i)));
  kit.network.filter = (_, from) => from.host !== a.address.host;
  await kit.clock.advance(5);
  const waiting = streamOf(b, a, 6n).receive;
  assert.deepEqual([waiting?.isOrdered, waiting?.hasGap], [true, true]);
  assert.deepEqual([waiting?.packets, waiting?.waitingPackets, waiting?.waitingBytes], [3, 3, 15]);

  kit.network.filter = undefined;
  kit.network.conditions = { lossRate: 0, duplicateRate: 1, delayMs: 0.5, jitterMs: 0 };
  await kit.settle(stream.close());
  const sent = streamOf(a, b, 6n).send;
  assert.ok((sent?.packets ?? 0) >= 4, "the sender may have asked for the acknowledgement");
  assert.ok((sent?.resent ?? 0) >= 1);
  const after = streamOf(b, a, 6n).receive;
  assert.equal(after?.packets, sent?.packets);
  assert.deepEqual([after?.waitingPackets, after?.hasGap], [0, false]);
  // Whatever came again, by the network or by a needless resend, is counted as such.
  assert.equal(after?.duplicates, b.transport.counters.drop_duplicate_total);
});

Deno.test("MeshTransport.streams() lists every peer's streams, or those of one", async () => {
  using kit = new MeshKit();
  const [a, b, c] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, b);
  await kit.connect(a, c);
  a.transport.openSendStream(b.nodeId, 1n);
  a.transport.openSendStream(c.nodeId, 1n);
  a.transport.openSendStream(c.nodeId, 2n);
  assert.equal(a.transport.streams().length, 3);
  assert.equal(a.transport.streams(c.nodeId).length, 2);
  assert.deepEqual(a.transport.streams(99n), []);
  a.transport.openReceiveStream(c.nodeId, 2n, { onEvent: () => {}, onEnd: () => {} });
  assert.equal(streamOf(a, c, 2n).direction, "both");
});

Deno.test("MeshTransport.streams() counts an event once that the node's event handler takes", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  let taken = 0;
  b.transport.setEventHandler(() => void (taken += 1));
  const stream = a.transport.openSendStream(b.nodeId, 8n);
  assert.equal(stream.trySendAll([new Uint8Array(1), new Uint8Array(2)]), 2);
  await kit.settle(stream.close());
  assert.equal(taken, 2);
  assert.equal(streamOf(b, a, 8n).receive?.events, 2);
});
