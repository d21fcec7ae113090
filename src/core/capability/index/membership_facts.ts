/** What the index takes in of a fold's capability membership (`capabilities.md` 12). */
import { orderCapabilitySet } from "../capability_set.ts";
import type { CapabilityMembership, MembershipHardware } from "../fold/membership.ts";
import { ingestCapabilities } from "../ingest.ts";
import { GPU_VENDORS } from "../views/hardware_view.ts";
import type { NodeFacts } from "./capability_index.ts";
import type { HardwareFacts } from "./traits.ts";

/** Facts of a membership that somebody else published; its tags tell of hardware and region when it does not. */
export function factsOfMembership(membership: CapabilityMembership): NodeFacts {
  const { tags, metadata, classHash, state, region, hardware } = membership;
  return {
    capabilities: ingestCapabilities(orderCapabilitySet(tags, [...metadata])),
    classHash,
    state,
    region,
    hardware: hardware === undefined ? undefined : readHardware(hardware),
  };
}

function readHardware(
  { gpuVendor, gpuCount, memoryGb = 0, vramGb = 0 }: MembershipHardware,
): HardwareFacts {
  const vendor = GPU_VENDORS.find((name) => name === gpuVendor) ?? "unknown";
  const hasGpu = gpuCount > 0 || gpuVendor !== undefined;
  return { memoryGb, vramGb, gpuVendor: hasGpu ? vendor : undefined };
}
