/**
 * The database of a node (`storage.md` 13): tasks, memories and workflow, folded out of logs of its own. It is
 * opened when it is first used, and opened anew after its logs were restored, repaired or removed.
 */
import { type Clock, NetError, STOPPING_NEXT } from "../../base/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import {
  type ModelName,
  type OpenNetDb,
  restoreNetDb,
  type RestoreReport,
} from "../../state/mod.ts";
import type { LogService } from "./log_service.ts";
import { isFolded } from "./rules.ts";
import type { StateService } from "./state_service.ts";

/** What {@linkcode DbService} needs. */
export interface DbServiceDeps {
  readonly clock: Clock;
  readonly logs: LogService;
  readonly state: StateService;
}

// deno-lint-ignore ban-types -- a database without collections of its own has an empty object of them
type NodeDb = OpenNetDb<ModelName, {}>;

/** The database of a node. */
export class DbService implements Service {
  readonly name = "db";
  readonly #deps: DbServiceDeps;
  #db: Promise<NodeDb> | undefined;
  /** Settles when nothing replaces the logs. */
  #replacing: Promise<unknown> = Promise.resolve();
  #stopReleases: () => void = () => {};

  constructor(deps: DbServiceDeps) {
    this.#deps = deps;
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  /** Aborted when the node stops. */
  get stopSignal(): AbortSignal {
    return this.#deps.logs.stopSignal;
  }

  start(): Promise<void> {
    this.#stopReleases = this.#deps.logs.onRelease(async (channel) => {
      if (isFolded(channel)) await this.#close();
    });
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopReleases();
    await this.#close();
  }

  /** A fold that has halted shows where all folds are looked after. */
  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /**
   * The open database; resolves when all that its logs have is folded.
   *
   * @throws NetDbError `fold`, RedexError of the log.
   */
  async open(): Promise<NodeDb> {
    await this.#replacing;
    if (this.stopSignal.aborted) {
      throw new NetError("draining", "The node stops", { next: STOPPING_NEXT });
    }
    const opening = this.#db ??= this.#deps.state.openDb();
    try {
      return await opening;
    } catch (error) {
      if (this.#db === opening) this.#db = undefined;
      throw error;
    }
  }

  /** The database as bytes, of one moment. */
  async snapshot(signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const db = await this.open();
    return await db.snapshot(undefined, signal);
  }

  /**
   * Fills the database from a bundle.
   *
   * @param isReplacing What is there goes; without it a database with events is left alone.
   * @throws NetDbError `populated`, `decode`.
   */
  async restore(bytes: Uint8Array, isReplacing: boolean): Promise<RestoreReport> {
    await this.#replacing;
    const restoring = this.#restore(bytes, isReplacing);
    this.#replacing = restoring.catch(() => {});
    return await restoring;
  }

  /** Resolves when what was written to a model before is on the device. */
  async sync(channel: string): Promise<void> {
    await this.#deps.logs.redex.get(channel)?.sync();
  }

  async #restore(bytes: Uint8Array, isReplacing: boolean): Promise<RestoreReport> {
    await this.#close();
    const { state, logs } = this.#deps;
    const options = { origin: logs.origin, isReplacing };
    const { db, report } = await restoreNetDb(state.deps, options, bytes);
    this.#db = Promise.resolve(db);
    return report;
  }

  async #close(): Promise<void> {
    const opening = this.#db;
    this.#db = undefined;
    const db = await opening?.catch(() => undefined);
    await db?.close();
  }
}
