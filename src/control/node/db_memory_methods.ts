/** Methods about the memories of the database; all of them privileged. */
import * as v from "../../schema/mod.ts";
import {
  MEMORIES_CHANNEL,
  type Memory,
  type MemoryCollection,
  type MemoryFilter,
  parseMemoryWhere,
  ROW_ORDERS,
  storeMemoryEvent,
} from "../../state/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import type { DbNode } from "./db_methods.ts";
import { collectionMethods } from "./db_collection.ts";
import { chooseIds } from "./db_rows.ts";
import {
  memoryView,
  ROW_ID,
  ROW_TAGS,
  ROW_TEXT,
  WHERE,
  WRITE_ENTRIES,
  writtenView,
} from "./db_view.ts";

/** Rows of one call. */
const ROWS_MAX = 10_000;
const CHOICE = v.object({ where: WHERE, order: v.optional(v.picklist(ROW_ORDERS)) });

/** The methods about memories. */
export function dbMemoryMethods({ db }: DbNode): readonly Method[] {
  const open = async () => (await db.open()).memories;
  const { existing, written, sync, change, readers } = collectionMethods<
    Memory,
    MemoryFilter,
    MemoryCollection,
    v.InferOutput<typeof CHOICE>
  >({ db }, {
    prefix: "db.memories",
    one: "memory",
    many: "memories",
    listVerb: "net db memories ls",
    channel: MEMORIES_CHANNEL,
    open,
    view: memoryView,
    choice: CHOICE,
    toFilter: ({ where, order }, nowMs) => ({
      ...parseMemoryWhere(where, { nowMs }),
      orderBy: order,
    }),
  });
  return [
    defineMethod({
      name: "db.memories.store",
      access: "privileged",
      summary: "Store memories, all of them or none",
      isReadOnly: false,
      params: v.object({
        ...WRITE_ENTRIES,
        rows: v.pipe(
          v.array(v.object({
            id: v.optional(ROW_ID),
            content: ROW_TEXT,
            tags: v.optional(ROW_TAGS),
            source: v.optional(ROW_TEXT),
          })),
          v.minLength(1),
          v.maxLength(ROWS_MAX),
        ),
      }),
      handle: async ({ rows, durable }) => {
        const memories = await open();
        const now = BigInt(Math.floor(db.clock.wallMs())) * 1_000_000n;
        const highest = memories.findFirst({ orderBy: "id-desc" });
        const ids = chooseIds(rows.map(({ id }) => id), highest);
        const events = rows.map((row, i) => storeMemoryEvent(ids[i] ?? 0n, row, now));
        const token = memories.adapter.appendBatch(events);
        if (token === undefined) throw new TypeError("Cannot store memories: there are none");
        await sync(durable);
        return { ids: ids.map(String), ...writtenView(token, ids.length) };
      },
    }),
    defineMethod({
      name: "db.memories.retag",
      access: "privileged",
      summary: "Give a memory other tags",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID, tags: ROW_TAGS }),
      handle: async ({ id: text, tags, durable }) => {
        const { id, rows } = await existing(text);
        return await written(rows, id, rows.retag(id, tags), durable);
      },
    }),
    change("pin", "Pin a memory", (memories, id) => memories.pin(id)),
    change("unpin", "Unpin a memory", (memories, id) => memories.unpin(id)),
    defineMethod({
      name: "db.memories.rm",
      access: "privileged",
      summary: "Remove a memory",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, rows, row } = await existing(text);
        const token = rows.delete(id);
        await sync(durable);
        return { removed: memoryView(row), ...writtenView(token) };
      },
    }),
    ...readers,
  ];
}
