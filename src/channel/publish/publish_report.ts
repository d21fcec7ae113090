/** What became of a publish (`identity-and-channels.md` 13, feature CH-12). */
import { type ErrorCode, idToHex, NetError } from "../../base/mod.ts";

/**
 * What a publish does about subscribers that could not be sent to: go on and fail only when all of them
 * failed; end with the first; go on and never fail.
 */
export const FAILURE_POLICIES = ["best_effort", "fail_fast", "collect"] as const;
/** One of {@linkcode FAILURE_POLICIES}. */
export type FailurePolicy = (typeof FAILURE_POLICIES)[number];

/** One subscriber that was not sent to. */
export interface PublishFailure {
  readonly peer: bigint;
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * What became of a publish. Of several events, each subscriber is counted once for each of them.
 *
 * `delivered` means that the events are on their way: sent, or, on a reliable channel, kept until the
 * subscriber has acknowledged them or its session ends.
 */
export interface PublishReport {
  /** Events taken: all of them, or as many as the channel's rate had room for. */
  readonly events: number;
  /** Events that were above the channel's rate. */
  readonly refused: number;
  readonly attempted: number;
  readonly delivered: number;
  readonly errors: readonly PublishFailure[];
}

/** A report in the making. */
export class PublishTally {
  events = 0;
  refused = 0;
  attempted = 0;
  delivered = 0;
  readonly errors: PublishFailure[] = [];

  /** Notes that a subscriber could not be sent to. */
  fail(peer: bigint, code: ErrorCode, message: string): void {
    this.errors.push({ peer, code, message });
  }

  /** True when a publish of this policy goes no further. */
  endsWith(policy: FailurePolicy): boolean {
    return policy === "fail_fast" && this.errors.length > 0;
  }

  /**
   * The report.
   *
   * @throws NetError when the policy says so, with the first failure's code and the report in its data.
   */
  finish(policy: FailurePolicy, channel: string): PublishReport {
    const { events, refused, attempted, delivered, errors } = this;
    const report = { events, refused, attempted, delivered, errors };
    const [first] = errors;
    if (first === undefined || policy === "collect") return report;
    if (policy === "best_effort" && delivered > 0) return report;
    const reached = `${delivered} of ${attempted} deliveries`;
    throw new NetError(
      first.code,
      `Cannot publish on "${channel}": ${reached} done; ${idToHex(first.peer)}: ${first.message}`,
      { next: "see net channel stats for its subscribers", data: { attempted, delivered } },
    );
  }
}
