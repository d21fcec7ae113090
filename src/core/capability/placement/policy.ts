/** What a placement is to take into account (`capabilities.md` 16). */
import type { IntentRegistry } from "./intents.ts";
import type { PlacementFilters } from "./custom_filters.ts";

/** Settings; what is left out plays no part, unless said otherwise. */
export interface PlacementPolicy {
  /** Scopes of which a node must announce one, with `scope:` in front or without. */
  readonly scopes?: readonly string[];
  /** Nodes farther away are out; those that were not measured are in. */
  readonly rttMaxMs?: number;
  /**
   * `strict`: the node must have what the artifact's own intent needs. `any_of_local_capabilities`: what
   * some intent needs. `disabled` when left out.
   */
  readonly intent?: "disabled" | "any_of_local_capabilities" | "strict";
  /**
   * What becomes of nodes without the chain that the artifact wants to be near: `soft` scores them lower,
   * `strict` puts them out. A chain it must be near puts them out in both. `ignore` when left out.
   */
  readonly colocation?: "ignore" | "soft" | "strict";
  /** Which resources count; `compute` when left out. */
  readonly resources?: "compute" | "storage" | "both";
  /** Metadata keys of the artifact, if they are not the usual ones. */
  readonly metadataKeys?: Partial<PlacementMetadataKeys>;
  /** From which share of leaderships on a node scores lower, 0..1; 0.3 when left out. */
  readonly leadershipShareMax?: number;
  /** What it scores then, 0..1; 0.4 when left out. */
  readonly leadershipPenalty?: number;
  /** A filter that scores too; nodes are out when nobody registered it. */
  readonly customFilter?: string;
}

/** Keys under which an artifact says what it wants. */
export interface PlacementMetadataKeys {
  /** Name of its kind of work. */
  readonly intent: string;
  /** Hash of a chain it wants to be near. */
  readonly colocateWith: string;
  /** Hash of a chain it must be near. */
  readonly colocateWithStrict: string;
}

/** The usual keys. */
export const PLACEMENT_METADATA_KEYS: PlacementMetadataKeys = {
  intent: "intent",
  colocateWith: "colocate-with",
  colocateWithStrict: "colocate-with-strict",
};

/** What is known of nodes beside what they announce, and what programs registered. */
export interface PlacementKnowledge {
  readonly intents: IntentRegistry;
  readonly filters: PlacementFilters;
  /** Round-trip time in milliseconds, `undefined` when it was not measured. */
  readonly rttMs?: (nodeId: bigint) => number | undefined;
  /** Share of the known leaderships that the node has, 0..1; `undefined` when it is not known. */
  readonly leadershipShare?: (nodeId: bigint) => number | undefined;
}
