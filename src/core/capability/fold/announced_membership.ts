/**
 * The membership that follows from an announcement (`capabilities.md` 6, step 12): every node that
 * announced itself is in class 0, with the tags it announced.
 *
 * It is not signed as an envelope: whoever gets it trusts the announcement. It is never sent as one.
 */
import type { Announcement } from "../announcement.ts";
import type { CapabilitySet } from "../capability_set.ts";
import { decodeHardwareView } from "../views/hardware_view.ts";
import type { FoldEnvelope } from "./envelope.ts";
import type { MembershipHardware } from "./membership.ts";

/** The class of announcements. */
export const ANNOUNCED_CLASS = 0n;

const REGION_PREFIX = "scope:region:";
const US_PER_NS = 1000n;
const U32_MAX = 0xffff_ffff;

/**
 * The unsigned membership of an announcement.
 *
 * @param set What is believed of the announced set.
 */
export function announcedMembership(
  announcement: Announcement,
  set: CapabilitySet,
): FoldEnvelope<1> {
  const { version, timestampNs } = announcement;
  return {
    kind: 1,
    classHash: ANNOUNCED_CLASS,
    nodeId: announcement.nodeId,
    generation: version > 0n ? version : 1n,
    announcedAtUs: timestampNs / US_PER_NS,
    ttlSeconds: announcement.ttlSeconds,
    flags: 0,
    payload: {
      classHash: ANNOUNCED_CLASS,
      tags: set.tags,
      hardware: hardwareOf(set),
      state: "idle",
      region: regionOf(set),
      priceQuote: undefined,
      reflexAddress: undefined,
      allowedNodes: announcement.allowedNodes,
      allowedSubnets: announcement.allowedSubnets,
      allowedGroups: announcement.allowedGroups,
      metadata: set.metadata,
    },
    signature: undefined,
  };
}

function hardwareOf(set: CapabilitySet): MembershipHardware | undefined {
  const { gpu, memoryGb } = decodeHardwareView(set);
  if (gpu === undefined && memoryGb === 0) return undefined;
  return {
    gpuVendor: gpu?.vendor,
    gpuCount: gpu === undefined ? 0 : 1,
    memoryGb: amountOf(memoryGb),
    vramGb: amountOf(gpu?.vramGb ?? 0),
  };
}

/** Zero is not told. */
function amountOf(amount: number): number | undefined {
  return amount === 0 ? undefined : Math.min(amount, U32_MAX);
}

function regionOf({ tags }: CapabilitySet): string | undefined {
  return tags.find((tag) => tag.startsWith(REGION_PREFIX))?.slice(REGION_PREFIX.length);
}
