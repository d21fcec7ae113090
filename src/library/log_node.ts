/** What a program's node keeps: logs, and what is folded out of them. */
import type {
  LogRules,
  NodeDbOptions,
  NodeFoldOptions,
  NodeRestoreOptions,
} from "../services/mod.ts";
import type {
  CollectionDefinitions,
  FoldDefinition,
  FoldEvents,
  ModelName,
  OpenFold,
  OpenNetDb,
  RestoredDb,
} from "../state/mod.ts";
import { MeshNode } from "./mesh_node.ts";
import { NodeLog } from "./node_log.ts";

/** A node with its logs. */
export class LogNode extends MeshNode {
  /**
   * A log of this node, made if there is none: numbered events, in the data folder or in memory.
   *
   * @param rules How it is kept; stays as it was, or follows the node's settings, when left out.
   * @throws NetError `usage` for a name that is none, `not_allowed` by the channel's rules, `failed`, `no_space`.
   *
   * @example
   * ```ts
   * import { startNode } from "./start_node.ts";
   * await using node = await startNode({ listen: "127.0.0.1:0" });
   * const log = await node.log("room/lobby", { retention: { eventsMax: 1_000 } });
   * const { last } = await log.append(["hello", "world"]);
   * console.assert(last === 1n);
   * ```
   */
  async log(name: string, rules?: LogRules): Promise<NodeLog> {
    this.requireRunning();
    const { logs } = this.core;
    if (rules === undefined) await logs.open(name);
    else await logs.configure(name, rules);
    return new NodeLog(name, logs, this.signal);
  }

  /**
   * Opens a declared fold over its log, until it or the node is closed: resolves when all that the log has is in the
   * state.
   *
   * @throws NetError `limit` when too many are open; as {@linkcode LogNode.log}.
   *
   * @example
   * ```ts
   * import * as v from "valibot";
   * import { defineFold } from "../state/mod.ts";
   * import { startNode } from "./start_node.ts";
   * const votes = defineFold({
   *   channel: "club/votes",
   *   state: () => ({ count: new Map<string, number>() }),
   *   events: {
   *     cast: {
   *       dispatch: 0x80,
   *       data: v.object({ choice: v.string() }),
   *       apply: ({ count }, { choice }) => void count.set(choice, (count.get(choice) ?? 0) + 1),
   *     },
   *   },
   * });
   * await using node = await startNode({ listen: "127.0.0.1:0" });
   * await using fold = await node.fold(votes);
   * fold.append.cast({ choice: "tea" });
   * console.assert(fold.state.count.get("tea") === 1);
   * ```
   */
  async fold<State, Events extends FoldEvents>(
    definition: FoldDefinition<State, Events>,
    options: NodeFoldOptions = {},
  ): Promise<OpenFold<State, Events>> {
    this.requireRunning();
    return await this.core.state.openFold(definition, options);
  }

  /**
   * Opens typed collections over the node's logs, until they or the node are closed: tasks, memories and workflow,
   * and collections of the program's own.
   *
   * @throws NetError as {@linkcode LogNode.fold}.
   *
   * @example
   * ```ts
   * import * as v from "valibot";
   * import { defineCollection } from "../state/mod.ts";
   * import { startNode } from "./start_node.ts";
   * const notes = defineCollection({ name: "notes", schema: v.object({ text: v.string() }) });
   * await using node = await startNode({ listen: "127.0.0.1:0" });
   * await using db = await node.db({ models: ["tasks"], collections: { notes } });
   * db.tasks.create(1n, "water the plants");
   * db.collections.notes.put(1n, { text: "they like it dry" });
   * console.assert(db.tasks.findMany({ status: "pending" }).length === 1);
   * ```
   */
  async db<
    const Models extends ModelName = ModelName,
    // deno-lint-ignore ban-types -- a database without collections of its own has an empty object of them.
    const Own extends CollectionDefinitions = {},
  >(options: NodeDbOptions<Models, Own> = {}): Promise<OpenNetDb<Models, Own>> {
    this.requireRunning();
    return await this.core.state.openDb(options);
  }

  /**
   * Fills the node's logs from a bundle that `db.snapshot()` gave, here or in the Rust core, and opens the collections.
   * Where there are events already it refuses, or replaces them all with `isReplacing`.
   *
   * @throws NetDbError `populated`, `decode`, `limit`; NetError as {@linkcode LogNode.fold}.
   */
  async restoreDb<
    const Models extends ModelName = ModelName,
    // deno-lint-ignore ban-types -- as above.
    const Own extends CollectionDefinitions = {},
  >(
    bundle: Uint8Array,
    options: NodeRestoreOptions<Models, Own> = {},
  ): Promise<RestoredDb<Models, Own>> {
    this.requireRunning();
    return await this.core.state.restoreDb(bundle, options);
  }
}
