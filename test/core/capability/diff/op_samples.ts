/** Steps of every kind, sensible or not. */
import fc from "fast-check";
import { type DiffOp, MODALITIES } from "../../../../src/core/capability/mod.ts";

const plain = { noNullPrototype: true } as const;
const text = fc.oneof(fc.constantFrom("a", "b", "metadata.k"), fc.string({ unit: "binary" }));
const count = fc.oneof(fc.nat(9), fc.maxSafeNat());
const optional = fc.option(text.filter((value) => value !== ""), { nil: undefined });
const versions = fc.array(fc.tuple(text, text), { maxLength: 3 }).map((entries) =>
  new Map(entries)
);

const gpu = fc.record({
  vendor: fc.constantFrom("nvidia", "qualcomm", "unknown"),
  model: text,
  vramGb: count,
  computeUnits: count,
  tensorCores: count,
  fp16TflopsX10: count,
}, plain);
const model = fc.record({
  modelId: text,
  family: text,
  parametersBX10: count,
  contextLength: count,
  quantization: text,
  modalities: fc.subarray([...MODALITIES]),
  tokensPerSec: count,
  loaded: fc.boolean(),
}, plain);
const tool = fc.record({
  toolId: text,
  name: text,
  version: text,
  requires: fc.array(text, { maxLength: 2 }),
  estimatedTimeMs: count,
  stateless: fc.boolean(),
  inputSchema: optional,
  outputSchema: optional,
  description: optional,
  streaming: fc.boolean(),
  tags: fc.array(text, { maxLength: 2 }),
  pricingTerms: optional,
}, plain);
const hardware = fc.record({
  cpuCores: count,
  cpuThreads: count,
  memoryGb: count,
  storageGb: count,
  networkGbps: count,
  gpu: fc.option(gpu, { nil: undefined }),
}, plain);
const software = fc.record({
  os: text,
  osVersion: text,
  cudaVersion: text,
  runtimes: versions,
  frameworks: versions,
  drivers: versions,
}, plain);
const limits = fc.record({
  maxConcurrentRequests: count,
  maxTokensPerRequest: count,
  rateLimitRpm: count,
  maxBatchSize: count,
  maxInputBytes: count,
  maxOutputBytes: count,
}, plain);

const kind = <Kind extends string>(...kinds: readonly Kind[]) => fc.constantFrom(...kinds);
const op = <Op extends object>(members: { [Name in keyof Op]: fc.Arbitrary<Op[Name]> }) =>
  fc.record(members, plain);

/** Any step. */
export const anyOp: fc.Arbitrary<DiffOp> = fc.oneof(
  op({ kind: kind("add_tag", "remove_tag"), tag: text }),
  op({ kind: kind("add_model"), model }),
  op({ kind: kind("remove_model"), modelId: text }),
  op({
    kind: kind("update_model"),
    modelId: text,
    tokensPerSec: fc.option(count, { nil: undefined }),
    loaded: fc.option(fc.boolean(), { nil: undefined }),
  }),
  op({ kind: kind("add_tool"), tool }),
  op({ kind: kind("remove_tool"), toolId: text }),
  op({ kind: kind("update_hardware"), hardware }),
  op({ kind: kind("update_memory"), memoryGb: count }),
  op({ kind: kind("update_network"), networkGbps: count }),
  op({ kind: kind("update_software"), software }),
  op({ kind: kind("add_runtime", "add_framework"), name: text, version: text }),
  op({ kind: kind("remove_runtime", "remove_framework"), name: text }),
  op({ kind: kind("update_limits"), limits }),
  op({ kind: kind("update_max_concurrent"), maxConcurrentRequests: count }),
  op({ kind: kind("update_rate_limit"), rateLimitRpm: count }),
  op({ kind: kind("set_field"), path: text, value: text }),
  op({ kind: kind("unset_field"), path: text }),
);
