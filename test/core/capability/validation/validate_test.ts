import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CapabilityBuilder,
  createCapabilitySet,
  isClean,
  isValid,
  METADATA_SOFT_CAP_BYTES,
  validateCapabilities,
} from "../../../../src/core/capability/mod.ts";

Deno.test("validateCapabilities() finds nothing in what the typed setters write", () => {
  const set = new CapabilityBuilder()
    .setHardware({ cpuCores: 4, storageGb: 2, networkGbps: 1, gpu: { vendor: "amd", model: "x" } })
    .setLimits({ maxInputBytes: 9, maxOutputBytes: 9, rateLimitRpm: 1, maxBatchSize: 2 })
    .setSoftware({ os: "linux", osVersion: "6", cudaVersion: "12", drivers: [["a", "1"]] })
    .setModels([{ modelId: "m", modalities: ["text", "tool_use"], loaded: true, family: "f" }])
    .setTools([{ toolId: "t", requires: ["a"], estimatedTimeMs: 5, description: "d" }])
    .setScope({ isGlobal: true })
    .build();
  assert.deepEqual(validateCapabilities(set), { errors: [], warnings: [] });
  assert.ok(isClean(validateCapabilities(set)));
});

Deno.test("validateCapabilities() reports a mismatch of a field or of an entry by name with its own key", () => {
  const { errors } = validateCapabilities(createCapabilitySet([
    "software.model.0.loaded=yes",
    "software.runtime.node",
    "software.tool.1.requires=",
    "hardware.gpu.vram_gb=２４",
  ]));
  const mismatch = (axis: string, key: string, expected: string, actual: string) => (
    { kind: "type_mismatch", axis, key, expected, actual }
  );
  assert.deepEqual(errors, [
    mismatch("hardware", "gpu.vram_gb", "number", "２４"),
    mismatch("software", "loaded", "bool", "yes"),
    mismatch("software", "requires", "csv", ""),
    mismatch("software", "runtime.", "string", "<no value>"),
  ]);
});

Deno.test("validateCapabilities() reports a modality that nobody knows", () => {
  const tag = "software.model.0.modalities=text,smell";
  const report = validateCapabilities(createCapabilitySet([tag]));
  assert.deepEqual(report.errors, [{
    kind: "unknown_modality",
    axis: "software",
    key: "modalities",
    modality: "smell",
    tag,
  }]);
  assert.ok(!isValid(report));
});

Deno.test("validateCapabilities() warns of long metadata and of steering", () => {
  const half = METADATA_SOFT_CAP_BYTES / 2;
  const exact = createCapabilitySet([], [["é".repeat(half / 2), "x".repeat(half)]]);
  assert.ok(isClean(validateCapabilities(exact)));
  const over = createCapabilitySet([], [...exact.metadata, ["a", ""], ["intent", ""]]);
  const report = validateCapabilities(over);
  assert.deepEqual(report.warnings, [
    {
      kind: "metadata_oversize",
      soft_cap_bytes: METADATA_SOFT_CAP_BYTES,
      actual_bytes: METADATA_SOFT_CAP_BYTES + 7,
    },
    { kind: "metadata_reserved_key", key: "intent" },
  ]);
  assert.ok(isValid(report) && !isClean(report));
});

Deno.test("validateCapabilities() never checks reserved tags and takes any text", () => {
  assert.ok(isClean(validateCapabilities(createCapabilitySet(["scope:", "heat:x", "causal:?"]))));
  const text = fc.array(
    fc.constantFrom("hardware.", "software.", "model.", "tool.", "gpu", "1", ".", "=", "id", "\0"),
    { minLength: 1, maxLength: 6 },
  ).map((parts) => parts.join(""));
  fc.assert(fc.property(fc.array(text), (tags) => {
    const set = createCapabilitySet(tags);
    const { errors, warnings } = validateCapabilities(set);
    assert.ok(errors.length + warnings.length <= set.tags.length);
  }));
});
