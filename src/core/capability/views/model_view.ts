/** The models a node can run, read from and written to tags `software.model.I.…` (`capabilities.md` 3). */
import type { CapabilitySet } from "../capability_set.ts";
import { cachedPerSet } from "./_cached_view.ts";
import { readRows } from "./_rows.ts";
import { countOfText, splitTexts, TagWriter } from "./_view_text.ts";
import { isModality, type Modality, parseModality } from "./modality.ts";

/** One model; zero and empty mean not told. */
export interface ModelView {
  readonly modelId: string;
  readonly family: string;
  /** Parameters in billions, times ten. */
  readonly parametersBX10: number;
  /** Tokens. */
  readonly contextLength: number;
  readonly quantization: string;
  /** Known ones only. */
  readonly modalities: readonly Modality[];
  readonly tokensPerSec: number;
  readonly loaded: boolean;
}

/** A model to write; what is left out is not written, but for the modalities: without any it is text. */
export type ModelInput = Pick<ModelView, "modelId"> & Partial<ModelView>;

const MODALITIES_DEFAULT: readonly Modality[] = ["text"];

type Row = { -readonly [Name in keyof ModelView]: ModelView[Name] };
type Count = "parametersBX10" | "contextLength" | "tokensPerSec";

const COUNT_FIELDS: ReadonlyMap<string, Count> = new Map<string, Count>([
  ["parameters_b_x10", "parametersBX10"],
  ["context_length", "contextLength"],
  ["tokens_per_sec", "tokensPerSec"],
]);
const KEY =
  /^model\.[^.]*\.(?:id|family|parameters_b_x10|context_length|quantization|modalities|tokens_per_sec|loaded)$/;

/**
 * The models that a set tells of, in their order; read once per set.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { readModels } from "./model_view.ts";
 * const [model] = readModels(
 *   createCapabilitySet(["software.model.0.id=tiny", "software.model.0.modalities=text,code"]),
 * );
 * console.assert(model?.modelId === "tiny" && model.modalities.length === 2);
 * ```
 */
export const readModels: (set: CapabilitySet) => readonly ModelView[] = cachedPerSet(decodeModels);

/** {@linkcode readModels} for those who ask once and keep what they need. */
export function decodeModels({ tags }: CapabilitySet): readonly ModelView[] {
  return readRows(tags, "software.model.", createRow, readField);
}

/**
 * The tags of some models, in no order.
 *
 * @throws RangeError when an id is empty or a number is no count.
 * @throws NetError `usage` when a modality is unknown.
 */
export function modelTags(models: readonly ModelInput[]): readonly string[] {
  return models.flatMap((model, index) => {
    if (model.modelId === "") throw new RangeError(`Cannot write model ${index}: its id is empty`);
    const { modalities = MODALITIES_DEFAULT, loaded = false } = model;
    return new TagWriter("software", `model.${index}.`)
      .text("id", model.modelId)
      .text("family", model.family)
      .count("parameters_b_x10", model.parametersBX10)
      .count("context_length", model.contextLength)
      .text("quantization", model.quantization)
      .list("modalities", modalities.map(parseModality))
      .count("tokens_per_sec", model.tokensPerSec)
      .text("loaded", loaded ? "true" : "").tags;
  });
}

/** True for the keys of the axis that {@linkcode modelTags} writes, under any index. */
export function isModelKey(key: string): boolean {
  return KEY.test(key);
}

function createRow(): Row {
  return {
    modelId: "",
    family: "",
    parametersBX10: 0,
    contextLength: 0,
    quantization: "",
    modalities: [],
    tokensPerSec: 0,
    loaded: false,
  };
}

function readField(row: Row, field: string, value: string): void {
  const count = COUNT_FIELDS.get(field);
  if (count !== undefined) row[count] = countOfText(value) ?? row[count];
  else if (field === "id") row.modelId = value;
  else if (field === "family") row.family = value;
  else if (field === "quantization") row.quantization = value;
  else if (field === "modalities") row.modalities = splitTexts(value).filter(isModality);
  else if (field === "loaded") row.loaded = value === "true";
}
