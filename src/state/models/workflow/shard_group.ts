/**
 * Fan-out and join: one task becomes many, and when enough of them are done, the next one begins
 * (`storage.md` 12). Nothing is stored beside the tasks themselves: a group can be worked out again.
 */
import { NetError } from "../../../base/mod.ts";
import { SHARDS_MAX } from "../limits.ts";
import { isTerminalStatus } from "./workflow.ts";
import type { WorkflowTable } from "./workflow_table.ts";

/** Tasks that run side by side, and the one that follows them. */
export interface ShardGroup {
  readonly shards: readonly bigint[];
  /** Submitted when the shards have come as far as the policy demands. */
  readonly join: bigint;
}

/** When a group has come far enough. */
export type JoinPolicy =
  /** All are done; one that failed ends it. */
  | { readonly kind: "all-or-nothing" }
  /** All are done or failed. */
  | { readonly kind: "best-effort" }
  /** So many are done; it fails when that cannot be any more. */
  | { readonly kind: "threshold"; readonly done: number };

/** How a group stands. */
export type JoinOutcome =
  | { readonly kind: "ready" }
  | { readonly kind: "already_submitted" }
  | { readonly kind: "pending"; readonly open: number }
  | { readonly kind: "failed"; readonly failed: readonly bigint[] };

const U64_MASK = (1n << 64n) - 1n;

/**
 * Id of the k-th shard of a task: the same on every node, and spread over all ids.
 *
 * @param index 0 for the first.
 *
 * @example
 * ```ts
 * import { deriveShardId } from "./shard_group.ts";
 * console.assert(deriveShardId(0n, 0) === 0xe220a8397b1dcdafn);
 * ```
 */
export function deriveShardId(parent: bigint, index: number): bigint {
  let z = (parent + (BigInt(index) + 1n) * 0x9e3779b97f4a7c15n) & U64_MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & U64_MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & U64_MASK;
  return z ^ (z >> 31n);
}

/**
 * The group of so many shards of a task.
 *
 * @throws NetError `usage` for none, `limit` for more than {@linkcode SHARDS_MAX}.
 */
export function deriveShardGroup(parent: bigint, count: number, join: bigint): ShardGroup {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new NetError("usage", `Cannot fan out: count is ${count}, must be at least 1`);
  }
  if (count > SHARDS_MAX) {
    throw new NetError("limit", `Cannot fan out: count is ${count}, must be at most ${SHARDS_MAX}`);
  }
  return { shards: Array.from({ length: count }, (_, k) => deriveShardId(parent, k)), join };
}

/** How a group stands; a shard that is not there is one that has not been seen yet. */
export function judgeJoin(
  state: WorkflowTable,
  group: ShardGroup,
  policy: JoinPolicy = { kind: "all-or-nothing" },
): JoinOutcome {
  if (state.get(group.join) !== undefined) return { kind: "already_submitted" };
  const failed: bigint[] = [];
  let [done, open] = [0, 0];
  for (const shard of group.shards) {
    const status = state.get(shard)?.status ?? "submitted";
    if (status === "done") done += 1;
    else if (status === "failed") failed.push(shard);
    if (!isTerminalStatus(status)) open += 1;
  }
  switch (policy.kind) {
    case "all-or-nothing":
      if (failed.length > 0) return { kind: "failed", failed };
      break;
    case "threshold":
      if (done >= policy.done) return { kind: "ready" };
      if (done + open < policy.done) return { kind: "failed", failed };
      return { kind: "pending", open };
    case "best-effort":
      break;
  }
  return open === 0 ? { kind: "ready" } : { kind: "pending", open };
}
