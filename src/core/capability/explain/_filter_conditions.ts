/** The conditions of a filter one by one, each with what a node has to do with it. */
import type { IndexEntry } from "../index/capability_index.ts";
import type { FindOptions, NodeFilter } from "../index/find.ts";
import type { NodeScope } from "../index/scope.ts";
import { readTagsBehind } from "../tags/axis_tags.ts";
import { formatTagKey, parseTag } from "../tags/tag.ts";
import { readModels } from "../views/model_view.ts";
import { readTools } from "../views/tool_view.ts";
import { show, showList } from "./_text.ts";

/** One condition, as a filter that has no other. */
export interface FilterCondition {
  readonly text: string;
  readonly found: string;
  readonly part: { readonly filter?: NodeFilter; readonly options?: FindOptions };
}

/** All conditions of a filter and of how it is meant. */
export function listFilterConditions(
  filter: NodeFilter,
  options: FindOptions,
  entry: IndexEntry,
): readonly FilterCondition[] {
  const { capabilities: set, hardware } = entry;
  const { requireTags = [], requireModels = [], requireTools = [], requireModalities = [] } =
    filter;
  const { minMemoryGb = 0, minVramGb = 0, minContextLength, gpuVendor } = filter;
  const models = readModels(set);
  const conditions: FilterCondition[] = [];
  const add = (text: string, found: string, part: NodeFilter) => {
    conditions.push({ text, found, part: { filter: part } });
  };
  for (const tag of requireTags) {
    add(`tag ${show(tag)}`, relatedTags(tag, entry), { requireTags: [tag] });
  }
  if (requireModels.length > 0) {
    const ids = models.map(({ modelId }) => modelId);
    const text = `model ${showList(requireModels, "")}`;
    add(text, showList(ids, "no model"), { requireModels });
  }
  if (requireTools.length > 0) {
    const ids = readTools(set).map(({ toolId }) => toolId);
    add(`tool ${showList(requireTools, "")}`, showList(ids, "no tool"), { requireTools });
  }
  if (filter.requireGpu === true) {
    add("GPU", hardware.gpuVendor === undefined ? "no GPU" : "a GPU", { requireGpu: true });
  }
  if (gpuVendor !== undefined) {
    add(`GPU of ${show(gpuVendor)}`, hardware.gpuVendor ?? "no GPU", { gpuVendor });
  }
  if (minMemoryGb > 0) {
    add(`memory of ${minMemoryGb} GB`, amount(hardware.memoryGb), { minMemoryGb });
  }
  if (minVramGb > 0) {
    add(`GPU memory of ${minVramGb} GB`, amount(hardware.vramGb), { minVramGb });
  }
  if (minContextLength !== undefined && options.rules !== "core") {
    const lengths = models.map(({ contextLength }) => String(contextLength));
    const text = `context of ${minContextLength} tokens`;
    add(text, showList(lengths, "no model"), { minContextLength });
  }
  if (requireModalities.length > 0 && options.rules !== "core") {
    const modalities = [...new Set(models.flatMap((model) => model.modalities))];
    const text = `modalities ${showList(requireModalities, "")}`;
    add(text, showList(modalities, "none"), { requireModalities });
  }
  return [...conditions, ...optionConditions(options, entry)];
}

function optionConditions(options: FindOptions, entry: IndexEntry): readonly FilterCondition[] {
  const { scope, stale } = options;
  const conditions: FilterCondition[] = [];
  if (scope !== undefined) {
    const tags: string[] = [];
    readTagsBehind(entry.capabilities.tags, "scope:", (body) => tags.push(`scope:${body}`));
    const found = showList(tags, "no scope, so everybody's");
    conditions.push({ text: scopeText(scope), found, part: { options: { scope } } });
  }
  if (stale === "exclude" || stale === "only") {
    const text = stale === "exclude"
      ? "heard since this node started"
      : "not heard since this node started";
    const found = entry.isStale ? "from before" : "heard";
    conditions.push({ text, found, part: { options: { stale } } });
  }
  return conditions;
}

function scopeText(scope: NodeScope): string {
  switch (scope.kind) {
    case "any":
      return "not for its own subnet only";
    case "global_only":
      return "neither tenant nor region";
    case "same_subnet":
      return "same subnet";
    case "tenants":
      return `tenant ${showList(scope.names, "none")}`;
    case "regions":
      return `region ${showList(scope.names, "none")}`;
  }
}

/** The tag itself, or those of the same key or the same beginning up to a colon. */
function relatedTags(text: string, { capabilities: { tags } }: IndexEntry): string {
  const tag = parseTag(text);
  const beginning = tag?.kind === "present" || tag?.kind === "value"
    ? formatTagKey(tag)
    : text.slice(0, text.indexOf(":") + 1);
  const related = tags.filter((other) =>
    other === text || (beginning !== "" && other.startsWith(beginning))
  );
  return showList(related, "no such tag");
}

function amount(gigabytes: number): string {
  return gigabytes === 0 ? "not told" : `${gigabytes} GB`;
}
