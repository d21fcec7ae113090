/** Folds over a restart: written down now and then and at the end, read at the start (promise C3). */
import { type Clock, toNetError } from "../base/mod.ts";
import {
  FOLD_KINDS,
  type FoldKindNumber,
  type FoldSet,
  isFoldKind,
} from "../core/capability/mod.ts";
import {
  type FoldSnapshotRecord,
  type Ledger,
  readFoldSnapshots,
  writeFoldSnapshots,
} from "../core/ledger/mod.ts";
import type { Log } from "../observe/mod.ts";

/** Where snapshots are kept. */
export interface FoldMemory {
  read(): Promise<readonly FoldSnapshotRecord[]>;
  write(snapshots: readonly FoldSnapshotRecord[]): Promise<void>;
}

/** Memory on a ledger. */
export function createFoldMemory(ledger: Ledger): FoldMemory {
  return {
    read: () => readFoldSnapshots(ledger.db),
    write: (snapshots) => writeFoldSnapshots(ledger, snapshots),
  };
}

/** What {@linkcode FoldSnapshots} needs. */
export interface FoldSnapshotsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly folds: FoldSet;
  /** `undefined` for a node that keeps nothing. */
  readonly memory: FoldMemory | undefined;
}

/** Keeps the folds of a node. */
export class FoldSnapshots {
  readonly #deps: FoldSnapshotsDeps;
  /** Changes that each kept snapshot has in it. */
  readonly #kept = new Map<FoldKindNumber, number>();
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: FoldSnapshotsDeps) {
    this.#deps = deps;
  }

  /** Takes in what was kept; a snapshot that cannot be read is passed over, because others say it all again. */
  async restore(): Promise<void> {
    const { clock, folds, log, memory } = this.#deps;
    if (memory === undefined) return;
    let entries = 0;
    try {
      for (const { kind, takenAtMs, bytes } of await memory.read()) {
        if (!isFoldKind(kind)) continue;
        const restored = folds.restore(kind, bytes, clock.wallMs() - takenAtMs);
        if (restored === undefined) log.warn("fold_snapshot_unreadable", { kind });
        entries += restored ?? 0;
      }
    } catch (error) {
      log.warn("fold_snapshots_not_read", {
        reason: messageOf(error, "Cannot read fold snapshots"),
      });
    }
    if (entries > 0) log.info("folds_restored", { entries });
  }

  /** Writes down the folds that changed; one at a time. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { clock, folds, log, memory } = this.#deps;
    if (memory === undefined) return;
    const takenAtMs = Math.floor(clock.wallMs());
    const changes = new Map(FOLD_KINDS.map((kind) => [kind, folds.fold(kind).changeCount]));
    const changed = FOLD_KINDS.filter((kind) => changes.get(kind) !== (this.#kept.get(kind) ?? 0));
    if (changed.length === 0) return;
    try {
      await memory.write(
        changed.map((kind) => ({ kind, takenAtMs, bytes: folds.snapshot(kind) })),
      );
      for (const kind of changed) this.#kept.set(kind, changes.get(kind) ?? 0);
    } catch (error) {
      log.warn("folds_not_kept", { reason: messageOf(error, "Cannot keep folds") });
    }
  }
}

function messageOf(error: unknown, action: string): string {
  return toNetError(error, action).message;
}
