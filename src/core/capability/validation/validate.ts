/**
 * Looks a set over for what others will not understand (`capabilities.md` 4). Errors are mistakes to
 * repair, warnings may be meant; neither keeps a set from being announced or believed.
 *
 * Findings have the members of the reference's report, and are printed as they are.
 */
import { type CapabilitySet, compareUtf8 } from "../capability_set.ts";
import { STEERING_METADATA_KEYS } from "../ingest.ts";
import { unsignedOfText } from "../predicate/number_text.ts";
import { parseTag, type TagAxis } from "../tags/tag.ts";
import { indexOfText } from "../views/_rows.ts";
import { splitTexts } from "../views/_view_text.ts";
import { isModality } from "../views/modality.ts";
import { AXIS_SCHEMAS, type ValueType } from "./schema.ts";

/** Metadata longer than this, keys and values together, is warned about. */
export const METADATA_SOFT_CAP_BYTES = 4096;

/** Stands for the value of a tag that has none. */
const NO_VALUE = "<no value>";
const ENCODER = new TextEncoder();

/** A mistake. */
export type ValidationError =
  | {
    readonly kind: "type_mismatch";
    readonly axis: TagAxis;
    /** Whole key; the field's alone in lists, the prefix in entries by name. */
    readonly key: string;
    readonly expected: ValueType;
    readonly actual: string;
  }
  | {
    readonly kind: "index_malformed";
    readonly axis: TagAxis;
    readonly prefix: string;
    readonly index: string;
    readonly tag: string;
  }
  /** A model works on something that has no name; the reference has no such finding. */
  | {
    readonly kind: "unknown_modality";
    readonly axis: TagAxis;
    readonly key: string;
    readonly modality: string;
    readonly tag: string;
  };

/** Something that may be meant. */
export type ValidationWarning =
  | { readonly kind: "unknown_key"; readonly axis: TagAxis; readonly key: string }
  | { readonly kind: "legacy_tag"; readonly tag: string }
  | {
    readonly kind: "metadata_oversize";
    readonly soft_cap_bytes: number;
    readonly actual_bytes: number;
  }
  | { readonly kind: "metadata_reserved_key"; readonly key: string };

/** What was found; each list in the order of its JSON text. */
export interface ValidationReport {
  readonly errors: readonly ValidationError[];
  readonly warnings: readonly ValidationWarning[];
}

interface Findings {
  readonly errors: ValidationError[];
  readonly warnings: ValidationWarning[];
}

/** A structured tag under examination. */
interface Property {
  readonly tag: string;
  readonly axis: TagAxis;
  readonly key: string;
  readonly value: string | undefined;
}

/**
 * Looks a set over.
 *
 * @example
 * ```ts
 * import { createCapabilitySet } from "../capability_set.ts";
 * import { validateCapabilities } from "./validate.ts";
 * const { errors } = validateCapabilities(createCapabilitySet(["hardware.memory_gb=lots"]));
 * console.assert(errors[0]?.kind === "type_mismatch");
 * ```
 */
export function validateCapabilities(set: CapabilitySet): ValidationReport {
  const findings: Findings = { errors: [], warnings: [] };
  for (const text of set.tags) checkTag(text, findings);
  checkMetadata(set.metadata, findings);
  return { errors: ordered(findings.errors), warnings: ordered(findings.warnings) };
}

/** True when nothing has to be repaired. */
export function isValid({ errors }: ValidationReport): boolean {
  return errors.length === 0;
}

/** True when nothing was found at all. */
export function isClean({ errors, warnings }: ValidationReport): boolean {
  return errors.length === 0 && warnings.length === 0;
}

function checkTag(text: string, findings: Findings): void {
  const tag = parseTag(text);
  if (tag?.kind === "legacy") findings.warnings.push({ kind: "legacy_tag", tag: text });
  if (tag?.kind !== "present" && tag?.kind !== "value") return;
  const value = tag.kind === "value" ? tag.value : undefined;
  checkProperty({ tag: text, axis: tag.axis, key: tag.key, value }, findings);
}

function checkProperty(property: Property, findings: Findings): void {
  const { axis, key } = property;
  const { keys, lists, names } = AXIS_SCHEMAS[axis];
  const type = keys.get(key);
  if (type !== undefined) return checkValue(property, key, type, findings);
  for (const [prefix, fields] of lists) {
    const dot = key.startsWith(prefix) ? key.indexOf(".", prefix.length) : -1;
    if (dot === -1) continue;
    const index = key.slice(prefix.length, dot);
    if (indexOfText(index) === undefined) {
      const { tag } = property;
      findings.errors.push({ kind: "index_malformed", axis, prefix, index, tag });
      return;
    }
    const field = key.slice(dot + 1);
    const fieldType = fields.get(field);
    if (fieldType !== undefined) return checkValue(property, field, fieldType, findings);
  }
  for (const [prefix, nameType] of names) {
    if (key.length <= prefix.length || !key.startsWith(prefix)) continue;
    return checkValue(property, prefix, nameType, findings);
  }
  findings.warnings.push({ kind: "unknown_key", axis, key });
}

function checkValue(property: Property, key: string, expected: ValueType, to: Findings): void {
  const { axis, value, tag } = property;
  if (!isOfType(value, expected)) {
    const actual = value ?? NO_VALUE;
    to.errors.push({ kind: "type_mismatch", axis, key, expected, actual });
  } else if (key === "modalities" && value !== undefined) {
    for (const modality of splitTexts(value)) {
      if (isModality(modality)) continue;
      to.errors.push({ kind: "unknown_modality", axis, key, modality, tag });
    }
  }
}

function isOfType(value: string | undefined, type: ValueType): boolean {
  if (type === "presence") return value === undefined;
  if (value === undefined) return false;
  if (type === "number") return unsignedOfText(value) !== undefined;
  if (type === "bool") return value === "true" || value === "false";
  return value !== "";
}

function checkMetadata(metadata: ReadonlyMap<string, string>, { warnings }: Findings): void {
  let bytes = 0;
  for (const [key, value] of metadata) {
    bytes += ENCODER.encode(key).length + ENCODER.encode(value).length;
    if (STEERING_METADATA_KEYS.has(key)) warnings.push({ kind: "metadata_reserved_key", key });
  }
  if (bytes <= METADATA_SOFT_CAP_BYTES) return;
  warnings.push({
    kind: "metadata_oversize",
    soft_cap_bytes: METADATA_SOFT_CAP_BYTES,
    actual_bytes: bytes,
  });
}

function ordered<Finding>(findings: readonly Finding[]): readonly Finding[] {
  return findings.map((finding) => ({ finding, text: JSON.stringify(finding) }))
    .sort((left, right) => compareUtf8(left.text, right.text))
    .map(({ finding }) => finding);
}
