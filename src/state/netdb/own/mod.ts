/** Collections of a user's own. */
export * from "./definition.ts";
export * from "./own_collection.ts";
export type { FieldConditions, FieldTest, RowFilter } from "./row_filter.ts";
export {
  createRowModel,
  deleteRowEvent,
  patchRowEvent,
  putRowEvent,
  ROW_EVENTS,
  type RowFields,
} from "./row_model.ts";
export type { RowTable } from "./row_table.ts";
