import assert from "node:assert/strict";
import fc from "fast-check";
import {
  applyOps,
  CapabilityBuilder,
  type CapabilitySet,
  createCapabilitySet,
  createDiffOps,
  diffCapabilities,
  type DiffOp,
  isUnchanged,
} from "../../../../src/core/capability/mod.ts";
import { anySet, writtenSet } from "./samples.ts";

function kinds(previous: CapabilitySet, current: CapabilitySet): readonly DiffOp["kind"][] {
  return createDiffOps(previous, current).map(({ kind }) => kind);
}

Deno.test("createDiffOps() leads from any set to any other, every step on its target", () => {
  fc.assert(
    fc.property(anySet, anySet, (previous, current) => {
      const applied = applyOps(previous, createDiffOps(previous, current), true);
      assert.ok(applied.ok, JSON.stringify(applied));
      assert.ok(isUnchanged(diffCapabilities(applied.set, current)));
    }),
    { numRuns: 400 },
  );
});

Deno.test("createDiffOps() puts steps about properties before those about tags and metadata", () => {
  const rank = ({ kind }: DiffOp) =>
    ["remove_tag", "add_tag", "set_field", "unset_field"].indexOf(kind);
  fc.assert(fc.property(anySet, anySet, (previous, current) => {
    const ops = createDiffOps(previous, current);
    const ranks = ops.map((op) => Math.min(rank(op), 2));
    assert.deepEqual(ranks, ranks.toSorted((left, right) => left - right));
    const tags = ops.flatMap((op) => op.kind === "add_tag" ? [op.tag] : []);
    assert.deepEqual(tags, [...createCapabilitySet(tags).tags]);
  }));
});

Deno.test("createDiffOps() is empty for the same set", () => {
  fc.assert(fc.property(anySet, (set) => assert.deepEqual(createDiffOps(set, set), [])));
});

Deno.test("createDiffOps() takes the smallest step that says it", () => {
  const base = new CapabilityBuilder()
    .setHardware({ cpuCores: 4, memoryGb: 16, networkGbps: 1 })
    .setSoftware({ os: "linux", runtimes: [["deno", "2"]], frameworks: [["torch", "2"]] })
    .setLimits({ maxConcurrentRequests: 1, rateLimitRpm: 5 })
    .setModels([{ modelId: "a" }, { modelId: "b", family: "f" }])
    .setTools([{ toolId: "t" }, { toolId: "u", description: "d" }])
    .build();
  const after = (change: (builder: CapabilityBuilder) => CapabilityBuilder) =>
    kinds(base, change(new CapabilityBuilder(base)).build());
  const hardware = { cpuCores: 4, memoryGb: 16, networkGbps: 1 };
  assert.deepEqual(after((b) => b.setHardware({ ...hardware, memoryGb: 32 })), ["update_memory"]);
  assert.deepEqual(after((b) => b.setHardware({ ...hardware, networkGbps: 9 })), [
    "update_network",
  ]);
  assert.deepEqual(after((b) => b.setHardware({ ...hardware, gpu: {} })), ["update_hardware"]);
  assert.deepEqual(after((b) => b.setLimits({ maxConcurrentRequests: 2, rateLimitRpm: 5 })), [
    "update_max_concurrent",
  ]);
  assert.deepEqual(after((b) => b.setLimits({ maxConcurrentRequests: 1 })), ["update_rate_limit"]);
  assert.deepEqual(after((b) => b.setLimits({})), ["update_limits"]);
  assert.deepEqual(after((b) => b.setModels([{ modelId: "b", family: "f", loaded: true }])), [
    "remove_model",
    "update_model",
  ]);
  assert.deepEqual(
    after((b) => b.setModels([{ modelId: "a" }, { modelId: "b", family: "f" }, { modelId: "c" }])),
    ["add_model"],
  );
  assert.deepEqual(after((b) => b.setTools([{ toolId: "u", description: "d" }])), ["remove_tool"]);
  assert.deepEqual(after((b) => b.setTools([{ toolId: "t" }, { toolId: "u", description: "e" }])), [
    "add_tool",
  ]);
  const software = { os: "linux", runtimes: [["deno", "2"]], frameworks: [] } as const;
  assert.deepEqual(after((b) => b.setSoftware(software)), ["remove_framework"]);
  assert.deepEqual(after((b) => b.setSoftware({ ...software, os: "bsd" })), ["update_software"]);
  assert.deepEqual(after((b) => b.addTag("x").setScope({ isGlobal: true })), [
    "add_tag",
    "add_tag",
  ]);
  assert.deepEqual(after((b) => b.setMetadata("k", "v").setSteering({ owner: "me" })), [
    "set_field",
    "set_field",
  ]);
});

Deno.test("createDiffOps() of written sets needs tags only where the order of rows changed", () => {
  fc.assert(fc.property(writtenSet, (set) => {
    const ops = createDiffOps(createCapabilitySet([]), set);
    const tags = ops.filter(({ kind }) => kind === "add_tag");
    assert.ok(tags.length <= 3, JSON.stringify(tags));
  }));
});
