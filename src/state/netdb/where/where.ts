/**
 * `--where` for tasks, memories, workflows and collections of a user's own (`docs/netdb.md`):
 * `status=pending && title~fox && created>=2026-11-01`.
 */
import type { WhereOperator } from "../../../base/mod.ts";
import type { Memory, MemoryFilter } from "../../models/memories/memory.ts";
import type { U64Range } from "../../models/tables/u64_range.ts";
import { type Task, TASK_STATUSES, type TaskFilter } from "../../models/tasks/task.ts";
import {
  isTerminalStatus,
  WORKFLOW_STATUSES,
  type WorkflowFilter,
  type WorkflowTask,
} from "../../models/workflow/workflow.ts";
import type { CollectionDefinition, OwnRow, RowSchema } from "../own/definition.ts";
import type { RowFilter } from "../own/row_filter.ts";
import { compileConditions, type WhereField, type WhereFields } from "./compile.ts";
import {
  ANY_FIELD,
  FLAG_FIELD,
  INTEGER_FIELD,
  integerOf,
  LIST_FIELD,
  TEXT_FIELD,
  TIME_FIELD,
  timeOf,
  type WhereValue,
  wordField,
} from "./field.ts";

/** The part of a clock that conditions need. */
export interface WhereTime {
  /** Unix milliseconds: what times such as `-2h` count from. */
  readonly nowMs: number;
}

/**
 * The filter of conditions over tasks, all of which have to hold.
 *
 * @throws NetDbError `filter`
 *
 * @example
 * ```ts
 * import { parseTaskWhere } from "./where.ts";
 * const filter = parseTaskWhere(["status=pending && title~fox"], { nowMs: 0 });
 * console.assert(filter.status === "pending" && filter.titleContains === "fox");
 * ```
 */
export function parseTaskWhere(texts: readonly string[], { nowMs }: WhereTime): TaskFilter {
  return compileConditions(texts, TASK_FIELDS, nowMs, joinParts, {});
}

/** The filter of conditions over memories. @throws NetDbError `filter` */
export function parseMemoryWhere(texts: readonly string[], { nowMs }: WhereTime): MemoryFilter {
  return compileConditions(texts, MEMORY_FIELDS, nowMs, joinParts, {});
}

/** The filter of conditions over workflow tasks. @throws NetDbError `filter` */
export function parseWorkflowWhere(texts: readonly string[], { nowMs }: WhereTime): WorkflowFilter {
  return compileConditions(texts, WORKFLOW_FIELDS, nowMs, joinParts, {});
}

/** The filter of conditions over rows of a collection; dots lead into fields. @throws NetDbError `filter` */
export function parseRowWhere<Schema extends RowSchema>(
  definition: CollectionDefinition<Schema>,
  texts: readonly string[],
  { nowMs }: WhereTime,
): RowFilter<OwnRow<Schema>> {
  return compileConditions(texts, rowFields(definition), nowMs, joinParts, {});
}

type Times = Pick<TaskFilter, "created" | "updated" | "idIn">;

const RANGES: Partial<Record<WhereOperator, keyof U64Range>> = {
  ">": "gt",
  ">=": "gte",
  "<": "lt",
  "<=": "lte",
};

function idPart(operator: WhereOperator, value: WhereValue): Times | undefined {
  const id = integerOf(value);
  return operator === "==" && id !== undefined ? { idIn: [id] } : undefined;
}

function timePart(field: "created" | "updated") {
  return (operator: WhereOperator, value: WhereValue): Times | undefined => {
    const ns = timeOf(value);
    const bound = RANGES[operator];
    if (ns === undefined) return undefined;
    if (operator === "==") return { [field]: { gte: ns, lte: ns } };
    return bound === undefined ? undefined : { [field]: { [bound]: ns } };
  };
}

/** A part for `==` or `*=` alone. */
function textPart<Filter>(wanted: WhereOperator, make: (text: string) => Filter) {
  return (operator: WhereOperator, { text }: WhereValue): Filter | undefined =>
    operator === wanted ? make(text) : undefined;
}

function fieldsOf<Row, Filter>(
  fields: Readonly<Record<string, WhereField<Row, Filter>>>,
): WhereFields<Row, Filter> {
  return {
    names: Object.keys(fields),
    find: (name) => Object.hasOwn(fields, name) ? fields[name] : undefined,
  };
}

const TIMED = {
  id: { kind: INTEGER_FIELD, get: ({ id }: { readonly id: bigint }) => id, part: idPart },
  created: {
    kind: TIME_FIELD,
    get: ({ createdNs }: { readonly createdNs: bigint }) => createdNs,
    part: timePart("created"),
  },
  updated: {
    kind: TIME_FIELD,
    get: ({ updatedNs }: { readonly updatedNs: bigint }) => updatedNs,
    part: timePart("updated"),
  },
};

const TASK_FIELDS = fieldsOf<Task, TaskFilter>({
  ...TIMED,
  title: {
    kind: TEXT_FIELD,
    get: ({ title }) => title,
    part: textPart("*=", (titleContains) => ({ titleContains })),
  },
  status: {
    kind: wordField(TASK_STATUSES),
    get: ({ status }) => status,
    part: textPart("==", (text) => ({ status: wordOf(TASK_STATUSES, text) })),
  },
});

const TAG_FIELD: WhereField<Memory, MemoryFilter> = {
  kind: LIST_FIELD,
  get: ({ tags }) => tags,
  part: (operator, { text }) => operator === "!=" ? undefined : { tag: text },
};

const PINNED_FIELD: WhereField<Memory, MemoryFilter> = {
  kind: FLAG_FIELD,
  get: ({ isPinned }) => isPinned,
  part: (operator, { text }) => ({ isPinned: (text === "true") === (operator === "==") }),
  heldPart: (isPinned) => ({ isPinned }),
};

const MEMORY_FIELDS = fieldsOf<Memory, MemoryFilter>({
  ...TIMED,
  content: {
    kind: TEXT_FIELD,
    get: ({ content }) => content,
    part: textPart("*=", (contentContains) => ({ contentContains })),
  },
  source: {
    kind: TEXT_FIELD,
    get: ({ source }) => source,
    part: textPart("==", (source) => ({ source })),
  },
  tag: TAG_FIELD,
  tags: TAG_FIELD,
  pinned: PINNED_FIELD,
});

const WORKFLOW_FIELDS = fieldsOf<WorkflowTask, WorkflowFilter>({
  id: {
    kind: INTEGER_FIELD,
    get: ({ id }) => id,
    part: (operator, value) => {
      const id = integerOf(value);
      return operator === "==" && id !== undefined ? { idIn: [id] } : undefined;
    },
  },
  status: {
    kind: wordField(WORKFLOW_STATUSES),
    get: ({ status }) => status,
    part: textPart("==", (text) => ({ status: wordOf(WORKFLOW_STATUSES, text) })),
  },
  step: { kind: INTEGER_FIELD, get: ({ step }) => step },
  attempts: { kind: INTEGER_FIELD, get: ({ attempts }) => attempts },
  parent: { kind: INTEGER_FIELD, get: ({ parent }) => parent },
  cancelled: {
    kind: FLAG_FIELD,
    get: ({ isCancelRequested }) => isCancelRequested,
    heldPart: (isCancelRequested) => ({ isCancelRequested }),
  },
  terminal: {
    kind: FLAG_FIELD,
    get: ({ status }) => isTerminalStatus(status),
    heldPart: (isTerminal) => ({ isTerminal }),
  },
});

function rowFields<Schema extends RowSchema>(
  { schema }: CollectionDefinition<Schema>,
): WhereFields<OwnRow<Schema>, RowFilter<OwnRow<Schema>>> {
  const entries = "entries" in schema ? Object.keys(schema.entries as object) : undefined;
  return {
    names: ["id", ...entries ?? []],
    find: (name) => {
      const path = name.split(".");
      const isKnown = entries === undefined || path[0] === "id" || entries.includes(path[0] ?? "");
      return isKnown ? { kind: ANY_FIELD, get: (row) => valueAt(row, path) } : undefined;
    },
  };
}

function valueAt(row: unknown, path: readonly string[]): unknown {
  let value = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = Reflect.get(value, name);
  }
  return value;
}

function wordOf<Word extends string>(words: readonly Word[], text: string): Word | undefined {
  return words.find((word) => word === text.toLowerCase());
}

/** Both parts in one filter; `undefined` when they ask of the same thing and cannot be one. */
function joinParts<Filter extends object>(filter: Filter, part: Filter): Filter | undefined {
  const joined: Record<string, unknown> = Object.fromEntries(Object.entries(filter));
  for (const [name, wanted] of Object.entries(part)) {
    if (!Object.hasOwn(joined, name)) joined[name] = wanted;
    else if (name === "created" || name === "updated") {
      const range = { ...(joined[name] as U64Range) };
      if (Object.keys(wanted as U64Range).some((bound) => Object.hasOwn(range, bound))) {
        return undefined;
      }
      joined[name] = { ...range, ...(wanted as U64Range) };
    } else return undefined;
  }
  return joined as Filter;
}
