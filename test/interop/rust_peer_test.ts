/** The Rust peer as a test partner: two of them, each in its own process, talk to each other. */
import assert from "node:assert/strict";
import { type RustNode, rustPeerTest, startRustPeer } from "./rust_peer.ts";
import { fillPattern } from "./rust_protocol.ts";

const PSK = new Uint8Array(32).fill(0x5a);
const MIB = 1024 * 1024;

rustPeerTest("startRustPeer() connects two processes and carries events both ways", async () => {
  await using left = await startRustPeer();
  await using right = await startRustPeer();
  const responder = await left.createNode({ psk: PSK, seed: new Uint8Array(32).fill(7) });
  const initiator = await right.createNode({ psk: PSK, numShards: 1 });
  assert.equal(
    responder.entityId.toHex(),
    "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
  );
  await join(initiator, responder);
  assert.equal((await responder.call("counts", {})).peers, 1);
  assert.equal((await initiator.call("counts", {})).peers, 1);

  const events = Array.from({ length: 200 }, (_, index) => new Uint8Array(100).fill(index));
  await initiator.call("openStream", { peer: responder.nodeId, streamId: 9n, isReliable: true });
  for (let at = 0; at < events.length; at += 8) {
    const batch = events.slice(at, at + 8);
    await initiator.call("send", { peer: responder.nodeId, streamId: 9n, events: batch });
  }
  const received = await responder.receive(events.length);
  assert.deepEqual(received.map((event) => event.bytes), events);
  assert.equal(received[0]?.shard, 1, "stream 9 of 4 shards");

  await responder.call("openStream", { peer: initiator.nodeId, streamId: 3n, isReliable: false });
  const back = [new Uint8Array(0), new Uint8Array(8104).fill(1)];
  await responder.call("send", { peer: initiator.nodeId, streamId: 3n, events: back });
  assert.deepEqual((await initiator.receive(2)).map((event) => event.bytes), back);

  const pushed = { address: responder.address, event: new Uint8Array([1, 2, 3]) };
  assert.equal(await initiator.call("push", pushed), true);
  assert.deepEqual((await responder.receive(1))[0]?.bytes, pushed.event);

  const stats = await initiator.call("streamStats", { peer: responder.nodeId, streamId: 9n });
  assert.equal(stats?.txWindow, 65536);
  assert.equal(stats?.active, true);
});

rustPeerTest("startRustPeer() moves blobs between two processes", async () => {
  await using left = await startRustPeer();
  await using right = await startRustPeer();
  const holder = await left.createNode({ psk: PSK });
  const reader = await right.createNode({ psk: PSK });
  await join(reader, holder);
  const holderStore = await left.call("openStore", {});
  const readerStore = await right.call("openStore", {});
  await holder.call("serve", { store: holderStore });
  await reader.call("serve", { store: readerStore });

  const small = new Uint8Array(100_000);
  fillPattern(small, 1);
  const smallBlob = await left.call("put", { store: holderStore, source: { bytes: small } });
  const peer = holder.nodeId;
  const got = await reader.call("fetch", { peer, ref: smallBlob.ref, wantBytes: true });
  assert.deepEqual(got.bytes, small);

  const source = { sizeBytes: 9 * MIB + 1, seed: 2 };
  const large = await left.call("put", { store: holderStore, source });
  const discovered = await reader.call("fetch", { ref: large.ref });
  assert.equal(discovered.hash.toHex(), large.hash.toHex());
  assert.equal(discovered.sizeBytes, source.sizeBytes);
  assert.equal(await right.call("has", { store: readerStore, ref: large.ref }), false);

  const unknown = await right.call("put", { store: readerStore, source: { bytes: PSK } });
  await assert.rejects(reader.call("fetch", { peer, ref: unknown.ref }), /not found/);
});

rustPeerTest("RustPeer.call() fails when the process was killed", async () => {
  await using peer = await startRustPeer();
  const node = await peer.createNode({ psk: PSK });
  const waiting = node.call("accept", { peer: 1n });
  peer.kill();
  await assert.rejects(waiting, /SIGKILL/);
  await assert.rejects(node.call("counts", {}), /SIGKILL/);
});

async function join(initiator: RustNode, responder: RustNode): Promise<void> {
  const accepted = responder.call("accept", { peer: initiator.nodeId });
  const { address, publicKey, nodeId } = responder;
  await initiator.call("connect", { address, publicKey, peer: nodeId });
  assert.equal(await accepted, initiator.address);
  await Promise.all([responder.call("start", {}), initiator.call("start", {})]);
}
