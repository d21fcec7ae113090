import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CapabilityBuilder,
  createCapabilitySet,
  decodeHardwareView,
  decodeModels,
  decodeTools,
  GPU_VENDORS,
  type GpuView,
  type HardwareView,
  type LimitsView,
  MODALITIES,
  type ModelView,
  parseGpuVendor,
  readHardwareView,
  readLimitsView,
  readModels,
  readSoftwareView,
  readTools,
  type ToolView,
} from "../../../../src/core/capability/mod.ts";

const count = fc.oneof(fc.nat(5), fc.maxSafeNat());
const text = fc.string({ unit: "binary", maxLength: 6 });
const item = text.filter((value) => value !== "" && !value.includes(","));
const name = text.filter((value) => !/[=:.]|^$/.test(value));
const versions = fc.array(fc.tuple(name, item), { maxLength: 4 });

const gpu: fc.Arbitrary<GpuView> = fc.record({
  vendor: fc.constantFrom(...GPU_VENDORS),
  model: text,
  vramGb: count,
  computeUnits: count,
  tensorCores: count,
  fp16TflopsX10: count,
}, { noNullPrototype: true });
const hardware: fc.Arbitrary<HardwareView> = fc.record({
  cpuCores: count,
  cpuThreads: count,
  memoryGb: count,
  storageGb: count,
  networkGbps: count,
  gpu: fc.option(gpu, { nil: undefined }),
}, { noNullPrototype: true });
const limits: fc.Arbitrary<LimitsView> = fc.record({
  maxConcurrentRequests: count,
  maxTokensPerRequest: count,
  rateLimitRpm: count,
  maxBatchSize: count,
  maxInputBytes: count,
  maxOutputBytes: count,
}, { noNullPrototype: true });
const models: fc.Arbitrary<ModelView[]> = fc.array(
  fc.record({
    modelId: item,
    family: text,
    parametersBX10: count,
    contextLength: count,
    quantization: text,
    modalities: fc.uniqueArray(fc.constantFrom(...MODALITIES)),
    tokensPerSec: count,
    loaded: fc.boolean(),
  }, { noNullPrototype: true }),
  { maxLength: 12 },
);
const optional = fc.option(text.filter((value) => value !== ""), { nil: undefined });
const tools: fc.Arbitrary<ToolView[]> = fc.uniqueArray(
  fc.record({
    toolId: item,
    name: text,
    version: item,
    requires: fc.array(item, { maxLength: 3 }),
    estimatedTimeMs: count,
    stateless: fc.boolean(),
    inputSchema: optional,
    outputSchema: optional,
    description: optional,
    streaming: fc.boolean(),
    tags: fc.array(item, { maxLength: 3 }),
    pricingTerms: optional,
  }, { noNullPrototype: true }),
  { maxLength: 12, selector: (tool) => tool.toolId },
);

Deno.test("views read what the setters of CapabilityBuilder write", () => {
  fc.assert(
    fc.property(hardware, limits, models, tools, (hw, limit, model, tool) => {
      const set = new CapabilityBuilder().setTools(tool).setModels(model).setLimits(limit)
        .setHardware(hw).build();
      assert.deepEqual(readHardwareView(set), hw);
      assert.deepEqual(readLimitsView(set), limit);
      assert.deepEqual(readModels(set), model);
      assert.deepEqual(readTools(set), tool);
    }),
  );
});

Deno.test("readSoftwareView() reads what setSoftware() writes", () => {
  fc.assert(
    fc.property(fc.tuple(text, text, text), versions, versions, versions, (texts, a, b, c) => {
      const [os, osVersion, cudaVersion] = texts;
      const software = { os, osVersion, cudaVersion, runtimes: a, frameworks: b, drivers: c };
      const view = readSoftwareView(new CapabilityBuilder().setSoftware(software).build());
      const { runtimes, frameworks, drivers } = view;
      assert.deepEqual([view.os, view.osVersion, view.cudaVersion], texts);
      assert.deepEqual(sorted(runtimes), sorted(new Map(a)));
      assert.deepEqual(sorted(frameworks), sorted(new Map(b)));
      assert.deepEqual(sorted(drivers), sorted(new Map(c)));
    }),
  );
});

function sorted(map: ReadonlyMap<string, string>): unknown {
  return [...map].sort(([left], [right]) => left < right ? -1 : 1);
}

Deno.test("views ignore what they cannot read", () => {
  const set = createCapabilitySet([
    "hardware.cpu_cores=many",
    "hardware.memory_gb",
    "hardware.storage_gb=-1",
    "hardware.network_gbps=１０",
    "hardware.gpu.vendor=Voodoo",
    "hardware.gpu.vram_gb=8.5",
    "hardware.limits.rate_limit_rpm= 5",
    "software.model.x.id=a",
    "software.model.4294967296.id=b",
    "software.model.0",
    "software.model.7.modalities=text,smell,,image",
    "software.tool.1.tool_id=t",
    "software.tool.1.estimated_time_ms=soon",
    "software.runtime.=1",
  ]);
  const { gpu, ...counts } = readHardwareView(set);
  assert.deepEqual(Object.values(counts), [0, 0, 0, 0, 0]);
  assert.equal(gpu?.vendor, "unknown");
  assert.equal(gpu?.vramGb, 0);
  assert.equal(readLimitsView(set).rateLimitRpm, 0);
  assert.deepEqual(readModels(set).map((model) => model.modalities), [["text", "image"]]);
  assert.deepEqual(readTools(set).map((tool) => [tool.toolId, tool.version, tool.stateless]), [
    ["t", "1.0.0", true],
  ]);
  assert.equal(readSoftwareView(set).runtimes.size, 0);
});

Deno.test("views read both separators, signs and leading zeros, and large numbers nearly", () => {
  const set = createCapabilitySet([
    "hardware.cpu_cores:8",
    "hardware.memory_gb=+0064",
    "hardware.storage_gb=18446744073709551615",
    "hardware.gpu",
  ]);
  const view = readHardwareView(set);
  assert.deepEqual([view.cpuCores, view.memoryGb, view.storageGb], [8, 64, 2 ** 64]);
  assert.equal(view.gpu?.vendor, "unknown");
});

Deno.test("rows come back in the order of their index, whatever gaps it has", () => {
  const tags = [10, 9, 100, 2].map((index) => `software.model.${index}.id=m${index}`);
  assert.deepEqual(
    readModels(createCapabilitySet(tags)).map(({ modelId }) => modelId),
    ["m2", "m9", "m10", "m100"],
  );
});

Deno.test("views are read once per set", () => {
  const set = createCapabilitySet(["hardware.gpu", "software.tool.0.tool_id=a"]);
  for (const read of [readHardwareView, readLimitsView, readModels, readSoftwareView, readTools]) {
    assert.equal(read(set), read(set));
    assert.notEqual(read(set), read({ ...set }));
  }
  assert.deepEqual(decodeHardwareView(set), readHardwareView(set));
  assert.deepEqual(decodeModels(set), readModels(set));
  assert.deepEqual(decodeTools(set), readTools(set));
});

Deno.test("views of hostile tags are bounded by the set", () => {
  const part = fc.constantFrom(
    "hardware.",
    "software.",
    "model.",
    "tool.",
    "0.",
    "99999999999.",
    "gpu.",
    "id",
    "tool_id",
    "=",
    ":",
    ",",
    "text",
    "\0",
  );
  const tag = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(fc.property(fc.array(tag), (tags) => {
    const set = createCapabilitySet(tags);
    readHardwareView(set);
    readLimitsView(set);
    assert.ok(readModels(set).length <= set.tags.length);
    assert.ok(readTools(set).length <= set.tags.length);
    assert.ok(readSoftwareView(set).runtimes.size <= set.tags.length);
  }));
});

Deno.test("parseGpuVendor() ignores case only", () => {
  assert.equal(parseGpuVendor("NVIDIA"), "nvidia");
  assert.equal(parseGpuVendor("Qualcomm"), "qualcomm");
  for (const other of ["", " amd", "ati", "voodoo"]) assert.equal(parseGpuVendor(other), "unknown");
});
