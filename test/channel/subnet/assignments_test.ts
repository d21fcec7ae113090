import assert from "node:assert/strict";
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import { SubnetAssignments } from "../../../src/channel/subnet/mod.ts";

const POLICY = [{ tagPrefix: "s:", level: 0, values: new Map([["a", 1], ["b", 2]]) }];
const NODE = 0x1234_5678_9abc_def0n;

function locate(assignments: SubnetAssignments, node: bigint) {
  return assignments.locate(lowHalf(node), highHalf(node));
}

Deno.test("SubnetAssignments knows a peer by its own word only", () => {
  const assignments = new SubnetAssignments(POLICY);
  assert.equal(assignments.subnetOf(NODE), undefined);
  assignments.onForwardedAnnouncement(NODE, ["s:a"]);
  assert.equal(assignments.subnetOf(NODE), undefined);
  assert.equal(locate(assignments, NODE), 0x01000000);
  assignments.onDirectAnnouncement(NODE, ["s:b"]);
  assert.equal(assignments.subnetOf(NODE), 0x02000000);
  assert.equal(locate(assignments, NODE), 0x02000000);
});

Deno.test("SubnetAssignments tells no tags from never announced", () => {
  const assignments = new SubnetAssignments(POLICY);
  assignments.onDirectAnnouncement(NODE, []);
  assert.equal(assignments.subnetOf(NODE), 0);
  assert.equal(locate(assignments, NODE), 0);
  assert.equal(locate(assignments, NODE + 1n), undefined);
});

Deno.test("SubnetAssignments keeps a peer where it said it is until it says otherwise", () => {
  const assignments = new SubnetAssignments(POLICY);
  assignments.onDirectAnnouncement(NODE, ["s:a"]);
  assignments.onForwardedAnnouncement(NODE, ["s:b"]);
  assert.equal(assignments.subnetOf(NODE), 0x01000000);
  assignments.onDirectAnnouncement(NODE, ["s:b"]);
  assert.equal(assignments.subnetOf(NODE), 0x02000000);
  assignments.forget(NODE);
  assert.equal(assignments.subnetOf(NODE), undefined);
  assert.equal(locate(assignments, NODE), undefined);
});

Deno.test("SubnetAssignments drops and counts nodes beyond its bound", () => {
  const assignments = new SubnetAssignments(POLICY, 2);
  for (const node of [1n, 2n, 3n]) assignments.onDirectAnnouncement(node, ["s:a"]);
  assignments.onDirectAnnouncement(2n, ["s:b"]);
  assert.equal(assignments.size, 2);
  assert.equal(assignments.droppedTotal, 1);
  assert.equal(assignments.subnetOf(3n), undefined);
  assert.deepEqual([...assignments.entries()].sort((a, b) => Number(a.node - b.node)), [
    { node: 1n, subnet: 0x01000000, isDirect: true },
    { node: 2n, subnet: 0x02000000, isDirect: true },
  ]);
});
