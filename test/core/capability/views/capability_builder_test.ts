import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  CapabilityBuilder,
  createCapabilitySet,
  formatCapabilitySet,
  type GpuVendor,
  type Modality,
  parseModality,
} from "../../../../src/core/capability/mod.ts";

const isUsage = (error: unknown) =>
  error instanceof NetError && error.code === "usage" && error.next !== undefined;

Deno.test("CapabilityBuilder setters take away every tag they own and no other", () => {
  const kept = [
    "hardware.future=1",
    "hardware.limits.future",
    "software.model.future",
    "software.model.0.future=1",
    "software.tool.0.future=1",
    "software.future",
    "devices.x",
    "scoped",
    "hardware",
  ];
  const base = createCapabilitySet(
    [
      ...kept,
      "hardware.cpu_cores:9",
      "hardware.cpu_threads",
      "hardware.gpu=yes",
      "hardware.gpu.vendor=amd",
      "hardware.limits.rate_limit_rpm=x",
      "software.os:linux",
      "software.runtime.a.b=1",
      "software.model.7.id=m",
      "software.model.x.loaded",
      "software.tool.3.stateless=maybe",
      "scope:tenant:a",
      "scope:other",
    ],
    [["tool::old::description", "x"], ["tool::", "y"], ["intent", "x"], ["rack", "7"]],
  );
  const set = new CapabilityBuilder(base).setHardware({}).setLimits({}).setSoftware({}).setModels(
    [],
  )
    .setTools([]).setScope({}).setSteering({}).build();
  assert.deepEqual(set, createCapabilitySet(kept, [["rack", "7"]]));
});

Deno.test("CapabilityBuilder keeps the reserved tags of its base", () => {
  const base = createCapabilitySet(["causal:0000000000000001", "ai-tool:x", "nrpc:x"], [[
    "a",
    "b",
  ]]);
  assert.deepEqual(new CapabilityBuilder(base).build(), base);
});

Deno.test("CapabilityBuilder.addTag() replaces what means the same and refuses what is reserved", () => {
  const builder = new CapabilityBuilder().addTags(["software.os:linux", "software.os=linux", "a"]);
  assert.deepEqual(builder.build().tags, ["a", "software.os=linux"]);
  for (const tag of ["scope:global", "ai-tool:x", "causal:1", ""]) {
    assert.throws(() => builder.addTag(tag), isUsage);
  }
  assert.deepEqual(builder.removeTag("software.os:linux").build().tags, ["a"]);
});

Deno.test("CapabilityBuilder.setMetadata() refuses what is not the user's to choose", () => {
  const builder = new CapabilityBuilder().setMetadata("rack", "7").setMetadata("tool:", "ok");
  const reserved = ["intent", "owner", "priority", "colocate-with", "tool::a::tags", "scope:x", ""];
  for (const key of [...reserved, "heat:", "\ud834"]) {
    assert.throws(() => builder.setMetadata(key, "x"), isUsage, key);
    assert.throws(() => builder.removeMetadata(key), isUsage, key);
  }
  assert.deepEqual([...builder.removeMetadata("rack").build().metadata], [["tool:", "ok"]]);
});

Deno.test("CapabilityBuilder.setSteering() and setScope() write what users may not write by hand", () => {
  const set = new CapabilityBuilder()
    .setSteering({ intent: "inference", priority: "", colocateWithStrict: "ab" })
    .setScope({ tenants: ["t"], regions: ["r"], isSubnetLocal: true, isGlobal: true })
    .build();
  assert.equal(
    formatCapabilitySet(set),
    '{"tags":["scope:global","scope:region:r","scope:subnet-local","scope:tenant:t"],' +
      '"metadata":{"colocate-with-strict":"ab","intent":"inference"}}',
  );
});

Deno.test("CapabilityBuilder refuses values that would not read back", () => {
  const builder = new CapabilityBuilder();
  for (const value of [-1, 0.5, NaN, 2 ** 53]) {
    assert.throws(() => builder.setHardware({ memoryGb: value }), RangeError);
    assert.throws(() => builder.setHardware({ gpu: { vramGb: value } }), RangeError);
    assert.throws(() => builder.setLimits({ maxBatchSize: value }), RangeError);
  }
  const vendor = "voodoo" as GpuVendor;
  assert.throws(() => builder.setHardware({ gpu: { vendor } }), RangeError);
  assert.throws(() => builder.setModels([{ modelId: "" }]), RangeError);
  assert.throws(() => builder.setTools([{ toolId: "" }]), RangeError);
  assert.throws(() => builder.setTools([{ toolId: "a", requires: ["a,b"] }]), RangeError);
  assert.throws(() => builder.setTools([{ toolId: "a", tags: [""] }]), RangeError);
  const modalities = ["smell" as Modality];
  assert.throws(() => builder.setModels([{ modelId: "a", modalities }]), isUsage);
  assert.throws(() => parseModality("tool-use"), isUsage);
  assert.deepEqual(builder.build().tags, [], "nothing of it was written");
  assert.throws(() => builder.setHardware({ gpu: { model: "\ud834" } }).build(), isUsage);
});

Deno.test("CapabilityBuilder gives the same set in whatever order setters are called", () => {
  const steps: readonly ((builder: CapabilityBuilder) => void)[] = [
    (builder) => builder.addTag("a"),
    (builder) => builder.setHardware({ cpuCores: 4, gpu: {} }),
    (builder) => builder.setLimits({ rateLimitRpm: 1 }),
    (builder) => builder.setModels([{ modelId: "m" }, { modelId: "n", loaded: true }]),
    (builder) => builder.setTools([{ toolId: "t", streaming: true }]),
    (builder) => builder.setSoftware({ os: "linux", runtimes: [["deno", "2"], ["a.b", "1"]] }),
  ];
  const inOrder = new CapabilityBuilder();
  for (const step of steps) step(inOrder);
  fc.assert(
    fc.property(fc.shuffledSubarray([...steps], { minLength: steps.length }), (shuffled) => {
      const builder = new CapabilityBuilder();
      for (const step of [...shuffled, ...shuffled]) step(builder);
      assert.deepEqual(builder.build(), inOrder.build());
    }),
  );
});
