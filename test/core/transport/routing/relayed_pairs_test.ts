import assert from "node:assert/strict";
import { RELAYED_PAIR_IDLE_MS } from "../../../../src/core/transport/mesh_limits.ts";
import { RelayedPairs } from "../../../../src/core/transport/routing/relayed_pairs.ts";
import { addressOf } from "../session_kit.ts";

const [A, B, C] = [addressOf(1), addressOf(2), addressOf(3)];

/** Both messages of a handshake. */
function shake(pairs: RelayedPairs, from: typeof A, to: typeof A, now = 0): void {
  pairs.onHandshake(from, to, now);
  pairs.onHandshake(to, from, now);
}

Deno.test("RelayedPairs.partnerOf() knows the other end of a handshake that was answered", () => {
  const pairs = new RelayedPairs();
  assert.equal(pairs.partnerOf(A, 1, 1, 0), undefined);
  pairs.onHandshake(A, B, 0);
  assert.equal(pairs.partnerOf(B, 1, 1, 0), undefined, "not answered yet");
  pairs.onHandshake(A, B, 0);
  assert.equal(pairs.partnerOf(B, 1, 1, 0), undefined, "a repeated first message is no answer");
  pairs.onHandshake(B, { ...A }, 0);
  assert.equal(pairs.partnerOf({ ...B }, 1, 1, 0), A);
  assert.equal(pairs.partnerOf(A, 1, 1, 0), B);
  assert.equal(pairs.size, 1);
});

Deno.test("RelayedPairs.partnerOf() passes nothing on while it is ambiguous", () => {
  const pairs = new RelayedPairs();
  shake(pairs, A, B);
  shake(pairs, C, B);
  assert.equal(pairs.partnerOf(B, 1, 1, 0), undefined);
  assert.equal(pairs.partnerOf(A, 1, 1, 0), B, "from this side it is clear");
  // What A sends with a routing header tells whose session it is.
  pairs.onRelayed(A, B, 7, 8, 0);
  assert.equal(pairs.partnerOf(B, 7, 8, 0), A);
  assert.equal(pairs.partnerOf(B, 9, 9, 0), C, "the one that is left");
  pairs.onRelayed(C, B, 9, 9, 0);
  assert.equal(pairs.partnerOf(B, 9, 9, 0), C);
  assert.equal(pairs.partnerOf(B, 5, 5, 0), undefined, "nobody's");
});

Deno.test("RelayedPairs forgets a session's name with the next handshake", () => {
  const pairs = new RelayedPairs();
  shake(pairs, A, B);
  shake(pairs, C, B);
  pairs.onRelayed(A, B, 1, 0, 0);
  pairs.onRelayed(C, B, 2, 0, 0);
  pairs.onRelayed(A, B, 3, 0, 0);
  assert.equal(pairs.partnerOf(B, 3, 0, 0), undefined, "a name is not changed by any packet");
  shake(pairs, A, B);
  pairs.onRelayed(A, B, 3, 0, 0);
  assert.equal(pairs.partnerOf(B, 3, 0, 0), A);
});

Deno.test("RelayedPairs is curious for a while after an answer only", () => {
  const pairs = new RelayedPairs();
  assert.ok(!pairs.isCurious(0));
  pairs.onHandshake(A, B, 0);
  assert.ok(!pairs.isCurious(0));
  pairs.onHandshake(B, A, 0);
  assert.ok(pairs.isCurious(4_999));
  assert.ok(!pairs.isCurious(5_000));
});

Deno.test("RelayedPairs forgets what is idle, and the oldest beyond its bound", () => {
  const pairs = new RelayedPairs(2);
  shake(pairs, A, B, 0);
  assert.equal(pairs.partnerOf(B, 1, 1, RELAYED_PAIR_IDLE_MS + 1), undefined);
  shake(pairs, A, C, 10);
  pairs.partnerOf(B, 1, 1, 20);
  shake(pairs, addressOf(4), addressOf(5), 30);
  assert.equal(pairs.size, 2);
  assert.equal(pairs.partnerOf(C, 1, 1, 30), undefined, "its use was longest ago");
  assert.equal(pairs.partnerOf(B, 1, 1, 30), A);
  pairs.sweep(30 + RELAYED_PAIR_IDLE_MS);
  assert.equal(pairs.size, 2);
  pairs.sweep(31 + RELAYED_PAIR_IDLE_MS);
  assert.equal(pairs.size, 0);
  assert.equal(pairs.counters.relayed_pairs_evicted_total, 1);
});

Deno.test("RelayedPairs makes no pair of an address with itself", () => {
  const pairs = new RelayedPairs();
  shake(pairs, A, { ...A });
  assert.equal(pairs.size, 0);
});
