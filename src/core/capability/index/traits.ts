/**
 * What single tags contribute to the facts that queries compare and count, and those facts of a whole node
 * (`capabilities.md` 3, 8). A tag is taken apart once for all nodes that have it; the full typed views, `views/`,
 * are not needed here.
 */
import { unsignedOfText } from "../predicate/number_text.ts";
import type { Tag } from "../tags/tag.ts";
import { GPU_VENDORS, type GpuVendor } from "../views/hardware_view.ts";
import { MODALITIES } from "../views/modality.ts";

/** Fields of a model that count here; any other only tells that there is a model. */
type ModelField = "tokens_per_sec" | "context_length" | "modalities" | "loaded" | "other";

/** What one tag contributes. */
export type Trait =
  | { readonly kind: "memory_gb" | "vram_gb"; readonly amount: number }
  /** There is a GPU. */
  | { readonly kind: "gpu" }
  | { readonly kind: "gpu_vendor"; readonly vendor: GpuVendor }
  | {
    readonly kind: "model";
    /** `undefined` for a tag that names a model and belongs to no row. */
    readonly index: number | undefined;
    readonly field: ModelField;
    /** The number, bits of modalities, or 1 for loaded; `undefined` when it was not readable. */
    readonly amount: number | undefined;
    /** Of a tag that names the model. */
    readonly id: string | undefined;
  }
  | { readonly kind: "tool"; readonly id: string };

/** What a node is built from, as a fold entry states it or tags tell it. */
export interface HardwareFacts {
  readonly memoryGb: number;
  /** Of all GPUs together. */
  readonly vramGb: number;
  /** `undefined` without a GPU. */
  readonly gpuVendor: GpuVendor | undefined;
}

/** What a node's models can do. */
export interface ModelFacts {
  /** Of the fastest; 0 without a model. */
  readonly tokensPerSecond: number;
  /** Of the longest; -1 without a model. */
  readonly contextLength: number;
  /** Bits of {@linkcode MODALITIES} that some model has. */
  readonly modalities: number;
  /** Part of the models that is loaded, 0..1. */
  readonly loadedShare: number;
}

/** There is no model. */
export const NO_MODELS: ModelFacts = {
  tokensPerSecond: 0,
  contextLength: -1,
  modalities: 0,
  loadedShare: 0,
};

const U32_MAX = 0xffff_ffff;
const ROW_KEY = /^(model|tool)\.([^.]*)\.(.*)$/s;
const GPU: Trait = { kind: "gpu" };

/** What a tag contributes; `undefined` for most of them. */
export function readTrait(tag: Tag): Trait | undefined {
  if (tag.kind !== "present" && tag.kind !== "value") return undefined;
  const value = tag.kind === "value" ? tag.value : undefined;
  if (tag.axis === "hardware") return readHardware(tag.key, value);
  return tag.axis === "software" ? readSoftware(tag.key, value) : undefined;
}

/** Puts together what tags say of the hardware; of several that speak of the same the last counts. */
export function gatherHardware(traits: readonly Trait[]): HardwareFacts {
  let [memoryGb, vramGb] = [0, 0];
  let gpuVendor: GpuVendor | undefined;
  for (const trait of traits) {
    if (trait.kind === "memory_gb") memoryGb = trait.amount;
    else if (trait.kind === "vram_gb") vramGb = trait.amount;
    if (trait.kind === "gpu_vendor") gpuVendor = trait.vendor;
    else if (trait.kind === "gpu" || trait.kind === "vram_gb") gpuVendor ??= "unknown";
  }
  return { memoryGb, vramGb, gpuVendor };
}

/** Puts together what tags say of models. */
export function gatherModels(traits: readonly Trait[]): ModelFacts {
  const models = new Map<number, Record<ModelField, number>>();
  for (const trait of traits) {
    if (trait.kind !== "model") continue;
    const { index, field, amount } = trait;
    if (index === undefined) continue;
    let model = models.get(index);
    if (model === undefined) {
      model = { tokens_per_sec: 0, context_length: 0, modalities: 0, loaded: 0, other: 0 };
      models.set(index, model);
    }
    model[field] = amount ?? model[field];
  }
  if (models.size === 0) return NO_MODELS;
  let { tokensPerSecond, contextLength, modalities } = NO_MODELS;
  let loaded = 0;
  for (const model of models.values()) {
    tokensPerSecond = Math.max(tokensPerSecond, model.tokens_per_sec);
    contextLength = Math.max(contextLength, model.context_length);
    modalities |= model.modalities;
    loaded += model.loaded;
  }
  return { tokensPerSecond, contextLength, modalities, loadedShare: loaded / models.size };
}

/** The bit of a modality; 0 for what is none. */
export function bitOfModality(text: string): number {
  const index = (MODALITIES as readonly string[]).indexOf(text);
  return index === -1 ? 0 : 1 << index;
}

function readHardware(key: string, value: string | undefined): Trait | undefined {
  const amount = countOf(value);
  if (key === "memory_gb") return amount === undefined ? undefined : { kind: key, amount };
  if (key !== "gpu" && !key.startsWith("gpu.")) return undefined;
  if (key === "gpu.vendor" && value !== undefined) {
    return { kind: "gpu_vendor", vendor: GPU_VENDORS.find((name) => name === value) ?? "unknown" };
  }
  return key === "gpu.vram_gb" && amount !== undefined ? { kind: "vram_gb", amount } : GPU;
}

function readSoftware(key: string, value: string | undefined): Trait | undefined {
  const [, kind, digits = "", field = ""] = ROW_KEY.exec(key) ?? [];
  if (kind === "tool") {
    return field === "tool_id" && value !== undefined ? { kind, id: value } : undefined;
  }
  if (kind !== "model") return undefined;
  const number = unsignedOfText(digits);
  const index = typeof number === "number" && number <= U32_MAX ? number : undefined;
  const id = field === "id" ? value : undefined;
  // As in the core, a name counts under whatever index.
  if (index === undefined && id === undefined) return undefined;
  switch (field) {
    case "tokens_per_sec":
    case "context_length":
      return { kind, index, field, amount: countOf(value), id };
    case "modalities":
      return { kind, index, field, amount: bitsOf(value ?? ""), id };
    case "loaded":
      return { kind, index, field, amount: value === "true" ? 1 : 0, id };
    default:
      return { kind, index, field: "other", amount: undefined, id };
  }
}

function countOf(text: string | undefined): number | undefined {
  const count = text === undefined ? undefined : unsignedOfText(text);
  return count === undefined ? undefined : Number(count);
}

function bitsOf(csv: string): number {
  return csv.split(",").reduce((bits, text) => bits | bitOfModality(text), 0);
}
