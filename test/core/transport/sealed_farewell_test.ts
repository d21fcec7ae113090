/** Nodes that stop and say so (docs/sealed.md, "Farewell"). */
import assert from "node:assert/strict";
import { encodeFarewell, SUBPROTOCOL_SEALED } from "../../../src/core/crypto/mod.ts";
import { SealedNet as Net } from "./sealed_net.ts";

const STREAM = 77n;

Deno.test("MeshTransport ends a session at once when its peer stops, and what ran on it", async () => {
  using net = new Net();
  const [a, b] = [net.node(1), net.node(2)];
  await net.dial(a, b);
  const changes: boolean[] = [];
  const ends: string[] = [];
  a.transport.onPeerChange((_peer, isConnected) => changes.push(isConnected));
  a.transport.openReceiveStream(b.nodeId, STREAM, {
    onEvent: () => {},
    onEnd: (reason) => ends.push(reason),
  });
  b.transport.stop();
  await net.clock.advance(50);
  assert.deepEqual(changes, [false]);
  assert.deepEqual(ends, ["peer_lost"]);
  assert.deepEqual(a.transport.connectedPeers(), []);
});

Deno.test("MeshTransport meets a peer again that had left", async () => {
  using net = new Net();
  const [a, b] = [net.node(1), net.node(2)];
  await net.dial(a, b);
  b.transport.stop();
  await net.clock.advance(50);
  const again = net.node(2);
  await net.dial(a, again);
  assert.deepEqual(a.transport.connectedPeers(), [again.nodeId]);
  assert.deepEqual(await net.send(a, again, 3), [0, 1, 2]);
});

Deno.test("MeshTransport takes no farewell on a session that is not sealed", async () => {
  using net = new Net();
  const [a, b] = [net.node(1), net.node(2, { isSealing: false })];
  await net.dial(a, b);
  const sealed = BigInt(SUBPROTOCOL_SEALED);
  b.transport.sendMessage(a.nodeId, SUBPROTOCOL_SEALED, sealed, encodeFarewell());
  await net.clock.advance(50);
  assert.deepEqual(a.transport.connectedPeers(), [b.nodeId]);
  assert.equal(a.transport.counters.drop_unknown_subprotocol_total, 1);
});
