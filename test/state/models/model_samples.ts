/** Events, filters and the simplest possible answers, to compare the models with. */
import fc from "fast-check";
import assert from "node:assert/strict";
import {
  type FoldModel,
  type ModelEvent,
  ROW_ORDERS,
  type RowState,
  type TimedFilter,
} from "../../../src/state/mod.ts";

/** Ids that meet often, and some at the ends of their halves. */
export const anyId = fc.oneof(
  { arbitrary: fc.bigInt({ min: 0n, max: 9n }), weight: 6 },
  { arbitrary: fc.constantFrom(2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n), weight: 1 },
);

/** Times, close together, and some beyond what a double holds. */
export const anyTime = fc.oneof(
  { arbitrary: fc.bigInt({ min: 0n, max: 30n }), weight: 6 },
  {
    arbitrary: fc.constantFrom(2n ** 32n, 2n ** 53n + 1n, 2n ** 63n + 1n, 2n ** 64n - 1n),
    weight: 1,
  },
);

/** Texts whose lower case is not obvious: the last but two is the Kelvin sign. */
export const anyText = fc.constantFrom(
  "",
  "fox",
  "The FOX",
  "Straße",
  "STRASSE",
  "ΣΊΣΥΦΟΣ",
  "\u212a",
  "k",
  "é".normalize("NFD"),
);

/** Mostly not there. */
export function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { arbitrary, weight: 1 },
    { arbitrary: fc.constant(undefined), weight: 3 },
  );
}

const anyRange = fc.record({
  gt: rarely(anyTime),
  gte: rarely(anyTime),
  lt: rarely(anyTime),
  lte: rarely(anyTime),
});

/** The parts that filters of tasks and memories share. */
export const timedParts = {
  idIn: rarely(fc.array(anyId, { maxLength: 6 })),
  createdAfterNs: rarely(anyTime),
  createdBeforeNs: rarely(anyTime),
  updatedAfterNs: rarely(anyTime),
  updatedBeforeNs: rarely(anyTime),
  created: rarely(anyRange),
  updated: rarely(anyRange),
  orderBy: rarely(fc.constantFrom(...ROW_ORDERS)),
  limit: rarely(fc.nat(6)),
};

/** A row with times. */
export interface TimedRow {
  readonly id: bigint;
  readonly createdNs: bigint;
  readonly updatedNs: bigint;
}

/** What the shared parts of a filter find, by looking at each row. */
export function naiveFind<Row extends TimedRow>(
  rows: Iterable<Row>,
  filter: TimedFilter,
  isWanted: (row: Row) => boolean,
): { readonly all: Row[]; readonly found: Row[] } {
  const { idIn, created = {}, updated = {} } = filter;
  const all = [...rows].filter((row) =>
    (idIn === undefined || idIn.includes(row.id)) &&
    row.createdNs >= (filter.createdAfterNs ?? 0n) &&
    row.createdNs <= (filter.createdBeforeNs ?? row.createdNs) &&
    row.updatedNs >= (filter.updatedAfterNs ?? 0n) &&
    row.updatedNs <= (filter.updatedBeforeNs ?? row.updatedNs) &&
    isWithin(row.createdNs, created) && isWithin(row.updatedNs, updated) && isWanted(row)
  );
  const [column, direction] = (filter.orderBy ?? "id-asc").split("-");
  const keyOf = (row: Row) =>
    column === "id" ? row.id : column === "created" ? row.createdNs : row.updatedNs;
  all.sort((a, b) =>
    compare(keyOf(a), keyOf(b)) * (direction === "desc" ? -1 : 1) || compare(a.id, b.id)
  );
  return { all, found: all.slice(0, filter.limit ?? all.length) };
}

/** Text search as the specification words it. */
export function naiveContains(text: string, needle: string): boolean {
  const isAscii = [...needle].every((letter) => (letter.codePointAt(0) ?? 0) < 0x80);
  if (!isAscii) return text.toLowerCase().includes(needle.toLowerCase());
  const lower = (letters: string) =>
    [...letters].map((letter) => letter >= "A" && letter <= "Z" ? letter.toLowerCase() : letter)
      .join("");
  return lower(text).includes(lower(needle));
}

/** Folds events into a state; the state. */
export function foldInto<State>(
  model: FoldModel<State>,
  state: State,
  events: readonly ModelEvent[],
): State {
  for (const [at, event] of events.entries()) {
    model.apply(state, { ...event, seq: BigInt(at), origin: 1n, appSeq: BigInt(at) });
  }
  return state;
}

/** A fold from a snapshot and the rest comes to the same as one of all events, wherever it is cut. */
export function assertRestorable<State extends RowState<unknown, unknown>>(
  model: FoldModel<State>,
  events: readonly ModelEvent[],
  cut: number,
): void {
  const whole = foldInto(model, model.create(), events);
  const first = foldInto(model, model.create(), events.slice(0, cut));
  const restored = model.decode(model.encode(first));
  assert.deepEqual(restored.find(), first.find());
  assert.deepEqual(model.encode(restored), model.encode(first));
  foldInto(model, restored, events.slice(cut));
  assert.deepEqual(restored.find(), whole.find());
  assert.deepEqual(model.encode(restored), model.encode(whole));
}

function isWithin(
  value: bigint,
  { gt, gte, lt, lte }: {
    readonly gt?: bigint;
    readonly gte?: bigint;
    readonly lt?: bigint;
    readonly lte?: bigint;
  },
): boolean {
  return (gt === undefined || value > gt) && (gte === undefined || value >= gte) &&
    (lt === undefined || value < lt) && (lte === undefined || value <= lte);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
