/**
 * Finds the steps from one capability set to another (`capabilities.md` 5): steps about models, tools and
 * other properties first, then tag by tag and entry by entry what they did not cover. Applied, they give
 * the tags of the newer set up to separators, whatever the sets hold.
 */
import { type CapabilitySet, compareUtf8 } from "../capability_set.ts";
import { meaningOfTag } from "../tags/tag_equality.ts";
import { type HardwareView, readHardwareView } from "../views/hardware_view.ts";
import { type LimitsView, readLimitsView } from "../views/limits_view.ts";
import { type ModelView, readModels } from "../views/model_view.ts";
import { readSoftwareView, type SoftwareView } from "../views/software_view.ts";
import { readTools, type ToolView } from "../views/tool_view.ts";
import { applyOps } from "./diff_apply.ts";
import { type DiffOp, METADATA_FIELD_PREFIX } from "./diff_ops.ts";
import { diffCapabilities } from "./set_diff.ts";

/**
 * The steps from `previous` to `current`.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { createDiffOps } from "./diff_create.ts";
 * const ops = createDiffOps(
 *   createCapabilitySet(["hardware.memory_gb=32"]),
 *   createCapabilitySet(["hardware.memory_gb=64"]),
 * );
 * console.assert(ops.length === 1 && ops[0]?.kind === "update_memory");
 * ```
 */
export function createDiffOps(previous: CapabilitySet, current: CapabilitySet): readonly DiffOp[] {
  const typed: DiffOp[] = [];
  let reached = previous;
  const candidates = [
    ...modelOps(readModels(previous), readModels(current)),
    ...toolOps(readTools(previous), readTools(current)),
    ...hardwareOps(readHardwareView(previous), readHardwareView(current)),
    ...softwareOps(readSoftwareView(previous), readSoftwareView(current)),
    ...limitsOps(readLimitsView(previous), readLimitsView(current)),
  ];
  for (const op of candidates) {
    // A step that is not possible, about a model without an id for example, is left to the tags.
    const applied = applyOps(reached, [op], true);
    if (!applied.ok) continue;
    typed.push(op);
    reached = applied.set;
  }
  return [...typed, ...residualOps(reached, current)];
}

function modelOps(before: readonly ModelView[], after: readonly ModelView[]): readonly DiffOp[] {
  if (isSame(before, after)) return [];
  const old = new Map(before.map((model) => [model.modelId, model]));
  const ids = new Set(after.map((model) => model.modelId));
  const ops = removals([...old.keys()], ids).map((modelId): DiffOp => (
    { kind: "remove_model", modelId }
  ));
  for (const model of after) {
    const known = old.get(model.modelId);
    const { tokensPerSec, loaded, modelId } = model;
    if (known === undefined || !isSame({ ...known, tokensPerSec, loaded }, model)) {
      ops.push({ kind: "add_model", model });
    } else if (!isSame(known, model)) {
      ops.push({
        kind: "update_model",
        modelId,
        tokensPerSec: known.tokensPerSec === tokensPerSec ? undefined : tokensPerSec,
        loaded: known.loaded === loaded ? undefined : loaded,
      });
    }
  }
  return ops;
}

function toolOps(before: readonly ToolView[], after: readonly ToolView[]): readonly DiffOp[] {
  if (isSame(before, after)) return [];
  const old = new Map(before.map((tool) => [tool.toolId, tool]));
  const ids = new Set(after.map((tool) => tool.toolId));
  const ops = removals([...old.keys()], ids).map((toolId): DiffOp => (
    { kind: "remove_tool", toolId }
  ));
  for (const tool of after) {
    const known = old.get(tool.toolId);
    if (known === undefined || !isSame(known, tool)) ops.push({ kind: "add_tool", tool });
  }
  return ops;
}

function hardwareOps(before: HardwareView, after: HardwareView): readonly DiffOp[] {
  const { memoryGb, networkGbps } = after;
  if (isSame(before, after)) return [];
  if (isSame({ ...before, memoryGb }, after)) return [{ kind: "update_memory", memoryGb }];
  if (isSame({ ...before, networkGbps }, after)) return [{ kind: "update_network", networkGbps }];
  return [{ kind: "update_hardware", hardware: after }];
}

function softwareOps(before: SoftwareView, after: SoftwareView): readonly DiffOp[] {
  const { runtimes, frameworks } = after;
  if (!isSame({ ...before, runtimes, frameworks }, after)) {
    return [{ kind: "update_software", software: after }];
  }
  return [
    ...versionOps("runtime", before.runtimes, runtimes),
    ...versionOps("framework", before.frameworks, frameworks),
  ];
}

function versionOps(
  kind: "runtime" | "framework",
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly DiffOp[] {
  const ops = removals([...before.keys()], after).map((name): DiffOp => (
    { kind: `remove_${kind}`, name }
  ));
  for (const [name, version] of after) {
    if (before.get(name) !== version) ops.push({ kind: `add_${kind}`, name, version });
  }
  return ops;
}

function limitsOps(before: LimitsView, after: LimitsView): readonly DiffOp[] {
  const { maxConcurrentRequests, rateLimitRpm } = after;
  if (isSame(before, after)) return [];
  if (isSame({ ...before, maxConcurrentRequests }, after)) {
    return [{ kind: "update_max_concurrent", maxConcurrentRequests }];
  }
  if (isSame({ ...before, rateLimitRpm }, after)) {
    return [{ kind: "update_rate_limit", rateLimitRpm }];
  }
  return [{ kind: "update_limits", limits: after }];
}

/** What is left, in order: tags that go, tags that come, metadata. */
function residualOps(reached: CapabilitySet, current: CapabilitySet): readonly DiffOp[] {
  const diff = diffCapabilities(reached, current);
  return [
    ...eachMeaning(diff.removed_tags).map((tag): DiffOp => ({ kind: "remove_tag", tag })),
    ...eachMeaning(diff.added_tags).map((tag): DiffOp => ({ kind: "add_tag", tag })),
    ...diff.metadata_changes.map((change): DiffOp => {
      const path = METADATA_FIELD_PREFIX + change.key;
      if (change.kind === "removed") return { kind: "unset_field", path };
      const value = change.kind === "added" ? change.value : change.new_value;
      return { kind: "set_field", path, value };
    }),
  ];
}

/** The first tag of every meaning. */
function eachMeaning(tags: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return tags.filter((tag) => {
    const { size } = seen;
    return seen.add(meaningOfTag(tag)).size > size;
  });
}

function removals(
  before: readonly string[],
  after: { has(name: string): boolean },
): readonly string[] {
  return before.filter((name) => !after.has(name)).sort(compareUtf8);
}

function isSame(left: unknown, right: unknown): boolean {
  return canonical(left) === canonical(right);
}

/** One text for equal views; their members always come in the same order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) => part instanceof Map ? [...part] : part);
}
