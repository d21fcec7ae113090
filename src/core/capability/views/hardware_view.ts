/**
 * What a node is built from, read from and written to tags `hardware.…` (`capabilities.md` 3).
 *
 * Tags have room for one GPU. Limits of use share the axis but are `limits_view.ts`.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { readProperties } from "../tags/axis_tags.ts";
import { cachedPerSet } from "./_cached_view.ts";
import { countOfText, TagWriter } from "./_view_text.ts";

/** Makers of GPUs that have a name in tags; any other reads as `unknown`. */
export const GPU_VENDORS = ["nvidia", "amd", "intel", "apple", "qualcomm", "unknown"] as const;

/** A maker of GPUs. */
export type GpuVendor = (typeof GPU_VENDORS)[number];

/** The GPU of a node; zero and empty mean not told. */
export interface GpuView {
  readonly vendor: GpuVendor;
  readonly model: string;
  readonly vramGb: number;
  readonly computeUnits: number;
  readonly tensorCores: number;
  /** Tera-operations per second in half precision, times ten. */
  readonly fp16TflopsX10: number;
}

/** The hardware of a node; zero means not told. */
export interface HardwareView {
  readonly cpuCores: number;
  readonly cpuThreads: number;
  readonly memoryGb: number;
  readonly storageGb: number;
  readonly networkGbps: number;
  readonly gpu: GpuView | undefined;
}

/** Hardware to write; what is left out is not written. */
export interface HardwareInput extends Partial<Omit<HardwareView, "gpu">> {
  readonly gpu?: Partial<GpuView> | undefined;
}

type Counts = { -readonly [Name in Exclude<keyof HardwareView, "gpu">]: number };
type Gpu = { -readonly [Name in keyof GpuView]: GpuView[Name] };

const GPU_KEY = "gpu.";

/** Fields by the key of their tag. */
const COUNT_FIELDS: ReadonlyMap<string, keyof Counts> = new Map<string, keyof Counts>([
  ["cpu_cores", "cpuCores"],
  ["cpu_threads", "cpuThreads"],
  ["memory_gb", "memoryGb"],
  ["storage_gb", "storageGb"],
  ["network_gbps", "networkGbps"],
]);
type GpuCount = Exclude<keyof Gpu, "vendor" | "model">;
const GPU_COUNT_FIELDS: ReadonlyMap<string, GpuCount> = new Map<string, GpuCount>([
  ["gpu.vram_gb", "vramGb"],
  ["gpu.compute_units", "computeUnits"],
  ["gpu.tensor_cores", "tensorCores"],
  ["gpu.fp16_tflops_x10", "fp16TflopsX10"],
]);

/**
 * The hardware that a set tells of; read once per set.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { readHardwareView } from "./hardware_view.ts";
 * const { memoryGb, gpu } = readHardwareView(
 *   createCapabilitySet(["hardware.memory_gb=64", "hardware.gpu.vendor=amd"]),
 * );
 * console.assert(memoryGb === 64 && gpu?.vendor === "amd");
 * ```
 */
export const readHardwareView: (set: CapabilitySet) => HardwareView = cachedPerSet(
  decodeHardwareView,
);

/** {@linkcode readHardwareView} for those who ask once and keep what they need. */
export function decodeHardwareView({ tags }: CapabilitySet): HardwareView {
  const counts: Counts = {
    cpuCores: 0,
    cpuThreads: 0,
    memoryGb: 0,
    storageGb: 0,
    networkGbps: 0,
  };
  let gpu: Gpu | undefined;
  readProperties(tags, "hardware.", (key, value) => {
    if (key === "gpu" || key.startsWith(GPU_KEY)) readGpu(gpu ??= emptyGpu(), key, value);
    const field = COUNT_FIELDS.get(key);
    if (field !== undefined) counts[field] = countOfText(value) ?? counts[field];
  });
  return { ...counts, gpu };
}

/**
 * The tags of some hardware, in no order. Threads that are left out are as many as cores.
 *
 * @throws RangeError when a number is no count or the vendor is not in {@linkcode GPU_VENDORS}.
 */
export function hardwareTags(hardware: HardwareInput): readonly string[] {
  const { gpu, cpuCores, cpuThreads = cpuCores } = hardware;
  const writer = new TagWriter("hardware")
    .count("cpu_cores", cpuCores)
    .count("cpu_threads", cpuThreads)
    .count("memory_gb", hardware.memoryGb)
    .count("storage_gb", hardware.storageGb)
    .count("network_gbps", hardware.networkGbps);
  if (gpu === undefined) return writer.tags;
  const { vendor = "unknown" } = gpu;
  if (!GPU_VENDORS.includes(vendor)) {
    throw new RangeError(
      `Cannot write hardware.gpu.vendor: value is "${vendor}", must be one of ${GPU_VENDORS}`,
    );
  }
  return writer.present("gpu")
    .text("gpu.vendor", vendor === "unknown" ? "" : vendor)
    .text("gpu.model", gpu.model)
    .count("gpu.vram_gb", gpu.vramGb)
    .count("gpu.compute_units", gpu.computeUnits)
    .count("gpu.tensor_cores", gpu.tensorCores)
    .count("gpu.fp16_tflops_x10", gpu.fp16TflopsX10).tags;
}

/** True for the keys of the axis that {@linkcode hardwareTags} writes. */
export function isHardwareKey(key: string): boolean {
  return key === "gpu" || COUNT_FIELDS.has(key) || GPU_COUNT_FIELDS.has(key) ||
    key === "gpu.vendor" || key === "gpu.model";
}

/** The vendor that people mean, whatever the case; `unknown` when it has no name in tags. */
export function parseGpuVendor(text: string): GpuVendor {
  return vendorOf(text.toLowerCase());
}

function vendorOf(text: string): GpuVendor {
  return GPU_VENDORS.find((vendor) => vendor === text) ?? "unknown";
}

function emptyGpu(): Gpu {
  return {
    vendor: "unknown",
    model: "",
    vramGb: 0,
    computeUnits: 0,
    tensorCores: 0,
    fp16TflopsX10: 0,
  };
}

function readGpu(gpu: Gpu, key: string, value: string | undefined): void {
  if (value === undefined) return;
  if (key === "gpu.vendor") gpu.vendor = vendorOf(value);
  else if (key === "gpu.model") gpu.model = value;
  else {
    const field = GPU_COUNT_FIELDS.get(key);
    if (field !== undefined) gpu[field] = countOfText(value) ?? gpu[field];
  }
}
