/**
 * How rows of a user's collection come out of their log. Events, behind their meta: the id as a varint, and for `put`
 * and `patch` the fields as a plain value (`docs/netdb.md`). A row that the schema refuses is set aside.
 */
import * as v from "../../../schema/mod.ts";
import { PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { FoldDecodeError } from "../../cortex/fold_error.ts";
import type { CortexEvent, FoldModel } from "../../cortex/types.ts";
import { decodePlainValue, encodePlainValue } from "../../fold/mod.ts";
import type { ModelLimits } from "../../models/limits.ts";
import type { ModelEvent } from "../../models/rows.ts";
import { NetDbError } from "../error.ts";
import { ROW_BYTES_MAX } from "../limits.ts";
import type { BlobPins, CollectionDefinition, OwnRow, RowSchema } from "./definition.ts";
import { RowTable } from "./row_table.ts";

/** Dispatch bytes of row events: in a user's space. */
export const ROW_EVENTS = { put: 0x80, patch: 0x81, delete: 0x82 } as const;

/** Fields of a row as a plain object. */
export type RowFields = Readonly<Record<string, unknown>>;

const PROBLEMS_MAX = 3;

/** The model of a collection. */
export function createRowModel<Schema extends RowSchema>(
  definition: CollectionDefinition<Schema>,
  pins?: BlobPins,
  limits?: ModelLimits,
): FoldModel<RowTable<OwnRow<Schema>>> {
  const create = () => new RowTable<OwnRow<Schema>>(definition.blobsOf, limits);
  return {
    channel: definition.channel,
    create: () => create().pinWith(pins),
    apply: (state, event) => applyRowEvent(state, event, definition),
    encode: encodeRows,
    decode: (bytes) => decodeRows(create(), bytes, definition).pinWith(pins),
  };
}

/** A row, new or in the place of another. @throws NetDbError `limit` */
export function putRowEvent(id: bigint, fields: RowFields): ModelEvent {
  return rowEvent(ROW_EVENTS.put, id, fields);
}

/** Fields instead of those of a row that is there; an `undefined` field goes. @throws NetDbError `limit` */
export function patchRowEvent(id: bigint, fields: RowFields): ModelEvent {
  return rowEvent(ROW_EVENTS.patch, id, fields);
}

/** The row goes. */
export function deleteRowEvent(id: bigint): ModelEvent {
  return { dispatch: ROW_EVENTS.delete, tail: new PostcardWriter().varint(id).finish() };
}

/** The row that the schema makes of fields, or what is wrong with them. */
export function readRow<Schema extends RowSchema>(
  { schema }: CollectionDefinition<Schema>,
  id: bigint,
  fields: RowFields,
): { readonly row: OwnRow<Schema> } | { readonly problem: string } {
  const read = v.safeParse(schema, fields);
  if (!read.success) return { problem: describe(read.issues) };
  // The output of the schema and an id are what an OwnRow is by definition.
  return { row: Object.freeze({ ...read.output, id }) as OwnRow<Schema> };
}

/**
 * Refuses a row that no put could write: a snapshot of it could not be restored.
 *
 * @throws NetDbError `limit`
 */
export function requireRowSize(id: bigint, fields: RowFields): void {
  const { length } = encodePlainValue(fields);
  if (length > ROW_BYTES_MAX) throw tooLarge(id, length);
}

/** Fields of a row with those of a patch. */
export function patchFields(row: RowFields, patch: RowFields): RowFields {
  const fields: Record<string, unknown> = { ...row, ...patch };
  for (const [name, value] of Object.entries(fields)) if (value === undefined) delete fields[name];
  delete fields.id;
  return fields;
}

function rowEvent(dispatch: number, id: bigint, fields: RowFields): ModelEvent {
  const value = encodePlainValue(fields);
  if (value.length > ROW_BYTES_MAX) throw tooLarge(id, value.length);
  return { dispatch, tail: new PostcardWriter(10 + value.length).varint(id).bytes(value).finish() };
}

function tooLarge(id: bigint, length: number): NetDbError {
  return new NetDbError("limit", `write row ${id}: ${length} bytes, at most ${ROW_BYTES_MAX}`);
}

function applyRowEvent<Schema extends RowSchema>(
  state: RowTable<OwnRow<Schema>>,
  { dispatch, tail }: CortexEvent,
  definition: CollectionDefinition<Schema>,
): boolean {
  if (dispatch < ROW_EVENTS.put || dispatch > ROW_EVENTS.delete) return false;
  const reader = new PostcardReader(tail);
  const id = reader.u64();
  checkRead(reader);
  if (dispatch === ROW_EVENTS.delete) return state.remove(id);
  const length = reader.remaining;
  const fields = fieldsOf(reader.bytes(length));
  const row = state.get(id);
  if (dispatch === ROW_EVENTS.patch && row === undefined) return false;
  const isPatch = dispatch === ROW_EVENTS.patch && row !== undefined;
  const whole = isPatch ? patchFields(row, fields) : fields;
  // Small fields that are all of a row stay small, whatever defaults a schema adds.
  putRow(state, id, whole, definition, isPatch || length > ROW_BYTES_MAX / 2);
  return true;
}

function putRow<Schema extends RowSchema>(
  state: RowTable<OwnRow<Schema>>,
  id: bigint,
  fields: RowFields,
  definition: CollectionDefinition<Schema>,
  mayBeTooLarge = false,
): void {
  const read = readRow(definition, id, fields);
  if ("problem" in read) throw new FoldDecodeError(`Cannot read row ${id}: ${read.problem}`);
  if (mayBeTooLarge) checkRowSize(id, read.row);
  if (!state.put(read.row)) {
    throw new FoldDecodeError(`Cannot add row ${id}: there are ${state.rowsMax} already`);
  }
}

function checkRowSize(id: bigint, { id: _, ...fields }: RowFields): void {
  try {
    requireRowSize(id, fields);
  } catch (error) {
    throw new FoldDecodeError(error instanceof Error ? error.message : String(error), error);
  }
}

function fieldsOf(bytes: Uint8Array): RowFields {
  if (bytes.length > ROW_BYTES_MAX) {
    throw new FoldDecodeError(`Cannot read row: ${bytes.length} bytes, at most ${ROW_BYTES_MAX}`);
  }
  const value = decodePlainValue(bytes);
  const isPlain = typeof value === "object" && value !== null &&
    Object.getPrototypeOf(value) === Object.prototype;
  if (!isPlain) throw new FoldDecodeError("Cannot read row: it is no object");
  return value as RowFields;
}

/** A list of ids and rows, in the order of ids. */
function encodeRows<Row extends { readonly id: bigint }>(state: RowTable<Row>): Uint8Array {
  const rows = state.find();
  const writer = new PostcardWriter(64 + 64 * rows.length);
  writer.list(rows, ({ id, ...fields }) => {
    writer.varint(id).byteVector(encodePlainValue(fields));
  });
  return writer.finish();
}

function decodeRows<Schema extends RowSchema>(
  state: RowTable<OwnRow<Schema>>,
  bytes: Uint8Array,
  definition: CollectionDefinition<Schema>,
): RowTable<OwnRow<Schema>> {
  const reader = new PostcardReader(bytes);
  for (let left = reader.count(2); left > 0; left--) {
    const id = reader.u64();
    const value = reader.byteVector();
    checkRead(reader);
    putRow(state, id, fieldsOf(value), definition);
  }
  checkRead(reader);
  return state;
}

function checkRead({ failure }: PostcardReader): void {
  if (failure !== undefined) throw new FoldDecodeError(`Cannot read rows: ${failure}`);
}

function describe(issues: readonly v.BaseIssue<unknown>[]): string {
  const problems = issues.slice(0, PROBLEMS_MAX).map((issue) => {
    const path = v.getDotPath(issue);
    return path === null ? issue.message : `${path}: ${issue.message}`;
  });
  const more = issues.length - problems.length;
  return problems.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
