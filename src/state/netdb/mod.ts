/** NetDB: typed collections. */
export * from "./bundle.ts";
export * from "./error.ts";
export { FoldedCollection } from "./folded_collection.ts";
export { type MemoryCollection, openMemories } from "./memories.ts";
export type { NetDb } from "./netdb.ts";
export {
  type CollectionDefinitions,
  type NetDbDeps,
  type OpenedCollections,
  type OpenNetDb,
  openNetDb,
  openNetDbFromSnapshot,
  type OpenNetDbOptions,
} from "./open_netdb.ts";
export * from "./own/mod.ts";
export * from "./restore.ts";
export { MODEL_NAMES, type ModelName } from "./sections.ts";
export { openTasks, type TaskCollection } from "./tasks.ts";
export * from "./types.ts";
export * from "./where/mod.ts";
export { openWorkflow, type TryJoinOutcome, type WorkflowCollection } from "./workflow.ts";
