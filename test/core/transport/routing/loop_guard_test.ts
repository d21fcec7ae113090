import assert from "node:assert/strict";
import fc from "fast-check";
import { LoopGuard } from "../../../../src/core/transport/routing/loop_guard.ts";

const LENGTH = 100;

function packet(session: number, counter: number, tag: number): DataView {
  const view = new DataView(new ArrayBuffer(LENGTH));
  view.setUint32(24, session, true);
  view.setUint32(16, counter, true);
  view.setUint32(LENGTH - 8, tag, true);
  return view;
}

Deno.test("LoopGuard.admit() lets a packet by once, and every other one", () => {
  const guard = new LoopGuard(5);
  assert.ok(guard.admit(packet(1, 1, 1), 9, 0, LENGTH));
  assert.ok(!guard.admit(packet(1, 1, 1), 9, 0, LENGTH));
  assert.ok(guard.admit(packet(1, 2, 1), 9, 0, LENGTH), "a retransmission has a fresh counter");
  assert.ok(guard.admit(packet(2, 1, 1), 9, 0, LENGTH));
  assert.ok(guard.admit(packet(1, 1, 1), 8, 0, LENGTH));
  assert.ok(guard.admit(packet(1, 1, 2), 9, 0, LENGTH), "a forgery keeps nobody's packet out");
  assert.ok(!guard.admit(packet(1, 1, 1), 9, 0, LENGTH));
});

Deno.test("LoopGuard.admit() forgets what others took the place of", () => {
  const guard = new LoopGuard(5, 16);
  assert.ok(guard.admit(packet(1, 0, 1), 9, 0, LENGTH));
  for (let i = 1; i < 500; i++) assert.ok(guard.admit(packet(1, i, 1), 9, 0, LENGTH));
  assert.ok(guard.admit(packet(1, 0, 1), 9, 0, LENGTH));
});

Deno.test("LoopGuard.admit() never takes one packet for another", () => {
  const word = fc.nat(0xffffffff);
  const packets = fc.uniqueArray(fc.tuple(word, word, word, word), {
    selector: (words) => words.join(),
    maxLength: 200,
  });
  fc.assert(fc.property(fc.integer(), packets, (seed, list) => {
    const guard = new LoopGuard(seed, 256);
    for (const [source, session, counter, tag] of list) {
      assert.ok(guard.admit(packet(session, counter, tag), source, 0, LENGTH));
      assert.ok(!guard.admit(packet(session, counter, tag), source, 0, LENGTH));
    }
  }));
});

Deno.test("LoopGuard.admit() copes with packets that are headers alone, and an all-zero one", () => {
  const guard = new LoopGuard(0);
  const view = new DataView(new ArrayBuffer(68));
  assert.ok(guard.admit(view, 0, 0, 68));
  assert.ok(!guard.admit(view, 0, 0, 68));
});
