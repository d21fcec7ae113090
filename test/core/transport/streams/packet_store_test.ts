import assert from "node:assert/strict";
import fc from "fast-check";
import { NO_ROOM, PacketStore } from "../../../../src/core/transport/streams/packet_store.ts";

/** Memory of some chunks behind a start that is not the store's. */
function createMemory(chunks: number) {
  const memory = new Uint8Array((chunks + 1) * 65_536);
  let end = 65_536;
  return {
    memory,
    allocate: (bytes: number) => {
      if (end + bytes > memory.length) throw new RangeError("exhausted");
      end += bytes;
      return end - bytes;
    },
  };
}

Deno.test("PacketStore gives out pieces that never overlap, and takes them back", () => {
  const step = fc.record({ length: fc.nat(8_192), release: fc.nat(3) });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const store = new PacketStore(createMemory(20));
    const held: { at: number; length: number; mark: number }[] = [];
    for (const [mark, { length, release }] of steps.entries()) {
      const at = store.take(length);
      if (at !== NO_ROOM) {
        assert.ok(at >= 65_536);
        store.memory.fill(mark & 0xff, at, at + length);
        held.push({ at, length, mark: mark & 0xff });
      }
      for (let i = 0; i < release && held.length > 0; i++) {
        const [piece] = held.splice((mark * 7 + i) % held.length, 1);
        assert.ok(piece !== undefined);
        const bytes = store.memory.subarray(piece.at, piece.at + piece.length);
        assert.ok(bytes.every((byte) => byte === piece.mark));
        store.release(piece.at);
      }
      assert.equal(store.piecesUsed, held.length);
    }
  }));
});

Deno.test("PacketStore takes no more memory than there is, or than it may", () => {
  for (
    const store of [new PacketStore(createMemory(2)), new PacketStore(createMemory(9), 140_000)]
  ) {
    const taken: number[] = [];
    for (let at = store.take(8_108); at !== NO_ROOM; at = store.take(8_108)) taken.push(at);
    assert.equal(taken.length, 16);
    assert.equal(store.bytesTaken, 131_072);
    assert.equal(store.take(1), NO_ROOM);
    assert.equal(store.refusedTotal, 2);
    const [first = NO_ROOM] = taken;
    store.release(first);
    assert.equal(store.take(2_049), first);
  }
});

Deno.test("PacketStore cuts a free chunk anew when all memory is taken by another size", () => {
  const store = new PacketStore(createMemory(3));
  const small: number[] = [];
  for (let at = store.take(100); at !== NO_ROOM; at = store.take(100)) small.push(at);
  assert.equal(small.length, 3 * 256);
  assert.equal(store.take(8_000), NO_ROOM);
  // One piece of each chunk stays in use but for the last chunk.
  const kept = new Set([small[0], small[256]]);
  for (const at of small) if (!kept.has(at)) store.release(at);
  const large: number[] = [];
  for (let at = store.take(8_000); at !== NO_ROOM; at = store.take(8_000)) large.push(at);
  assert.equal(large.length, 8);
  assert.equal(new Set(large.map((at) => at >>> 16)).size, 1);
  // What is left of the small ones is given out once, and none of it overlaps.
  const again: number[] = [];
  for (let at = store.take(100); at !== NO_ROOM; at = store.take(100)) again.push(at);
  assert.equal(again.length, 2 * 255);
  assert.ok(again.every((at) => !large.some((other) => at >>> 16 === other >>> 16)));
  for (const at of large) store.release(at);
  assert.notEqual(store.take(2_000), NO_ROOM);
});
