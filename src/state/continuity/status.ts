/** Whether a chain is whole, as far as its log can tell (`storage.md` 8), and why one broke. */
import { idToHex } from "../../base/mod.ts";
import {
  type CausalEvent,
  type CausalLink,
  type ChainFault,
  describeChainFault,
  type EntityLog,
  eventHash,
  genesisEvent,
  isSameLink,
  type StateSnapshot,
} from "../causal/mod.ts";
import type { ForkRecord } from "./fork.ts";

/** What can be said of a chain. */
export type ContinuityStatus =
  | {
    readonly kind: "continuous";
    /** Parent hash of the first event; 0 for an empty log, as the head's is. */
    readonly genesisHash: bigint;
    readonly headSequence: bigint;
    /** Hash of the last event. */
    readonly headHash: bigint;
  }
  | {
    readonly kind: "forked";
    /** First event that does not continue the chain. */
    readonly point: bigint;
    readonly expected: bigint;
    readonly found: bigint;
  }
  | {
    readonly kind: "unverifiable";
    readonly lastVerified: bigint;
    readonly gapStart: bigint;
  }
  /** Whole, and moved from one node to another on the way. */
  | ({ readonly kind: "migrated" } & ChainMigration);

/** A move of an entity. */
export interface ChainMigration {
  /** Last event before it. */
  readonly sequence: bigint;
  readonly sourceNode: bigint;
  readonly targetNode: bigint;
}

/** What a log that does not begin with genesis can be tied to. */
export interface AssessOptions {
  /** Snapshot that the log starts behind. */
  readonly snapshot?: StateSnapshot;
  /** Payload of the snapshot's event. Without it only a chain that was restored from the snapshot is tied to it. */
  readonly headPayload?: Uint8Array;
  /** Record of the fork that the log is of. */
  readonly fork?: ForkRecord;
  /** A move that is known of. */
  readonly migration?: ChainMigration;
}

/** Why a chain broke. */
export type DiscontinuityReason =
  /** State between the last snapshot and the head was lost. */
  | { readonly kind: "node_crash"; readonly lastSnapshotSequence: bigint | undefined }
  | { readonly kind: "chain_break"; readonly fault: ChainFault }
  /** Two chains of one origin. */
  | {
    readonly kind: "conflicting_chains";
    readonly sequence: bigint;
    readonly hashes: readonly [bigint, bigint];
  }
  | { readonly kind: "corruption" };

/** A break of a chain, on record. */
export interface Discontinuity {
  readonly origin: bigint;
  /** Last event that is known to be good. */
  readonly lastVerified: CausalLink;
  /** The event that does not fit, if there is one. */
  readonly failed: CausalLink | undefined;
  readonly reason: DiscontinuityReason;
  /** Unix time in milliseconds. */
  readonly atMs: number;
}

/**
 * Walks a log from where it can be tied down: genesis, the genesis of a fork, or a snapshot.
 *
 * What was pruned away without a snapshot makes the rest unverifiable.
 */
export function assessContinuity(log: EntityLog, options: AssessOptions = {}): ContinuityStatus {
  const headSequence = log.head.link.sequence;
  const events = log.range(0n, headSequence);
  const first = events[0];
  if (first === undefined) {
    return { kind: "continuous", genesisHash: 0n, headSequence, headHash: 0n };
  }
  const anchors = anchorHashes(log, first, options);
  const [expected] = anchors;
  if (expected === undefined) return { kind: "unverifiable", lastVerified: 0n, gapStart: 1n };
  const { sequence, parent } = first.link;
  if (!anchors.includes(parent)) {
    return { kind: "forked", point: sequence, expected, found: parent };
  }
  let before = first;
  for (const event of events.slice(1)) {
    const fault = log.checkNext(before, event.link);
    if (fault?.kind === "sequence_gap") {
      const lastVerified = before.link.sequence;
      return { kind: "unverifiable", lastVerified, gapStart: lastVerified + 1n };
    }
    if (fault !== undefined) {
      return {
        kind: "forked",
        point: event.link.sequence,
        expected: fault.expected,
        found: fault.found,
      };
    }
    before = event;
  }
  const { migration } = options;
  if (migration !== undefined && migration.sequence <= headSequence) {
    return { kind: "migrated", ...migration };
  }
  const headHash = eventHash(before.link, before.payload);
  return { kind: "continuous", genesisHash: parent, headSequence, headHash };
}

/** A reason for people. */
export function describeDiscontinuity(reason: DiscontinuityReason): string {
  switch (reason.kind) {
    case "node_crash":
      return reason.lastSnapshotSequence === undefined
        ? "node crash without a snapshot"
        : `node crash, last snapshot at ${reason.lastSnapshotSequence}`;
    case "chain_break":
      return `chain break: ${describeChainFault(reason.fault)}`;
    case "conflicting_chains": {
      const [left, right] = reason.hashes.map(idToHex);
      return `conflicting chains at ${reason.sequence}: ${left} and ${right}`;
    }
    case "corruption":
      return "data corruption";
  }
}

/** Hashes that the first event of a log may have as its parent; none when nothing is known in front of it. */
function anchorHashes(
  log: EntityLog,
  first: CausalEvent,
  { snapshot, headPayload, fork }: AssessOptions,
): readonly bigint[] {
  const noPayload = new Uint8Array();
  if (first.link.sequence === 1n) {
    const genesis = fork?.forkedOrigin === log.origin
      ? fork.genesis
      : genesisEvent(log.origin).link;
    const hashes = [eventHash(genesis, noPayload)];
    if (snapshot !== undefined && isSameLink(snapshot.link, genesis)) {
      hashes.push(eventHash(genesis, snapshot.state));
    }
    return hashes;
  }
  if (snapshot === undefined) return [];
  const { link, state } = snapshot;
  if (link.origin !== log.origin || link.sequence + 1n !== first.link.sequence) return [];
  const restored = eventHash(link, state);
  if (headPayload !== undefined) return [eventHash(link, headPayload), restored];
  // Another parent may come of the payload that nobody has: that says nothing of the chain.
  return first.link.parent === restored ? [restored] : [];
}
