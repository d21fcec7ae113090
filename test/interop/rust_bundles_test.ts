/** Bundles of whole databases that cross to the live core and back. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import type { Redex } from "../../src/log/mod.ts";
import { openNetDb, openNetDbFromSnapshot } from "../../src/state/mod.ts";
import { makeTestFolder, openOwnRedex, type RustStorage, rustTest } from "./rust_storage.ts";

const OUR_ORIGIN = 0x42n;
const THEIR_ORIGIN = 0x4300_0000_0000_0001n;

type RustRow = Readonly<Record<string, unknown>> & { readonly id: bigint };

/** Rows of a database of the core by id, in our words. */
async function rustRows(
  rust: RustStorage,
  { tasks, memories }: { readonly tasks: number; readonly memories: number },
) {
  const list = async (handle: number, method: string) => {
    const [rows] = await rust.call("callModel", { handle, calls: [{ method, args: [] }] });
    return (rows as RustRow[])
      .toSorted((left, right) => Number(left.id) - Number(right.id));
  };
  return {
    tasks: (await list(tasks, "listTasks")).map(({ status, ...row }) => ({
      ...row,
      status: String(status).toLowerCase(),
    })),
    memories: (await list(memories, "listMemories")).map(({ pinned, ...row }) => ({
      ...row,
      isPinned: pinned,
    })),
  };
}

/** Writes a task and a memory of the same id with the core, and waits for both. */
async function writeRust(
  rust: RustStorage,
  { tasks, memories }: { readonly tasks: number; readonly memories: number },
  id: bigint,
): Promise<void> {
  for (
    const [handle, call] of [
      [tasks, { method: "create", args: [id, `task ${id}`, id] }],
      [memories, { method: "store", args: [id, `memory ${id}`, ["t"], "core", id] }],
    ] as const
  ) {
    const [seq] = await rust.call("callModel", { handle, calls: [call] });
    await rust.call("callModel", { handle, calls: [{ method: "waitForSeq", args: [seq] }] });
  }
}

function writeOwn(db: TwoModels, id: bigint): void {
  db.tasks.create(id, `task ${id}`, id);
  db.memories.store(id, { content: `memory ${id}`, tags: ["t"], source: "ours" }, id);
}

const MODELS = { origin: OUR_ORIGIN, models: ["tasks", "memories"], isPersistent: true } as const;
type TwoModels = Awaited<ReturnType<typeof openTwoModels>>;
const openTwoModels = (redex: Redex, bundle?: Uint8Array) =>
  bundle === undefined
    ? openNetDb({ redex, clock: systemClock }, MODELS)
    : openNetDbFromSnapshot({ redex, clock: systemClock }, MODELS, bundle);

const ownRows = (db: TwoModels) => ({
  tasks: db.tasks.findMany(),
  memories: db.memories.findMany(),
});

rustTest(
  "a bundle of the core takes writes at once here, and folder and bundle go back to the core",
  async (rust) => {
    using source = makeTestFolder();
    using target = makeTestFolder();
    const first = await rust.call("openDatabase", { folder: source.path, origin: THEIR_ORIGIN });
    for (const id of [1n, 2n, 3n]) await writeRust(rust, first, id);
    const bundle = await rust.call("bundleOf", first);
    {
      await using redex = openOwnRedex(target.path);
      await using db = await openTwoModels(redex, bundle);
      assert.deepEqual(ownRows(db), await rustRows(rust, first));
      writeOwn(db, 4n);
      assert.deepEqual(ownRows(db).tasks.map(({ id }) => id), [1n, 2n, 3n, 4n]);
    }
    // Our log's numbers go on behind the bundle: to the core it is a log that goes on, too.
    const again = await rust.call("openDatabase", {
      folder: target.path,
      origin: THEIR_ORIGIN,
      bundle,
    });
    await writeRust(rust, again, 5n);
    const theirs = await rustRows(rust, again);
    assert.deepEqual(theirs.tasks.map(({ id }) => id), [1n, 2n, 3n, 4n, 5n]);
    await using redex = openOwnRedex(target.path);
    await using db = await openTwoModels(redex, bundle);
    assert.deepEqual(ownRows(db), theirs);
  },
);

rustTest(
  "a bundle of ours goes on in the core with the logs behind it, and takes writes at once",
  async (rust) => {
    using folder = makeTestFolder();
    let bundle: Uint8Array;
    {
      await using redex = openOwnRedex(folder.path);
      await using db = await openTwoModels(redex);
      for (const id of [1n, 2n]) writeOwn(db, id);
      bundle = await db.snapshot();
      writeOwn(db, 3n);
    }
    const opened = await rust.call("openDatabase", {
      folder: folder.path,
      origin: THEIR_ORIGIN,
      bundle,
    });
    await writeRust(rust, opened, 4n);
    const theirs = await rustRows(rust, opened);
    assert.deepEqual(theirs.memories.map(({ id }) => id), [1n, 2n, 3n, 4n]);
    const back = await rust.call("bundleOf", opened);
    await using redex = openOwnRedex(folder.path);
    for (const from of [undefined, bundle, back]) {
      await using db = await openTwoModels(redex, from);
      assert.deepEqual(ownRows(db), theirs);
    }
  },
);
