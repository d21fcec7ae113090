/** The models that `net` brings: tasks, memories, workflows. */
export type { ModelLimits } from "./limits.ts";
export * from "./memories/memory.ts";
export { createMemoryModel } from "./memories/memory_model.ts";
export type { MemoryTable } from "./memories/memory_table.ts";
export { areSameRows, type ModelEvent, type RowState } from "./rows.ts";
export { ROW_ORDERS, type RowOrder, type TimedFilter } from "./tables/timed_rows.ts";
export type { U64Range } from "./tables/u64_range.ts";
export * from "./tasks/task.ts";
export { createTaskModel } from "./tasks/task_model.ts";
export type { TaskTable } from "./tasks/task_table.ts";
export * from "./workflow/lease.ts";
export * from "./workflow/shard_group.ts";
export * from "./workflow/trigger.ts";
export * from "./workflow/workflow.ts";
export { createWorkflowModel } from "./workflow/workflow_model.ts";
export type { WorkflowTable } from "./workflow/workflow_table.ts";
