/** Changes of the operator's words as they are written: on the command line, in a call. */
import { fromHex, NetError, parseId } from "../../base/mod.ts";
import { GROUP_BYTES, SUBNET_BYTES } from "../../core/capability/mod.ts";
import { type BaselineChange, requireOperatorEntry, requireOperatorTag } from "./baseline.ts";

/** A change as people write it: ids as text. */
export interface BaselineChangeText {
  readonly mode: BaselineChange["mode"];
  readonly tags: readonly string[];
  readonly metadata: readonly (readonly [string, string])[];
  readonly allow_nodes: readonly string[];
  readonly allow_subnets: readonly string[];
  readonly allow_groups: readonly string[];
}

/**
 * Reads a change.
 *
 * @throws NetError `usage` for a tag, name or id that is none.
 */
export function readBaselineChange(params: BaselineChangeText): BaselineChange {
  const isRemoval = params.mode === "remove";
  return {
    mode: params.mode,
    tags: isRemoval ? params.tags : params.tags.map(requireOperatorTag),
    metadata: isRemoval ? params.metadata : params.metadata.map(requireOperatorEntry),
    allowedNodes: params.allow_nodes.map((text) =>
      required(parseId(text), "node", text, "a node id of 16 hex digits")
    ),
    allowedSubnets: params.allow_subnets.map((text) =>
      required(fromHex(text, SUBNET_BYTES), "subnet", text, "32 hex digits")
    ),
    allowedGroups: params.allow_groups.map((text) =>
      required(fromHex(text, GROUP_BYTES), "group", text, "64 hex digits")
    ),
  };
}

function required<T>(value: T | undefined, what: string, text: string, form: string): T {
  if (value !== undefined) return value;
  // A subnet or group id is a secret of sorts: whoever knows it belongs.
  const shown = what === "node" ? ` "${text.slice(0, 40)}"` : "";
  throw new NetError("usage", `Cannot allow ${what}${shown}: must be ${form}`, {
    next: "see net cap announce --help",
  });
}
