/** Nodes for `bench/index.ts`, seeded: 20 tags each that have as much in common as those of a real mesh. */
import { type CapabilitySet, createCapabilitySet } from "../src/core/capability/mod.ts";

/** How many nodes share a rack, and so are found by one selective tag. */
export const NODES_PER_RACK = 10;

/** One node, as the index gets it and as a program without one would keep it. */
export interface SampleNode {
  readonly id: bigint;
  readonly capabilities: CapabilitySet;
  readonly state: "idle" | "busy" | "reserved" | "faulty";
  readonly plain: PlainNode;
}

/** An object that holds a `Set`, and in fields what is filtered by number. */
export interface PlainNode {
  readonly id: bigint;
  readonly tags: ReadonlySet<string>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly state: string;
  readonly region: string;
  readonly hasGpu: boolean;
  readonly memoryGb: number;
  readonly vramGb: number;
  readonly cpuCores: number;
  readonly tokensPerSecond: number;
  readonly loadedShare: number;
  readonly runtime: string;
}

const MEMORY_GB = [8, 16, 32, 64, 128, 256, 512, 1024];
const REGIONS = ["eu-west", "eu-north", "us-east", "us-west", "ap-south", "ap-east", "sa", "af"];
const GPUS = ["rtx4090", "a100", "h100", "l40s", "mi300", "b200", "a10", "t4"];

/** Numbers below 1 from a seed. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many nodes; their ids are in no order, as ids made from keys are not. */
export function createSampleNodes(count: number, seed = 1): readonly SampleNode[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => createNode(i, random));
}

/** Tag of a node's rack. */
export function rackTag(node: number): string {
  return `rack:${Math.floor(node / NODES_PER_RACK)}`;
}

function createNode(i: number, random: () => number): SampleNode {
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(values: readonly T[]) => values[below(values.length)] as T;
  const id = (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32));
  const hasGpu = random() < 0.5;
  const [memoryGb, cpuCores, vramGb] = [pick(MEMORY_GB), 1 << below(7), 8 << below(4)];
  const [region, runtime] = [pick(REGIONS), `2.${below(10)}.${below(4)}`];
  const tokensPerSecond = 10 * (1 + below(100));
  const isLoaded = random() < 0.5;
  const tags = [
    rackTag(i),
    `scope:region:${region}`,
    `nrpc:service-${below(50)}`,
    `hardware.memory_gb=${memoryGb}`,
    `hardware.cpu_cores=${cpuCores}`,
    `hardware.storage_gb=${500 << below(4)}`,
    `hardware.network_gbps=${pick([1, 10, 25, 100])}`,
    `software.os=${random() < 0.7 ? "linux" : "freebsd"}`,
    `software.os_version=${below(6)}`,
    `software.runtime.deno=${runtime}`,
    `software.model.0.id=model-${below(40)}`,
    `software.model.0.tokens_per_sec=${tokensPerSecond}`,
    `software.model.0.context_length=${1024 << below(7)}`,
    `software.model.0.modalities=${pick(["text", "text,code", "text,image"])}`,
    `software.tool.0.tool_id=tool-${below(30)}`,
    // Half of all nodes have it.
    random() < 0.5 ? "edge" : "core",
  ];
  if (isLoaded) tags.push("software.model.0.loaded=true");
  if (hasGpu) {
    tags.push("hardware.gpu", `hardware.gpu.model=${pick(GPUS)}`, `hardware.gpu.vram_gb=${vramGb}`);
  }
  while (tags.length < 20) tags.push(`label:${tags.length}-${below(20)}`);
  const metadata = [
    ["tier", pick(["gold", "silver", "bronze"])],
    ["team", `team-${below(100)}`],
    ["price", String(below(50))],
  ] as const;
  const capabilities = createCapabilitySet(tags, metadata);
  const state = pick(["idle", "idle", "busy", "reserved", "faulty"] as const);
  return {
    id,
    capabilities,
    state,
    plain: {
      id,
      tags: new Set(capabilities.tags),
      metadata: new Map(metadata),
      state,
      region,
      hasGpu,
      memoryGb,
      vramGb: hasGpu ? vramGb : 0,
      cpuCores,
      tokensPerSecond,
      loadedShare: isLoaded ? 1 : 0,
      runtime,
    },
  };
}
