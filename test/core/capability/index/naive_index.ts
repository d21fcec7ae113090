/**
 * The plain way to answer what the index answers: walk over all entries and look at their tags. What the
 * index finds is compared with it.
 */
import {
  type CapabilitySet,
  type ModelView,
  parseTag,
  readHardwareView,
  readModels,
} from "../../../../src/core/capability/mod.ts";
import type {
  FindOptions,
  HardwareFacts,
  NodeFacts,
  NodeFilter,
} from "../../../../src/core/capability/index/mod.ts";

/** One entry. */
export interface NaiveEntry extends NodeFacts {
  readonly nodeId: bigint;
}

/** Entries in a list. */
export class NaiveIndex {
  readonly entries = new Map<string, NaiveEntry>();

  set(nodeId: bigint, facts: NodeFacts): void {
    this.entries.set(`${facts.classHash ?? 0n}/${nodeId}`, { ...facts, nodeId });
  }

  remove(nodeId: bigint, classHash?: bigint): void {
    for (const [key, entry] of this.entries) {
      if (entry.nodeId !== nodeId) continue;
      if (classHash === undefined || (entry.classHash ?? 0n) === classHash) {
        this.entries.delete(key);
      }
    }
  }

  setStale(nodeId: bigint, isStale: boolean): void {
    for (const [key, entry] of this.entries) {
      if (entry.nodeId === nodeId) this.entries.set(key, { ...entry, isStale });
    }
  }

  /** Entries that pass. */
  where(test: (entry: NaiveEntry) => boolean): NaiveEntry[] {
    return [...this.entries.values()].filter(test);
  }

  find(filter: NodeFilter, options: FindOptions = {}): bigint[] {
    return idsOf(
      this.where((entry) =>
        passes(entry, filter, options) && inScope(entry, options) && hasAge(entry, options)
      ),
    );
  }
}

/** Ascending, each once. */
export function idsOf(entries: readonly NaiveEntry[]): bigint[] {
  const ids = [...new Set(entries.map(({ nodeId }) => nodeId))];
  return ids.sort((left, right) => left < right ? -1 : 1);
}

/** True when the set has the tag, by the rules asked for. */
export function hasTag(
  { tags }: CapabilitySet,
  text: string,
  rules: FindOptions["rules"] = "net",
): boolean {
  if (rules === "core") return tags.includes(text);
  return tags.some((tag) => meaning(tag) === meaning(text));
}

/** The hardware that counts. */
export function hardwareOf({ hardware, capabilities }: NodeFacts): HardwareFacts {
  if (hardware !== undefined) return hardware;
  const { memoryGb, gpu } = readHardwareView(capabilities);
  return { memoryGb, vramGb: gpu?.vramGb ?? 0, gpuVendor: gpu?.vendor };
}

/** The region that counts. */
export function regionOf({ region, capabilities }: NodeFacts): string | undefined {
  if (region !== undefined) return region;
  return capabilities.tags.find((tag) => /^scope:region:./s.test(tag))?.slice(
    "scope:region:".length,
  );
}

/** The models that a node told of. */
export function modelsOf({ capabilities }: NodeFacts): readonly ModelView[] {
  return readModels(capabilities);
}

function passes(entry: NaiveEntry, filter: NodeFilter, { rules }: FindOptions): boolean {
  const { capabilities } = entry;
  const { memoryGb, vramGb, gpuVendor } = hardwareOf(entry);
  const models = readModels(capabilities);
  const any = (wanted: readonly string[] = [], had: readonly string[]) =>
    wanted.length === 0 || wanted.some((id) => had.includes(id));
  const isBasic = (filter.requireTags ?? []).every((tag) => hasTag(capabilities, tag, rules)) &&
    any(filter.requireModels, named(capabilities, /^model\.[^.]*\.id$/)) &&
    any(filter.requireTools, named(capabilities, /^tool\.[^.]*\.tool_id$/)) &&
    memoryGb >= (filter.minMemoryGb ?? 0) && vramGb >= (filter.minVramGb ?? 0) &&
    (filter.requireGpu !== true || gpuVendor !== undefined) &&
    (filter.gpuVendor === undefined || gpuVendor === filter.gpuVendor);
  if (!isBasic) return false;
  if (rules === "core") return filter.minVramGb !== 0 || gpuVendor !== undefined;
  const { minContextLength, requireModalities = [] } = filter;
  return (minContextLength === undefined ||
    models.some(({ contextLength }) => contextLength >= minContextLength)) &&
    requireModalities.every((name) => models.some(({ modalities }) => modalities.includes(name)));
}

function inScope({ nodeId, capabilities }: NaiveEntry, { scope }: FindOptions): boolean {
  if (scope === undefined) return true;
  if (scope.kind === "same_subnet") return scope.isSameSubnet(nodeId);
  const { tags } = capabilities;
  if (tags.includes("scope:subnet-local")) return false;
  if (scope.kind === "any") return true;
  const named = (stem: string) =>
    tags.filter((tag) => tag.startsWith(stem) && tag !== stem).map((tag) => tag.slice(stem.length));
  const [tenants, regions] = [named("scope:tenant:"), named("scope:region:")];
  if (tenants.length + regions.length === 0) return true;
  if (scope.kind === "global_only") return false;
  const had = scope.kind === "tenants" ? tenants : regions;
  return scope.names.some((name) => had.includes(name));
}

function hasAge({ isStale = false }: NaiveEntry, { stale = "include" }: FindOptions): boolean {
  return stale === "include" || isStale === (stale === "only");
}

/** Ids that tags name; all of them when several tags speak of the same row. */
function named({ tags }: CapabilitySet, key: RegExp): readonly string[] {
  return tags.flatMap((text) => {
    const tag = parseTag(text);
    return tag?.kind === "value" && tag.axis === "software" && key.test(tag.key) ? [tag.value] : [];
  });
}

function meaning(text: string): string {
  const tag = parseTag(text);
  return tag?.kind === "value" ? `${tag.axis}.${tag.key}=${tag.value}` : text;
}
