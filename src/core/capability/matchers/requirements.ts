/**
 * Requirements in their short form, and a predicate beside them, as one question to an index
 * (`capabilities.md` 8 to 10).
 */
import { NetError } from "../../../base/mod.ts";
import { parsePredicate } from "../predicate/mod.ts";
import type { Predicate } from "../predicate/mod.ts";
import { formatTagKey } from "../tags/mod.ts";
import { readRequiredCapability, type RequiredCapability } from "./required_capability.ts";

/** What must hold of a node, all of it. */
export interface Requirements {
  readonly requireTags: readonly string[];
  readonly where: Predicate | undefined;
}

/**
 * Reads what is required.
 *
 * @param required Tags, or requirements in their short form.
 * @param where A predicate in its text form.
 * @throws NetError `usage` for what can't be read, and for a whole axis.
 *
 * @example
 * ```ts
 * import { readRequirements } from "./requirements.ts";
 * const { requireTags, where } = readRequirements(["gpu", "hardware.memory_gb>=32"]);
 * console.assert(requireTags[0] === "gpu" && where?.kind === "and");
 * ```
 */
export function readRequirements(required: readonly string[], where?: string): Requirements {
  const read = required.map(readRequired);
  const clauses = read.map(toClause).filter((clause) => clause !== undefined);
  if (where !== undefined) clauses.push(parsePredicate(where));
  return {
    requireTags: read.flatMap((one) => one.kind === "tag" ? [one.tag] : []),
    where: clauses.length === 0 ? undefined : { kind: "and", children: clauses },
  };
}

function readRequired(text: string): RequiredCapability {
  const read = readRequiredCapability(text);
  if (read.ok) return read.required;
  // Tags that only programs write can be asked for by anybody.
  if (read.fault === "tag" && text.isWellFormed()) return { kind: "tag", tag: text };
  throw new NetError("usage", `Cannot ask for "${text}": it is no requirement (${read.fault})`, {
    next: "write a tag, axis.key==value, axis.key>=number or axis.key<=number",
  });
}

function toClause(required: RequiredCapability): Predicate | undefined {
  switch (required.kind) {
    case "tag":
      return undefined;
    case "axis_key":
      return { kind: "exists", key: required.key };
    case "axis_value":
      return { kind: "equals", key: required.key, value: required.value };
    case "axis_at_least":
      return { kind: "numeric_at_least", key: required.key, threshold: required.threshold };
    case "axis_at_most":
      return { kind: "numeric_at_most", key: required.key, threshold: required.threshold };
    case "axis_any":
      throw new NetError("usage", `Cannot ask for the whole axis ${required.axis}`, {
        next: `name a property, such as ${formatTagKey({ axis: required.axis, key: "gpu" })}`,
      });
  }
}
