import assert from "node:assert/strict";
import { idToHex } from "../../../src/base/mod.ts";
import { describeStreamList } from "../../../src/control/node/streams.ts";
import { MeshKit } from "../../sim/mesh_kit.ts";
import { viewOf } from "./_view.ts";

interface Listed {
  readonly streams: readonly Record<string, unknown>[];
  readonly total: Record<string, number>;
  readonly omitted: number;
  readonly relayed: readonly Record<string, unknown>[];
}

Deno.test("describeStreamList() tells of every half of every stream as plain JSON", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  b.transport.openReceiveStream(a.nodeId, 5n, { onEvent: () => {}, onEnd: () => {} }, {
    isOrdered: true,
  });
  const stream = a.transport.openSendStream(b.nodeId, 5n);
  assert.ok(stream.trySend(new Uint8Array(100)));
  await kit.settle(stream.close());
  const sent = describeStreamList(viewOf(a), undefined) as Listed;
  assert.deepEqual(JSON.parse(JSON.stringify(sent)), sent);
  const [row] = sent.streams;
  assert.equal(row?.peer, idToHex(b.nodeId));
  assert.equal(row?.stream, "0000000000000005");
  assert.equal(row?.received, null);
  const half = row?.sent as Record<string, unknown>;
  assert.deepEqual(
    [half.packets, half.events, half.bytes, half.resent, half.unacked, half.closed, half.reliable],
    [1, 1, 104, 0, 0, true, true],
  );
  assert.ok(Number(half.rtt_ms) > 0 && Number(half.rto_ms) > 0);
  assert.equal(half.credit_bytes, 65_536);

  const received = describeStreamList(viewOf(b), a.nodeId) as Listed;
  const other = received.streams[0]?.received as Record<string, unknown>;
  assert.deepEqual(
    [other.packets, other.events, other.bytes, other.ordered, other.waiting, other.gap],
    [1, 1, 104, true, 0, false],
  );
  assert.equal(received.total.packets_received, 1);
  assert.equal(received.omitted, 0);
});

Deno.test("describeStreamList() shows a thousand streams, the last used first, and sums up all", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  for (let i = 0; i < 1_005; i++) a.transport.openSendStream(b.nodeId, BigInt(i));
  await kit.clock.advance(50);
  assert.ok(a.transport.openSendStream(b.nodeId, 700n).trySend(Uint8Array.of(1)));
  const listed = describeStreamList(viewOf(a), undefined) as Listed;
  assert.equal(listed.streams.length, 1_000);
  assert.equal(listed.omitted, 5);
  assert.equal(listed.streams[0]?.stream, idToHex(700n));
  assert.deepEqual([listed.total.streams, listed.total.packets_sent], [1_005, 1]);
});

Deno.test("describeStreamList() tells a relay which streams pass through it", async () => {
  using kit = new MeshKit();
  const [a, relay, b] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  b.transport.openReceiveStream(a.nodeId, 0x77n, { onEvent: () => {}, onEnd: () => {} });
  const stream = a.transport.openSendStream(b.nodeId, 0x77n);
  for (let i = 0; i < 3; i++) assert.ok(stream.trySend(new Uint8Array(1_000)));
  await kit.settle(stream.close());
  const { relayed } = describeStreamList(viewOf(relay), undefined) as Listed;
  const row = relayed.find((one) => one.stream === idToHex(0x77n));
  assert.ok(Number(row?.packets) >= 3 && Number(row?.bytes) >= 3_000, JSON.stringify(relayed));
  assert.equal(row?.drops, 0);
  assert.deepEqual((describeStreamList(viewOf(a), undefined) as Listed).relayed, []);
  assert.deepEqual((describeStreamList(viewOf(relay), a.nodeId) as Listed).relayed, []);
});
