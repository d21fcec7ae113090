import assert from "node:assert/strict";
import { parseSubnetId } from "../../../src/base/mod.ts";
import { crossingDepth, ObservationWindow, PropagationModel } from "../../../src/state/mod.ts";

const subnet = (text: string): number => parseSubnetId(text) ?? assert.fail();

Deno.test("crossingDepth() counts levels from the one that differs to the deeper end", () => {
  const depths = [
    ["1.2.3", "1.2.3"],
    ["1.2", "1.3"],
    ["1.2", "2.3"],
    ["global", "1.2.3"],
    ["1", "1.2"],
    ["1.2.3.4", "2"],
  ].map(([left = "", right = ""]) => crossingDepth(subnet(left), subnet(right)));
  assert.deepEqual(depths, [0, 1, 2, 3, 1, 4]);
});

Deno.test("PropagationModel multiplies hops by the level that is crossed", () => {
  const model = new PropagationModel();
  const here = subnet("1.2");
  assert.equal(model.estimateNs(here, here, 1), 100_000);
  assert.equal(model.estimateNs(here, here, 0), 100_000);
  assert.equal(model.estimateNs(here, subnet("1.3"), 2), 1_000_000);
  assert.equal(model.estimateNs(here, subnet("2.3"), 5), 25_000_000);
  assert.equal(model.estimateNs(subnet("1.1.1.1"), subnet("2.1.1.1"), 1), 50_000_000);
  assert.deepEqual([50_000_000, 1_000_000, 99_999].map((ns) => model.depthWithin(ns, 1)), [
    3,
    1,
    undefined,
  ]);
});

Deno.test("PropagationModel learns quickly at first, then slowly", () => {
  const model = new PropagationModel();
  const here = subnet("1.2");
  model.calibrate(here, here, 2, 20_000);
  assert.equal(model.hopNs, 52_500);
  for (let sample = 1; sample < 10; sample++) model.calibrate(here, here, 2, 20_000);
  const before = model.hopNs;
  model.calibrate(here, here, 1, 2_000_000);
  assert.equal(model.hopNs, Math.trunc(before * 0.9 + 100_000));
  assert.equal(model.samples, 11);
});

Deno.test("PropagationModel is not led astray by one measurement", () => {
  const model = new PropagationModel();
  const here = subnet("1");
  for (const roundTrip of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
    model.calibrate(here, here, 1, roundTrip);
  }
  model.calibrate(here, here, 0, 1_000);
  assert.equal(model.samples, 0);
  model.calibrate(here, here, 1, 1e30);
  assert.equal(model.hopNs, 500_050_000);
  assert.throws(() => new PropagationModel(-1), RangeError);
});

Deno.test("ObservationWindow knows how old and how far an observation is", () => {
  const window = new ObservationWindow(subnet("1.2"));
  const model = new PropagationModel();
  window.observe(1n, 5n, 1_000);
  window.observe(2n, 7n, 1_000, { subnet: subnet("2.1"), hops: 10, model });
  assert.equal(window.stalenessMs(1n, 1_250), 250);
  assert.equal(window.stalenessMs(9n, 1_250), undefined);
  assert.deepEqual(window.reachable(200, 1_200), [1n, 2n]);
  // 10 hops * 100 us * 50 = 50 ms more for the other.
  assert.deepEqual(window.reachable(200, 1_250), [2n]);
  assert.ok(!window.isWithinCone(2n, 200, 1_251) && !window.isWithinCone(9n, 1e9, 0));
  window.observe(1n, 3n, 1_300);
  assert.equal(window.sequenceOf(1n), 5n);
  assert.equal(window.stalenessMs(1n, 1_300), 0);
});

Deno.test("ObservationWindow lets go of who was observed longest ago", () => {
  const window = new ObservationWindow(0, 2);
  window.observe(1n, 1n, 0);
  window.observe(2n, 1n, 1);
  window.observe(1n, 2n, 2);
  window.observe(3n, 1n, 3);
  assert.deepEqual([1n, 2n, 3n].map((origin) => window.sequenceOf(origin)), [2n, undefined, 1n]);
  assert.deepEqual([window.size, window.evicted], [2, 1]);
});

Deno.test("ObservationWindow.divergenceFrom() counts both ways", () => {
  const ours = new ObservationWindow(0);
  const theirs = new ObservationWindow(0);
  for (const [origin, sequence] of [[1n, 10n], [2n, 5n]] as const) {
    ours.observe(origin, sequence, 0);
  }
  for (const [origin, sequence] of [[1n, 15n], [3n, 20n]] as const) {
    theirs.observe(origin, sequence, 0);
  }
  const expected = { onlyOurs: 1, onlyTheirs: 1, common: 1, sequenceDifference: 5n };
  assert.deepEqual(ours.divergenceFrom(theirs), { ...expected, isConverged: false });
  assert.ok(ours.divergenceFrom(ours).isConverged);
  const last = 0xffff_ffff_ffff_ffffn;
  const [low, high] = [new ObservationWindow(0), new ObservationWindow(0)];
  for (const origin of [1n, 2n]) {
    low.observe(origin, 0n, 0);
    high.observe(origin, last, 0);
  }
  assert.equal(low.divergenceFrom(high).sequenceDifference, last);
});

Deno.test("ObservationWindow remembers how far an entity is when it is seen without saying so", () => {
  const window = new ObservationWindow(subnet("1.2"));
  const model = new PropagationModel();
  window.observe(2n, 7n, 0, { subnet: subnet("2.1"), hops: 10, model });
  window.observe(2n, 8n, 100);
  assert.ok(window.isWithinCone(2n, 0, 150) && !window.isWithinCone(2n, 0, 151));
});
