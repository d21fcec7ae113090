/** Questions who can do what, as methods take them, and their answers (`capabilities.md` 8, 9). */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError } from "../../base/mod.ts";
import {
  ANNOUNCED_CLASS,
  findBestNode,
  findNodes,
  type FindOptions,
  GPU_VENDORS,
  MODALITIES,
  type NodeFilter,
  readRequirements,
} from "../../core/capability/mod.ts";
import type { Node } from "../../node.ts";

const LIST_MAX = 256;
const NAME = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));
const names = v.optional(v.pipe(v.array(NAME), v.maxLength(LIST_MAX)), []);
const amount = v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)));
const PREDICATE_TEXT_MAX = 4096;

/** Parameters of every question. */
export const QUERY_PARAMS = {
  /** Tags, or requirements in their short form; all must hold. */
  required: names,
  where: v.optional(v.pipe(v.string(), v.maxLength(PREDICATE_TEXT_MAX))),
  models: names,
  tools: names,
  modalities: v.optional(v.array(v.picklist(MODALITIES)), []),
  min_memory_gb: amount,
  min_vram_gb: amount,
  min_context_length: amount,
  gpu: v.optional(v.boolean(), false),
  gpu_vendor: v.optional(v.picklist(GPU_VENDORS)),
  tenants: names,
  regions: names,
  global_only: v.optional(v.boolean(), false),
  same_subnet: v.optional(v.boolean(), false),
  fresh: v.optional(v.boolean(), false),
};

const QUERY = v.object(QUERY_PARAMS);

/** A question, checked. */
export type QueryParams = v.InferOutput<typeof QUERY>;

/** A question as the index takes it. */
export interface CapabilityQuery {
  readonly filter: NodeFilter;
  readonly options: FindOptions;
}

/**
 * Reads a question.
 *
 * @throws NetError `usage` for a requirement or predicate that can't be read, and for scopes that exclude
 * each other.
 */
export function readQuery(node: Node, params: QueryParams): CapabilityQuery {
  const { requireTags, where } = readRequirements(params.required, params.where);
  return {
    filter: {
      requireTags,
      requireModels: params.models,
      requireTools: params.tools,
      requireModalities: params.modalities,
      minMemoryGb: params.min_memory_gb,
      minVramGb: params.min_vram_gb,
      minContextLength: params.min_context_length,
      requireGpu: params.gpu,
      gpuVendor: params.gpu_vendor,
    },
    options: {
      scope: readScopeOf(node, params),
      stale: params.fresh ? "exclude" : "include",
      where,
    },
  };
}

/** What counts for the best: memory, GPU memory, speed and loaded models, all the same. */
const BEST_WEIGHTS = { memory: 1, vram: 1, speed: 1, loaded: 1 };

/** Nodes that satisfy a question, in the order of their ids. */
export function answerQuery(node: Node, { filter, options }: CapabilityQuery): readonly bigint[] {
  return findNodes(node.capabilities.index, filter, options).ids();
}

/** The best node that satisfies a question, alone. */
export function answerBest(node: Node, { filter, options }: CapabilityQuery): readonly bigint[] {
  const best = findBestNode(node.capabilities.index, filter, BEST_WEIGHTS, options);
  return best === undefined ? [] : [best];
}

/** The nodes of an answer. */
export function describeNodes(node: Node, nodeIds: readonly bigint[]): readonly object[] {
  const { transport } = node.mesh;
  let ways: ReadonlyMap<bigint, boolean> | undefined;
  const isReachable = (nodeId: bigint) => {
    if (transport.peer(nodeId)?.state === "connected") return true;
    ways ??= new Map(transport.routes().map((route) => [route.nodeId, !route.isSuspected]));
    return ways.get(nodeId) ?? false;
  };
  return nodeIds.map((nodeId) => describeNode(node, nodeId, isReachable));
}

function describeNode(
  node: Node,
  nodeId: bigint,
  isReachable: (nodeId: bigint) => boolean,
): object {
  const entries = node.capabilities.index.get(nodeId);
  const announced = entries.find(({ classHash }) => classHash === ANNOUNCED_CLASS) ?? entries[0];
  const own = node.capabilities.own.nodeId === nodeId;
  const peer = own ? undefined : node.mesh.transport.peer(nodeId);
  const announcement = node.capabilities.get(nodeId);
  return {
    node_id: idToHex(nodeId),
    own,
    stale: announced?.isStale ?? false,
    reachable: own || isReachable(nodeId),
    hops: own ? 0 : peer?.state === "connected" ? 1 : (announcement?.hopCount ?? 0) + 1,
    rtt_ms: peer?.rttMs ?? null,
    tags: announced?.capabilities.tags ?? [],
    metadata: Object.fromEntries(announced?.capabilities.metadata ?? []),
  };
}

/** A requirement; a tag that users don't write can still be asked for. */
function readScopeOf(node: Node, params: QueryParams): FindOptions["scope"] {
  const { tenants, regions, global_only, same_subnet } = params;
  const given = [tenants.length > 0, regions.length > 0, global_only, same_subnet];
  if (given.filter((is) => is).length > 1) {
    throw new NetError(
      "usage",
      "Cannot find nodes: tenant, region, global-only and same-subnet exclude each other",
      { next: "ask for one of them" },
    );
  }
  if (tenants.length > 0) return { kind: "tenants", names: tenants };
  if (regions.length > 0) return { kind: "regions", names: regions };
  if (global_only) return { kind: "global_only" };
  if (same_subnet) {
    const { subnets } = node;
    const isSameSubnet = (nodeId: bigint) => subnets.subnetOf(nodeId) === subnets.local;
    return { kind: "same_subnet", isSameSubnet };
  }
  return undefined;
}
