/** What is to be placed on some node (`capabilities.md` 16). */
import type { CapabilitySet } from "../capability_set.ts";

/** Something that needs a node. */
export type Artifact =
  /** A causal chain. */
  | { readonly kind: "chain"; readonly capabilities: CapabilitySet }
  /** A copy of a channel's state. */
  | { readonly kind: "replica"; readonly capabilities: CapabilitySet }
  | {
    readonly kind: "daemon";
    /** Its tags are those a node must have. */
    readonly required: CapabilitySet;
    readonly optional: CapabilitySet;
  }
  /** Bytes to be stored. */
  | { readonly kind: "blob"; readonly sizeBytes: bigint };

/**
 * What the artifact says of itself under a key of metadata; a daemon says it with what it requires, or
 * else with what it would like. A blob says nothing.
 */
export function artifactMetadata(artifact: Artifact, key: string): string | undefined {
  switch (artifact.kind) {
    case "chain":
    case "replica":
      return artifact.capabilities.metadata.get(key);
    case "daemon":
      return artifact.required.metadata.get(key) ?? artifact.optional.metadata.get(key);
    case "blob":
      return undefined;
  }
}
