/** Our capability index beside the Rust core's, on the same announcements and drawn questions. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  aggregate,
  CapabilityIndex,
  findBestNode,
  findNodes,
  ingestCapabilities,
  localAnnouncement,
  type NodeFilter,
  type NodeScope,
  rankCapacity,
} from "../../src/core/capability/mod.ts";
import { createIdentity } from "../../src/core/crypto/mod.ts";
import { anyFacts, anyFilter } from "../core/capability/index/index_samples.ts";
import { startAnnouncingNode } from "./announcement_node.ts";
import { startLineProcess } from "./line_process.ts";
import { eventually } from "./mesh_node.ts";
import { isRustPlatform } from "./rust_addon.ts";
import type { IndexOperations, RustIndexQuestion } from "./rust_index_process.ts";

const SEED = 20_817;
const NODES = 120;
const QUESTIONS = 300;
const PSK = new Uint8Array(32).fill(0x35);

/** A question as both put it, and what ours answers. */
interface Pair {
  readonly question: RustIndexQuestion;
  readonly answer: unknown;
}

const draw = <T>(arbitrary: fc.Arbitrary<T>, count: number, seed = SEED): readonly T[] =>
  fc.sample(arbitrary, { seed, numRuns: count });

const scopes: readonly (readonly [NodeScope, object])[] = [
  [{ kind: "any" }, { kind: "any" }],
  [{ kind: "global_only" }, { kind: "globalOnly" }],
  [{ kind: "tenants", names: ["x"] }, { kind: "tenant", tenant: "x" }],
  [{ kind: "tenants", names: ["x", "y"] }, { kind: "tenants", tenants: ["x", "y"] }],
  [{ kind: "regions", names: ["z"] }, { kind: "region", region: "z" }],
  [{ kind: "regions", names: ["none", "z"] }, { kind: "regions", regions: ["none", "z"] }],
];

const matchers = [
  undefined,
  { kind: "exact", value: "software.os:linux" },
  { kind: "exact", value: "gpu" },
  { kind: "prefix", value: "hardware.gpu" },
  { kind: "prefix", value: "software.os=" },
  { kind: "axis", axis: "software" },
  { kind: "axis_key", axis: "hardware", key: "memory_gb" },
  { kind: "version_range", axis_key: "software.runtime.deno", min: "2.9.0", max: null },
  { kind: "version_range", axis_key: "nonsense", min: null, max: null },
] as const;

const groupings = [
  { kind: "class" },
  { kind: "state" },
  { kind: "region" },
  { kind: "publisher" },
  { kind: "tag_stem", prefix: "hardware.gpu" },
  { kind: "tag_stem", prefix: "software" },
  { kind: "tag_value", axis: "hardware", key: "memory_gb" },
  { kind: "tag_value", axis: "software", key: "os" },
] as const;

const aggregations = [
  { kind: "count" },
  { kind: "distinct_publishers" },
  { kind: "distinct_values", axis: "software", key: "os" },
  { kind: "sum_numeric_tag", axis_key: "hardware.memory_gb" },
  { kind: "min_numeric_tag", axis_key: "hardware.memory_gb" },
  { kind: "max_numeric_tag", axis_key: "hardware.cpu_cores" },
  { kind: "max_numeric_tag", axis_key: "nonsense" },
] as const;

Deno.test({
  name: "CapabilityIndex answers as the core's index does",
  ignore: !isRustPlatform(),
  fn: async (t) => {
    await using peer = startLineProcess<IndexOperations>(
      new URL("./rust_index_process.ts", import.meta.url),
      { name: "Rust index" },
    );
    const rust = await peer.call("open", { psk: PSK });
    await using node = startAnnouncingNode(PSK);
    const [host = "", port] = rust.address.split(":");
    await node.transport.dial({
      nodeId: rust.nodeId,
      noisePublicKey: rust.publicKey,
      addresses: [{ host, port: Number(port) }],
      form: "routed",
    }, 8_000);
    const index = new CapabilityIndex();
    const ids = new Set<bigint>();
    for (const [i, { capabilities }] of draw(anyFacts, NODES).entries()) {
      const seed = new Uint8Array(32).fill(i + 1);
      const announcement = localAnnouncement({
        identity: createIdentity(seed),
        tags: consistent(capabilities.tags),
        metadata: capabilities.metadata,
        version: 1n,
        wallMs: Date.now(),
      });
      index.set(announcement.nodeId, {
        capabilities: ingestCapabilities(announcement.capabilities),
      });
      ids.add(announcement.nodeId);
      // As if passed on: only its origin may send it otherwise.
      node.send(rust.nodeId, { ...announcement, hopCount: 1 });
      if (i % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const everybody = { method: "findNodes", args: [{}] } as const;
    let known: readonly bigint[] = [];
    const countKnown = async () => {
      [known] = await peer.call("ask", { questions: [everybody] }) as [readonly bigint[]];
      return known.filter((id) => ids.has(id)).length;
    };
    let count = 0;
    await eventually("the core knows all nodes", () => {
      countKnown().then((counted) => count = counted);
      return count === NODES;
    });
    // What the core knows beside them has nothing to tell.
    for (const nodeId of known) {
      if (!ids.has(nodeId)) index.set(nodeId, { capabilities: { tags: [], metadata: new Map() } });
    }

    const compare = async (pairs: readonly Pair[]) => {
      const answers = await peer.call("ask", { questions: pairs.map(({ question }) => question) });
      for (const [i, { question, answer }] of pairs.entries()) {
        assert.deepEqual(answer, answers[i], `${JSON.stringify(question)}`);
      }
    };
    const filters = draw(anyFilter, QUESTIONS).map(withoutEmpty);
    await t.step("nodes by filter", () => compare(filters.map(byFilter)));
    await t.step("nodes by filter and scope", () => compare(filters.map(byScope)));
    await t.step("best node", () => compare(filters.map(byScore)));
    await t.step("aggregates", () => compare(combine()));
    await t.step("capacity", () => compare(rankings()));

    function byFilter(filter: NodeFilter): Pair {
      return {
        question: { method: "findNodes", args: [filter] },
        answer: findNodes(index, filter, { rules: "core" }).ids(),
      };
    }

    function byScope(filter: NodeFilter, i: number): Pair {
      const [scope, theirs] = scopes[i % scopes.length] ?? [{ kind: "any" }, { kind: "any" }];
      return {
        question: { method: "findNodesScoped", args: [filter, theirs] },
        answer: findNodes(index, filter, { rules: "core", scope }).ids(),
      };
    }

    function byScore(asked: NodeFilter, i: number): Pair {
      // For its score the core knows a GPU by the tag `hardware.gpu` alone, for its search by any other too.
      const { requireGpu: _, gpuVendor: __, minVramGb: ___, ...filter } = asked;
      const weights = [1, 0.5, 0.25, 0.1, 0, 2];
      const weight = (shift: number) => weights[(i + shift) % weights.length] ?? 0;
      const [memory, vram, speed, loaded] = [weight(0), weight(1), weight(2), weight(5)];
      const requirement = {
        filter,
        preferMoreMemory: memory,
        preferMoreVram: vram,
        preferFasterInference: speed,
        preferLoadedModels: loaded,
      };
      const best = findBestNode(index, filter, { memory, vram, speed, loaded }, { rules: "core" });
      return { question: { method: "findBestNode", args: [requirement] }, answer: best ?? null };
    }

    function combine(): readonly Pair[] {
      return matchers.flatMap((matcher) =>
        groupings.flatMap((groupBy) =>
          aggregations.map((aggregation): Pair => ({
            question: {
              method: "capabilityAggregate",
              args: [
                matcher === undefined ? null : JSON.stringify(matcher),
                JSON.stringify(groupBy),
                JSON.stringify(aggregation),
              ],
            },
            answer: aggregate(index, { matcher, groupBy, aggregation }, { rules: "core" }),
          }))
        )
      );
    }

    function rankings(): readonly Pair[] {
      return matchers.flatMap((matcher) =>
        groupings.map((groupBy): Pair => ({
          question: {
            method: "capabilityCapacityRanking",
            args: [JSON.stringify({
              matcher: matcher ?? null,
              group_by: groupBy,
              sum_axis_key: "hardware.memory_gb",
              max_rtt_ms: null,
              limit: 5,
            })],
          },
          answer: rankCapacity(
            index,
            { matcher, groupBy, sumAxisKey: "hardware.memory_gb", limit: 5 },
            () => undefined,
            { rules: "core" },
          ).map(({ idle, busy, reserved, available, ...row }) => ({
            ...row,
            idle: BigInt(idle),
            busy: BigInt(busy),
            reserved: BigInt(reserved),
            available: BigInt(available),
          })),
        }))
      );
    }
  },
});

/**
 * Without amounts of more than 32 bits, which the core does not read, and with one tag per key: which of
 * several it believes is left to chance.
 */
function consistent(tags: readonly string[]): readonly string[] {
  const byKey = new Map(
    tags.map((tag) => [/^(?:hard|soft)ware\.[^=:]*/.exec(tag)?.[0] ?? tag, tag]),
  );
  return [...byKey.values()].filter((tag) => !tag.includes("18446744073709551615"));
}

/** The addon takes lists and numbers, or nothing at all. */
function withoutEmpty(filter: NodeFilter): NodeFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
