/**
 * Applies steps to a capability set (`capabilities.md` 5). Pure: the set that is given stays as it is.
 *
 * Tags are taken as they are, reserved ones too: whoever made the diff speaks for the node.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { NetError } from "../../../base/mod.ts";
import { hardwareTags, isHardwareKey } from "../views/hardware_view.ts";
import { isLimitsKey, limitsTags } from "../views/limits_view.ts";
import { modelTags } from "../views/model_view.ts";
import { isSoftwareKey, softwareTags } from "../views/software_view.ts";
import { toolMetadata, toolTags } from "../views/tool_view.ts";
import { propertyTag, SetDraft } from "./_set_draft.ts";
import {
  type CapabilityDiff,
  type DiffFault,
  type DiffOp,
  METADATA_FIELD_PREFIX,
} from "./diff_ops.ts";

/** Options of {@linkcode applyDiff}. */
export interface ApplyDiffOptions {
  /** Version of the set at hand. */
  readonly currentVersion: bigint;
  /** A step without its target is a fault; otherwise it is passed over. */
  readonly isStrict: boolean;
}

/** What {@linkcode applyDiff} made. */
export type AppliedDiff =
  | { readonly ok: true; readonly set: CapabilitySet }
  | { readonly ok: false; readonly fault: DiffFault };

/**
 * Applies a diff to the version it was made for; never throws.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { applyDiff } from "./diff_apply.ts";
 * const applied = applyDiff(createCapabilitySet(["a"]), {
 *   nodeId: 1n,
 *   baseVersion: 1n,
 *   newVersion: 2n,
 *   ops: [{ kind: "add_tag", tag: "b" }],
 *   timestampNs: 0n,
 * }, { currentVersion: 1n, isStrict: true });
 * console.assert(applied.ok && applied.set.tags.join() === "a,b");
 * ```
 */
export function applyDiff(
  set: CapabilitySet,
  diff: CapabilityDiff,
  options: ApplyDiffOptions,
): AppliedDiff {
  const { baseVersion, newVersion } = diff;
  const { currentVersion } = options;
  if (currentVersion !== baseVersion) {
    return refuse({ kind: "version_mismatch", expected: baseVersion, actual: currentVersion });
  }
  if (newVersion <= baseVersion) {
    const reason = `new version is ${newVersion}, must be above ${baseVersion}`;
    return refuse({ kind: "not_applicable", reason });
  }
  return applyOps(set, diff.ops, options.isStrict);
}

/** Applies steps without looking at versions; never throws. */
export function applyOps(
  set: CapabilitySet,
  ops: readonly DiffOp[],
  isStrict: boolean,
): AppliedDiff {
  const draft = new SetDraft(set);
  for (const op of ops) {
    const fault = tryOp(draft, op);
    if (fault !== undefined && isStrict) return refuse(fault);
  }
  try {
    return { ok: true, set: draft.finish() };
  } catch (error) {
    return refuse(notApplicable(error));
  }
}

/** Applies one step; a step that is not possible changes nothing. */
function tryOp(draft: SetDraft, op: DiffOp): DiffFault | undefined {
  try {
    return applyOp(draft, op);
  } catch (error) {
    return notApplicable(error);
  }
}

/** @throws RangeError or NetError when a value cannot be written, before anything is changed. */
function applyOp(draft: SetDraft, op: DiffOp): DiffFault | undefined {
  switch (op.kind) {
    case "add_tag":
      if (op.tag === "" || !op.tag.isWellFormed()) throw new RangeError("Cannot add tag: no tag");
      return void draft.add(op.tag);
    case "remove_tag":
      return draft.remove(op.tag) ? undefined : { kind: "tag_not_found", tag: op.tag };
    case "add_model":
      return void draft.replaceRows("model", op.model.modelId, modelTags([op.model]));
    case "remove_model":
      return draft.replaceRows("model", op.modelId)
        ? undefined
        : { kind: "model_not_found", modelId: op.modelId };
    case "update_model":
      return updateModel(draft, op);
    case "add_tool": {
      const tags = toolTags([op.tool]);
      const entries = toolMetadata([op.tool]);
      draft.forgetTool(op.tool.toolId);
      draft.replaceRows("tool", op.tool.toolId, tags);
      for (const [key, value] of entries) draft.setMetadata(key, value);
      return undefined;
    }
    case "remove_tool":
      if (!draft.replaceRows("tool", op.toolId)) {
        return { kind: "tool_not_found", toolId: op.toolId };
      }
      return void draft.forgetTool(op.toolId);
    case "update_hardware":
      return void draft.replace("hardware", isHardwareKey, hardwareTags(op.hardware));
    case "update_memory":
      return setHardware(draft, "memory_gb", hardwareTags({ memoryGb: op.memoryGb }));
    case "update_network":
      return setHardware(draft, "network_gbps", hardwareTags({ networkGbps: op.networkGbps }));
    case "update_software":
      return void draft.replace("software", isSoftwareKey, softwareTags(op.software));
    case "add_runtime":
      return addVersion(draft, "runtime", op);
    case "add_framework":
      return addVersion(draft, "framework", op);
    case "remove_runtime":
    case "remove_framework": {
      const [kind, fault] = op.kind === "remove_runtime"
        ? ["runtime", "runtime_not_found"] as const
        : ["framework", "framework_not_found"] as const;
      const isFound = draft.replace("software", (key) => key === `${kind}.${op.name}`, []);
      return isFound ? undefined : { kind: fault, name: op.name };
    }
    case "update_limits":
      return void draft.replace("hardware", isLimitsKey, limitsTags(op.limits));
    case "update_max_concurrent":
    case "update_rate_limit": {
      const [key, limits] = op.kind === "update_rate_limit"
        ? ["limits.rate_limit_rpm", { rateLimitRpm: op.rateLimitRpm }] as const
        : ["limits.max_concurrent_requests", {
          maxConcurrentRequests: op.maxConcurrentRequests,
        }] as const;
      return setHardware(draft, key, limitsTags(limits));
    }
    case "set_field":
    case "unset_field":
      return changeField(draft, op);
  }
}

function updateModel(
  draft: SetDraft,
  op: Extract<DiffOp, { kind: "update_model" }>,
): DiffFault | undefined {
  const { modelId, tokensPerSec, loaded } = op;
  const index = draft.rowOf("model", modelId);
  if (index === undefined) return { kind: "model_not_found", modelId };
  const put = (field: string, value: number | string) => {
    const key = `model.${index}.${field}`;
    draft.replace("software", (other) => other === key, propertyTag("software", key, value));
  };
  // The writer checks the number.
  if (tokensPerSec !== undefined) modelTags([{ modelId, tokensPerSec }]);
  if (tokensPerSec !== undefined) put("tokens_per_sec", tokensPerSec);
  if (loaded !== undefined) put("loaded", loaded ? "true" : "");
  return undefined;
}

function setHardware(draft: SetDraft, key: string, tags: readonly string[]): undefined {
  draft.replace("hardware", (other) => other === key, tags);
}

function addVersion(
  draft: SetDraft,
  kind: "runtime" | "framework",
  { name, version }: { readonly name: string; readonly version: string },
): undefined {
  const versions = [[name, version]] as const;
  const tags = softwareTags(kind === "runtime" ? { runtimes: versions } : { frameworks: versions });
  if (tags.length === 0) throw new RangeError(`Cannot write ${kind} ${JSON.stringify(name)}`);
  draft.replace("software", (key) => key === `${kind}.${name}`, tags);
}

function changeField(
  draft: SetDraft,
  op: Extract<DiffOp, { kind: "set_field" | "unset_field" }>,
): DiffFault | undefined {
  const { path } = op;
  const key = path.slice(METADATA_FIELD_PREFIX.length);
  const isKnown = path.startsWith(METADATA_FIELD_PREFIX) && path.isWellFormed();
  if (!isKnown) return { kind: "invalid_field_path", path };
  if (op.kind === "set_field") {
    if (!op.value.isWellFormed()) throw new RangeError("Cannot set field: no valid Unicode");
    return void draft.setMetadata(key, op.value);
  }
  return draft.removeMetadata(key) ? undefined : { kind: "invalid_field_path", path };
}

function notApplicable(error: unknown): DiffFault {
  if (error instanceof RangeError || error instanceof NetError) {
    return { kind: "not_applicable", reason: error.message };
  }
  throw error;
}

function refuse(fault: DiffFault): AppliedDiff {
  return { ok: false, fault };
}
