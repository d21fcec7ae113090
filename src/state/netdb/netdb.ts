/** An open database: what all its parts do together. */
import type { Redex } from "../../log/mod.ts";
import type { CortexSnapshot } from "../cortex/types.ts";
import { MEMORIES_CHANNEL } from "../models/memories/memory.ts";
import { TASKS_CHANNEL } from "../models/tasks/task.ts";
import { encodeBundle } from "./bundle.ts";
import { NetDbError } from "./error.ts";
import { BARRIER_MS, BARRIER_ROUNDS_MAX } from "./limits.ts";
import type { OpenSection } from "./sections.ts";

/** The part of a database that does not depend on which collections it has. */
export class NetDb implements AsyncDisposable {
  readonly origin: bigint;
  readonly #redex: Pick<Redex, "get">;
  readonly #sections: readonly OpenSection<unknown>[];

  constructor(
    redex: Pick<Redex, "get">,
    sections: readonly OpenSection<unknown>[],
    origin: bigint,
  ) {
    this.#redex = redex;
    this.#sections = sections;
    this.origin = origin;
  }

  /** Channels of its logs. */
  get channels(): string[] {
    return this.#sections.map(({ adapter }) => adapter.channel);
  }

  /**
   * All collections as one bundle, of one moment: it holds what was appended to any of the logs before it, and
   * nothing that was appended after. That of tasks and memories alone is what the core writes and reads; others
   * lie behind it, where the core does not look.
   *
   * @param timeoutMs How long to wait for folds that are behind their logs.
   * @throws NetDbError `fold` when one has stopped, CortexError `timeout`.
   */
  async snapshot(timeoutMs = BARRIER_MS, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    for (let round = 0; round < BARRIER_ROUNDS_MAX; round++) {
      signal?.throwIfAborted();
      this.#requireRunning();
      const waits = this.#sections.flatMap((section) => this.#waitFor(section, timeoutMs, signal));
      // Nothing else runs between looking at the logs and taking the states: that is the one moment.
      if (waits.length === 0) return this.#capture();
      await Promise.all(waits);
    }
    throw new NetDbError("limit", "snapshot: the logs grow faster than they are folded", {
      next: "repeat it when less is written by others",
    });
  }

  /** Stops all folds; the logs stay open, and the rows can still be read. Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.#sections.map(({ adapter }) => adapter.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireRunning(): void {
    for (const { adapter } of this.#sections) {
      if (adapter.isRunning) continue;
      const reason = adapter.failure ?? "it is closed";
      throw new NetDbError("fold", `snapshot ${adapter.channel}: ${reason}`);
    }
  }

  #waitFor(
    { adapter }: OpenSection<unknown>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void>[] {
    const last = (this.#redex.get(adapter.channel)?.nextSeq ?? 0n) - 1n;
    return last <= (adapter.appliedSeq ?? -1n) ? [] : [adapter.waitForSeq(last, timeoutMs, signal)];
  }

  #capture(): Uint8Array<ArrayBuffer> {
    const snapshots = new Map<string, CortexSnapshot>();
    for (const { adapter } of this.#sections) snapshots.set(adapter.channel, adapter.snapshot());
    const [tasks, memories] = [TASKS_CHANNEL, MEMORIES_CHANNEL].map((channel) => {
      const snapshot = snapshots.get(channel);
      snapshots.delete(channel);
      return snapshot;
    });
    return encodeBundle({ tasks, memories, others: snapshots });
  }
}
