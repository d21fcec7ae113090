/**
 * The export table of a gateway (`identity-and-channels.md` 14): channels by canonical hash, and the subnets
 * each may leave for. It lies in memory; whoever edits it keeps it over restarts.
 */
import { NetError } from "../../base/mod.ts";
import { EXPORT_TARGETS_MAX, EXPORTS_MAX } from "../limits.ts";

/** One row: a channel and one subnet it is exported to. */
export interface ChannelExport {
  readonly hash: bigint;
  /** Name of the channel; empty when only its hash was given. */
  readonly name: string;
  /** Subnet; what lies in it counts too. */
  readonly target: number;
}

/** Exports of one channel. */
export interface ExportEntry {
  readonly hash: bigint;
  readonly name: string;
  /** In the order of their numbers. */
  readonly targets: readonly number[];
}

/** Channels and the subnets they are exported to. */
export class ExportTable {
  readonly #entries = new Map<bigint, ExportEntry>();

  /** Channels in the table. */
  get size(): number {
    return this.#entries.size;
  }

  /** All entries, by name and hash. */
  entries(): ExportEntry[] {
    return [...this.#entries.values()].sort((left, right) =>
      compare(left.name, right.name) || compare(left.hash, right.hash)
    );
  }

  /** Subnets a channel is exported to; `undefined` when it is not in the table. */
  targetsOf(hash: bigint): readonly number[] | undefined {
    return this.#entries.get(hash)?.targets;
  }

  /**
   * Adds a subnet to those of a channel.
   *
   * @returns False when it was there.
   * @throws NetError `limit` when the table is full.
   */
  add({ hash, name, target }: ChannelExport): boolean {
    const entry = this.#entries.get(hash) ?? { hash, name, targets: [] };
    if (entry.targets.includes(target)) return false;
    if (entry.targets.length === 0 && this.#entries.size >= EXPORTS_MAX) {
      throw full(`there are ${EXPORTS_MAX} channels`);
    }
    if (entry.targets.length >= EXPORT_TARGETS_MAX) {
      throw full(`the channel has ${EXPORT_TARGETS_MAX} subnets`);
    }
    const targets = [...entry.targets, target].sort(compare);
    this.#entries.set(hash, { hash, name: entry.name === "" ? name : entry.name, targets });
    return true;
  }

  /** Removes a subnet from those of a channel, or the channel; false when there was nothing to remove. */
  remove(hash: bigint, target?: number): boolean {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return false;
    if (target === undefined) return this.#entries.delete(hash);
    if (!entry.targets.includes(target)) return false;
    const targets = entry.targets.filter((other) => other !== target);
    if (targets.length === 0) this.#entries.delete(hash);
    else this.#entries.set(hash, { ...entry, targets });
    return true;
  }
}

function compare<T extends string | number | bigint>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function full(reason: string): NetError {
  return new NetError("limit", `Cannot export channel: ${reason}, must not become more`, {
    next: "remove exports that are no longer needed with net gateway unexport",
  });
}
