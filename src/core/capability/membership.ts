/**
 * Membership in allow-lists (`identity-and-channels.md` 14, features SN-05, SN-06): the subnet of 16 bytes and
 * the groups of 32 that a node carries as tags `subnet:` and `group:` with hex digits.
 *
 * Whoever knows such an id is a member, so it is a secret and kept out of logs. What the lists allow, and the
 * comparison in constant time, is in `gates.ts`. Not to be taken for the subnet of the topology, in `base`.
 */
import { equalBytes, fromHex, toHex } from "../../base/mod.ts";
import { GROUP_BYTES, SUBNET_BYTES } from "./limits.ts";

/** What the tag of an allow-list subnet begins with. */
export const SUBNET_TAG_PREFIX = "subnet:";
/** What the tag of a group begins with. */
export const GROUP_TAG_PREFIX = "group:";

/** What a node's tags say of it. */
export interface Membership {
  /** `undefined` without one, and when there are several different ones. */
  readonly subnet: Uint8Array | undefined;
  /** Each once, in the order of their bytes. */
  readonly groups: readonly Uint8Array[];
  /** Several different subnets: they count as none, and whoever takes in announcements counts that. */
  readonly isSubnetCollapsed: boolean;
}

/**
 * Reads subnet and groups out of a node's tags; texts of another length, or that are not hex, are no ids.
 *
 * @example
 * ```ts
 * import { readMembership } from "./membership.ts";
 * const { subnet, groups } = readMembership(["a", `subnet:${"0a".repeat(16)}`, "group:12"]);
 * console.assert(subnet?.[0] === 10 && groups.length === 0);
 * ```
 */
export function readMembership(tags: Iterable<string>): Membership {
  let subnet: Uint8Array | undefined;
  let isSubnetCollapsed = false;
  const groups: Uint8Array[] = [];
  for (const tag of tags) {
    const group = parseGroupTag(tag);
    if (group !== undefined) groups.push(group);
    const other = parseSubnetTag(tag);
    if (other === undefined) continue;
    if (subnet !== undefined && !equalBytes(subnet, other)) isSubnetCollapsed = true;
    subnet = other;
  }
  groups.sort(compareBytes);
  return {
    subnet: isSubnetCollapsed ? undefined : subnet,
    groups: groups.filter((group, index) => {
      const before = groups[index - 1];
      return before === undefined || !equalBytes(before, group);
    }),
    isSubnetCollapsed,
  };
}

/** The 16 bytes of a `subnet:` tag. */
export function parseSubnetTag(tag: string): Uint8Array | undefined {
  return parseIdTag(tag, SUBNET_TAG_PREFIX, SUBNET_BYTES);
}

/** The 32 bytes of a `group:` tag. */
export function parseGroupTag(tag: string): Uint8Array | undefined {
  return parseIdTag(tag, GROUP_TAG_PREFIX, GROUP_BYTES);
}

/**
 * The tag of a subnet.
 *
 * @throws RangeError when it has not 16 bytes.
 */
export function formatSubnetTag(subnet: Uint8Array): string {
  return formatIdTag(subnet, SUBNET_TAG_PREFIX, SUBNET_BYTES);
}

/**
 * The tag of a group.
 *
 * @throws RangeError when it has not 32 bytes.
 */
export function formatGroupTag(group: Uint8Array): string {
  return formatIdTag(group, GROUP_TAG_PREFIX, GROUP_BYTES);
}

function parseIdTag(tag: string, prefix: string, byteLength: number): Uint8Array | undefined {
  if (tag.length !== prefix.length + 2 * byteLength || !tag.startsWith(prefix)) return undefined;
  return fromHex(tag.slice(prefix.length), byteLength);
}

function formatIdTag(id: Uint8Array, prefix: string, byteLength: number): string {
  if (id.length === byteLength) return prefix + toHex(id);
  throw new RangeError(
    `Cannot write ${prefix} tag: id has ${id.length} bytes, must have ${byteLength}`,
  );
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
