/** Random facts about a few nodes, drawn so that they have much in common. */
import fc from "fast-check";
import { createCapabilitySet, NODE_STATES } from "../../../../src/core/capability/mod.ts";
import type {
  NodeFacts,
  NodeFilter,
  NodeScope,
} from "../../../../src/core/capability/index/mod.ts";

const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const separator = oneOf("=", ":");
const number = oneOf("0", "8", "16", "+64", "64", "1.5", "x", "", "18446744073709551615");

/** Tags that queries know of, and others. */
export const anyTag: fc.Arbitrary<string> = fc.oneof(
  oneOf(
    "gpu",
    "edge",
    "nrpc:echo",
    "nrpc:sum",
    "ai-tool:sum",
    "scope:",
    "scope:tenant:",
    "a:b",
    "a=b",
  ),
  oneOf("scope:subnet-local", "scope:global", "scope:tenant:x", "scope:tenant:y", "scope:region:z"),
  oneOf(
    "hardware.gpu",
    "hardware.",
    "software.os",
    "hardware.gpu.vendor",
    "software.model.1.loaded",
  ),
  fc.tuple(oneOf("memory_gb", "gpu.vram_gb", "cpu_cores"), separator, number)
    .map(([key, sign, value]) => `hardware.${key}${sign}${value}`),
  fc.tuple(oneOf("gpu.vendor", "gpu.model"), separator, oneOf("amd", "nvidia", "AMD", ""))
    .map(([key, sign, value]) => `hardware.${key}${sign}${value}`),
  fc.tuple(oneOf("os", "runtime.deno"), separator, oneOf("linux", "2.9.6", "2.10", "a=b:c"))
    .map(([key, sign, value]) => `software.${key}${sign}${value}`),
  fc.tuple(
    oneOf("0", "1", "01", "x"),
    oneOf(
      "id=tiny",
      "id:huge",
      "loaded=true",
      "loaded=no",
      "modalities=text,code",
      "modalities:image",
    ),
  ).map(([index, rest]) => `software.model.${index}.${rest}`),
  fc.tuple(oneOf("0", "1"), oneOf("tokens_per_sec", "context_length"), number)
    .map(([index, field, value]) => `software.model.${index}.${field}=${value}`),
  fc.tuple(oneOf("0", "1"), oneOf("sum", "search"))
    .map(([index, id]) => `software.tool.${index}.tool_id=${id}`),
);

const anyEntry = fc.tuple(oneOf("tier", "zone", "10"), oneOf("gold", "silver", "7", "")).map(
  ([key, value]): [string, string] => [key, value],
);

/** What may be known of a node. */
export const anyFacts: fc.Arbitrary<NodeFacts> = fc.record({
  capabilities: fc.tuple(fc.array(anyTag, { maxLength: 12 }), fc.array(anyEntry, { maxLength: 3 }))
    .map(([tags, metadata]) => createCapabilitySet(tags, metadata)),
  classHash: oneOf(undefined, 0n, 1n, (1n << 64n) - 1n),
  state: oneOf(undefined, ...NODE_STATES),
  region: oneOf(undefined, "eu", "us"),
  hardware: oneOf(undefined, undefined, { memoryGb: 32, vramGb: 24, gpuVendor: "apple" as const }),
  isStale: oneOf(undefined, false, true),
});

/** Few enough that they meet again. */
export const anyNodeId: fc.Arbitrary<bigint> = fc.oneof(
  oneOf(1n, 2n, 3n, 0x1_0000_0001n, 0x2_0000_0001n, (1n << 64n) - 1n),
  fc.bigInt({ min: 0n, max: 60n }),
);

/** A step in the life of an index. */
export type IndexStep =
  | { readonly kind: "set"; readonly nodeId: bigint; readonly facts: NodeFacts }
  | { readonly kind: "remove"; readonly nodeId: bigint; readonly classHash: bigint | undefined }
  | { readonly kind: "stale"; readonly nodeId: bigint; readonly isStale: boolean };

/** Any step; most set something. */
export const anyStep: fc.Arbitrary<IndexStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("set" as const), nodeId: anyNodeId, facts: anyFacts }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("remove" as const),
      nodeId: anyNodeId,
      classHash: oneOf(undefined, 0n),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("stale" as const),
      nodeId: anyNodeId,
      isStale: fc.boolean(),
    }),
  },
);

const list = <T>(item: fc.Arbitrary<T>) =>
  fc.oneof(fc.constant(undefined), fc.array(item, { maxLength: 2 }));

/** A filter that has a chance to match. */
export const anyFilter: fc.Arbitrary<NodeFilter> = fc.record({
  requireTags: list(anyTag),
  requireModels: list(oneOf("tiny", "huge", "none")),
  requireTools: list(oneOf("sum", "search", "none")),
  minMemoryGb: oneOf(undefined, undefined, 0, 16, 33, 64),
  requireGpu: oneOf(undefined, undefined, false, true),
  gpuVendor: oneOf(undefined, undefined, "amd" as const, "nvidia" as const, "unknown" as const),
  minVramGb: oneOf(undefined, undefined, 0, 8, 24),
  minContextLength: oneOf(undefined, undefined, 0, 8, 64),
  requireModalities: list(oneOf("text" as const, "image" as const, "code" as const)),
});

/** Any scope; nodes with odd ids are in the same subnet. */
export const anyScope: fc.Arbitrary<NodeScope | undefined> = oneOf<NodeScope | undefined>(
  undefined,
  { kind: "any" },
  { kind: "global_only" },
  { kind: "same_subnet", isSameSubnet: (nodeId) => nodeId % 2n === 1n },
  { kind: "tenants", names: ["x"] },
  { kind: "tenants", names: ["x", "y", ""] },
  { kind: "regions", names: ["z"] },
  { kind: "regions", names: [] },
);
