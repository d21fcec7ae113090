/**
 * The subnet id of the mesh's topology (`identity-and-channels.md` 14): a number of 32 bits, four levels of
 * eight, the first in the top byte. 0 is the global subnet, in which all others lie.
 *
 * Not to be taken for the 16-byte subnet of allow-lists, which is a secret and in `core/capability`.
 */

/** Levels of a subnet id. */
export const SUBNET_LEVELS = 4;
/** The subnet that holds all others. */
export const SUBNET_GLOBAL = 0;

/**
 * Reads `3.7` or `global`; `undefined` for anything else, also for a text that is not how the id is written:
 * a leading zero in a level, or a level of 0 at the end.
 *
 * @example
 * ```ts
 * import { formatSubnetId, parseSubnetId } from "./subnet_id.ts";
 * console.assert(parseSubnetId("3.7") === 0x03070000);
 * console.assert(formatSubnetId(0x03070000) === "3.7" && formatSubnetId(0) === "global");
 * ```
 */
export function parseSubnetId(text: string): number | undefined {
  if (text === "global") return SUBNET_GLOBAL;
  if (!/^(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){0,3}$/.test(text)) return undefined;
  const levels = text.split(".").map(Number);
  if (levels.some((level) => level > 255) || levels.at(-1) === 0) return undefined;
  return levels.reduce((id, level, index) => setSubnetLevel(id, index, level), SUBNET_GLOBAL);
}

/** The levels down to the last that is not 0, or `global`. */
export function formatSubnetId(id: number): string {
  const depth = subnetDepth(id);
  if (depth === 0) return "global";
  return Array.from({ length: depth }, (_, level) => subnetLevel(id, level)).join(".");
}

/** Number of levels down to the last that is not 0; 0 for the global subnet. */
export function subnetDepth(id: number): number {
  let depth = SUBNET_LEVELS;
  while (depth > 0 && subnetLevel(id, depth - 1) === 0) depth -= 1;
  return depth;
}

/** One level of an id, 0 to 255. */
export function subnetLevel(id: number, level: number): number {
  return (id >>> (24 - 8 * level)) & 0xff;
}

/** The id with one level replaced. */
export function setSubnetLevel(id: number, level: number, value: number): number {
  const shift = 24 - 8 * level;
  return ((id & ~(0xff << shift)) | ((value & 0xff) << shift)) >>> 0;
}

/** The subnet around: the deepest level that is not 0 cleared. The global one is its own parent. */
export function subnetParent(id: number): number {
  const depth = subnetDepth(id);
  return depth === 0 ? SUBNET_GLOBAL : setSubnetLevel(id, depth - 1, 0);
}

/** True when `other` lies in `id`, or is it. */
export function isSubnetAncestor(id: number, other: number): boolean {
  const depth = subnetDepth(id);
  return depth === 0 || (id ^ other) >>> (32 - 8 * depth) === 0;
}

/** True for two different subnets of one depth with one parent. */
export function isSubnetSibling(left: number, right: number): boolean {
  return left !== right && subnetDepth(left) === subnetDepth(right) &&
    subnetParent(left) === subnetParent(right);
}
