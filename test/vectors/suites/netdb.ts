/** Bundles of a whole database, and what filters find. */
import assert from "node:assert/strict";
import {
  completeTaskEvent,
  createMemoryModel,
  createTaskEvent,
  createTaskModel,
  decodeBundle,
  decodeCortexSnapshot,
  encodeBundle,
  encodeCortexSnapshot,
  type FoldModel,
  type Memory,
  type MemoryFilter,
  type NetDbBundle,
  NetDbError,
  pinMemoryEvent,
  type RowOrder,
  type RowState,
  storeMemoryEvent,
  type Task,
  type TaskFilter,
  type TimedFilter,
} from "../../../src/state/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  integer,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";
import { memoryOf, taskOf, textsOf } from "./models.ts";
import { checkRestoreOnEmptyLog } from "./_netdb_restore.ts";

/** Suites of this file by vector file. */
export const NETDB_SUITES: Readonly<Record<string, VectorSuite>> = {
  "storage/netdb.json": (document) => {
    const tasks = tasksOf(document);
    const memories = memoriesOf(document);
    return {
      bundles: checkBundle,
      bad_bundles: checkBadBundle,
      task_queries: (vector) => checkQuery(tasks, taskFilter(recordOf(vector, "filter")), vector),
      memory_queries: (vector) =>
        checkQuery(memories, memoryFilter(recordOf(vector, "filter")), vector),
      restore_on_empty_log: {
        cases: [objectOf(valueAt(document, "restore_on_empty_log"), "restore_on_empty_log")],
        check: (vector) => checkRestoreOnEmptyLog(vector, bundleBytes(document, "many")),
      },
    };
  },
};

function checkBundle(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const bundle = decodeBundle(bytes);
  assert.deepEqual(encodeBundle(bundle), bytes);
  assert.equal(bundle.others?.size, 0);
  checkSection(bundle.tasks, createTaskModel(), vector, "tasks", taskOf);
  checkSection(bundle.memories, createMemoryModel(), vector, "memories", memoryOf);
  const again = encodeBundle({
    tasks: reencode(bundle.tasks, createTaskModel()),
    memories: reencode(bundle.memories, createMemoryModel()),
  });
  // Maps are in any order, so the bytes may differ; there are as many of them.
  assert.equal(again.length, bytes.length);
}

function checkSection<Row, State extends RowState<Row, unknown>>(
  section: NetDbBundle["tasks"],
  model: FoldModel<State>,
  vector: VectorObject,
  field: string,
  rowOf: (row: VectorObject) => Row,
): void {
  if (section === undefined) return assert.ok(!has(vector, field));
  const { inner } = decodeCortexSnapshot(section.bytes);
  const rows = has(vector, field)
    ? listOf(vector, field).map((row) => rowOf(objectOf(row, field)))
    : [];
  assert.deepEqual(model.decode(inner).find(), rows);
}

function reencode<State>(section: NetDbBundle["tasks"], model: FoldModel<State>) {
  if (section === undefined) return undefined;
  const { appSeq, inner } = decodeCortexSnapshot(section.bytes);
  const bytes = encodeCortexSnapshot({ appSeq, inner: model.encode(model.decode(inner)) });
  return { bytes, lastSeq: section.lastSeq };
}

function checkBadBundle(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  if (has(vector, "ok")) {
    const bundle = decodeBundle(bytes);
    assert.deepEqual([bundle.tasks, bundle.memories], [undefined, undefined]);
    return;
  }
  assert.throws(() => decodeBundle(bytes), (error) => {
    assert.ok(error instanceof NetDbError && error.kind === "decode");
    assert.equal(error.message, textOf(vector, "error"));
    return true;
  });
}

function checkQuery<Row extends { readonly id: bigint }, Filter extends TimedFilter>(
  state: RowState<Row, Filter>,
  filter: Filter,
  vector: VectorObject,
): void {
  const ids = listOf(vector, "ids").map((id) => integer(id, "ids"));
  assert.deepEqual(state.find(filter).map((row) => row.id), ids);
  assert.equal(state.first(filter)?.id, ids[0]);
  const isLimited = filter.limit !== undefined;
  assert.ok(isLimited || state.count(filter) === ids.length);
}

function timedFilter(vector: VectorObject): TimedFilter {
  const time = (field: string) => has(vector, field) ? integerOf(vector, field) : undefined;
  return {
    createdAfterNs: time("createdAfterNs"),
    createdBeforeNs: time("createdBeforeNs"),
    updatedAfterNs: time("updatedAfterNs"),
    updatedBeforeNs: time("updatedBeforeNs"),
    orderBy: ORDERS[textOf(vector, "orderBy")] ?? assert.fail("no such order"),
    limit: has(vector, "limit") ? numberOf(vector, "limit") : undefined,
  };
}

const ORDERS: Readonly<Record<string, RowOrder>> = {
  IdAsc: "id-asc",
  IdDesc: "id-desc",
  CreatedAsc: "created-asc",
  CreatedDesc: "created-desc",
  UpdatedAsc: "updated-asc",
  UpdatedDesc: "updated-desc",
};

function taskFilter(vector: VectorObject): TaskFilter {
  const status = has(vector, "status") ? textOf(vector, "status") : undefined;
  return {
    ...timedFilter(vector),
    status: status === undefined ? undefined : status === "Pending" ? "pending" : "completed",
    titleContains: optionalText(vector, "titleContains"),
  };
}

function memoryFilter(vector: VectorObject): MemoryFilter {
  const texts = (field: string) => has(vector, field) ? textsOf(vector, field) : undefined;
  return {
    ...timedFilter(vector),
    source: optionalText(vector, "source"),
    contentContains: optionalText(vector, "contentContains"),
    tag: optionalText(vector, "tag"),
    anyTag: texts("anyTag"),
    allTags: texts("allTags"),
    isPinned: has(vector, "pinned") ? booleanOf(vector, "pinned") : undefined,
  };
}

function optionalText(vector: VectorObject, field: string): string | undefined {
  return has(vector, field) ? textOf(vector, field) : undefined;
}

/** The rows that the queries of the file are about, folded from events that lead to them. */
function tasksOf(document: unknown): RowState<Task, TaskFilter> {
  const events = rowsAt(document, "task_rows").map(taskOf).flatMap((task) => [
    createTaskEvent(task.id, task.title, task.createdNs),
    ...(task.status === "completed" ? [completeTaskEvent(task.id, task.updatedNs)] : []),
  ]);
  const model = createTaskModel();
  const state = foldAll(model, events);
  assert.deepEqual(state.find(), rowsAt(document, "task_rows").map(taskOf));
  return state;
}

function memoriesOf(document: unknown): RowState<Memory, MemoryFilter> {
  const rows = rowsAt(document, "memory_rows").map(memoryOf);
  const events = rows.flatMap((memory) => [
    storeMemoryEvent(memory.id, memory, memory.createdNs),
    ...(memory.isPinned ? [pinMemoryEvent(memory.id, memory.updatedNs)] : []),
  ]);
  const state = foldAll(createMemoryModel(), events);
  assert.deepEqual(state.find(), rows);
  return state;
}

function foldAll<State>(
  model: FoldModel<State>,
  events: readonly { readonly dispatch: number; readonly tail: Uint8Array }[],
): State {
  const state = model.create();
  for (const [at, event] of events.entries()) {
    model.apply(state, { ...event, seq: BigInt(at), origin: 1n, appSeq: BigInt(at) });
  }
  return state;
}

function rowsAt(document: unknown, path: string): VectorObject[] {
  const rows = valueAt(document, path);
  assert.ok(Array.isArray(rows));
  return rows.map((row) => objectOf(row, path));
}

function bundleBytes(document: unknown, name: string): Uint8Array {
  const bundle = rowsAt(document, "bundles").find((vector) => textOf(vector, "name") === name);
  return bytesOf(bundle ?? assert.fail(), "bytes");
}
