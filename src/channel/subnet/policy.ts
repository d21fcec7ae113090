/**
 * Which subnet a node belongs to, read from its tags (`identity-and-channels.md` 14, feature SN-02).
 *
 * The rules are this node's own: two nodes with different rules see a third one in different subnets.
 */
import { compareUtf8 } from "../../core/capability/mod.ts";
import { setSubnetLevel, SUBNET_GLOBAL, SUBNET_LEVELS } from "../../base/mod.ts";
import { SUBNET_RULES_MAX } from "../limits.ts";

/** How one level of the subnet follows from a tag. */
export interface SubnetRule {
  /** What the tag begins with, such as `region:`. */
  readonly tagPrefix: string;
  /** 0 to 3. */
  readonly level: number;
  /** Number of the level, 1 to 255, by what follows the prefix. */
  readonly values: ReadonlyMap<string, number>;
}

/** Rules in order; a later one for the same level replaces what an earlier one found. */
export type SubnetPolicy = readonly SubnetRule[];

/**
 * Checks the rules and returns them.
 *
 * @throws RangeError for a level or number out of bounds, or too many rules.
 */
export function createSubnetPolicy(rules: readonly SubnetRule[]): SubnetPolicy {
  if (rules.length > SUBNET_RULES_MAX) {
    throw new RangeError(
      `Cannot use subnet rules: there are ${rules.length}, must be at most ${SUBNET_RULES_MAX}`,
    );
  }
  for (const { tagPrefix, level, values } of rules) {
    if (!Number.isInteger(level) || level < 0 || level >= SUBNET_LEVELS) {
      throw new RangeError(
        `Cannot use subnet rule "${tagPrefix}": level is ${level}, must be 0 to 3`,
      );
    }
    for (const [name, value] of values) {
      if (Number.isInteger(value) && value >= 1 && value <= 255) continue;
      throw new RangeError(
        `Cannot use subnet rule "${tagPrefix}": value of "${name}" is ${value}, must be 1 to 255`,
      );
    }
  }
  return rules;
}

/**
 * The subnet of a node with these tags. Of several tags with a rule's prefix the first that has a number
 * decides, in the order of their bytes; levels without one stay 0.
 *
 * @example
 * ```ts
 * import { subnetOfTags } from "./policy.ts";
 * const rules = [{ tagPrefix: "region:", level: 0, values: new Map([["eu", 3]]) }];
 * console.assert(subnetOfTags(rules, ["region:eu"]) === 0x03000000);
 * ```
 */
export function subnetOfTags(policy: SubnetPolicy, tags: readonly string[]): number {
  let subnet: number = SUBNET_GLOBAL;
  for (const { tagPrefix, level, values } of policy) {
    let first: string | undefined;
    for (const tag of tags) {
      if (!tag.startsWith(tagPrefix) || !values.has(tag.slice(tagPrefix.length))) continue;
      if (first === undefined || compareUtf8(tag, first) < 0) first = tag;
    }
    if (first === undefined) continue;
    subnet = setSubnetLevel(subnet, level, values.get(first.slice(tagPrefix.length)) ?? 0);
  }
  return subnet;
}
