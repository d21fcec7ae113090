/** Conditions that people write. */
export {
  parseMemoryWhere,
  parseRowWhere,
  parseTaskWhere,
  parseWorkflowWhere,
  type WhereTime,
} from "./where.ts";
