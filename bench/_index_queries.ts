/** Questions for `bench/index.ts`, each answered by the index and by a plain loop over objects. */
import {
  aggregate,
  CapabilityIndex,
  createCapabilitySet,
  createIndexSource,
  createIntentRegistry,
  findBestNode,
  findByPredicate,
  findNodes,
  placeInIndex,
  PlacementFilters,
  type Predicate,
} from "../src/core/capability/mod.ts";
import { type PlainNode, rackTag, type SampleNode } from "./_index_data.ts";
import type { Candidate } from "./_in_turns.ts";

/** A question both ways. */
export interface Question {
  readonly name: string;
  /** Row of the table. */
  readonly group: "selective" | "broad" | "predicate";
  readonly ours: Candidate;
  readonly plain: Candidate;
}

/** The index of some nodes. */
export function createIndex(nodes: readonly SampleNode[]): CapabilityIndex {
  const index = new CapabilityIndex({ rowsMax: nodes.length, termsMax: 1 << 22 });
  for (const { id, capabilities, state, plain } of nodes) {
    index.set(id, { capabilities, state, region: plain.region });
  }
  return index;
}

/** All questions about some nodes; both answers of each are compared first. */
export function createQuestions(
  index: CapabilityIndex,
  nodes: readonly SampleNode[],
): readonly Question[] {
  const plain = nodes.map((node) => node.plain);
  const questions = [
    ...selectiveQuestions(index, plain),
    ...broadQuestions(index, plain),
    ...predicateQuestions(index, plain),
  ];
  for (const { name, ours, plain: theirs } of questions) {
    const [left, right] = [ours(), theirs()];
    if (Math.abs(left - right) > 1e-6 * Math.abs(right)) {
      throw new Error(`Cannot compare "${name}": the index says ${left}, the loop ${right}`);
    }
  }
  return questions;
}

function selectiveQuestions(
  index: CapabilityIndex,
  nodes: readonly PlainNode[],
): readonly Question[] {
  const tag = rackTag(nodes.length >> 1);
  return [{
    name: "one selective tag, ids read in order",
    group: "selective",
    ours: () => findNodes(index, { requireTags: [tag] }).ids().length,
    plain: () => filter(nodes, ({ tags }) => tags.has(tag)).length,
  }];
}

function broadQuestions(
  index: CapabilityIndex,
  nodes: readonly PlainNode[],
): readonly Question[] {
  const three = ["edge", "software.os=linux", "hardware.gpu"] as const;
  const weights = { memory: 1, vram: 0.5, speed: 0.5, loaded: 0.25 };
  return [
    {
      name: "three tags together",
      group: "broad",
      ours: () => findNodes(index, { requireTags: three }).size,
      plain: () =>
        filter(nodes, ({ tags }) => tags.has(three[0]) && tags.has(three[1]) && tags.has(three[2]))
          .length,
    },
    {
      name: "a tag that half of all have",
      group: "broad",
      ours: () => findNodes(index, { requireTags: ["edge"] }).size,
      plain: () => filter(nodes, ({ tags }) => tags.has("edge")).length,
    },
    {
      name: "GPU and minimum memory",
      group: "broad",
      ours: () => findNodes(index, { requireGpu: true, minMemoryGb: 64 }).size,
      plain: () => filter(nodes, ({ hasGpu, memoryGb }) => hasGpu && memoryGb >= 64).length,
    },
    {
      name: "best of a tag that half of all have",
      group: "broad",
      ours: () => Number(findBestNode(index, { requireTags: ["edge"] }, weights) ?? 0n),
      plain: () => {
        let best: PlainNode | undefined;
        let bestScore = -1;
        for (const node of nodes) {
          if (!node.tags.has("edge")) continue;
          const score = Math.fround(
            1 + weights.memory * Math.min(node.memoryGb / 256, 1) +
              weights.vram * Math.min(node.vramGb / 80, 1) +
              weights.speed * Math.min(node.tokensPerSecond / 1000, 1) +
              weights.loaded * node.loadedShare,
          );
          if (
            score < bestScore || (score === bestScore && best !== undefined && node.id > best.id)
          ) {
            continue;
          }
          best = node;
          bestScore = score;
        }
        return Number(best?.id ?? 0n);
      },
    },
  ];
}

function predicateQuestions(
  index: CapabilityIndex,
  nodes: readonly PlainNode[],
): readonly Question[] {
  const predicate: Predicate = {
    kind: "and",
    children: [
      { kind: "exists", key: { axis: "hardware", key: "gpu" } },
      { kind: "numeric_at_least", key: { axis: "hardware", key: "memory_gb" }, threshold: 64 },
      {
        kind: "or",
        children: [
          {
            kind: "string_prefix",
            key: { axis: "software", key: "runtime.deno" },
            prefix: "2.9.",
          },
          { kind: "equals", key: { axis: "software", key: "os" }, value: "linux" },
        ],
      },
      { kind: "metadata_equals", key: "tier", value: "gold" },
      { kind: "not", child: { kind: "metadata_matches", key: "team", pattern: "7" } },
    ],
  };
  const source = createIndexSource(index);
  const required = ["hardware.gpu", "software.os=linux"];
  const request = {
    policy: {},
    artifact: {
      kind: "daemon",
      required: createCapabilitySet(required),
      optional: createCapabilitySet([]),
    },
    knowledge: { intents: createIntentRegistry(), filters: new PlacementFilters() },
  } as const;
  return [
    {
      name: "predicate with metadata",
      group: "predicate",
      ours: () => findByPredicate(index, predicate).size,
      plain: () =>
        filter(
          nodes,
          ({ hasGpu, memoryGb, runtime, tags, metadata }) =>
            hasGpu && memoryGb >= 64 &&
            (runtime.startsWith("2.9.") || tags.has("software.os=linux")) &&
            metadata.get("tier") === "gold" && metadata.get("team")?.includes("7") === false,
        ).length,
    },
    {
      name: "tag, by region, memory summed",
      group: "predicate",
      ours: () =>
        Number(
          aggregate(index, {
            matcher: { kind: "exact", value: "edge" },
            groupBy: { kind: "region" },
            aggregation: { kind: "sum_numeric_tag", axis_key: "hardware.memory_gb" },
          })[0]?.value,
        ),
      plain: () => {
        const sums = new Map<string, number>();
        for (const { tags, region, memoryGb } of nodes) {
          if (tags.has("edge")) sums.set(region, (sums.get(region) ?? 0) + memoryGb);
        }
        return [...sums].sort(([left], [right]) => left < right ? -1 : 1)[0]?.[1] ?? 0;
      },
    },
    {
      name: "placement of a daemon",
      group: "predicate",
      ours: () => Number(placeInIndex(source, request)?.nodeId ?? 0n),
      plain: () => {
        let best: PlainNode | undefined;
        let bestScore = -1;
        for (const node of nodes) {
          if (!required.every((tag) => node.tags.has(tag))) continue;
          const score = resourceScore(node);
          if (
            score < bestScore || (score === bestScore && best !== undefined && node.id > best.id)
          ) {
            continue;
          }
          best = node;
          bestScore = score;
        }
        return Number(best?.id ?? 0n);
      },
    },
  ];
}

/** `capabilities.md` 16, "resource": the mean of what is there. */
function resourceScore({ cpuCores, memoryGb, vramGb }: PlainNode): number {
  let sum = cpuCores / (cpuCores + 8) + memoryGb / (memoryGb + 16);
  let count = 2;
  if (vramGb > 0) {
    sum += vramGb / (vramGb + 16);
    count += 1;
  }
  return sum / count;
}

function filter(nodes: readonly PlainNode[], test: (node: PlainNode) => boolean): bigint[] {
  const ids: bigint[] = [];
  for (const node of nodes) if (test(node)) ids.push(node.id);
  return ids;
}
