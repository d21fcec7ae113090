import assert from "node:assert/strict";
import { localAnnouncement, signAnnouncement } from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import {
  type BaselineChange,
  changeBaseline,
  EMPTY_BASELINE,
  policyBaseline,
  readBaselineChange,
  requireOperatorTag,
  reviewBaseline,
} from "../../../src/services/mod.ts";

const [node, other] = [1, 2].map((fill) => createIdentity(new Uint8Array(32).fill(fill)));
assert.ok(node !== undefined && other !== undefined);

const NOTHING: BaselineChange = {
  mode: "replace",
  tags: [],
  metadata: [],
  allowedNodes: [],
  allowedSubnets: [],
  allowedGroups: [],
};
const group = (fill: number) => new Uint8Array(32).fill(fill);

Deno.test("changeBaseline() replaces, adds and takes away", () => {
  const first = changeBaseline(EMPTY_BASELINE, {
    ...NOTHING,
    tags: ["a", "b", "a"],
    metadata: [["k", "1"], ["__proto__", "x"]],
    allowedGroups: [group(1), group(1)],
  });
  assert.deepEqual(first.tags, ["a", "b"]);
  assert.deepEqual(first.allowedGroups, [group(1)]);
  const added = changeBaseline(first, {
    ...NOTHING,
    mode: "add",
    tags: ["c"],
    metadata: [["k", "2"]],
    allowedNodes: [7n],
  });
  assert.deepEqual(added.tags, ["a", "b", "c"]);
  assert.deepEqual(added.metadata, [["k", "2"], ["__proto__", "x"]]);
  const removed = changeBaseline(added, {
    ...NOTHING,
    mode: "remove",
    tags: ["a", "never there"],
    metadata: [["k", ""]],
    allowedNodes: [7n],
    allowedGroups: [group(1)],
  });
  assert.deepEqual(removed, {
    ...EMPTY_BASELINE,
    tags: ["b", "c"],
    metadata: [["__proto__", "x"]],
  });
  assert.deepEqual(changeBaseline(removed, NOTHING), EMPTY_BASELINE);
});

Deno.test("changeBaseline() bounds what is allowed", () => {
  const allowedNodes = Array.from({ length: 65 }, (_, i) => BigInt(i));
  assert.throws(() => changeBaseline(EMPTY_BASELINE, { ...NOTHING, allowedNodes }), {
    code: "limit",
  });
});

Deno.test("requireOperatorTag() leaves what services say to services", () => {
  for (const tag of ["gpu", "hardware.gpu", "scope:tenant:acme", "scope:subnet-local"]) {
    assert.equal(requireOperatorTag(tag), tag);
  }
  const refused = [
    "",
    "nrpc:x",
    "ai-tool:x",
    "net.sealed@1",
    "causal:aa",
    "heat:aa=0.1",
    "scope:x",
  ];
  for (const tag of refused) assert.throws(() => requireOperatorTag(tag), { code: "usage" });
});

Deno.test("readBaselineChange() never shows a secret id that it cannot read", () => {
  const secret = "5ec2e7".repeat(10);
  const change = { ...NOTHING, allow_nodes: [], allow_subnets: [], allow_groups: [secret] };
  assert.throws(
    () => readBaselineChange(change),
    (error) => error instanceof Error && !error.message.includes("5ec2e7"),
  );
});

Deno.test("policyBaseline() takes a newer file of the node itself, and nothing else", () => {
  const policy = localAnnouncement({
    identity: node,
    tags: ["gpu", "scope:region:eu"],
    metadata: [["rack", "7"]],
    version: 3n,
    wallMs: 1_000,
    allowedNodes: [7n],
  });
  const { entityId } = node;
  const taken = policyBaseline(EMPTY_BASELINE, policy, entityId);
  assert.deepEqual(taken, {
    ...EMPTY_BASELINE,
    tags: ["gpu", "scope:region:eu"],
    metadata: [["rack", "7"]],
    allowedNodes: [7n],
    policyVersion: 3n,
  });
  const refusals = [
    [policy, taken, entityId, "conflict"],
    [policy, EMPTY_BASELINE, other.entityId, "not_allowed"],
    [{ ...policy, ttlSeconds: 1 }, EMPTY_BASELINE, entityId, "integrity"],
    [{ ...policy, signature: undefined }, EMPTY_BASELINE, entityId, "integrity"],
    [signAnnouncement(policy, other), EMPTY_BASELINE, entityId, "integrity"],
    [{ ...policy, nodeId: other.nodeId }, EMPTY_BASELINE, entityId, "integrity"],
  ] as const;
  for (const [file, before, id, code] of refusals) {
    assert.throws(() => policyBaseline(before, file, id), { code });
  }
});

Deno.test("policyBaseline() takes no words by hand that are a service's", () => {
  for (const tag of ["ai-tool:phantom", "nrpc:phantom", "net.sealed@1"]) {
    const policy = localAnnouncement({ identity: node, tags: [tag], version: 1n, wallMs: 0 });
    assert.throws(() => policyBaseline(EMPTY_BASELINE, policy, node.entityId), { code: "usage" });
  }
});

Deno.test("reviewBaseline() refuses mistakes and tells of what may be one", () => {
  const review = (...tags: string[]) => reviewBaseline({ ...EMPTY_BASELINE, tags });
  assert.deepEqual(review("gpu", "hardware.memory_gb=64"), []);
  assert.match(review("hardware.memory=64")[0] ?? "", /hardware\.memory/);
  assert.throws(() => review("hardware.memory_gb=lots"), { code: "usage" });
  assert.throws(() => review("software.model.0.modalities=smell"), { code: "usage" });
});
