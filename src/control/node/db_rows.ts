/** Reading rows of the database: some, one, and as they change; the same for every collection. */
import { type Clock, NetError } from "../../base/mod.ts";
import type { Collection } from "../../state/mod.ts";
import type { CallContext } from "../method.ts";
import { readId, readToken, type RowView } from "./db_view.ts";

/** Rows and characters of one message. */
const BATCH_ROWS = 1_000;
const BATCH_CHARACTERS = 256 * 1024;
/** How long whoever watches waits for a database that is opened anew. */
const REOPEN_MS = 50;

/** What a reader may say of any collection. */
export interface RowsAsk<Filter> {
  readonly filter: Filter;
  readonly limit: number | undefined;
  /** Waits until the write of this token is in the rows. */
  readonly after: string | undefined;
  readonly timeoutMs: number;
}

/** A collection, and how its rows are told. */
export interface RowsSource<Row extends { readonly id: bigint }, Filter extends object> {
  /** Opens the database where it is not open. */
  readonly open: () => Promise<Collection<Row, Filter>>;
  readonly view: (row: Row) => RowView;
  readonly clock: Clock;
  /** Aborted when the node stops. */
  readonly stopSignal: AbortSignal;
}

/** Waits for a token, where one was given. */
export async function waitFor<Row, Filter>(
  collection: Pick<Collection<Row, Filter>, "waitForToken">,
  after: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (after !== undefined) await collection.waitForToken(readToken(after), timeoutMs, signal);
}

/** Sends rows in messages; the result says how many there are. */
export async function sendRows<Row extends { readonly id: bigint }, Filter extends object>(
  source: RowsSource<Row, Filter>,
  { filter, limit, after, timeoutMs }: RowsAsk<Filter>,
  context: CallContext,
): Promise<object> {
  const collection = await source.open();
  await waitFor(collection, after, timeoutMs, context.signal);
  const rows = collection.findMany({ ...filter, limit });
  const isCut = limit !== undefined && rows.length === limit;
  const total = isCut ? collection.count(filter) : rows.length;
  let batch: RowView[] = [];
  let characters = 0;
  for (const row of rows) {
    const view = source.view(row);
    batch.push(view);
    characters += charactersOf(view);
    if (batch.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
    await context.send({ rows: batch });
    [batch, characters] = [[], 0];
  }
  if (batch.length > 0) await context.send({ rows: batch });
  return { total, shown: rows.length };
}

/** Tells of rows that come, change and go, until the caller leaves; first of those that are there. */
export async function watchRows<Row extends { readonly id: bigint }, Filter extends object>(
  source: RowsSource<Row, Filter>,
  ask: Omit<RowsAsk<Filter>, "limit">,
  countMax: number,
  context: CallContext,
): Promise<object> {
  const signal = AbortSignal.any([context.signal, source.stopSignal]);
  const known = new Map<bigint, Row>();
  let told = 0;
  let isFirst = true;
  for (;;) {
    const collection = await source.open();
    if (isFirst) await waitFor(collection, ask.after, ask.timeoutMs, signal);
    for await (const rows of collection.watch(ask.filter, signal)) {
      const changes = changesOf(rows, known, source.view);
      for (let at = 0; at < changes.length && told < countMax;) {
        const part = changes.slice(at, at + Math.min(BATCH_ROWS, countMax - told));
        await context.send({ changes: part });
        at += part.length;
        told += part.length;
      }
      if (isFirst) await context.send({ watching: true, rows: known.size });
      isFirst = false;
      if (told >= countMax) return { told };
    }
    signal.throwIfAborted();
    // The database was closed to be restored or repaired.
    await new Promise<void>((resolve) => void source.clock.after(REOPEN_MS, resolve));
  }
}

function changesOf<Row extends { readonly id: bigint }>(
  rows: readonly Row[],
  known: Map<bigint, Row>,
  view: (row: Row) => RowView,
): object[] {
  const changes: object[] = [];
  const ids = new Set<bigint>();
  for (const row of rows) {
    ids.add(row.id);
    const before = known.get(row.id);
    // A row that did not change is the same object again.
    if (before === row) continue;
    known.set(row.id, row);
    const now = view(row);
    if (before === undefined) changes.push({ change: "came", ...now });
    else if (JSON.stringify(view(before)) !== JSON.stringify(now)) {
      changes.push({ change: "changed", ...now });
    }
  }
  for (const [id, row] of known) {
    if (ids.has(id)) continue;
    known.delete(id);
    changes.push({ change: "went", ...view(row) });
  }
  return changes;
}

function charactersOf(view: RowView): number {
  let characters = 64;
  for (const value of Object.values(view)) {
    if (typeof value === "string") characters += value.length;
    else if (Array.isArray(value)) { for (const part of value) characters += String(part).length; }
  }
  return characters;
}

/**
 * Ids of rows to be added: those that were given, and for the others the next ones behind the highest there is or
 * was given.
 *
 * @throws NetError `limit` when there is none left.
 */
export function chooseIds(
  given: readonly (string | number | undefined)[],
  highest: { readonly id: bigint } | undefined,
): bigint[] {
  const ids = given.map((id) => id === undefined ? undefined : readId(id));
  let last = highest?.id ?? 0n;
  for (const id of ids) if (id !== undefined && id > last) last = id;
  return ids.map((id) => {
    if (id !== undefined) return id;
    last += 1n;
    if (last < 1n << 64n) return last;
    throw new NetError("limit", "Cannot choose an id: the highest one is taken", {
      next: "give one with --id",
    });
  });
}
