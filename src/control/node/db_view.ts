/** Rows of the database as the methods tell of them, and what they take. */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import { formatWriteToken, parseWriteToken, type WriteToken } from "../../log/mod.ts";
import type { Memory, Task, WorkflowTask } from "../../state/mod.ts";
import { nanosText } from "./log_view.ts";

/** Ids are 64-bit numbers: decimal text, or a number where that is exact. */
export const ROW_ID = v.union([
  v.pipe(v.string(), v.regex(/^\d{1,20}$/)),
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
]);

/** Characters of a title, content, tag or source. */
export const ROW_TEXT = v.pipe(v.string(), v.maxLength(700_000));

/** Tags of a memory. */
export const ROW_TAGS = v.pipe(v.array(ROW_TEXT), v.maxLength(1_024));

/** What every change may say. */
export const WRITE_ENTRIES = { durable: v.optional(v.boolean(), false) };

/** Conditions on rows, all of which have to hold. */
export const WHERE = v.optional(
  v.pipe(v.array(v.pipe(v.string(), v.maxLength(16_384))), v.maxLength(64)),
  [],
);

/** What every reader may say. */
export const READ_ENTRIES = {
  after: v.optional(v.pipe(v.string(), v.maxLength(64))),
  timeout_ms: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(86_400_000)), 5_000),
};

/**
 * A 64-bit id.
 *
 * @throws NetError `usage` when it is larger.
 */
export function readId(id: string | number): bigint {
  // Sixteen digits are a decimal number here, not a hex id.
  const value = BigInt(id);
  if (value < 1n << 64n) return value;
  throw new NetError("usage", `Cannot use id ${id}: it must be below 2^64`);
}

/**
 * A token as a mutator gave it.
 *
 * @throws NetError `usage` for anything else.
 */
export function readToken(text: string): WriteToken {
  const token = parseWriteToken(text);
  if (token !== undefined) return token;
  throw new NetError(
    "usage",
    `Cannot use token "${text}": it must be 16 hex digits, : and a number`,
    {
      next: "give one as --token of the verb that wrote printed it",
    },
  );
}

/** A row with its id. */
export type RowView = Readonly<Record<string, unknown>> & { readonly id: string };

/** A task. */
export function taskView({ id, title, status, createdNs, updatedNs }: Task): RowView {
  return {
    id: String(id),
    title,
    status,
    created: nanosText(createdNs),
    updated: nanosText(updatedNs),
  };
}

/** A memory. */
export function memoryView(memory: Memory): RowView {
  const { id, content, tags, source, createdNs, updatedNs, isPinned } = memory;
  return {
    id: String(id),
    content,
    tags,
    source,
    pinned: isPinned,
    created: nanosText(createdNs),
    updated: nanosText(updatedNs),
  };
}

/** A task of a workflow. */
export function workflowView(task: WorkflowTask): RowView {
  const { id, step, status, attempts, isCancelRequested, children, parent } = task;
  return {
    id: String(id),
    status,
    step,
    attempts,
    cancel_requested: isCancelRequested,
    parent: parent === undefined ? null : String(parent),
    children: children.map(String),
  };
}

/** What a change answers with. */
export function writtenView(token: WriteToken, count = 1) {
  return { seq: Number(token.seq), token: formatWriteToken(token), count };
}

/** Error for a row that a change is meant for and that is not there. */
export function missingRow(what: string, id: bigint, next: string): NetError {
  return new NetError("not_found", `Cannot find ${what} ${id}`, { next });
}
