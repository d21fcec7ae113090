/**
 * The case in which the reference does wrong: a bundle opened on an empty log, where the core ignores what is
 * written next, although waits say it is there. Ours is held to the promise instead (`promises.md`, one-blob
 * restore); the rows that the bundle brings are those of the case.
 */
import assert from "node:assert/strict";
import { openRedex } from "../../../src/log/mod.ts";
import { openNetDbFromSnapshot, restoreNetDb } from "../../../src/state/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { numberOf, type VectorObject } from "../vector_reader.ts";

/** Both ways to bring a bundle to an empty log take new writes at once. */
export async function checkRestoreOnEmptyLog(
  vector: VectorObject,
  bundle: Uint8Array,
): Promise<void> {
  const rows = numberOf(vector, "tasks_after_restore");
  assert.equal(numberOf(vector, "tasks_after_one_create"), rows, "the reference ignores the write");
  const clock = new ManualClock();
  const options = { origin: 66n, models: ["tasks", "memories"] } as const;
  {
    await using redex = openRedex({ clock });
    await using db = await openNetDbFromSnapshot({ redex, clock }, options, bundle);
    assert.equal(db.tasks.size, rows);
    const token = db.tasks.create(1000n, "new", 1n);
    assert.ok(db.tasks.pollToken(token));
    assert.equal(db.tasks.size, rows + 1);
  }
  await using redex = openRedex({ clock });
  const { db } = await restoreNetDb({ redex, clock }, options, bundle);
  assert.equal(db.tasks.size, rows);
  db.tasks.create(1000n, "new", 1n);
  assert.equal(db.tasks.size, rows + 1);
  await db.close();
}
