import assert from "node:assert/strict";
import { parseSubnetId } from "../../../src/base/mod.ts";
import {
  FailureCorrelator,
  type FailureVerdict,
  ObservedHorizon,
  PartitionDetector,
} from "../../../src/state/mod.ts";

const subnet = (text: string): number => parseSubnetId(text) ?? assert.fail();
const nodes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => BigInt(from + index));

function correlatorWith(subnets: readonly string[]): FailureCorrelator {
  const correlator = new FailureCorrelator();
  for (const [node, text] of subnets.entries()) correlator.setSubnet(BigInt(node), subnet(text));
  return correlator;
}

Deno.test("FailureCorrelator takes few failures one by one and many together", () => {
  const correlator = correlatorWith(new Array(10).fill("1"));
  assert.deepEqual(correlator.record([0n, 1n], 10, 0), { kind: "independent", failed: [0n, 1n] });
  assert.equal(correlator.recoveryBudget(0), Number.POSITIVE_INFINITY);
  const verdict = correlator.record([5n, 0n], 10, 2_000);
  assert.ok(verdict.kind === "mass" && verdict.share === 0.3);
  assert.deepEqual(verdict.failed, [0n, 1n, 5n]);
  assert.equal(correlator.recoveryBudget(2_000), 3);
  // Two seconds later there is no mass of them any more.
  assert.equal(correlator.recoveryBudget(4_001), Number.POSITIVE_INFINITY);
  assert.equal(correlator.record([7n], 10, 4_001).kind, "independent");
  assert.equal(correlator.record([7n], 0, 4_001).kind, "independent");
});

Deno.test("FailureCorrelator names the deepest subnet that has four fifths of the failures", () => {
  const cause = (subnets: readonly string[], failed: readonly bigint[]) => {
    const verdict = correlatorWith(subnets).record(failed, failed.length, 0);
    return verdict.kind === "mass" ? verdict.cause : undefined;
  };
  const near = [...new Array(5).fill("1.1"), ...new Array(5).fill("1.2")];
  assert.deepEqual(cause(near, nodes(0, 5)), { kind: "subnet", subnet: subnet("1.1"), share: 1 });
  assert.deepEqual(cause(near, nodes(0, 10)), { kind: "subnet", subnet: subnet("1"), share: 1 });
  const mostly = ["3.7", "3.7", "3.7", "3.7", "4"];
  assert.deepEqual(cause(mostly, nodes(0, 5)), {
    kind: "subnet",
    subnet: subnet("3.7"),
    share: 0.8,
  });
  assert.deepEqual(cause(["1", "2", "3", "4"], nodes(0, 4)), { kind: "broad_outage" });
  assert.deepEqual(cause([], nodes(0, 4)), { kind: "unknown" });
  assert.deepEqual(cause(["global", "global"], nodes(0, 2)), { kind: "unknown" });
});

Deno.test("FailureCorrelator forgets nodes that left, and all of it when told to", () => {
  const correlator = correlatorWith(["1", "1"]);
  correlator.record([0n, 1n], 2, 0);
  correlator.forget(0n);
  const verdict = correlator.record([], 2, 1);
  assert.deepEqual(verdict.kind === "mass" && verdict.failed, [1n]);
  correlator.clear();
  assert.ok(!correlator.isMassFailure(1));
});

const horizon = new ObservedHorizon();

function massOf(failed: readonly bigint[], text = "2"): FailureVerdict {
  const cause = { kind: "subnet", subnet: subnet(text), share: 1 } as const;
  return { kind: "mass", failed, share: 0.5, cause };
}

Deno.test("PartitionDetector takes up nothing but the failure of a subnet", () => {
  const detector = new PartitionDetector();
  const broad = { kind: "mass", failed: [1n], share: 1, cause: { kind: "broad_outage" } } as const;
  assert.equal(detector.detect(broad, [], horizon, 0), undefined);
  assert.equal(detector.detect({ kind: "independent", failed: [1n] }, [], horizon, 0), undefined);
  const seen = new ObservedHorizon();
  seen.observe(1n, 5n);
  const id = detector.detect(massOf([1n, 2n]), [4n, 5n], seen, 7);
  seen.observe(1n, 6n);
  assert.ok(id !== undefined);
  const partition = detector.get(id);
  assert.deepEqual([partition?.phase, partition?.ourSide, partition?.otherSide], [
    "suspected",
    [4n, 5n],
    [1n, 2n],
  ]);
  assert.equal(partition?.horizonAtSplit.get(1n), 5n);
  assert.equal(partition?.detectedAtMs, 7);
});

Deno.test("PartitionDetector goes from suspicion to healing when half of the others are back", () => {
  const detector = new PartitionDetector();
  const id = detector.detect(massOf([1n, 2n, 3n, 4n]), [5n], horizon, 0) ?? assert.fail();
  assert.ok(detector.confirm(id) && !detector.confirm(id) && !detector.confirm(99));
  assert.equal(detector.get(id)?.phase, "confirmed");
  assert.deepEqual(detector.nodeBack(5n), []);
  assert.deepEqual(detector.nodeBack(1n), []);
  assert.deepEqual(detector.nodeBack(1n), []);
  assert.equal(detector.get(id)?.phase, "healing");
  assert.deepEqual(detector.takeHealed(), []);
  assert.deepEqual(detector.nodeBack(2n), [id]);
  const [healed] = detector.takeHealed();
  assert.deepEqual([healed?.phase, healed?.back], ["healed", [1n, 2n]]);
  assert.equal(detector.size, 0);
});

Deno.test("PartitionDetector adds to a partition what fails in the same subnet", () => {
  const detector = new PartitionDetector();
  const id = detector.detect(massOf([1n, 2n, 3n]), [], horizon, 0);
  detector.nodeBack(1n);
  assert.equal(detector.detect(massOf([1n, 4n]), [], horizon, 1), id);
  const [partition] = detector.list();
  assert.deepEqual([partition?.otherSide, partition?.back], [[1n, 2n, 3n, 4n], []]);
  assert.notEqual(detector.detect(massOf([9n], "3"), [], horizon, 1), id);
  for (let next = 10; next < 80; next++) {
    detector.detect(massOf([BigInt(next)], String(next)), [], horizon, 1);
  }
  assert.deepEqual([detector.size, detector.refused], [16, 56]);
});

Deno.test("FailureCorrelator names the subnet with the lower id when two are as deep and as hit", () => {
  const correlator = new FailureCorrelator({ subnetShare: 0.5 });
  for (const [node, text] of ["5", "4", "5", "4"].entries()) {
    correlator.setSubnet(BigInt(node), subnet(text));
  }
  const verdict = correlator.record(nodes(0, 4), 4, 0);
  assert.deepEqual(verdict.kind === "mass" && verdict.cause, {
    kind: "subnet",
    subnet: subnet("4"),
    share: 0.5,
  });
});

Deno.test("PartitionDetector takes what fails behind a healed partition for a new one", () => {
  const detector = new PartitionDetector();
  const first = detector.detect(massOf([1n]), [], horizon, 0);
  assert.deepEqual(detector.nodeBack(1n), [first]);
  const second = detector.detect(massOf([1n]), [], horizon, 1);
  assert.notEqual(second, first);
  assert.deepEqual(detector.takeHealed().map(({ id }) => id), [first]);
  assert.deepEqual(detector.list().map(({ phase }) => phase), ["suspected"]);
});
