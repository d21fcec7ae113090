/** What the methods of every collection of the database share: finding, changing, showing and following rows. */
import * as v from "../../schema/mod.ts";
import type { WriteToken } from "../../log/mod.ts";
import type { Collection } from "../../state/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import type { DbNode } from "./db_methods.ts";
import { sendRows, waitFor, watchRows } from "./db_rows.ts";
import {
  missingRow,
  READ_ENTRIES,
  readId,
  ROW_ID,
  type RowView,
  WRITE_ENTRIES,
  writtenView,
} from "./db_view.ts";

const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** A collection as its methods know it. */
export interface CollectionOptions<
  Row extends { readonly id: bigint },
  Filter extends object,
  Rows extends Collection<Row, Filter>,
  Choice extends object,
> {
  /** What the names of its methods begin with, such as `db.tasks`. */
  readonly prefix: string;
  /** One row and many of them, in words. */
  readonly one: string;
  readonly many: string;
  /** Verb that lists rows. */
  readonly listVerb: string;
  readonly channel: string;
  /** Opens the database where it is not open. */
  readonly open: () => Promise<Rows>;
  readonly view: (row: Row) => RowView;
  /** What a caller may choose rows by, and the filter that it means. */
  readonly choice: v.GenericSchema<object, Choice>;
  readonly toFilter: (choice: Choice, nowMs: number) => Filter;
}

/** The shared part of a collection's methods. */
export interface CollectionMethods<Row, Rows> {
  /** The row of an id. @throws NetError `not_found`. */
  readonly existing: (id: string | number) => Promise<{ id: bigint; rows: Rows; row: Row }>;
  /** Answer to a change of one row, on the device first where that is asked for. */
  readonly written: (
    rows: Rows,
    id: bigint,
    token: WriteToken,
    isDurable: boolean,
  ) => Promise<object>;
  /** Puts what was written on the device where that is asked for. */
  readonly sync: (isDurable: boolean) => Promise<void>;
  /** Declares a method that changes one row and needs nothing but its id. */
  readonly change: (
    word: string,
    summary: string,
    write: (rows: Rows, id: bigint) => WriteToken,
    check?: (row: Row) => void,
  ) => Method;
  /** `show`, `ls` and `watch`. */
  readonly readers: readonly Method[];
}

/** Makes the shared part of a collection's methods. */
export function collectionMethods<
  Row extends { readonly id: bigint },
  Filter extends object,
  Rows extends Collection<Row, Filter>,
  Choice extends object,
>(
  { db }: DbNode,
  options: CollectionOptions<Row, Filter, Rows, Choice>,
): CollectionMethods<Row, Rows> {
  const { prefix, one, many, listVerb, channel, open, view, choice, toFilter } = options;
  const source = {
    open,
    view,
    clock: db.clock,
    // Asked for when somebody reads: the service that has it may not have started yet.
    get stopSignal() {
      return db.stopSignal;
    },
  };
  const existing = async (text: string | number) => {
    const id = readId(text);
    const rows = await open();
    const row = rows.findUnique(id);
    if (row === undefined) throw missingRow(one, id, `see ${listVerb} for those that are there`);
    return { id, rows, row };
  };
  const sync = async (isDurable: boolean) => {
    if (isDurable) await db.sync(channel);
  };
  const written = async (rows: Rows, id: bigint, token: WriteToken, isDurable: boolean) => {
    await sync(isDurable);
    const row = rows.findUnique(id);
    return { row: row === undefined ? null : view(row), ...writtenView(token) };
  };
  const readers = [
    defineMethod({
      name: `${prefix}.show`,
      access: "privileged",
      summary: `Show one ${one}`,
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, id: ROW_ID }),
      handle: async ({ id, after, timeout_ms }, { signal }) => {
        await waitFor(await open(), after, timeout_ms, signal);
        return view((await existing(id)).row);
      },
    }),
    defineMethod({
      name: `${prefix}.ls`,
      access: "privileged",
      summary: `Get ${many} as progress`,
      isReadOnly: true,
      params: v.intersect([v.object({ ...READ_ENTRIES, limit: v.optional(WHOLE) }), choice]),
      handle: (asked, context) => {
        const { limit, after, timeout_ms: timeoutMs } = asked;
        const filter = toFilter(asked, db.clock.wallMs());
        return sendRows<Row, Filter>(source, { filter, limit, after, timeoutMs }, context);
      },
    }),
    defineMethod({
      name: `${prefix}.watch`,
      access: "privileged",
      summary: `Get ${many} as progress, and what comes, changes and goes`,
      isReadOnly: true,
      isOpenEnded: true,
      params: v.intersect([v.object({ ...READ_ENTRIES, count: v.optional(WHOLE) }), choice]),
      handle: (asked, context) => {
        const { count = Infinity, after, timeout_ms: timeoutMs } = asked;
        const filter = toFilter(asked, db.clock.wallMs());
        return watchRows<Row, Filter>(source, { filter, after, timeoutMs }, count, context);
      },
    }),
  ];
  return {
    existing,
    written,
    sync,
    change: (word, summary, write, check = () => {}) =>
      defineMethod({
        name: `${prefix}.${word}`,
        access: "privileged",
        summary,
        isReadOnly: false,
        params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
        handle: async ({ id: text, durable }) => {
          const { id, rows, row } = await existing(text);
          check(row);
          return await written(rows, id, write(rows, id), durable);
        },
      }),
    readers,
  };
}
