import assert from "node:assert/strict";
import { type GatedEntry, mayAdmit, mayExecute } from "../../../src/core/capability/mod.ts";

const SUBNET = new Uint8Array(16).fill(1);
const GROUP = new Uint8Array(32).fill(2);
const open: GatedEntry = {
  tags: ["nrpc:a"],
  allowedNodes: [],
  allowedSubnets: [],
  allowedGroups: [],
};
const nobody = { nodeId: 9n, subnet: undefined, groups: [] };

Deno.test("mayExecute() needs an entry with the tag, and admits everybody without lists", () => {
  assert.ok(mayExecute([open], "nrpc:a", nobody));
  assert.ok(!mayExecute([open], "nrpc:b", nobody));
  assert.ok(!mayExecute([], "nrpc:a", nobody));
});

Deno.test("mayExecute() admits by node, by subnet, by group, over all entries", () => {
  const byNode = { ...open, allowedNodes: [5n] };
  const bySubnet = { ...open, allowedSubnets: [SUBNET] };
  const byGroup = { ...open, allowedGroups: [new Uint8Array(32), GROUP] };
  const entries = [byNode, bySubnet, byGroup];
  assert.ok(!mayExecute(entries, "nrpc:a", nobody));
  assert.ok(mayExecute(entries, "nrpc:a", { ...nobody, nodeId: 5n }));
  assert.ok(mayExecute(entries, "nrpc:a", { ...nobody, subnet: SUBNET }));
  assert.ok(
    mayExecute(entries, "nrpc:a", { ...nobody, groups: [new Uint8Array(32).fill(9), GROUP] }),
  );
  assert.ok(!mayExecute([byNode], "nrpc:a", { ...nobody, subnet: SUBNET, groups: [GROUP] }));
  // A grant in an entry about something else grants nothing here.
  const other = { ...byNode, tags: ["nrpc:b"] };
  assert.ok(!mayExecute([other], "nrpc:a", { ...nobody, nodeId: 5n }));
});

Deno.test("mayAdmit() believes node ids only", () => {
  assert.ok(mayAdmit([open], "nrpc:a", 9n));
  assert.ok(!mayAdmit([open], "nrpc:b", 9n));
  assert.ok(mayAdmit([{ ...open, allowedNodes: [9n] }], "nrpc:a", 9n));
  assert.ok(!mayAdmit([{ ...open, allowedNodes: [8n] }], "nrpc:a", 9n));
  // A subnet or group list closes the door and opens it to nobody.
  assert.ok(!mayAdmit([{ ...open, allowedGroups: [GROUP] }], "nrpc:a", 9n));
  assert.ok(!mayAdmit([{ ...open, allowedSubnets: [SUBNET] }], "nrpc:a", 9n));
});
