/**
 * Why a chunk stays, and which chunks go (`dataforts.md` 10, `decisions.md` 17): nothing that has a reason is
 * ever taken. Disk pressure bypasses the retention floor only: it does not touch what is pinned, referred to,
 * or in use. A copy that peers are known to hold needs no floor either, which is how overflow frees space.
 */

/** Reasons to stay, strongest first. */
export type KeepReason =
  | "pinned"
  /** A blob, an event or a fold refers to it. */
  | "referenced"
  /** Part of an upload that is not finished. */
  | "staged"
  /** This node is one of those that shall have a copy. */
  | "replica"
  /** Its stripe has lost as much as it can bear: each chunk that is left counts. */
  | "stripe"
  /** Being written or read at this moment. */
  | "in_use"
  /** Younger than the retention floor. */
  | "fresh";

/** Every reason, strongest first. */
export const KEEP_REASONS: readonly KeepReason[] = [
  "pinned",
  "referenced",
  "staged",
  "replica",
  "stripe",
  "in_use",
  "fresh",
];

/** What is known of one chunk. */
export interface ChunkStanding {
  /** References, any kind. */
  readonly refcount: number;
  readonly isPinned: boolean;
  /** Wall-clock milliseconds. */
  readonly firstSeenMs: number;
  readonly isStaged?: boolean;
  readonly isReplica?: boolean;
  readonly isStripeShort?: boolean;
  readonly isInUse?: boolean;
  /** Peers that proved lately that they hold it. */
  readonly holders?: number;
}

/** When chunks go. */
export interface GcRule {
  readonly retentionFloorMs: number;
  /** The disk is so full that the floor does not count. */
  readonly isUnderPressure: boolean;
  /**
   * So many proven holders let a chunk go though it is referred to: names keep working, reads fetch it again.
   * 0, or left out: never.
   */
  readonly spillHoldersMin?: number;
}

/** A chunk among others. */
export interface GcEntry extends ChunkStanding {
  readonly key: string;
  readonly sizeBytes: number;
}

/** What one pass would do. */
export interface GcPlan {
  /** Chunks to delete, those without use for the longest time first. */
  readonly victims: readonly GcEntry[];
  readonly freedBytes: number;
  /** Chunks that would go too, but not in this pass. */
  readonly left: number;
  /** Chunks that stay, by their strongest reason. */
  readonly kept: Readonly<Record<KeepReason, number>>;
}

/** Bounds of one pass. */
export interface PlanGcOptions {
  readonly victimsMax: number;
  /** Stops when so much is freed; all that may go when left out. */
  readonly bytesWanted?: number;
}

/** The retention floor when nobody set one: a day. */
export const RETENTION_FLOOR_MS = 86_400_000;

/** Every reason that a chunk has to stay; none: it may go. `net blob why` prints them. */
export function keepReasons(chunk: ChunkStanding, rule: GcRule, nowMs: number): KeepReason[] {
  const { holders = 0 } = chunk;
  const { spillHoldersMin = 0 } = rule;
  const isSpilled = spillHoldersMin > 0 && holders >= spillHoldersMin;
  const isFloorOver = rule.isUnderPressure || holders > 0 ||
    nowMs - chunk.firstSeenMs >= rule.retentionFloorMs;
  const tests: readonly [KeepReason, boolean][] = [
    ["pinned", chunk.isPinned],
    ["referenced", chunk.refcount > 0 && !isSpilled],
    ["staged", chunk.isStaged === true],
    ["replica", chunk.isReplica === true],
    ["stripe", chunk.isStripeShort === true],
    ["in_use", chunk.isInUse === true],
    ["fresh", !isFloorOver],
  ];
  return tests.filter(([, holds]) => holds).map(([reason]) => reason);
}

/** True when nothing keeps it. To be asked again in the moment of deleting. */
export function isDeletable(chunk: ChunkStanding, rule: GcRule, nowMs: number): boolean {
  return keepReasons(chunk, rule, nowMs).length === 0;
}

/**
 * What a pass over these chunks would do; a dry run is this and nothing more.
 *
 * @example
 * ```ts
 * import { planGc } from "./gc.ts";
 * const chunk = { key: "ab", sizeBytes: 7, refcount: 0, isPinned: false, firstSeenMs: 0 };
 * const rule = { retentionFloorMs: 1_000, isUnderPressure: false };
 * console.assert(planGc([chunk], rule, 999, { victimsMax: 10 }).kept.fresh === 1);
 * console.assert(planGc([chunk], rule, 1_000, { victimsMax: 10 }).freedBytes === 7);
 * ```
 */
export function planGc(
  chunks: Iterable<GcEntry>,
  rule: GcRule,
  nowMs: number,
  options: PlanGcOptions,
): GcPlan {
  const kept: Record<KeepReason, number> = {
    pinned: 0,
    referenced: 0,
    staged: 0,
    replica: 0,
    stripe: 0,
    in_use: 0,
    fresh: 0,
  };
  const candidates: GcEntry[] = [];
  for (const chunk of chunks) {
    const [reason] = keepReasons(chunk, rule, nowMs);
    if (reason === undefined) candidates.push(chunk);
    else kept[reason] += 1;
  }
  candidates.sort((a, b) => a.firstSeenMs - b.firstSeenMs || (a.key < b.key ? -1 : 1));
  const { victimsMax, bytesWanted = Infinity } = options;
  let freedBytes = 0;
  let count = 0;
  for (const { sizeBytes } of candidates) {
    if (count >= victimsMax || freedBytes >= bytesWanted) break;
    freedBytes += sizeBytes;
    count += 1;
  }
  const victims = candidates.slice(0, count);
  return { victims, freedBytes, left: candidates.length - count, kept };
}
