/**
 * The keys that tags are known to have and what their values look like (`capabilities.md` 4). Other keys
 * are allowed: a newer node may know more.
 */
import type { TagAxis } from "../tags/tag.ts";

/** What the value of a tag looks like. */
export type ValueType = "presence" | "number" | "string" | "enumeration" | "bool" | "csv";

/** Keys of an axis. */
export interface AxisSchema {
  /** Whole keys. */
  readonly keys: ReadonlyMap<string, ValueType>;
  /** Lists, `PREFIX.I.FIELD`: fields by prefix, dot included. */
  readonly lists: ReadonlyMap<string, ReadonlyMap<string, ValueType>>;
  /** Entries by name, `PREFIX.NAME`: type of all values by prefix, dot included. */
  readonly names: ReadonlyMap<string, ValueType>;
}

const HARDWARE_KEYS = new Map<string, ValueType>([
  ...counts(["cpu_cores", "cpu_threads", "memory_gb", "storage_gb", "network_gbps"]),
  ["gpu", "presence"],
  ["gpu.vendor", "enumeration"],
  ["gpu.model", "string"],
  ...counts(["gpu.vram_gb", "gpu.compute_units", "gpu.tensor_cores", "gpu.fp16_tflops_x10"]),
  ...counts(["limits.max_concurrent_requests", "limits.max_tokens_per_request"]),
  ...counts(["limits.rate_limit_rpm", "limits.max_batch_size"]),
  ...counts(["limits.max_input_bytes", "limits.max_output_bytes"]),
]);

const SOFTWARE_KEYS = new Map<string, ValueType>([
  ["os", "string"],
  ["os_version", "string"],
  ["cuda_version", "string"],
]);

const MODEL_FIELDS = new Map<string, ValueType>([
  ["id", "string"],
  ["family", "string"],
  ["quantization", "string"],
  ["modalities", "csv"],
  ["loaded", "bool"],
  ...counts(["parameters_b_x10", "context_length", "tokens_per_sec"]),
]);

const TOOL_FIELDS = new Map<string, ValueType>([
  ["tool_id", "string"],
  ["name", "string"],
  ["version", "string"],
  ["requires", "csv"],
  ["stateless", "bool"],
  ...counts(["estimated_time_ms"]),
]);

const EMPTY: AxisSchema = { keys: new Map(), lists: new Map(), names: new Map() };

/** What is known of each axis. */
export const AXIS_SCHEMAS: Readonly<Record<TagAxis, AxisSchema>> = {
  hardware: { ...EMPTY, keys: HARDWARE_KEYS },
  software: {
    keys: SOFTWARE_KEYS,
    lists: new Map([["model.", MODEL_FIELDS], ["tool.", TOOL_FIELDS]]),
    names: new Map([["runtime.", "string"], ["framework.", "string"], ["driver.", "string"]]),
  },
  devices: EMPTY,
  dataforts: EMPTY,
};

function counts(keys: readonly string[]): readonly (readonly [string, ValueType])[] {
  return keys.map((key) => [key, "number"]);
}
