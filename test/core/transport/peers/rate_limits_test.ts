import assert from "node:assert/strict";
import fc from "fast-check";
import {
  RateLimits,
  STRANGERS,
  TrafficKind,
} from "../../../../src/core/transport/peers/rate_limits.ts";
import type {
  TrafficRate,
  TrafficRates,
} from "../../../../src/core/transport/peers/rate_limits.ts";

const WIDE: TrafficRate = { packetsPerSecond: 1e9, bytesPerSecond: 1e12 };
const PEER: TrafficRate = { packetsPerSecond: 10, bytesPerSecond: 1_000 };
const RATES: TrafficRates = {
  perPeer: [PEER, PEER, PEER, PEER, PEER],
  strangers: [PEER, { packetsPerSecond: 3, bytesPerSecond: 1_000 }, PEER, PEER, PEER],
  total: [WIDE, { packetsPerSecond: 25, bytesPerSecond: 1e9 }, WIDE, WIDE, WIDE],
};

function countTaken(limits: RateLimits, slot: number, kind: TrafficKind, tries: number, at = 0) {
  let taken = 0;
  for (let i = 0; i < tries; i++) if (limits.take(slot, kind, 1, at)) taken += 1;
  return taken;
}

Deno.test("RateLimits.take() keeps each neighbour and each kind on its own", () => {
  const limits = new RateLimits(0, { rates: RATES });
  assert.equal(countTaken(limits, 0, TrafficKind.Data, 50), 10);
  assert.equal(countTaken(limits, 1, TrafficKind.Data, 50), 10);
  assert.equal(countTaken(limits, 0, TrafficKind.Control, 50), 10);
  assert.equal(countTaken(limits, 0, TrafficKind.Data, 50, 500), 5);
  assert.deepEqual([...limits.counters.refusedByPeer], [125, 0, 40, 0, 0]);
});

Deno.test("RateLimits.take() keeps all together within the total", () => {
  const limits = new RateLimits(0, { rates: RATES });
  let taken = 0;
  for (let slot = 0; slot < 10; slot++) taken += countTaken(limits, slot, TrafficKind.Relay, 10);
  assert.equal(taken, 25);
  assert.equal(limits.counters.refusedInTotal[TrafficKind.Relay], 75);
});

Deno.test("RateLimits.take() counts bytes beside packets", () => {
  const limits = new RateLimits(0, { rates: RATES });
  assert.ok(limits.take(0, TrafficKind.Data, 600, 0));
  assert.ok(!limits.take(0, TrafficKind.Data, 600, 0));
  assert.ok(limits.take(0, TrafficKind.Data, 400, 0));
  assert.ok(limits.take(0, TrafficKind.Data, 600, 600));
});

Deno.test("RateLimits.take() lets strangers and slots out of range share one set", () => {
  const limits = new RateLimits(0, { rates: RATES, slotsMax: 4 });
  assert.equal(countTaken(limits, STRANGERS, TrafficKind.Data, 6), 6);
  assert.equal(countTaken(limits, 4, TrafficKind.Data, 6), 4);
  assert.equal(countTaken(limits, 3, TrafficKind.Data, 20), 10);
  assert.equal(countTaken(limits, STRANGERS, TrafficKind.Relay, 20), 3, "at a rate of their own");
});

Deno.test("RateLimits.reset() starts a reused slot with full buckets", () => {
  const limits = new RateLimits(0, { rates: RATES });
  countTaken(limits, 300, TrafficKind.Data, 10);
  assert.ok(!limits.take(300, TrafficKind.Data, 1, 0));
  limits.reset(300);
  limits.reset(9_999);
  assert.equal(countTaken(limits, 300, TrafficKind.Data, 20), 10);
});

Deno.test("RateLimits.take() never lets more through than rate and burst allow", () => {
  const arrivals = fc.array(fc.record({ waitMs: fc.nat(300), bytes: fc.nat(400) }));
  fc.assert(fc.property(arrivals, (list) => {
    const limits = new RateLimits(0, { rates: RATES });
    let now = 0;
    let [packets, bytes] = [0, 0];
    for (const arrival of list) {
      now += arrival.waitMs;
      if (limits.take(2, TrafficKind.Data, arrival.bytes, now)) {
        packets += 1;
        bytes += arrival.bytes;
      }
      assert.ok(packets <= PEER.packetsPerSecond * (1 + now / 1000) + 1e-6);
      assert.ok(bytes <= PEER.bytesPerSecond * (1 + now / 1000) + 1e-6);
    }
  }));
});

Deno.test("RateLimits keeps buckets of busy neighbours only", () => {
  const limits = new RateLimits(0, { rates: RATES });
  let now = 0;
  // 3,000 neighbours that send a little every five seconds.
  for (let round = 0; round < 4; round++) {
    for (let slot = 0; slot < 3_000; slot++) {
      now += 5_000 / 3_000;
      assert.ok(limits.take(slot, TrafficKind.Control, 10, now));
    }
  }
  assert.ok(limits.size <= 1_024, `${limits.size} sets`);
  assert.equal(countTaken(limits, 1, TrafficKind.Data, 20, now), 10);
  // What is used up stays used up, whoever comes and goes meanwhile.
  for (let slot = 100; slot < 3_000; slot++) limits.take(slot, TrafficKind.Control, 10, now + 1);
  assert.equal(countTaken(limits, 1, TrafficKind.Data, 20, now + 1), 0);
});
