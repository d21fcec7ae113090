/** Tasks as a collection that is written to (`storage.md` 10). */
import type { Clock } from "../../base/mod.ts";
import type { WriteToken } from "../../log/mod.ts";
import { openCortex, type OpenCortexDeps, type OpenCortexOptions } from "../cortex/open_cortex.ts";
import type { CortexAdapter } from "../cortex/types.ts";
import {
  completeTaskEvent,
  createTaskEvent,
  deleteTaskEvent,
  renameTaskEvent,
  type Task,
  type TaskFilter,
} from "../models/tasks/task.ts";
import { createTaskModel } from "../models/tasks/task_model.ts";
import type { TaskTable } from "../models/tasks/task_table.ts";
import { FoldedCollection } from "./folded_collection.ts";
import { nowNs } from "./now.ts";

/**
 * Tasks. Writes give a token; by then the rows have them, unless another writer's events came first. Changes of a
 * task that is not there are written and do nothing. Times are the clock's when left out.
 */
export class TaskCollection extends FoldedCollection<TaskTable, Task, TaskFilter> {
  readonly #clock: Clock;

  constructor(adapter: CortexAdapter<TaskTable>, clock: Clock) {
    super(adapter);
    this.#clock = clock;
  }

  /** A new task, pending, in the place of one with the same id. */
  create(id: bigint, title: string, atNs = nowNs(this.#clock)): WriteToken {
    return this.write(createTaskEvent(id, title, atNs));
  }

  rename(id: bigint, title: string, atNs = nowNs(this.#clock)): WriteToken {
    return this.write(renameTaskEvent(id, title, atNs));
  }

  complete(id: bigint, atNs = nowNs(this.#clock)): WriteToken {
    return this.write(completeTaskEvent(id, atNs));
  }

  delete(id: bigint): WriteToken {
    return this.write(deleteTaskEvent(id));
  }
}

/** Opens the tasks of a log; see {@linkcode openCortex}. */
export async function openTasks(
  deps: OpenCortexDeps,
  options: OpenCortexOptions,
): Promise<TaskCollection> {
  return new TaskCollection(await openCortex(deps, createTaskModel(), options), deps.clock);
}
