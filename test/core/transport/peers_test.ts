import assert from "node:assert/strict";
import fc from "fast-check";
import { PEERS_MAX } from "../../../src/core/transport/limits.ts";
import { PeerTable } from "../../../src/core/transport/peers.ts";
import { addressOf, createSessionKit, TIMEOUT_MS } from "./session_kit.ts";

Deno.test("judge() follows a direct peer's heartbeats alone", () => {
  const { peers, connect, clock } = createSessionKit();
  const peer = connect(2n);
  const start = clock.now();
  const at = (timeouts: number) => peers.judge(peer, start + timeouts * TIMEOUT_MS);
  assert.equal(at(2), undefined);
  assert.equal(peer.state, "connected");
  // Data does not count (`wire.md` 11).
  peer.lastReceivedAt = start + 3 * TIMEOUT_MS;
  assert.equal(at(2.01), undefined);
  assert.equal(peer.state, "suspected");
  assert.equal(at(3), undefined);
  assert.equal(at(3.01), "failed");
  assert.equal(peer.state, "failed");
  assert.ok(!peer.isConnected);
  // It is told once, and activity puts eviction off.
  assert.equal(at(4), undefined);
  assert.equal(at(33), undefined);
  assert.equal(at(33.01), "evicted");
});

Deno.test("judge() takes back a suspicion with the next heartbeat", () => {
  const { peers, connect, clock } = createSessionKit();
  const peer = connect(2n);
  const start = clock.now();
  peers.judge(peer, start + 2.5 * TIMEOUT_MS);
  assert.equal(peer.state, "suspected");
  assert.ok(peer.isConnected);
  peer.lastHeartbeatAt = start + 2.5 * TIMEOUT_MS;
  peers.judge(peer, start + 2.6 * TIMEOUT_MS);
  assert.equal(peer.state, "connected");
});

Deno.test("judge() takes any packet for a sign of a relayed peer, as heartbeats pass no relay", () => {
  const { peers, connect, clock } = createSessionKit();
  const peer = connect(2n);
  peers.setRoute(peer, { address: addressOf(9), relayTo: { low: 2, high: 0 } }, false);
  const now = clock.now() + 10 * TIMEOUT_MS;
  peer.lastReceivedAt = now;
  assert.equal(peers.judge(peer, now), undefined);
  assert.equal(peer.state, "connected");
});

Deno.test("judge() leaves peers without a session alone", () => {
  const peers = new PeerTable(TIMEOUT_MS);
  const peer = peers.getOrCreate(2n, addressOf(2), 0) ?? assert.fail();
  assert.equal(peers.judge(peer, 1e12), undefined);
  assert.equal(peer.state, "connecting");
});

Deno.test("ownerOf() knows who owns an address, through moves and removals", () => {
  const operation = fc.record({
    peer: fc.bigInt({ min: 1n, max: 4n }),
    address: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom("own" as const, "relay" as const, "remove" as const),
  });
  fc.assert(fc.property(fc.array(operation, { maxLength: 40 }), (list) => {
    const peers = new PeerTable(TIMEOUT_MS);
    const owners = new Map<number, bigint>();
    const addresses = new Map<bigint, number>();
    for (const { peer: nodeId, address, kind } of list) {
      const peer = peers.getOrCreate(nodeId, addressOf(address), 0) ?? assert.fail();
      const before = addresses.get(nodeId);
      if (before !== undefined && owners.get(before) === nodeId) owners.delete(before);
      addresses.delete(nodeId);
      if (kind === "remove") peers.remove(peer);
      else {
        const relayTo = kind === "relay" ? { low: peer.low, high: peer.high } : undefined;
        peers.setRoute(peer, { address: addressOf(address), relayTo }, kind === "own");
        if (kind === "own") {
          owners.set(address, nodeId);
          addresses.set(nodeId, address);
        }
      }
      for (let n = 1; n <= 4; n++) {
        assert.equal(peers.ownerOf(addressOf(n))?.nodeId, owners.get(n));
      }
    }
  }));
});

Deno.test("getOrCreate() bounds the table", () => {
  const peers = new PeerTable(TIMEOUT_MS);
  for (let i = 0; i < PEERS_MAX; i++) peers.getOrCreate(BigInt(i), addressOf(1), 0);
  assert.equal(peers.getOrCreate(1n << 40n, addressOf(1), 0), undefined);
  assert.equal(peers.size, PEERS_MAX);
  const known = peers.getOrCreate(5n, addressOf(2), 9) ?? assert.fail();
  assert.equal(known, peers.get(5n));
  peers.remove(known);
  assert.notEqual(peers.getOrCreate(1n << 40n, addressOf(1), 0), undefined);
});
