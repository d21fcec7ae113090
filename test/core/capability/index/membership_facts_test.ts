import assert from "node:assert/strict";
import type { CapabilityMembership } from "../../../../src/core/capability/mod.ts";
import {
  CapabilityIndex,
  factsOfMembership,
  findNodes,
} from "../../../../src/core/capability/index/mod.ts";

const MEMBERSHIP: CapabilityMembership = {
  classHash: 7n,
  tags: ["b", "a", "b"],
  hardware: { gpuVendor: undefined, gpuCount: 2, memoryGb: 64, vramGb: undefined },
  state: "busy",
  region: "eu",
  priceQuote: undefined,
  reflexAddress: undefined,
  allowedNodes: [],
  allowedSubnets: [],
  allowedGroups: [],
  metadata: new Map([["owner", "x"], ["tier", "gold"]]),
};

Deno.test("factsOfMembership() takes class, state, region and hardware as they are stated", () => {
  const facts = factsOfMembership(MEMBERSHIP);
  assert.deepEqual(facts.capabilities.tags, ["a", "b"]);
  assert.deepEqual([...facts.capabilities.metadata], [["tier", "gold"]], "nothing that steers");
  const index = new CapabilityIndex();
  index.set(1n, facts);
  assert.deepEqual(index.get(1n), [{
    nodeId: 1n,
    classHash: 7n,
    capabilities: facts.capabilities,
    state: "busy",
    region: "eu",
    hardware: { memoryGb: 64, vramGb: 0, gpuVendor: "unknown" },
    isStale: false,
  }]);
});

Deno.test("factsOfMembership() lets the tags tell of hardware that is not stated", () => {
  const index = new CapabilityIndex();
  const tags = ["hardware.memory_gb=32"];
  index.set(1n, factsOfMembership({ ...MEMBERSHIP, tags, hardware: undefined }));
  assert.equal(findNodes(index, { minMemoryGb: 32 }).size, 1);
  assert.equal(findNodes(index, { requireGpu: true }).size, 0);
});
