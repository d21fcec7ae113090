/** The parts that a database is made of, all handled alike: a model, the collection over it, its place in a bundle. */
import type { Clock } from "../../base/mod.ts";
import { openCortex, type OpenCortexOptions } from "../cortex/open_cortex.ts";
import type { CortexAdapter, CortexSnapshot, FoldModel } from "../cortex/types.ts";
import { createMemoryModel } from "../models/memories/memory_model.ts";
import type { ModelEvent } from "../models/rows.ts";
import { createTaskModel } from "../models/tasks/task_model.ts";
import { createWorkflowModel } from "../models/workflow/workflow_model.ts";
import type { NetDbBundle } from "./bundle.ts";
import { MemoryCollection } from "./memories.ts";
import type { BlobPins, CollectionDefinition, RowSchema } from "./own/definition.ts";
import { type OpenCollectionDeps, OwnCollection } from "./own/own_collection.ts";
import { createRowModel } from "./own/row_model.ts";
import { memoryEvents, rowEvents, taskEvents, workflowEvents } from "./restore_events.ts";
import { TaskCollection } from "./tasks.ts";
import { WorkflowCollection } from "./workflow.ts";

/** Models that a database may have beside a user's collections. */
export const MODEL_NAMES = ["tasks", "memories", "workflow"] as const;

/** A model by name. */
export type ModelName = typeof MODEL_NAMES[number];

/** One part. */
export interface Section<Opened> {
  readonly name: string;
  readonly channel: string;
  open(deps: OpenCollectionDeps, options: OpenCortexOptions): Promise<OpenSection<Opened>>;
  /** Its snapshot in a bundle. */
  snapshotOf(bundle: NetDbBundle): CortexSnapshot | undefined;
  /** The events that lead to the state of a snapshot. @throws FoldDecodeError, NetDbError `limit` */
  eventsOf(inner: Uint8Array): Iterable<ModelEvent>;
}

/** A part that is open. */
export interface OpenSection<Opened> {
  readonly adapter: Pick<
    CortexAdapter<unknown>,
    | "appendBatch"
    | "appliedSeq"
    | "channel"
    | "close"
    | "failure"
    | "isRunning"
    | "snapshot"
    | "waitForSeq"
  >;
  readonly collection: Opened;
}

/** Tasks. */
export function taskSection(): Section<TaskCollection> {
  const model = createTaskModel();
  return section({
    name: "tasks",
    model,
    wrap: (adapter, clock) => new TaskCollection(adapter, clock),
    eventsOf: (inner) => taskEvents(model.decode(inner)),
    snapshotOf: ({ tasks }) => tasks,
  });
}

/** Memories. */
export function memorySection(): Section<MemoryCollection> {
  const model = createMemoryModel();
  return section({
    name: "memories",
    model,
    wrap: (adapter, clock) => new MemoryCollection(adapter, clock),
    eventsOf: (inner) => memoryEvents(model.decode(inner)),
    snapshotOf: ({ memories }) => memories,
  });
}

/** Workflow. */
export function workflowSection(): Section<WorkflowCollection> {
  const model = createWorkflowModel();
  return section({
    name: "workflow",
    model,
    wrap: (adapter) => new WorkflowCollection(adapter),
    eventsOf: (inner) => workflowEvents(model.decode(inner)),
  });
}

/** A user's collection. */
export function ownSection<Schema extends RowSchema>(
  definition: CollectionDefinition<Schema>,
  pins: BlobPins | undefined,
): Section<OwnCollection<Schema>> {
  return section({
    name: definition.name,
    model: createRowModel(definition, pins),
    wrap: (adapter) => new OwnCollection(adapter, definition),
    // A state that is only looked at holds no blobs.
    eventsOf: (inner) => rowEvents(createRowModel(definition).decode(inner)),
  });
}

interface SectionParts<State, Opened> extends Pick<Section<Opened>, "name" | "eventsOf"> {
  readonly model: FoldModel<State>;
  readonly wrap: (adapter: CortexAdapter<State>, clock: Clock) => Opened;
  readonly snapshotOf?: Section<Opened>["snapshotOf"];
}

function section<State, Opened>(parts: SectionParts<State, Opened>): Section<Opened> {
  const { name, model, wrap, eventsOf } = parts;
  return {
    name,
    channel: model.channel,
    open: async (deps, options) => {
      const adapter = await openCortex(deps, model, options);
      return { adapter, collection: wrap(adapter, deps.clock) };
    },
    snapshotOf: parts.snapshotOf ?? (({ others }) => others?.get(model.channel)),
    eventsOf,
  };
}
