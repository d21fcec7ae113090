import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import {
  type BlobPins,
  createRowModel,
  defineCollection,
  deleteRowEvent,
  encodePlainValue,
  type NetDbError,
  openCollection,
  openNetDb,
  openNetDbFromSnapshot,
  patchRowEvent,
  putRowEvent,
  ROW_EVENTS,
} from "../../../../src/state/mod.ts";
import { PostcardWriter } from "../../../../src/base/mod.ts";
import { assertRestorable, foldInto } from "../../models/model_samples.ts";
import { createBench, notes, ORIGIN } from "../bench.ts";

const isKind = (kind: NetDbError["kind"]) => (error: NetDbError) => error.kind === kind;

Deno.test("rows are put with the schema's defaults, patched field by field, and deleted", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using rows = await openCollection(deps, notes, { origin: ORIGIN });
  const token = rows.put(7n, { text: "a" });
  assert.ok(rows.pollToken(token));
  assert.deepEqual(rows.findUnique(7n), { text: "a", stars: 0, tags: [], id: 7n });
  assert.ok(Object.isFrozen(rows.findUnique(7n)));
  rows.patch(7n, { stars: 3, at: 9n });
  rows.patch(7n, { tags: ["x"] });
  assert.deepEqual(rows.findUnique(7n), { text: "a", stars: 3, tags: ["x"], at: 9n, id: 7n });
  rows.patch(7n, { at: undefined });
  assert.equal("at" in (rows.findUnique(7n) ?? {}), false);
  rows.putMany([[8n, { text: "b" }], [9n, { text: "c" }]]);
  assert.equal(rows.putMany([]), undefined);
  rows.delete(8n);
  assert.deepEqual(rows.findMany().map(({ id }) => id), [7n, 9n]);
});

Deno.test("what the schema refuses is not written", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using rows = await openCollection(deps, notes, { origin: ORIGIN });
  const wrong = { text: 5 } as unknown as { text: string };
  assert.throws(() => rows.put(1n, wrong), (error: NetDbError) => {
    assert.equal(
      error.message,
      "netdb: write notes 1: text: Invalid type: Expected string but received 5",
    );
    return error.kind === "row";
  });
  rows.put(1n, { text: "a" });
  assert.throws(() => rows.putMany([[2n, { text: "b" }], [3n, wrong]]), isKind("row"));
  assert.throws(() => rows.patch(1n, wrong), isKind("row"));
  assert.throws(() => rows.patch(1n, { text: undefined }), isKind("row"));
  assert.throws(() => rows.patch(5n, { text: "c" }), isKind("not_found"));
  assert.throws(() => rows.put(4n, { text: "x".repeat(1024 * 1024) }), isKind("limit"));
  assert.equal(rows.adapter.foldedSeq, 0n);
  assert.equal(rows.size, 1);
});

Deno.test("a schema that does not take its own output is refused, with the reason", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  const schema = v.object({ size: v.pipe(v.string(), v.transform(Number)) });
  const sizes = defineCollection({ name: "sizes", schema });
  await using rows = await openCollection(deps, sizes, { origin: ORIGIN });
  assert.throws(() => rows.put(1n, { size: "5" }), /does not take its own output/);
});

Deno.test("definitions that cannot be used are refused", () => {
  const schema = v.object({ text: v.string() });
  for (const name of ["", "Notes", "a/b", "-a", "x".repeat(65)]) {
    assert.throws(() => defineCollection({ name, schema }), isKind("definition"), name);
  }
  const withId = v.object({ id: v.bigint() });
  assert.throws(() => defineCollection({ name: "a", schema: withId }), /must not have "id"/);
});

Deno.test("rows of others that do not fit are set aside, and old rows get new defaults", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  const before = defineCollection({ name: "notes", schema: v.object({ text: v.string() }) });
  {
    await using rows = await openCollection(deps, before, { origin: ORIGIN });
    rows.put(1n, { text: "old" });
    const tail = putRowEvent(2n, { text: 7 }).tail;
    rows.adapter.append(ROW_EVENTS.put, tail);
    rows.adapter.append(ROW_EVENTS.put, Uint8Array.of(3, 0x7b));
    rows.adapter.append(
      ROW_EVENTS.put,
      new PostcardWriter().varint(4).bytes(encodePlainValue([])).finish(),
    );
    rows.adapter.append(ROW_EVENTS.patch, patchRowEvent(1n, { text: false }).tail);
    rows.adapter.append(0x99, Uint8Array.of(1));
    assert.equal(rows.adapter.setAsideTotal, 4);
    assert.match(rows.adapter.setAside[0]?.reason ?? "", /Cannot read row 2: text: Invalid type/);
  }
  await using rows = await openCollection(deps, notes, { origin: ORIGIN });
  assert.deepEqual(rows.findMany(), [{ text: "old", stars: 0, tags: [], id: 1n }]);
});

Deno.test("filters compare values as what they are", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using rows = await openCollection(deps, notes, { origin: ORIGIN });
  rows.put(3n, { text: "The Fox", stars: 1, tags: ["a"], at: 2n ** 70n });
  rows.put(1n, { text: "the dog", stars: 3, tags: ["a", "b"] });
  rows.put(2n, { text: "\u{1f98a}", stars: 2.5, at: 5n });
  const ids = (filter: Parameters<typeof rows.findMany>[0]) =>
    rows.findMany(filter).map(({ id }) => Number(id));
  assert.deepEqual(ids({}), [1, 2, 3]);
  assert.deepEqual(ids({ orderBy: "id-desc", limit: 2 }), [3, 2]);
  assert.deepEqual(ids({ idIn: [3n, 1n, 9n, 1n] }), [1, 3]);
  assert.deepEqual(ids({ where: { stars: 3 } }), [1]);
  assert.deepEqual(ids({ where: { stars: { gt: 1, lte: 2.5 } } }), [2]);
  assert.deepEqual(ids({ where: { stars: { in: [1, 3] }, text: { ne: "the dog" } } }), [3]);
  assert.deepEqual(ids({ where: { text: { contains: "FOX" } } }), [3]);
  assert.deepEqual(ids({ where: { text: { startsWith: "the" } } }), [1]);
  assert.deepEqual(ids({ where: { tags: { contains: "a" } } }), [1, 3]);
  assert.deepEqual(ids({ where: { tags: ["a"] } }), [3]);
  assert.deepEqual(ids({ where: { at: { exists: false } } }), [1]);
  assert.deepEqual(ids({ where: { at: { gte: 5n } } }), [2, 3]);
  assert.deepEqual(ids({ where: { at: undefined } }), [1, 2, 3]);
  assert.deepEqual(ids({ matching: ({ text }) => rows.exists({ where: { text } }) }), [1, 2, 3]);
  assert.deepEqual(ids({ orderBy: { field: "stars" } }), [3, 2, 1]);
  assert.deepEqual(ids({ orderBy: { field: "at", isDescending: true } }), [3, 2, 1]);
  assert.deepEqual(ids({ orderBy: { field: "at" }, limit: 1 }), [2]);
  assert.deepEqual(ids({ orderBy: { field: "text" } }), [3, 1, 2]);
  assert.deepEqual(ids({ limit: 0 }), []);
  assert.equal(rows.count({ where: { tags: { contains: "a" } }, limit: 1 }), 2);
  const unknown = { stars: { above: 1 } } as object;
  assert.throws(() => ids({ where: unknown }), /there is no condition "above"/);
  assert.throws(() => ids({ limit: -1 }), /limit is -1/);
});

Deno.test("blobs are held while a row refers to them, also by a restored state", async () => {
  const files = defineCollection({
    name: "files",
    schema: v.object({ blobs: v.array(v.string()) }),
    blobsOf: ({ blobs }) => blobs,
  });
  const createPins = () => {
    const held = new Set<string>();
    const pins: BlobPins = {
      pin: (blob) => void (held.has(blob) ? assert.fail("held twice") : held.add(blob)),
      unpin: (blob) => assert.ok(held.delete(blob)),
    };
    return { held, pins };
  };
  const { redex, deps } = createBench();
  await using _ = redex;
  const { held, pins } = createPins();
  const options = { origin: ORIGIN, models: [], collections: { files } } as const;
  await using db = await openNetDb({ ...deps, pins }, options);
  const rows = db.collections.files;
  rows.put(1n, { blobs: ["x", "y", "x"] });
  rows.put(2n, { blobs: ["y", "z"] });
  assert.deepEqual([...held].sort(), ["x", "y", "z"]);
  rows.put(1n, { blobs: ["y"] });
  rows.delete(2n);
  assert.deepEqual([...held], ["y"]);
  const bundle = await db.snapshot();
  rows.delete(1n);
  assert.equal(held.size, 0);
  const fresh = createBench();
  await using _fresh = fresh.redex;
  const second = createPins();
  await using again = await openNetDbFromSnapshot(
    { ...fresh.deps, pins: second.pins },
    options,
    bundle,
  );
  assert.equal(again.collections.files.size, 1);
  assert.deepEqual([...second.held], ["y"]);
});

Deno.test("a fold of rows goes on from any snapshot", () => {
  const model = createRowModel(notes);
  const id = fc.bigInt({ min: 0n, max: 5n });
  const fields = fc.record({
    text: fc.string(),
    stars: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
    tags: fc.option(fc.array(fc.string(), { maxLength: 2 }), { nil: undefined }),
    at: fc.option(fc.bigInt(), { nil: undefined }),
  }, { noNullPrototype: true });
  const event = fc.oneof(
    fc.tuple(id, fields).map((args) => putRowEvent(...args)),
    fc.tuple(id, fields.map(({ stars }) => ({ stars }))).map((args) => patchRowEvent(...args)),
    id.map(deleteRowEvent),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40, size: "max" }), fc.nat(40), (events, cut) => {
      assertRestorable(model, events, cut);
      const state = foldInto(model, model.create(), events);
      for (const row of state.find()) assert.equal(state.get(row.id), row);
    }),
  );
});

Deno.test("patches make no row larger than a put may, so that every snapshot can be restored", async () => {
  const { redex, deps } = createBench();
  await using _ = redex;
  const db = await openNetDb(deps, { origin: ORIGIN, models: [], collections: { notes } });
  await using rows = db.collections.notes;
  const large = Array.from({ length: 600 }, () => "t".repeat(1_000));
  rows.put(1n, { text: "x".repeat(500_000) });
  assert.throws(() => rows.patch(1n, { tags: large }), isKind("limit"));
  // What another writer appended nevertheless is set aside.
  const { dispatch, tail } = patchRowEvent(1n, { tags: large });
  rows.adapter.append(dispatch, tail);
  assert.match(rows.adapter.setAside.at(-1)?.reason ?? "", /row 1: 1\d+ bytes, at most 1048576/);
  assert.deepEqual(rows.findUnique(1n)?.tags, []);
  const snapshot = await db.snapshot();
  const other = createBench();
  await using __ = other.redex;
  const options = { origin: ORIGIN, models: [], collections: { notes } };
  await using again = await openNetDbFromSnapshot(other.deps, options, snapshot);
  assert.equal(again.collections.notes.findUnique(1n)?.text.length, 500_000);
});
