/**
 * Finding nodes by a filter, by scope, and the best of them (`capabilities.md` 8).
 *
 * By the rules of the core context length and modalities are ignored, as it ignores them.
 */
import { NetError } from "../../../base/mod.ts";
import type { Predicate } from "../predicate/predicate.ts";
import { GPU_VENDORS, type GpuVendor } from "../views/hardware_view.ts";
import { MODALITIES, type Modality } from "../views/modality.ts";
import type { CapabilityIndex } from "./capability_index.ts";
import { allOf, atLeast, type Condition, inColumn, inPostings } from "./conditions.ts";
import type { IndexTables } from "./index_tables.ts";
import { IndexMatches } from "./matches.ts";
import { satisfying } from "./predicate_query.ts";
import type { Posting } from "./posting.ts";
import { type QueryOptions, staleConditions, withTag } from "./query_options.ts";
import { inScope, type NodeScope } from "./scope.ts";
import { bitOfModality } from "./traits.ts";

/** What nodes must have; what is left out is not asked for. */
export interface NodeFilter {
  /** All of them. */
  readonly requireTags?: readonly string[];
  /** Any of them, when there are some. */
  readonly requireModels?: readonly string[];
  /** Any of them, when there are some. */
  readonly requireTools?: readonly string[];
  readonly minMemoryGb?: number;
  readonly requireGpu?: boolean;
  readonly gpuVendor?: GpuVendor;
  /** Of all GPUs together. */
  readonly minVramGb?: number;
  /** Of one model. */
  readonly minContextLength?: number;
  /** Each of some model. */
  readonly requireModalities?: readonly Modality[];
}

/** Options of {@linkcode findNodes}. */
export interface FindOptions extends QueryOptions {
  /** Everybody, nodes that only their subnet may find included, when left out. */
  readonly scope?: NodeScope;
  /** A predicate that must hold as well. */
  readonly where?: Predicate;
}

/**
 * Nodes that satisfy a filter; all when it is empty.
 *
 * @throws NetError `usage` for an unknown modality or GPU vendor.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { CapabilityIndex } from "./capability_index.ts";
 * import { findNodes } from "./find.ts";
 * const index = new CapabilityIndex();
 * index.set(1n, { capabilities: createCapabilitySet(["hardware.memory_gb=64"]) });
 * console.assert(findNodes(index, { minMemoryGb: 32 }).size === 1);
 * ```
 */
export function findNodes(
  { tables }: CapabilityIndex,
  filter: NodeFilter,
  options: FindOptions = {},
): IndexMatches {
  return new IndexMatches(tables, passing(filter, options, tables).list());
}

/** Satisfied by entries that pass a filter. */
export function passing(
  filter: NodeFilter,
  options: FindOptions,
  tables: IndexTables,
): Condition {
  const conditions = filterConditions(filter, options, tables);
  if (options.scope !== undefined) conditions.push(inScope(options.scope, tables));
  if (options.where !== undefined) conditions.push(satisfying(options.where, tables));
  conditions.push(...staleConditions(options, tables));
  return allOf(conditions, tables);
}

function filterConditions(
  filter: NodeFilter,
  options: QueryOptions,
  tables: IndexTables,
): Condition[] {
  const { table, dictionary } = tables;
  const { minMemoryGb = 0, minVramGb = 0, gpuVendor } = filter;
  const { requireTags = [], requireModels = [], requireTools = [] } = filter;
  const conditions = requireTags.map((tag) => withTag(tag, options, tables));
  if (requireModels.length > 0) {
    conditions.push(withName(requireModels, (id) => dictionary.modelTags(id), tables));
  }
  if (requireTools.length > 0) {
    conditions.push(withName(requireTools, (id) => dictionary.toolTags(id), tables));
  }
  if (filter.requireGpu === true) conditions.push(inPostings([tables.gpus], tables));
  if (gpuVendor !== undefined) {
    const posting = tables.gpuVendors[vendorIndex(gpuVendor)];
    if (posting !== undefined) conditions.push(inPostings([posting], tables));
  }
  if (minMemoryGb > 0) conditions.push(atLeast(tables.memoryGb, table.memoryGb, minMemoryGb));
  if (minVramGb > 0) conditions.push(atLeast(tables.vramGb, table.vramGb, minVramGb));
  // Made in any case, because unknown names are refused in any case.
  const ofModels = modelConditions(filter, tables);
  if (options.rules === "core") {
    // To it a node without a GPU has no amount of GPU memory, not even 0.
    if (filter.minVramGb === 0) conditions.push(inPostings([tables.gpus], tables));
    return conditions;
  }
  return [...conditions, ...ofModels];
}

/** What is asked of models beyond their names; the core's search leaves it out. */
export function modelConditions(
  { minContextLength, requireModalities = [] }: NodeFilter,
  { table, models }: IndexTables,
): Condition[] {
  const modalities = bitsOfModalities(requireModalities);
  const conditions: Condition[] = [];
  if (minContextLength !== undefined) {
    conditions.push(
      inColumn(
        models,
        (slot) => (table.contextLength[slot] ?? -1) >= minContextLength,
      ),
    );
  }
  if (modalities !== 0) {
    conditions.push(
      inColumn(
        models,
        (slot) => ((table.modalities[slot] ?? 0) & modalities) === modalities,
      ),
    );
  }
  return conditions;
}

/** Satisfied by entries with a tag that gives one of the ids. */
function withName(
  ids: readonly string[],
  tagsOf: (id: string) => Iterable<Posting>,
  tables: IndexTables,
): Condition {
  const postings: Posting[] = [];
  for (const id of ids) for (const tag of tagsOf(id)) postings.push(tag);
  return inPostings(postings, tables);
}

function bitsOfModalities(names: readonly Modality[]): number {
  let bits = 0;
  for (const name of names) {
    const bit = bitOfModality(name);
    if (bit === 0) throw unknownName("modality", name, MODALITIES);
    bits |= bit;
  }
  return bits;
}

function vendorIndex(name: GpuVendor): number {
  const index = GPU_VENDORS.indexOf(name);
  if (index === -1) throw unknownName("GPU vendor", name, GPU_VENDORS);
  return index;
}

function unknownName(what: string, name: string, names: readonly string[]): NetError {
  return new NetError("usage", `Cannot find nodes: ${what} "${name}" is unknown`, {
    next: `use one of ${names.join(", ")}`,
  });
}
