/**
 * Who may call what (`capabilities.md` 7): the gate of the caller, before anything is sent, and the gate
 * of the callee, before a handler runs.
 *
 * Allow-lists restrict callers, and empty ones admit everybody. The caller's gate believes the caller's
 * tags, which are its own word; so the callee's admits by node id only, which a session proves.
 */
import { equalBytesConstantTime } from "../../base/mod.ts";

/** An announcement as the gates see it. */
export interface GatedEntry {
  readonly tags: readonly string[];
  readonly allowedNodes: readonly bigint[];
  /** 16 bytes each. */
  readonly allowedSubnets: readonly Uint8Array[];
  /** 32 bytes each. */
  readonly allowedGroups: readonly Uint8Array[];
}

/** A caller and where it says it belongs. */
export interface GatedCaller {
  readonly nodeId: bigint;
  /** 16 bytes; `undefined` without exactly one subnet tag. */
  readonly subnet: Uint8Array | undefined;
  /** 32 bytes each. */
  readonly groups: readonly Uint8Array[];
}

/**
 * True when `caller` may ask the target for what `tag` names.
 *
 * @param entries Of the target; none when it is unknown.
 */
export function mayExecute(
  entries: Iterable<GatedEntry>,
  tag: string,
  caller: GatedCaller,
): boolean {
  for (const entry of entries) {
    if (!entry.tags.includes(tag)) continue;
    if (isOpen(entry) || entry.allowedNodes.includes(caller.nodeId)) return true;
    const { subnet, groups } = caller;
    if (subnet !== undefined && isListed(entry.allowedSubnets, subnet)) return true;
    if (groups.some((group) => isListed(entry.allowedGroups, group))) return true;
  }
  return false;
}

/**
 * True when this node runs what `tag` names for `caller`.
 *
 * @param entries Of this node. One that carries the tag must be there: what is not announced is not
 * served.
 */
export function mayAdmit(entries: Iterable<GatedEntry>, tag: string, caller: bigint): boolean {
  for (const entry of entries) {
    if (!entry.tags.includes(tag)) continue;
    if (isOpen(entry) || entry.allowedNodes.includes(caller)) return true;
  }
  return false;
}

function isOpen({ allowedNodes, allowedSubnets, allowedGroups }: GatedEntry): boolean {
  return allowedNodes.length === 0 && allowedSubnets.length === 0 && allowedGroups.length === 0;
}

/** Compares with every entry in full: an id that admits is a secret, which timing must not give away. */
function isListed(list: readonly Uint8Array[], id: Uint8Array): boolean {
  let isFound = false;
  for (const listed of list) if (equalBytesConstantTime(listed, id)) isFound = true;
  return isFound;
}
