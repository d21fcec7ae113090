/** Whatever was written: logs, bundles and restores lead to the same rows. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type NetDbDeps,
  openNetDb,
  openNetDbFromSnapshot,
  restoreNetDb,
  WORKFLOW_STATUSES,
} from "../../../src/state/mod.ts";
import { anyId, anyText, anyTime } from "../models/model_samples.ts";
import { createBench, notes, ORIGIN } from "./bench.ts";

const options = { origin: ORIGIN, collections: { notes } };
const open = (deps: NetDbDeps) => openNetDb(deps, options);
type Db = Awaited<ReturnType<typeof open>>;
type Write = (db: Db) => unknown;

/** Each write with a name, so that a failing run can be read. */
function write<Args extends unknown[]>(
  name: string,
  args: fc.Arbitrary<Args>,
  run: (db: Db, ...args: Args) => unknown,
): fc.Arbitrary<Write> {
  return args.map((drawn) =>
    Object.assign((db: Db) => run(db, ...drawn), {
      [fc.toStringMethod]: () => `${name}(${fc.stringify(drawn)})`,
    })
  );
}

const anyNode = fc.bigInt({ min: 0n, max: 6n });
const anyWrite = fc.oneof(
  write("create", fc.tuple(anyId, anyText, anyTime), (db, ...args) => db.tasks.create(...args)),
  write("rename", fc.tuple(anyId, anyText, anyTime), (db, ...args) => db.tasks.rename(...args)),
  write("complete", fc.tuple(anyId, anyTime), (db, ...args) => db.tasks.complete(...args)),
  write("delete", fc.tuple(anyId), (db, id) => db.tasks.delete(id)),
  write(
    "store",
    fc.tuple(anyId, anyText, fc.array(anyText, { maxLength: 2 }), anyTime),
    (db, id, content, tags, atNs) => db.memories.store(id, { content, tags }, atNs),
  ),
  write("pin", fc.tuple(anyId, anyTime), (db, ...args) => db.memories.pin(...args)),
  write("unpin", fc.tuple(anyId, anyTime), (db, ...args) => db.memories.unpin(...args)),
  write("forget", fc.tuple(anyId), (db, id) => db.memories.delete(id)),
  write("submit", fc.tuple(anyNode), (db, id) => db.workflow.submit(id)),
  write("advance", fc.tuple(anyNode), (db, id) => db.workflow.advance(id)),
  write("retry", fc.tuple(anyNode), (db, id) => db.workflow.retry(id)),
  write(
    "transition",
    fc.tuple(anyNode, fc.constantFrom(...WORKFLOW_STATUSES)),
    (db, ...args) => db.workflow.transition(...args),
  ),
  write("cancel", fc.tuple(anyNode), (db, id) => db.workflow.requestCancel(id)),
  // Each below one other: a link that outlives its task is a trace that only the log itself has.
  write("link", fc.tuple(anyNode), (db, id) => db.workflow.link(id, id + 1n)),
  write("put", fc.tuple(anyId, anyText, anyTime), (db, id, text, at) => {
    db.collections.notes.put(id, { text, at, stars: Number(at % 5n) });
  }),
  write("remove", fc.tuple(anyId), (db, id) => db.collections.notes.delete(id)),
);

function rowsOf(db: Db): unknown[] {
  return [
    db.tasks.findMany(),
    db.memories.findMany(),
    db.workflow.findMany(),
    db.collections.notes.findMany(),
  ];
}

Deno.test("logs, bundles and restores lead to the same rows", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyWrite, { maxLength: 80, size: "max" }), async (writes) => {
      const { redex, deps } = createBench();
      await using _ = redex;
      const first = await open(deps);
      for (const each of writes) each(first);
      const rows = rowsOf(first);
      const bundle = await first.snapshot();
      await first.close();
      {
        await using again = await open(deps);
        assert.deepEqual(rowsOf(again), rows);
        assert.deepEqual(await again.snapshot(), bundle);
      }
      const other = createBench();
      await using _other = other.redex;
      await using opened = await openNetDbFromSnapshot(other.deps, options, bundle);
      assert.deepEqual(rowsOf(opened), rows);
      const third = createBench();
      await using _third = third.redex;
      const { db } = await restoreNetDb(third.deps, options, bundle);
      assert.deepEqual(rowsOf(db), rows);
      await db.close();
      await using reopened = await open(third.deps);
      assert.deepEqual(rowsOf(reopened), rows);
    }),
    { numRuns: 40 },
  );
});
