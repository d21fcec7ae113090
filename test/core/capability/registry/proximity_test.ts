import assert from "node:assert/strict";
import { Proximity } from "../../../../src/core/capability/mod.ts";

const proximity = new Proximity({
  peers: () => [
    { nodeId: 1n, rttMs: 20, state: "connected" },
    { nodeId: 2n, rttMs: 5, state: "suspected" },
    { nodeId: 3n, rttMs: undefined, state: "connected" },
    { nodeId: 4n, rttMs: undefined, state: "connecting" },
  ],
  discoveredNodes: () => [
    // A neighbour's own pingwaves, too.
    { nodeId: 1n, via: 1n, hops: 0 },
    { nodeId: 10n, via: 1n, hops: 1 },
    { nodeId: 11n, via: 2n, hops: 1 },
    { nodeId: 12n, via: 2n, hops: 3 },
  ],
});

const ids = (options: Parameters<Proximity["nearest"]>[0]) =>
  proximity.nearest(options).map(({ nodeId }) => nodeId);

Deno.test("nearest() goes by measured time, then by hops and the neighbour's time", () => {
  assert.deepEqual(ids({ count: 9 }), [2n, 1n, 3n, 11n, 10n, 12n]);
  assert.deepEqual(ids({ count: 2 }), [2n, 1n]);
  assert.deepEqual(ids({ count: 9, accepts: (id) => id >= 10n }), [11n, 10n, 12n]);
  assert.deepEqual(ids({ count: 0 }), []);
  assert.throws(() => ids({ count: -1 }), RangeError);
});

Deno.test("nearest() by hops puts neighbours first", () => {
  assert.deepEqual(ids({ count: 9, by: "hops" }), [2n, 1n, 3n, 11n, 10n, 12n]);
});

Deno.test("distance() tells what is known and what is not", () => {
  assert.equal(proximity.size, 6);
  assert.deepEqual(proximity.distance(12n), {
    nodeId: 12n,
    hops: 4,
    rttMs: undefined,
    rttAtLeastMs: 5,
  });
  assert.equal(proximity.distance(4n), undefined);
  assert.equal(proximity.rttMs(1n), 20);
});
