/**
 * When what was appended is put on the device by itself (`storage.md` 3.4).
 *
 * Appends only count; the syncs run in the background, one at a time. One that fails is told to whoever
 * owns the schedule, and tried again when the policy says so next.
 */
import type { Clock } from "../../base/mod.ts";
import type { FsyncPolicy } from "./types.ts";

/** Bytes of an event's records in index and time file, which `interval-or-bytes` counts besides `dat`. */
const RECORD_FILE_BYTES = 28;

/** Runs syncs as a policy says. */
export class FsyncSchedule {
  readonly #clock: Clock;
  #policy: FsyncPolicy;
  /** Puts all on the device; reports its own failure and never rejects. */
  readonly #sync: () => Promise<boolean>;
  #ms: number;
  #records = 0;
  #bytes = 0;
  #cancelTimer: (() => void) | undefined;
  #isRunning = false;
  #isStopped = false;

  /** @param sync Puts all on the device; false when that failed. It must not reject. */
  constructor(clock: Clock, policy: FsyncPolicy, sync: () => Promise<boolean>) {
    this.#clock = clock;
    this.#policy = policy;
    this.#sync = sync;
    this.#ms = intervalOf(policy);
  }

  /** Goes on by another policy; what was appended before counts. */
  setPolicy(policy: FsyncPolicy): void {
    this.#policy = policy;
    this.#ms = intervalOf(policy);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isStopped || this.#isRunning) return;
    // What was counted by the policy before may be none of this one's business, or overdue.
    void this.#run();
  }

  /** Counts what was appended; cheap. */
  noteAppend(records: number, payloadBytes: number): void {
    if (this.#policy.kind === "never" || this.#isStopped) return;
    this.#records += records;
    this.#bytes += payloadBytes + records * RECORD_FILE_BYTES;
    if (this.#ms > 0 && this.#cancelTimer === undefined && !this.#isRunning) this.#startTimer();
    if (this.#isDue()) void this.#run();
  }

  /** No sync begins any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #isDue(): boolean {
    const policy = this.#policy;
    if (policy.kind === "every-n") return this.#records >= policy.records;
    if (policy.kind === "interval-or-bytes") return policy.bytes > 0 && this.#bytes >= policy.bytes;
    return false;
  }

  #startTimer(): void {
    this.#cancelTimer = this.#clock.after(this.#ms, () => {
      this.#cancelTimer = undefined;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#records = 0;
    this.#bytes = 0;
    const isDone = await this.#sync();
    this.#isRunning = false;
    if (this.#isStopped) return;
    // Appended meanwhile, or still not on the device.
    if (isDone && this.#isDue()) void this.#run();
    else if (this.#ms > 0 && (this.#records > 0 || !isDone)) this.#startTimer();
  }
}

/** How long a policy waits; 0 for one that does not. */
function intervalOf(policy: FsyncPolicy): number {
  return policy.kind === "interval" || policy.kind === "interval-or-bytes" ? policy.ms : 0;
}
