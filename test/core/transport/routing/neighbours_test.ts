import assert from "node:assert/strict";
import fc from "fast-check";
import { Neighbours } from "../../../../src/core/transport/routing/neighbours.ts";
import { Peer } from "../../../../src/core/transport/peers/peers.ts";
import { addressOf } from "../session_kit.ts";

Deno.test("Neighbours is a set without holes", () => {
  const peers = Array.from({ length: 100 }, (_, slot) => new Peer(1n, addressOf(slot), 0, slot));
  const step = fc.record({ slot: fc.nat(99), isAdded: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const neighbours = new Neighbours();
      const model = new Set<Peer>();
      for (const { slot, isAdded } of steps) {
        const peer = peers[slot] ?? assert.fail();
        assert.equal(
          isAdded ? neighbours.add(peer) : neighbours.delete(peer),
          isAdded !== model.has(peer),
        );
        if (isAdded) model.add(peer);
        else model.delete(peer);
        assert.equal(neighbours.size, model.size);
        const listed = Array.from({ length: neighbours.size }, (_, place) => neighbours.at(place));
        assert.deepEqual(new Set(listed), model);
        for (const any of peers) assert.equal(neighbours.has(any), model.has(any));
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("Neighbours takes no peer that is in no table, and tells two of one slot apart", () => {
  const neighbours = new Neighbours();
  assert.ok(!neighbours.add(new Peer(1n, addressOf(1), 0)));
  const [first, second] = [new Peer(2n, addressOf(2), 0, 4), new Peer(3n, addressOf(3), 0, 4)];
  neighbours.add(first);
  assert.ok(!neighbours.has(second) && !neighbours.delete(second));
});
