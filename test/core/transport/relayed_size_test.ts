/** Packets behind a routing header stay within what the Rust core takes: 8192 bytes in all. */
import assert from "node:assert/strict";
import { TestMesh } from "./mesh_kit.ts";

const DATAGRAM_BYTES_MAX = 8192;
const SUBPROTOCOL = 0x2345;

Deno.test("trySendAll() and trySend() leave room for the routing header on a relayed session", async () => {
  using mesh = new TestMesh(3);
  await mesh.connect(0, 1, 2);
  await mesh.dial(0, 2, 1);
  const [source, target] = [mesh.node(0), mesh.node(2)];
  const lengths: number[] = [];
  mesh.network.filter = (bytes) => {
    lengths.push(bytes.length);
    return bytes.length <= DATAGRAM_BYTES_MAX;
  };
  const arrived: number[] = [];
  target.transport.openReceiveStream(source.nodeId, 5n, {
    onEvent: (_, payload) => void arrived.push(payload.length),
    onEnd: () => {},
  });
  const stream = source.transport.openSendStream(target.nodeId, 5n);
  // Together one more byte than fits: 4 + 4000 + 4 + 4083 = 8091.
  assert.equal(stream.trySendAll([new Uint8Array(4000), new Uint8Array(4083)]), 2);
  assert.ok(stream.trySend(new Uint8Array(8086)));
  assert.throws(() => stream.trySend(new Uint8Array(8087)), /at most 8086 through a relay/);
  assert.throws(() => stream.trySendAll([new Uint8Array(8104)]), RangeError);
  await mesh.until(() => arrived.length === 3, "everything arrives");
  assert.deepEqual(arrived, [4000, 4083, 8086]);
  assert.equal(Math.max(...lengths), DATAGRAM_BYTES_MAX);

  assert.ok(source.transport.sendMessage(target.nodeId, SUBPROTOCOL, 1n, new Uint8Array(8086)));
  assert.ok(!source.transport.sendMessage(target.nodeId, SUBPROTOCOL, 1n, new Uint8Array(8087)));
  const neighbour = mesh.node(1).nodeId;
  assert.ok(source.transport.sendMessage(neighbour, SUBPROTOCOL, 1n, new Uint8Array(8104)));
});
