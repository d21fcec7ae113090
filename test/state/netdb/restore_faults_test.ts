/** Restores on disks that fail and machines that stop in the middle. */
import assert from "node:assert/strict";
import type { Disk } from "../../../src/base/mod.ts";
import { openRedex } from "../../../src/log/mod.ts";
import { NetDbError, openNetDb, restoreNetDb } from "../../../src/state/mod.ts";
import { createSeededSource } from "../../core/crypto/random_bytes.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { createBench, notes, ORIGIN } from "./bench.ts";

const FOLDER = "data/logs";
const OPTIONS = { origin: ORIGIN, isPersistent: true, collections: { notes } } as const;
const SEEDS = 120;

/** A disk with a database that has one task. */
async function populatedDisk(): Promise<SimDisk> {
  const disk = new SimDisk();
  disk.makeFolder("data");
  disk.syncFolder("");
  const { redex, deps } = openOn(disk);
  const db = await openNetDb(deps, OPTIONS);
  db.tasks.create(77n, "there before", 1n);
  await db.close();
  await redex.close();
  return disk;
}

function openOn(disk: Disk) {
  const clock = new ManualClock();
  const redex = openRedex({ clock, disk }, { folder: FOLDER });
  return { redex, deps: { redex, clock } };
}

async function makeBundle(): Promise<Uint8Array> {
  const { redex, deps } = createBench();
  await using _ = redex;
  await using db = await openNetDb(deps, { origin: ORIGIN, collections: { notes } });
  for (let id = 1n; id <= 40n; id++) {
    db.tasks.create(id, `task ${id}`, id);
    db.memories.store(id, { content: `memory ${id}` }, id);
    db.collections.notes.put(id, { text: `note ${id}` });
  }
  return await db.snapshot();
}

type Db = Awaited<
  ReturnType<typeof openNetDb<"tasks" | "memories" | "workflow", typeof OPTIONS["collections"]>>
>;
const sizes = (db: Db) => [db.tasks.size, db.memories.size, db.collections.notes.size];

Deno.test("a restore that was done outlives a crash; one that was not is done by the next", async () => {
  const bundle = await makeBundle();
  let [done, undone] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = createSeededSource(seed);
    const disk = await populatedDisk();
    disk.crashAt = disk.operations + 1 + random.below(500);
    let isDone = false;
    const first = openOn(disk);
    try {
      const { db } = await restoreNetDb(first.deps, { ...OPTIONS, isReplacing: true }, bundle);
      isDone = true;
      await db.close();
      await first.redex.close();
    } catch (error) {
      if (!disk.isCrashed) throw new Error(`seed ${seed}`, { cause: error });
    }
    const after = disk.afterCrash(() => random.below(1000) / 1000);
    const second = openOn(after);
    if (isDone) {
      done += 1;
      const db = await openNetDb(second.deps, OPTIONS);
      assert.deepEqual(sizes(db), [40, 40, 40], `seed ${seed}`);
      await db.close();
    } else {
      undone += 1;
      const { db } = await restoreNetDb(second.deps, { ...OPTIONS, isReplacing: true }, bundle);
      assert.deepEqual(sizes(db), [40, 40, 40], `seed ${seed}`);
      assert.ok(db.tasks.pollToken(db.tasks.create(100n, "new at once", 1n)));
      await db.close();
    }
    await second.redex.close();
  }
  assert.ok(done > 5 && undone > 20, `${done} done, ${undone} not`);
});

Deno.test("a disk that is full in the middle of a restore is told of, and a later one goes on", async () => {
  const bundle = await makeBundle();
  const disk = await populatedDisk();
  let left = 4_000;
  disk.fault = ({ kind, bytes }) => {
    if (kind !== "write") return undefined;
    left -= bytes;
    const error = Object.assign(new Error("No space left on device (os error 28)"), {
      code: "ENOSPC",
    });
    return left < 0 ? { error } : undefined;
  };
  const { redex, deps } = openOn(disk);
  const replacing = { ...OPTIONS, isReplacing: true };
  await assert.rejects(
    async () => await restoreNetDb(deps, replacing, bundle),
    (error: NetDbError) => error.code === "no_space",
  );
  disk.fault = undefined;
  await assert.rejects(
    async () => await restoreNetDb(deps, OPTIONS, bundle),
    (error: NetDbError) => error instanceof NetDbError && error.kind === "populated",
  );
  const { db } = await restoreNetDb(deps, replacing, bundle);
  assert.deepEqual(sizes(db), [40, 40, 40]);
  await db.close();
  await redex.close();
});
