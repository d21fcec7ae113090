/**
 * What is folded out of a node's logs (`storage.md` 9 and 13): folds that a program or an operator has opened.
 * They end before the logs do, and a fold that has halted shows in the node's health.
 */
import { type Clock, NetError } from "../../base/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import {
  type CollectionDefinitions,
  type CortexAdapter,
  CortexMetrics,
  type FoldDefinition,
  type FoldEvents,
  type FoldModel,
  type ModelName,
  type NetDbDeps,
  openCortex,
  type OpenCortexOptions,
  OpenFold,
  type OpenNetDb,
  openNetDb,
  type OpenNetDbOptions,
  type RestoredDb,
  restoreNetDb,
  type RestoreNetDbOptions,
} from "../../state/mod.ts";
import { FOLDS_MAX } from "./limits.ts";
import type { LogService } from "./log_service.ts";
import { SharedRedex } from "./shared_redex.ts";

/** What {@linkcode StateService} needs. */
export interface StateServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly logs: LogService;
}

/** Options of a fold of a node: it writes as the node, and its log is kept as the log service says. */
export type NodeFoldOptions = Omit<OpenCortexOptions, "origin" | "config">;

/** Options of a database of a node. */
export type NodeDbOptions<
  Models extends ModelName = ModelName,
  Own extends CollectionDefinitions = CollectionDefinitions,
> = Omit<OpenNetDbOptions<Models, Own>, "origin" | "config" | "isPersistent">;

/** Options of a restore of a node's database. */
export type NodeRestoreOptions<
  Models extends ModelName = ModelName,
  Own extends CollectionDefinitions = CollectionDefinitions,
> = NodeDbOptions<Models, Own> & Pick<RestoreNetDbOptions, "isReplacing">;

/** The folds of a node. */
export class StateService implements Service {
  readonly name = "state";
  readonly cortex = new CortexMetrics();
  readonly #deps: StateServiceDeps;
  readonly #open = new Set<CortexAdapter<unknown>>();
  #isRunning = false;

  constructor(deps: StateServiceDeps) {
    this.#deps = deps;
  }

  /** What folds over the node's logs are opened with; they are closed with the node. */
  get deps(): NetDbDeps {
    const { clock, log, logs } = this.#deps;
    return {
      clock,
      log,
      redex: new SharedRedex(logs),
      metrics: this.cortex,
      onOpen: (adapter) => this.#keep(adapter),
    };
  }

  start(): Promise<void> {
    this.#isRunning = true;
    const { metrics } = this.#deps;
    metrics.register("cortex", () => ({ ...this.cortex.read(), folds: this.#open.size }));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all([...this.#open].map((adapter) => adapter.close()));
  }

  health(): ServiceHealth {
    for (const { channel, failure } of this.#open) {
      if (failure === undefined) continue;
      return { state: "degraded", detail: `The fold of ${channel} stopped: ${failure}` };
    }
    return { state: "healthy" };
  }

  /**
   * Folds one log with a model, until it or the node is closed.
   *
   * @throws NetError `limit`, `not_ready`, `not_allowed` by the channel's rules; as {@linkcode openCortex}.
   */
  async openModel<State>(
    model: FoldModel<State>,
    options: NodeFoldOptions = {},
  ): Promise<CortexAdapter<State>> {
    this.#requireRoom();
    return await openCortex(this.deps, model, { ...options, origin: this.#deps.logs.origin });
  }

  /** Opens a declared fold; as {@linkcode StateService.openModel}. */
  async openFold<State, Events extends FoldEvents>(
    definition: FoldDefinition<State, Events>,
    options: NodeFoldOptions = {},
  ): Promise<OpenFold<State, Events>> {
    return new OpenFold(definition, await this.openModel(definition.model, options));
  }

  /** Opens typed collections over the node's logs; as {@linkcode openNetDb}. */
  async openDb<
    const Models extends ModelName = ModelName,
    // deno-lint-ignore ban-types -- a database without collections of its own has an empty object of them.
    const Own extends CollectionDefinitions = {},
  >(options: NodeDbOptions<Models, Own> = {}): Promise<OpenNetDb<Models, Own>> {
    this.#requireRoom();
    const { origin } = this.#deps.logs;
    return await openNetDb<Models, Own>(this.deps, { ...options, origin });
  }

  /** Fills the node's logs from a bundle, and opens them; as {@linkcode restoreNetDb}. */
  async restoreDb<
    const Models extends ModelName = ModelName,
    // deno-lint-ignore ban-types -- as above.
    const Own extends CollectionDefinitions = {},
  >(
    bundle: Uint8Array,
    options: NodeRestoreOptions<Models, Own> = {},
  ): Promise<RestoredDb<Models, Own>> {
    const { origin } = this.#deps.logs;
    return await restoreNetDb<Models, Own>(this.deps, { ...options, origin }, bundle);
  }

  /**
   * Resolves when every fold that is open over a log has an event in its state; at once without one.
   *
   * @throws CortexError `timeout`, `queue_full`, `stopped`; the signal's reason.
   */
  async whenFolded(
    channel: string,
    seq: bigint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const folds = [...this.#open].filter((adapter) => adapter.channel === channel);
    await Promise.all(folds.map((adapter) => adapter.waitForSeq(seq, timeoutMs, signal)));
  }

  #keep(adapter: CortexAdapter<unknown>): () => void {
    // Others may have come, or the node may have stopped, while it folded.
    this.#requireRoom();
    const letGo = this.#deps.logs.hold(adapter.channel);
    this.#open.add(adapter);
    return () => {
      this.#open.delete(adapter);
      letGo();
    };
  }

  #requireRoom(): void {
    if (!this.#isRunning) {
      throw new NetError("not_ready", "Cannot open fold: the node is not running");
    }
    if (this.#open.size >= FOLDS_MAX) {
      throw new NetError("limit", `Cannot open fold: ${FOLDS_MAX} are open, at most so many`, {
        next: "close folds that are not needed",
      });
    }
  }
}
