/**
 * Whether a gateway passes a packet of a channel on into another subnet (`identity-and-channels.md` 14,
 * feature SN-04): the pure decision and its reasons.
 */
import { isSubnetAncestor } from "../../base/mod.ts";
import { isExportedTo, type Visibility } from "./visibility.ts";

/** What becomes of a packet. */
export const ForwardVerdict = {
  Forward: 0,
  TtlExpired: 1,
  SubnetLocal: 2,
  NotAncestor: 3,
  NotExported: 4,
  UnknownSubnet: 5,
} as const;
/** A value of the table of the same name. */
export type ForwardVerdict = (typeof ForwardVerdict)[keyof typeof ForwardVerdict];

/** A reason not to forward. */
export type ForwardRefusal = Exclude<ForwardVerdict, typeof ForwardVerdict.Forward>;

/** The refusals in the words of the Rust core. */
export const FORWARD_REFUSALS: Readonly<Record<ForwardRefusal, string>> = {
  [ForwardVerdict.TtlExpired]: "TTL expired",
  [ForwardVerdict.SubnetLocal]: "channel is subnet-local",
  [ForwardVerdict.NotAncestor]: "destination is not ancestor of source",
  [ForwardVerdict.NotExported]: "channel not exported to destination subnet",
  [ForwardVerdict.UnknownSubnet]: "unknown subnet",
};

/** What the decision is made from; not changed by it, so that one object can serve for all packets. */
export interface ForwardQuestion {
  /** Reach of the channel; `undefined` when its hash is registered nowhere here, or by several names. */
  visibility: Visibility | undefined;
  /** Subnets the channel is exported to; `undefined` when there is no table. */
  targets: readonly number[] | undefined;
  /** Subnet of the sender, from the header. */
  source: number;
  /** Subnet of the destination; `undefined` when it is not known. */
  target: number | undefined;
  /** Most gateways on the way; 0 when the sender did not set it. */
  hopTtl: number;
  /** Gateways passed so far. */
  hopCount: number;
}

/**
 * Decides on a packet that is about to leave its subnet.
 *
 * @example
 * ```ts
 * import { decideForward, ForwardVerdict } from "./forward_decision.ts";
 * const verdict = decideForward({
 *   visibility: "exported",
 *   targets: [0x02000000],
 *   source: 0x01000000,
 *   target: 0x02050000,
 *   hopTtl: 8,
 *   hopCount: 0,
 * });
 * console.assert(verdict === ForwardVerdict.Forward);
 * ```
 */
export function decideForward(
  { visibility, targets, source, target, hopTtl, hopCount }: ForwardQuestion,
): ForwardVerdict {
  if (hopTtl !== 0 && hopCount >= hopTtl) return ForwardVerdict.TtlExpired;
  switch (visibility) {
    case "global":
      return ForwardVerdict.Forward;
    case undefined:
    case "subnet-local":
      return ForwardVerdict.SubnetLocal;
    case "parent-visible":
      if (target === undefined) return ForwardVerdict.UnknownSubnet;
      return isSubnetAncestor(target, source) ? ForwardVerdict.Forward : ForwardVerdict.NotAncestor;
    case "exported":
      if (target === undefined) return ForwardVerdict.UnknownSubnet;
      return isExportedTo(targets, target) ? ForwardVerdict.Forward : ForwardVerdict.NotExported;
  }
}
