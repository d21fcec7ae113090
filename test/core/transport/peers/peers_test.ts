import assert from "node:assert/strict";
import fc from "fast-check";
import { PEERS_MAX } from "../../../../src/core/transport/limits.ts";
import { PeerTable } from "../../../../src/core/transport/peers/peers.ts";
import type { PeerState } from "../../../../src/core/transport/mod.ts";
import { addressOf } from "../session_kit.ts";

Deno.test("counts follow the states of peers, at any time", () => {
  const states = fc.constantFrom("connecting", "connected", "suspected", "failed", "gone");
  const step = fc.record({ node: fc.bigInt({ min: 1n, max: 6n }), state: states });
  fc.assert(fc.property(fc.array(step), (list) => {
    const peers = new PeerTable();
    for (const { node, state } of list) {
      const peer = peers.getOrCreate(node, addressOf(1), 0) ?? assert.fail();
      if (state === "gone") peers.remove(peer);
      else peer.state = state as PeerState;
      const expected = { connecting: 0, connected: 0, suspected: 0, failed: 0 };
      for (const { state } of peers.values()) expected[state] += 1;
      assert.deepEqual(peers.counts, expected);
    }
  }));
});

Deno.test("slots name peers as long as they are in the table", () => {
  const peers = new PeerTable();
  const first = peers.getOrCreate(1n, addressOf(1), 0) ?? assert.fail();
  const second = peers.getOrCreate(2n, addressOf(2), 0) ?? assert.fail();
  assert.equal(peers.at(first.slot), first);
  assert.equal(peers.slotOf(second.low, second.high), second.slot);
  assert.equal(peers.slotsEnd, 2);
  peers.remove(first);
  assert.equal(peers.at(first.slot), undefined);
  assert.equal(peers.slotOf(first.low, first.high), -1);
  const third = peers.getOrCreate(3n, addressOf(3), 0) ?? assert.fail();
  assert.equal(third.slot, first.slot, "the lowest free slot is used again");
  peers.remove(first);
  assert.equal(peers.at(third.slot), third, "a peer that is gone takes nobody's slot");
  assert.equal(peers.getByHalves(99, 99), undefined);
});

Deno.test("ownerOf() knows who owns an address, through moves and removals", () => {
  const operation = fc.record({
    peer: fc.bigInt({ min: 1n, max: 4n }),
    address: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom("own" as const, "relay" as const, "remove" as const),
  });
  fc.assert(fc.property(fc.array(operation, { maxLength: 40 }), (list) => {
    const peers = new PeerTable();
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

Deno.test("a peer that is gone owns no address, and takes none from who has its slot now", () => {
  const peers = new PeerTable();
  const gone = peers.getOrCreate(1n, addressOf(1), 0) ?? assert.fail();
  peers.setRoute(gone, { address: addressOf(1), relayTo: undefined }, true);
  peers.remove(gone);
  assert.equal(peers.ownerOf(addressOf(1)), undefined);
  const heir = peers.getOrCreate(2n, addressOf(1), 0) ?? assert.fail();
  assert.equal(heir.slot, gone.slot);
  peers.setRoute(heir, { address: addressOf(1), relayTo: undefined }, true);
  peers.setRoute(gone, { address: addressOf(2), relayTo: undefined }, true);
  assert.equal(peers.ownerOf(addressOf(1)), heir);
  assert.equal(peers.ownerOf(addressOf(2)), undefined);
});

Deno.test("a peer has the two halves of its id, unsigned", () => {
  const peers = new PeerTable();
  const peer = peers.getOrCreate(0xfedc_ba98_8765_4321n, addressOf(1), 0) ?? assert.fail();
  assert.deepEqual([peer.low, peer.high], [0x8765_4321, 0xfedc_ba98]);
});

Deno.test("getOrCreate() bounds the table", () => {
  const peers = new PeerTable();
  for (let i = 0; i < PEERS_MAX; i++) peers.getOrCreate(BigInt(i), addressOf(1), 0);
  assert.equal(peers.getOrCreate(1n << 40n, addressOf(1), 0), undefined);
  assert.equal(peers.size, PEERS_MAX);
  const known = peers.getOrCreate(5n, addressOf(2), 9) ?? assert.fail();
  assert.equal(known, peers.get(5n));
  peers.remove(known);
  assert.notEqual(peers.getOrCreate(1n << 40n, addressOf(1), 0), undefined);
});
