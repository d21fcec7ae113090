/** Streams with more in their headers, streams that silence does not end, receivers that hold. */
import assert from "node:assert/strict";
import { PacketHeader, readHeader } from "../../../src/core/transport/wire/header.ts";
import { STREAM_IDLE_MS } from "../../../src/core/transport/limits.ts";
import { connectMeshPair } from "./mesh_pair.ts";

const STREAM_ID = 0x1_0000_0000_002en;

/** Headers of the event packets that leave the sender from now on. */
function tapHeaders(pair: Awaited<ReturnType<typeof connectMeshPair>>): PacketHeader[] {
  const headers: PacketHeader[] = [];
  pair.network.filter = (bytes, from) => {
    const header = new PacketHeader();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length > 84 && view.getUint16(0, true) === 0x4e45) {
      readHeader(view, 0, header);
      const isFromSender = from.host === pair.sender.localAddress.host;
      if (isFromSender && header.subprotocol === 0) headers.push(header);
    }
    return true;
  };
  return headers;
}

Deno.test("openSendStream() writes the label of the stream into its packets alone", async () => {
  using pair = await connectMeshPair();
  const { sender, receiver } = pair;
  const headers = tapHeaders(pair);
  const label = { channelHash: 0x2ee8, priority: 7, originHash: 0x1234_5678_9abc_def0n };
  const labelled = sender.openSendStream(receiver.nodeId, STREAM_ID, { label, isReliable: false });
  const plain = sender.openSendStream(receiver.nodeId, 5n, { isReliable: false });
  assert.ok(labelled.trySend(new Uint8Array(3)) && plain.trySend(new Uint8Array(3)));
  await pair.clock.advance(10);
  const [first, second] = headers;
  assert.deepEqual(
    [first?.channelHash, first?.priority, first?.originLow, first?.originHigh],
    [0x2ee8, 7, 0x9abcdef0, 0x12345678],
  );
  assert.deepEqual(
    [second?.channelHash, second?.priority, second?.originLow, second?.originHigh],
    [0, 0, 0, 0],
  );
});

Deno.test("openSendStream() refuses a label that does not fit its fields", async () => {
  using pair = await connectMeshPair();
  const { sender, receiver } = pair;
  for (const label of [{ channelHash: 65_536, priority: 0 }, { channelHash: 0, priority: -1 }]) {
    const open = () =>
      sender.openSendStream(receiver.nodeId, STREAM_ID, { label: { ...label, originHash: 0n } });
    assert.throws(open, RangeError);
  }
});

Deno.test("openSendStream() keeps a stream over silence as long as both sides want it", async () => {
  using pair = await connectMeshPair();
  const { sender, receiver } = pair;
  const got: number[] = [];
  const ends: string[] = [];
  const handler = {
    onEvent: (sequence: number) => void got.push(sequence),
    onEnd: (reason: string) => void ends.push(reason),
  };
  receiver.receiveStream(sender.nodeId, STREAM_ID, handler, { isKept: true });
  const stream = sender.openSendStream(receiver.nodeId, STREAM_ID, { isKept: true });
  stream.trySend(new Uint8Array(1));
  await pair.clock.advance(STREAM_IDLE_MS * 2);
  assert.ok(stream.isOpen);
  stream.trySend(new Uint8Array(1));
  await pair.clock.advance(100);
  assert.deepEqual([got, ends], [[0, 1], []]);
  // Opened again without, it may end.
  sender.openSendStream(receiver.nodeId, STREAM_ID);
  receiver.receiveStream(sender.nodeId, STREAM_ID, handler);
  await pair.clock.advance(STREAM_IDLE_MS + 5_000);
  assert.ok(!stream.isOpen);
  assert.equal(ends.length, 1);
});

Deno.test("receiveStream() lets the receiver hold back credit, and refuses what is too much", async () => {
  using pair = await connectMeshPair();
  const { sender, receiver } = pair;
  let events = 0;
  const handle = receiver.receiveStream(sender.nodeId, STREAM_ID, {
    onEvent: (_sequence, payload) => {
      events += 1;
      handle.hold(88 + payload.length);
    },
    onEnd: () => {},
  }, { isHeld: true, isOrdered: true });
  const stream = sender.openSendStream(receiver.nodeId, STREAM_ID);
  const send = async () => {
    for (let i = 0; i < 40; i++) {
      stream.trySend(new Uint8Array(1_000));
      await pair.clock.advance(20);
    }
  };
  await send();
  // 65,536 bytes of credit are 60 packets of 1,088 bytes.
  await send();
  assert.equal(events, 60);
  assert.ok(handle.isReliable);
  handle.hold(-60 * 1_088);
  await pair.clock.advance(50);
  await send();
  assert.equal(events, 100);
  handle.end();
});

Deno.test("receiveStream() takes a stream up again where it was left", async () => {
  using pair = await connectMeshPair();
  const { sender, receiver } = pair;
  const got: number[] = [];
  const open = () =>
    receiver.receiveStream(sender.nodeId, STREAM_ID, {
      onEvent: (sequence) => void got.push(sequence),
      onEnd: () => {},
    });
  const stream = sender.openSendStream(receiver.nodeId, STREAM_ID);
  const first = open();
  stream.trySend(new Uint8Array(1));
  await pair.clock.advance(100);
  first.end();
  open();
  stream.trySend(new Uint8Array(1));
  await pair.clock.advance(100);
  assert.deepEqual(got, [0, 1]);
});
