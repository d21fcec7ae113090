import assert from "node:assert/strict";
import fc from "fast-check";
import { DamageRuns } from "../../../../src/log/redex/disk/damage_runs.ts";

Deno.test("DamageRuns finds the sound records between any damaged ones", () => {
  const marks = fc.array(fc.boolean(), { maxLength: 60 });
  fc.assert(fc.property(marks, (damaged) => {
    const runs = new DamageRuns();
    for (const [record, isDamaged] of damaged.entries()) if (isDamaged) runs.add(record);
    const sound = damaged.flatMap((isDamaged, record) => isDamaged ? [] : [record]);
    assert.equal(runs.total, damaged.length - sound.length);
    assert.deepEqual(sound.map((_, rank) => runs.recordOf(rank)), sound);
    assert.equal(runs.recordOf(sound.length), afterEnd(damaged));
    for (let record = 0; record < damaged.length; record++) {
      const next = damaged.indexOf(true, record);
      assert.equal(runs.nextDamaged(record), next < 0 ? Infinity : next);
    }
    const listed = [...runs].flatMap(({ start, count }) =>
      Array.from({ length: count }, (_, i) => start + i)
    );
    assert.deepEqual(listed, damaged.flatMap((isDamaged, record) => isDamaged ? [record] : []));
  }));
});

Deno.test("DamageRuns is full at its limit", () => {
  const runs = new DamageRuns(2);
  runs.add(0);
  runs.add(1);
  assert.equal(runs.isFull, false);
  runs.add(5);
  assert.equal(runs.isFull, true);
});

/** Record behind all of them: damaged ones at the end are passed over. */
function afterEnd(damaged: readonly boolean[]): number {
  return damaged.length;
}
