/** Capability sets for the tests of this folder: honest ones, and ones that no setter would write. */
import fc from "fast-check";
import {
  CapabilityBuilder,
  type CapabilitySet,
  createCapabilitySet,
} from "../../../../src/core/capability/mod.ts";

const count = fc.nat(3);
const word = fc.constantFrom("a", "b", "c");
const versions = fc.array(fc.tuple(word, word), { maxLength: 3 });
const plain = { noNullPrototype: true } as const;

const models = fc.uniqueArray(
  fc.record({
    modelId: word,
    family: word,
    tokensPerSec: count,
    loaded: fc.boolean(),
    modalities: fc.subarray(["text", "code", "tool_use"] as const),
  }, plain),
  { selector: ({ modelId }) => modelId },
);
const tools = fc.uniqueArray(
  fc.record({
    toolId: word,
    name: word,
    stateless: fc.boolean(),
    requires: fc.array(word, { maxLength: 2 }),
    description: fc.option(word, { nil: undefined }),
    streaming: fc.boolean(),
    tags: fc.array(word, { maxLength: 2 }),
  }, plain),
  { selector: ({ toolId }) => toolId },
);
const gpu = fc.option(
  fc.record({ vendor: fc.constantFrom("amd" as const, "unknown" as const), model: word }, plain),
  { nil: undefined },
);

/** A set as the setters write it. */
export const writtenSet: fc.Arbitrary<CapabilitySet> = fc.tuple(
  fc.record({ cpuCores: count, memoryGb: count, networkGbps: count, gpu }, plain),
  fc.record({ os: word, runtimes: versions, frameworks: versions, drivers: versions }, plain),
  fc.record({ maxConcurrentRequests: count, rateLimitRpm: count, maxBatchSize: count }, plain),
  models,
  tools,
  fc.array(word),
).map(([hardware, software, limits, model, tool, tags]) =>
  new CapabilityBuilder().addTags(tags).setHardware(hardware).setSoftware(software)
    .setLimits(limits).setModels(model).setTools(tool).build()
);

const piece = fc.constantFrom(
  "hardware.memory_gb=",
  "hardware.gpu.vendor:",
  "software.model.0.id=",
  "software.model.0.id:",
  "software.model.00.id=",
  "software.model.1.id=",
  "software.model.7.loaded=",
  "software.model.7.tokens_per_sec=",
  "software.model.x.",
  "software.tool.1.tool_id=",
  "software.tool.1.requires=",
  "software.tool.1.future=",
  "software.runtime.a.b=",
  "software.runtime.a=",
  "software.os:",
  "scope:tenant:",
  "ai-tool:",
);
const value = fc.constantFrom("a", "b", "1", "2", "true", "a,,b", "18446744073709551615", "");
const entry = fc.tuple(
  fc.constantFrom("intent", "k", "tool::a::description", "tool::b::tags", "tool::", "é"),
  value,
);

/** A set as strangers may send it. */
export const foreignSet: fc.Arbitrary<CapabilitySet> = fc.tuple(
  fc.array(fc.tuple(piece, value).map((parts) => parts.join("")), { maxLength: 12 }),
  fc.array(entry, { maxLength: 4 }),
).map(([tags, metadata]) => createCapabilitySet(tags, metadata));

/** Either. */
export const anySet: fc.Arbitrary<CapabilitySet> = fc.oneof(writtenSet, foreignSet);
