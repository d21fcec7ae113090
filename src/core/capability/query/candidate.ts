/** What the operators of this folder work on: nodes and what they say of themselves. */
import type { CapabilitySet } from "../capability_set.ts";

/** One node; entries of the capability index are such. */
export interface Candidate {
  readonly nodeId: bigint;
  readonly capabilities: CapabilitySet;
}
