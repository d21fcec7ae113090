/**
 * Steps that lead from one capability set to another, and why a step may not be possible
 * (`capabilities.md` 5). A node keeps them for itself: on the mesh whole announcements travel.
 */
import type { HardwareView } from "../views/hardware_view.ts";
import type { LimitsView } from "../views/limits_view.ts";
import type { ModelView } from "../views/model_view.ts";
import type { SoftwareView } from "../views/software_view.ts";
import type { ToolView } from "../views/tool_view.ts";

/** Begins the path of a field that is a metadata entry; there are no other fields. */
export const METADATA_FIELD_PREFIX = "metadata.";

/** One step. */
export type DiffOp =
  | { readonly kind: "add_tag" | "remove_tag"; readonly tag: string }
  /** Takes the place of a model of the same id, at the end of the list; the same for tools. */
  | { readonly kind: "add_model"; readonly model: ModelView }
  | { readonly kind: "remove_model"; readonly modelId: string }
  | {
    readonly kind: "update_model";
    readonly modelId: string;
    /** `undefined` leaves it as it is; the same below. */
    readonly tokensPerSec: number | undefined;
    readonly loaded: boolean | undefined;
  }
  | { readonly kind: "add_tool"; readonly tool: ToolView }
  | { readonly kind: "remove_tool"; readonly toolId: string }
  | { readonly kind: "update_hardware"; readonly hardware: HardwareView }
  | { readonly kind: "update_memory"; readonly memoryGb: number }
  | { readonly kind: "update_network"; readonly networkGbps: number }
  | { readonly kind: "update_software"; readonly software: SoftwareView }
  | {
    readonly kind: "add_runtime" | "add_framework";
    readonly name: string;
    readonly version: string;
  }
  | { readonly kind: "remove_runtime" | "remove_framework"; readonly name: string }
  | { readonly kind: "update_limits"; readonly limits: LimitsView }
  | { readonly kind: "update_max_concurrent"; readonly maxConcurrentRequests: number }
  | { readonly kind: "update_rate_limit"; readonly rateLimitRpm: number }
  | { readonly kind: "set_field"; readonly path: string; readonly value: string }
  | { readonly kind: "unset_field"; readonly path: string };

/** Steps from one version of a node's set to a later one. */
export interface CapabilityDiff {
  readonly nodeId: bigint;
  readonly baseVersion: bigint;
  readonly newVersion: bigint;
  readonly ops: readonly DiffOp[];
  /** Nanoseconds since the Unix epoch. */
  readonly timestampNs: bigint;
}

/** Why a diff does not apply. */
export type DiffFault =
  | { readonly kind: "version_mismatch"; readonly expected: bigint; readonly actual: bigint }
  | { readonly kind: "not_applicable"; readonly reason: string }
  | { readonly kind: "model_not_found"; readonly modelId: string }
  | { readonly kind: "tool_not_found"; readonly toolId: string }
  | { readonly kind: "tag_not_found"; readonly tag: string }
  | { readonly kind: "runtime_not_found" | "framework_not_found"; readonly name: string }
  | { readonly kind: "invalid_field_path"; readonly path: string };
