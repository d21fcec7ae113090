/** Shapes of the steps of a diff in JSON: one member that names the step, and what it carries. */
import * as v from "../../../schema/mod.ts";
import { GPU_VENDORS, type GpuView } from "../views/hardware_view.ts";
import { MODALITIES, type Modality } from "../views/modality.ts";
import type { DiffOp } from "./diff_ops.ts";

const COUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const OPTIONAL_TEXT = v.optional(v.nullable(v.string()));
const VERSIONS = v.array(v.strictTuple([v.string(), v.string()]));

/** Names of enumerated values as the reference derives them: `tool_use` is `ToolUse`. */
const VENDOR_NAMES = new Map(GPU_VENDORS.map((vendor) => [vendor, pascalCase(vendor)]));
const MODALITY_NAMES = new Map(MODALITIES.map((modality) => [modality, pascalCase(modality)]));

const MODALITY = v.pipe(
  v.picklist([...MODALITY_NAMES.values()]),
  v.transform((name): Modality => keyOf(MODALITY_NAMES, name) ?? "text"),
);

const GPU = v.pipe(
  v.object({
    vendor: v.picklist([...VENDOR_NAMES.values()]),
    model: v.string(),
    vram_gb: COUNT,
    compute_units: COUNT,
    tensor_cores: COUNT,
    fp16_tflops_x10: COUNT,
  }),
  v.transform((gpu): GpuView => ({
    vendor: keyOf(VENDOR_NAMES, gpu.vendor) ?? "unknown",
    model: gpu.model,
    vramGb: gpu.vram_gb,
    computeUnits: gpu.compute_units,
    tensorCores: gpu.tensor_cores,
    fp16TflopsX10: gpu.fp16_tflops_x10,
  })),
);

const MODEL = v.object({
  model_id: v.string(),
  family: v.string(),
  parameters_b_x10: COUNT,
  context_length: COUNT,
  quantization: OPTIONAL_TEXT,
  modalities: v.array(MODALITY),
  tokens_per_sec: COUNT,
  loaded: v.boolean(),
});

const TOOL = v.object({
  tool_id: v.string(),
  name: v.string(),
  version: v.string(),
  input_schema: OPTIONAL_TEXT,
  output_schema: OPTIONAL_TEXT,
  requires: v.array(v.string()),
  estimated_time_ms: COUNT,
  stateless: v.boolean(),
  description: OPTIONAL_TEXT,
  streaming: v.optional(v.boolean(), false),
  tags: v.optional(v.array(v.string()), []),
  pricing_terms: OPTIONAL_TEXT,
});

const HARDWARE = v.object({
  cpu_cores: COUNT,
  cpu_threads: COUNT,
  memory_gb: COUNT,
  gpu: v.optional(v.nullable(GPU)),
  storage_gb: COUNT,
  network_gbps: COUNT,
});

const SOFTWARE = v.object({
  os: v.string(),
  os_version: v.string(),
  runtimes: VERSIONS,
  frameworks: VERSIONS,
  cuda_version: OPTIONAL_TEXT,
  drivers: VERSIONS,
});

const LIMITS = v.object({
  max_concurrent_requests: COUNT,
  max_tokens_per_request: COUNT,
  rate_limit_rpm: COUNT,
  max_batch_size: COUNT,
  max_input_bytes: COUNT,
  max_output_bytes: COUNT,
});

const UPDATE_MODEL = v.object({
  model_id: v.string(),
  tokens_per_sec: v.optional(v.nullable(COUNT)),
  loaded: v.optional(v.nullable(v.boolean())),
});
const VERSION = v.object({ name: v.string(), version: v.string() });
const FIELD = v.object({ path: v.string(), value: v.string() });

/** Reads what a step carries, by the step's name. */
const READERS: ReadonlyMap<string, (value: unknown) => DiffOp | undefined> = new Map([
  reader("AddTag", v.string(), (tag) => ({ kind: "add_tag", tag })),
  reader("RemoveTag", v.string(), (tag) => ({ kind: "remove_tag", tag })),
  reader("AddModel", MODEL, (model) => ({
    kind: "add_model",
    model: {
      modelId: model.model_id,
      family: model.family,
      parametersBX10: model.parameters_b_x10,
      contextLength: model.context_length,
      quantization: model.quantization ?? "",
      modalities: model.modalities,
      tokensPerSec: model.tokens_per_sec,
      loaded: model.loaded,
    },
  })),
  reader("RemoveModel", v.string(), (modelId) => ({ kind: "remove_model", modelId })),
  reader("UpdateModel", UPDATE_MODEL, (update) => ({
    kind: "update_model",
    modelId: update.model_id,
    tokensPerSec: update.tokens_per_sec ?? undefined,
    loaded: update.loaded ?? undefined,
  })),
  reader("AddTool", TOOL, (tool) => ({
    kind: "add_tool",
    tool: {
      toolId: tool.tool_id,
      name: tool.name,
      version: tool.version,
      requires: tool.requires,
      estimatedTimeMs: tool.estimated_time_ms,
      stateless: tool.stateless,
      inputSchema: tool.input_schema ?? undefined,
      outputSchema: tool.output_schema ?? undefined,
      description: tool.description ?? undefined,
      streaming: tool.streaming,
      tags: tool.tags,
      pricingTerms: tool.pricing_terms ?? undefined,
    },
  })),
  reader("RemoveTool", v.string(), (toolId) => ({ kind: "remove_tool", toolId })),
  reader("UpdateHardware", HARDWARE, (hardware) => ({
    kind: "update_hardware",
    hardware: {
      cpuCores: hardware.cpu_cores,
      cpuThreads: hardware.cpu_threads,
      memoryGb: hardware.memory_gb,
      storageGb: hardware.storage_gb,
      networkGbps: hardware.network_gbps,
      gpu: hardware.gpu ?? undefined,
    },
  })),
  reader("UpdateMemory", COUNT, (memoryGb) => ({ kind: "update_memory", memoryGb })),
  reader("UpdateNetwork", COUNT, (networkGbps) => ({ kind: "update_network", networkGbps })),
  reader("UpdateSoftware", SOFTWARE, (software) => ({
    kind: "update_software",
    software: {
      os: software.os,
      osVersion: software.os_version,
      cudaVersion: software.cuda_version ?? "",
      runtimes: new Map(software.runtimes),
      frameworks: new Map(software.frameworks),
      drivers: new Map(software.drivers),
    },
  })),
  reader("AddRuntime", VERSION, (entry) => ({ kind: "add_runtime", ...entry })),
  reader("RemoveRuntime", v.string(), (name) => ({ kind: "remove_runtime", name })),
  reader("AddFramework", VERSION, (entry) => ({ kind: "add_framework", ...entry })),
  reader("RemoveFramework", v.string(), (name) => ({ kind: "remove_framework", name })),
  reader("UpdateLimits", LIMITS, (limits) => ({
    kind: "update_limits",
    limits: {
      maxConcurrentRequests: limits.max_concurrent_requests,
      maxTokensPerRequest: limits.max_tokens_per_request,
      rateLimitRpm: limits.rate_limit_rpm,
      maxBatchSize: limits.max_batch_size,
      maxInputBytes: limits.max_input_bytes,
      maxOutputBytes: limits.max_output_bytes,
    },
  })),
  reader("UpdateMaxConcurrent", COUNT, (maxConcurrentRequests) => (
    { kind: "update_max_concurrent", maxConcurrentRequests }
  )),
  reader("UpdateRateLimit", COUNT, (rateLimitRpm) => ({ kind: "update_rate_limit", rateLimitRpm })),
  reader("SetField", FIELD, (field) => ({ kind: "set_field", ...field })),
  reader(
    "UnsetField",
    v.object({ path: v.string() }),
    ({ path }) => ({ kind: "unset_field", path }),
  ),
]);

/**
 * Reads a step.
 *
 * @param text Valid JSON; texts in it are valid Unicode.
 */
export function parseDiffOp(text: string): DiffOp | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const [entry, ...others] = Object.entries(value);
  return entry === undefined || others.length > 0 ? undefined : READERS.get(entry[0])?.(entry[1]);
}

/** The JSON of a step. */
export function formatDiffOp(op: DiffOp): string {
  return JSON.stringify({ [pascalCase(op.kind)]: contentOf(op) });
}

function contentOf(op: DiffOp): unknown {
  switch (op.kind) {
    case "add_tag":
    case "remove_tag":
      return op.tag;
    case "add_model":
      return {
        model_id: op.model.modelId,
        family: op.model.family,
        parameters_b_x10: op.model.parametersBX10,
        context_length: op.model.contextLength,
        quantization: op.model.quantization === "" ? null : op.model.quantization,
        modalities: op.model.modalities.map((modality) => MODALITY_NAMES.get(modality)),
        tokens_per_sec: op.model.tokensPerSec,
        loaded: op.model.loaded,
      };
    case "remove_model":
      return op.modelId;
    case "update_model":
      return {
        model_id: op.modelId,
        tokens_per_sec: op.tokensPerSec ?? null,
        loaded: op.loaded ?? null,
      };
    case "add_tool":
      return {
        tool_id: op.tool.toolId,
        name: op.tool.name,
        version: op.tool.version,
        input_schema: op.tool.inputSchema ?? null,
        output_schema: op.tool.outputSchema ?? null,
        requires: op.tool.requires,
        estimated_time_ms: op.tool.estimatedTimeMs,
        stateless: op.tool.stateless,
        description: op.tool.description,
        streaming: op.tool.streaming ? true : undefined,
        tags: op.tool.tags.length === 0 ? undefined : op.tool.tags,
        pricing_terms: op.tool.pricingTerms,
      };
    case "remove_tool":
      return op.toolId;
    case "update_hardware":
      return {
        cpu_cores: op.hardware.cpuCores,
        cpu_threads: op.hardware.cpuThreads,
        memory_gb: op.hardware.memoryGb,
        gpu: op.hardware.gpu === undefined ? null : gpuOf(op.hardware.gpu),
        additional_gpus: [],
        storage_gb: op.hardware.storageGb,
        network_gbps: op.hardware.networkGbps,
        accelerators: [],
      };
    case "update_memory":
      return op.memoryGb;
    case "update_network":
      return op.networkGbps;
    case "update_software":
      return {
        os: op.software.os,
        os_version: op.software.osVersion,
        runtimes: [...op.software.runtimes],
        frameworks: [...op.software.frameworks],
        cuda_version: op.software.cudaVersion === "" ? null : op.software.cudaVersion,
        drivers: [...op.software.drivers],
      };
    case "add_runtime":
    case "add_framework":
      return { name: op.name, version: op.version };
    case "remove_runtime":
    case "remove_framework":
      return op.name;
    case "update_limits":
      return {
        max_concurrent_requests: op.limits.maxConcurrentRequests,
        max_tokens_per_request: op.limits.maxTokensPerRequest,
        rate_limit_rpm: op.limits.rateLimitRpm,
        max_batch_size: op.limits.maxBatchSize,
        max_input_bytes: op.limits.maxInputBytes,
        max_output_bytes: op.limits.maxOutputBytes,
      };
    case "update_max_concurrent":
      return op.maxConcurrentRequests;
    case "update_rate_limit":
      return op.rateLimitRpm;
    case "set_field":
      return { path: op.path, value: op.value };
    case "unset_field":
      return { path: op.path };
  }
}

function gpuOf(gpu: GpuView): unknown {
  return {
    vendor: VENDOR_NAMES.get(gpu.vendor),
    model: gpu.model,
    vram_gb: gpu.vramGb,
    compute_units: gpu.computeUnits,
    tensor_cores: gpu.tensorCores,
    fp16_tflops_x10: gpu.fp16TflopsX10,
  };
}

function reader<Schema extends v.GenericSchema>(
  name: string,
  schema: Schema,
  toOp: (content: v.InferOutput<Schema>) => DiffOp,
): readonly [string, (value: unknown) => DiffOp | undefined] {
  return [name, (value) => {
    const parsed = v.safeParse(schema, value);
    return parsed.success ? toOp(parsed.output) : undefined;
  }];
}

function pascalCase(text: string): string {
  return text.replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function keyOf<Key>(names: ReadonlyMap<Key, string>, name: string): Key | undefined {
  for (const [key, known] of names) if (known === name) return key;
  return undefined;
}
