/** Methods about the memories of the database; all of them privileged. */
import * as v from "../../schema/mod.ts";
import type { WriteToken } from "../../log/mod.ts";
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
import { chooseIds, sendRows, waitFor, watchRows } from "./db_rows.ts";
import {
  memoryView,
  missingRow,
  READ_ENTRIES,
  readId,
  ROW_ID,
  ROW_TAGS,
  ROW_TEXT,
  WHERE,
  WRITE_ENTRIES,
  writtenView,
} from "./db_view.ts";

/** Rows of one call. */
const ROWS_MAX = 10_000;
const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const FILTER_ENTRIES = {
  where: WHERE,
  order: v.optional(v.picklist(ROW_ORDERS)),
};
const FILTER = v.object(FILTER_ENTRIES);
const SEE_MEMORIES = "see net db memories ls for those that are there";

/** The methods about memories. */
export function dbMemoryMethods({ db }: DbNode): readonly Method[] {
  const open = async () => (await db.open()).memories;
  const source = {
    open,
    view: memoryView,
    clock: db.clock,
    // Asked for when somebody reads: the service that has it may not have started yet.
    get stopSignal() {
      return db.stopSignal;
    },
  };
  const existing = async (text: string | number) => {
    const id = readId(text);
    const memories = await open();
    const memory = memories.findUnique(id);
    if (memory === undefined) throw missingRow("memory", id, SEE_MEMORIES);
    return { id, memories, memory };
  };
  const change = (
    name: string,
    summary: string,
    write: (memories: MemoryCollection, id: bigint) => WriteToken,
  ) =>
    defineMethod({
      name,
      access: "privileged",
      summary,
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, memories } = await existing(text);
        return await changed(memories, id, write(memories, id), durable);
      },
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
        if (durable) await db.sync(MEMORIES_CHANNEL);
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
        const { id, memories } = await existing(text);
        return await changed(memories, id, memories.retag(id, tags), durable);
      },
    }),
    change("db.memories.pin", "Pin a memory", (memories, id) => memories.pin(id)),
    change("db.memories.unpin", "Unpin a memory", (memories, id) => memories.unpin(id)),
    defineMethod({
      name: "db.memories.rm",
      access: "privileged",
      summary: "Remove a memory",
      isReadOnly: false,
      params: v.object({ ...WRITE_ENTRIES, id: ROW_ID }),
      handle: async ({ id: text, durable }) => {
        const { id, memories, memory } = await existing(text);
        const token = memories.delete(id);
        if (durable) await db.sync(MEMORIES_CHANNEL);
        return { removed: memoryView(memory), ...writtenView(token) };
      },
    }),
    defineMethod({
      name: "db.memories.show",
      access: "privileged",
      summary: "One memory",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, id: ROW_ID }),
      handle: async ({ id, after, timeout_ms }, { signal }) => {
        await waitFor(await open(), after, timeout_ms, signal);
        return memoryView((await existing(id)).memory);
      },
    }),
    defineMethod({
      name: "db.memories.ls",
      access: "privileged",
      summary: "Get memories as progress",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, ...FILTER_ENTRIES, limit: v.optional(WHOLE) }),
      handle: ({ limit, after, timeout_ms, ...filter }, context) => {
        const ask = {
          filter: toFilter(filter, db.clock.wallMs()),
          limit,
          after,
          timeoutMs: timeout_ms,
        };
        return sendRows<Memory, MemoryFilter>(source, ask, context);
      },
    }),
    defineMethod({
      name: "db.memories.watch",
      access: "privileged",
      summary: "Get memories as progress, and what comes, changes and goes",
      isReadOnly: true,
      params: v.object({ ...READ_ENTRIES, ...FILTER_ENTRIES, count: v.optional(WHOLE) }),
      handle: ({ count, after, timeout_ms, ...filter }, context) => {
        const ask = { filter: toFilter(filter, db.clock.wallMs()), after, timeoutMs: timeout_ms };
        return watchRows<Memory, MemoryFilter>(source, ask, count ?? Infinity, context);
      },
    }),
  ];

  async function changed(
    memories: MemoryCollection,
    id: bigint,
    token: WriteToken,
    isDurable: boolean,
  ): Promise<object> {
    if (isDurable) await db.sync(MEMORIES_CHANNEL);
    const memory = memories.findUnique(id);
    return { row: memory === undefined ? null : memoryView(memory), ...writtenView(token) };
  }
}

function toFilter(
  { where, order }: v.InferOutput<typeof FILTER>,
  nowMs: number,
): MemoryFilter {
  return { ...parseMemoryWhere(where, { nowMs }), orderBy: order };
}
