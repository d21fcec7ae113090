/** Sealed sessions that leave their relay, and what others could make of that (`nrpc.md` 16). */
import assert from "node:assert/strict";
import { SealedNet, type SealedNode } from "./sealed_net.ts";

const ROUTING_HEADER_BYTES = 18;
const FOREIGN = { host: "10.9.9.9", port: 1 };
const FIVE = [0, 1, 2, 3, 4];

/** A pair whose session goes through the third node. */
async function createRelayed(net: SealedNet): Promise<[SealedNode, SealedNode, SealedNode]> {
  const [left, relay, right] = [net.node(1), net.node(2), net.node(3)];
  await net.dial(left, relay);
  await net.dial(right, relay);
  await net.dial(left, right, relay);
  assert.equal(left.transport.peer(right.nodeId)?.isRelayed, true);
  return [left, relay, right];
}

/** Moves time on until it is known whether the session left its relay. */
async function leave(net: SealedNet, from: SealedNode, to: SealedNode): Promise<boolean> {
  const leaving = from.transport.leaveRelay(to.nodeId, to.address);
  await net.clock.advance(2_000);
  return await leaving;
}

Deno.test("leaveRelay() takes the relay out of the way in both directions, on the same session", async () => {
  using net = new SealedNet();
  const [left, relay, right] = await createRelayed(net);
  const ageMs = left.transport.peer(right.nodeId)?.sessionAgeMs ?? 0;
  const moved: bigint[] = [];
  left.transport.onPeerMoved((peer) => moved.push(peer));
  const changes: boolean[] = [];
  left.transport.onPeerChange((_, isConnected) => changes.push(isConnected));
  assert.equal(await leave(net, left, right), true);
  for (const [node, peer] of [[left, right], [right, left]] as const) {
    const info = node.transport.peer(peer.nodeId);
    assert.equal(info?.isRelayed, false);
    assert.deepEqual(info?.address, peer.address);
    const route = node.transport.routes().find((way) => way.nodeId === peer.nodeId);
    assert.deepEqual([route?.via, route?.metric], [peer.nodeId, 1]);
  }
  assert.deepEqual([moved, changes], [[right.nodeId], []]);
  assert.ok((left.transport.peer(right.nodeId)?.sessionAgeMs ?? 0) > ageMs);

  relay.transport.stop();
  assert.deepEqual(await net.send(left, right, 5), FIVE);
  assert.deepEqual(await net.send(right, left, 5), FIVE);
  // The failure detector goes by heartbeats now, and there are some.
  await net.clock.advance(120_000);
  assert.equal(left.transport.peer(right.nodeId)?.state, "connected");
  assert.equal(right.transport.peer(left.nodeId)?.state, "connected");
});

Deno.test("leaveRelay() says no where nobody answers, and the session stays as it is", async () => {
  using net = new SealedNet();
  const [left, , right] = await createRelayed(net);
  net.network.filter = (_, from, to) =>
    !(from.host === left.address.host && to.host === right.address.host);
  assert.equal(await leave(net, left, right), false);
  assert.equal(left.transport.peer(right.nodeId)?.isRelayed, true);
  assert.deepEqual(await net.send(left, right, 5), FIVE);
});

Deno.test("leaveRelay() does nothing for compat sessions, direct ones and strangers", async () => {
  using net = new SealedNet();
  const [left, relay] = [net.node(1, { isSealing: false }), net.node(2)];
  const right = net.node(3);
  await net.dial(left, relay);
  await net.dial(right, relay);
  await net.dial(left, right, relay);
  assert.equal(await leave(net, left, right), false);
  assert.equal(await leave(net, left, relay), false);
  assert.equal(await left.transport.leaveRelay(99n, right.address), false);
  assert.equal(left.transport.peer(right.nodeId)?.isRelayed, true);
});

Deno.test("a relay that takes the routing header off moves nobody", async () => {
  using net = new SealedNet();
  const [left, relay, right] = await createRelayed(net);
  const foreign: Uint8Array[] = [];
  net.network.filter = (bytes, from, to) => {
    if (to.host === FOREIGN.host) foreign.push(bytes.slice());
    const isRelayed = from.host === relay.address.host && to.host === right.address.host &&
      bytes[0] === 0x52;
    if (!isRelayed) return true;
    const inner = bytes.slice(ROUTING_HEADER_BYTES);
    const source = foreign.length % 2 === 0 ? FOREIGN : relay.address;
    net.clock.after(1, () => net.network.deliver(inner, source, right.address));
    return false;
  };
  assert.deepEqual(await net.send(left, right, 5), FIVE);
  await net.clock.advance(10_000);
  assert.equal(right.transport.peer(left.nodeId)?.isRelayed, true);
  assert.deepEqual(right.transport.peer(left.nodeId)?.address, relay.address);
  // It asks there, within what came from there, and is not answered.
  assert.ok(foreign.length > 0);
  assert.equal(right.transport.counters.paths_moved_total, 0);
  net.network.filter = undefined;
  assert.deepEqual(await net.send(right, left, 5), FIVE);
});
