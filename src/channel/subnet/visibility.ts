/**
 * Who sees a channel (`identity-and-channels.md` 9, 14; features CH-04, SN-03): asked when somebody
 * subscribes, and for each recipient when something is published.
 */
import { isSubnetAncestor, SUBNET_GLOBAL } from "../../base/mod.ts";

/** The reaches a channel can have, the narrowest first, by the words of the Rust core. */
export const VISIBILITIES = ["subnet-local", "parent-visible", "exported", "global"] as const;
/** How far a channel reaches. */
export type Visibility = (typeof VISIBILITIES)[number];

/** True for one of {@linkcode VISIBILITIES}. */
export function isVisibility(text: string): text is Visibility {
  return (VISIBILITIES as readonly string[]).includes(text);
}

/** What the decision is made from. */
export interface VisibilityQuestion {
  readonly visibility: Visibility;
  /** Subnet of the publisher. */
  readonly local: number;
  /** Subnet of the subscriber; `undefined` for one that never announced itself. */
  readonly peer: number | undefined;
  /** Subnets the channel is exported to; `undefined` when there is no table. */
  readonly targets?: readonly number[];
}

/**
 * True when the subscriber may see the channel.
 *
 * Who never announced itself is in no subnet, which is less than being in the global one: it sees what is
 * local to the global subnet and nothing that is exported.
 *
 * @example
 * ```ts
 * import { isChannelVisible } from "./visibility.ts";
 * const local = 0x01020000;
 * console.assert(isChannelVisible({ visibility: "parent-visible", local, peer: 0x01000000 }));
 * console.assert(!isChannelVisible({ visibility: "subnet-local", local, peer: 0x01000000 }));
 * ```
 */
export function isChannelVisible(
  { visibility, local, peer, targets }: VisibilityQuestion,
): boolean {
  switch (visibility) {
    case "global":
      return true;
    case "subnet-local":
      return peer === undefined ? local === SUBNET_GLOBAL : peer === local;
    case "parent-visible":
      return peer === undefined ? local === SUBNET_GLOBAL : isSubnetAncestor(peer, local);
    case "exported":
      return peer !== undefined && isExportedTo(targets, peer);
  }
}

/** True when the subnet is one of the targets or lies in one. */
export function isExportedTo(targets: readonly number[] | undefined, subnet: number): boolean {
  return targets?.some((target) => isSubnetAncestor(target, subnet)) ?? false;
}
