/**
 * Active overflow (`dataforts.md` 18): a node whose disk is almost full hands cold chunks to peers with room,
 * until there is enough of it again. Two marks keep it from flapping, a ledger bounds how much moves.
 *
 * Pure: a tick gives the pushes to be made; what became of each is told back. The copy here goes by ordinary
 * GC once the peer is known to hold the chunk.
 */
import { type DataClaims, gibFor } from "./data_claims.ts";
import { diskRatio, stepHysteresis } from "./health_gate.ts";
import type { MoveLedger } from "./move_ledger.ts";
import { type DataPlace, type DataScope, isInsideBorder, isOutboundAllowed } from "./scope.ts";

/** Settings. */
export interface OverflowRule {
  readonly isEnabled: boolean;
  /** Shares of the disk: shedding begins at the high one and ends at the low one. */
  readonly highWaterRatio: number;
  readonly lowWaterRatio: number;
  readonly maxPushesPerTick: number;
  /** The farthest a chunk is pushed, whatever the scope of gravity says. */
  readonly scope: DataScope;
  /** Above 0: chunks that are referred to are pushed too; `GcRule.spillHoldersMin` says when they go. */
  readonly spillHoldersMin?: number;
}

/** What a tick looks at. */
export interface OverflowInput {
  readonly disk: { readonly used: number; readonly capacity: number };
  /** The scope of gravity and whether this node announces that it takes part. */
  readonly local: DataClaims;
  readonly place?: DataPlace;
  /** Chunks with what is known of them, the coldest first, ties by key. */
  readonly candidates: Iterable<OverflowCandidate>;
  readonly peers: readonly OverflowPeer[];
}

/** A chunk that may be pushed. */
export interface OverflowCandidate {
  readonly key: string;
  /** `undefined` when it is not known: then it stays. */
  readonly sizeBytes: number | undefined;
  readonly refcount: number;
  readonly isPinned: boolean;
}

/** A node that may take chunks. */
export interface OverflowPeer {
  readonly nodeId: bigint;
  readonly claims: DataClaims;
  readonly place?: DataPlace;
  /** True when it is known to read this chunk: there it is of use. */
  readonly wants?: (key: string) => boolean;
}

/** One push to be made. */
export interface OverflowPush {
  readonly key: string;
  readonly sizeBytes: number;
  readonly nodeId: bigint;
}

/** State between ticks. */
export interface OverflowState {
  readonly isActive: boolean;
  /** Of the last tick. */
  readonly diskRatio: number;
}

/** What a tick came to. */
export interface OverflowTick {
  readonly state: OverflowState;
  readonly pushes: readonly OverflowPush[];
  /** Cold chunks that nobody can take. */
  readonly withoutTarget: number;
  readonly isHighWaterTriggered: boolean;
  readonly isLowWaterCleared: boolean;
}

/** Before the first tick. */
export const OVERFLOW_START: OverflowState = { isActive: false, diskRatio: 0 };

/**
 * One tick.
 *
 * @param ledger Counts the pushes that are given out; may be shared with migration.
 */
export function tickOverflow(
  state: OverflowState,
  rule: OverflowRule,
  input: OverflowInput,
  ledger: MoveLedger,
  nowMs: number,
): OverflowTick {
  const ratio = diskRatio(input.disk);
  const marks = { high: rule.highWaterRatio, low: rule.lowWaterRatio };
  const isActive = stepHysteresis(state.isActive, ratio, marks);
  const next = {
    state: { isActive, diskRatio: ratio },
    isHighWaterTriggered: isActive && !state.isActive,
    isLowWaterCleared: !isActive && state.isActive,
  };
  if (!rule.isEnabled || !isActive || !input.local.isOverflowing) {
    return { ...next, pushes: [], withoutTarget: 0 };
  }
  // More than brings the disk down to the low mark would be moved for nothing.
  let excess = input.disk.used - rule.lowWaterRatio * input.disk.capacity;
  const free = new Map(input.peers.map(({ nodeId, claims }) => [nodeId, claims.diskFreeGib]));
  const pushes: OverflowPush[] = [];
  let withoutTarget = 0;
  for (const candidate of input.candidates) {
    const { key, sizeBytes } = candidate;
    if (pushes.length >= rule.maxPushesPerTick || excess <= 0 || ledger.leftAt(nowMs) === 0) break;
    if (sizeBytes === undefined || candidate.isPinned) continue;
    if (candidate.refcount > 0 && (rule.spillHoldersMin ?? 0) === 0) continue;
    if (ledger.isResting(key, nowMs)) continue;
    const target = chooseTarget(key, sizeBytes, rule, input, free);
    if (target === undefined) {
      withoutTarget += 1;
      // Who has no room for this one has none for most: the tick stays short on a full mesh.
      if (withoutTarget >= rule.maxPushesPerTick) break;
      continue;
    }
    ledger.take(key, nowMs);
    free.set(target, (free.get(target) ?? 0) - gibFor(sizeBytes));
    excess -= sizeBytes;
    pushes.push({ key, sizeBytes, nodeId: target });
  }
  return { ...next, pushes, withoutTarget };
}

/**
 * The peer for a chunk: one that reads it before others, then the one with most room, then the lowest id.
 *
 * @param free GiB that each still has when what was pushed to it in this tick is taken off.
 */
export function chooseTarget(
  key: string,
  sizeBytes: number,
  rule: OverflowRule,
  input: Pick<OverflowInput, "local" | "peers" | "place">,
  free?: ReadonlyMap<bigint, number>,
): bigint | undefined {
  let best: { nodeId: bigint; wants: boolean; room: number } | undefined;
  for (const peer of input.peers) {
    const { nodeId, claims } = peer;
    const room = free?.get(nodeId) ?? claims.diskFreeGib;
    if (!claims.hasStorage || !claims.isOverflowing || claims.isUnhealthy) continue;
    if (room < gibFor(sizeBytes) || !isInReach(peer, rule, input)) continue;
    const wants = peer.wants?.(key) ?? false;
    const isBetter = best === undefined ||
      (wants !== best.wants ? wants : room !== best.room ? room > best.room : nodeId < best.nodeId);
    if (isBetter) best = { nodeId, wants, room };
  }
  return best?.nodeId;
}

/** Both the scope of gravity and the scope of the policy bound where chunks go. */
function isInReach(
  { claims, place = {} }: OverflowPeer,
  rule: OverflowRule,
  input: Pick<OverflowInput, "local" | "place">,
): boolean {
  return [input.local.gravity.scope, rule.scope].every((scope) =>
    isOutboundAllowed(scope, claims.gravity.scope) &&
    isInsideBorder(scope, input.place ?? {}, place)
  );
}
