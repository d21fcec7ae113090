import assert from "node:assert/strict";
import fc from "fast-check";
import { Timed, TimerHeap } from "../../../src/rpc/engine/timer_heap.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

class Mark extends Timed {
  firedAt: number | undefined;
  constructor(readonly clock: ManualClock) {
    super();
  }
  override onDue(): void {
    this.firedAt = this.clock.now();
  }
}

Deno.test("TimerHeap wakes each entry at its time, and none that was removed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ delayMs: fc.nat(200), removed: fc.boolean() }), { maxLength: 40 }),
      async (plan) => {
        const clock = new ManualClock();
        const heap = new TimerHeap(clock);
        const marks = plan.map(({ delayMs }) => {
          const mark = new Mark(clock);
          heap.add(mark, clock.now() + delayMs);
          return mark;
        });
        for (const [at, { removed }] of plan.entries()) {
          if (removed) heap.remove(marks[at] as Mark);
          if (removed) heap.remove(marks[at] as Mark);
        }
        await clock.advance(250);
        for (const [at, { delayMs, removed }] of plan.entries()) {
          assert.equal(marks[at]?.firedAt, removed ? undefined : 1_000 + delayMs);
        }
        assert.equal(heap.size, 0);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("TimerHeap asks the clock for one timer while deadlines only grow", () => {
  let timers = 0;
  const clock = new ManualClock();
  const heap = new TimerHeap({
    now: () => clock.now(),
    wallMs: () => clock.wallMs(),
    soon: (action) => clock.soon(action),
    after: (delayMs, action) => {
      timers += 1;
      return clock.after(delayMs, action);
    },
  });
  for (let at = 0; at < 1_000; at++) {
    const mark = new Mark(clock);
    heap.add(mark, clock.now() + 30_000 + at);
    heap.remove(mark);
  }
  assert.equal(timers, 1);
  heap.stop();
});

Deno.test("TimerHeap wakes those behind one that throws", async () => {
  const clock = new ManualClock();
  const heap = new TimerHeap(clock);
  class Throwing extends Timed {
    override onDue(): void {
      throw new Error("it fell");
    }
  }
  const mark = new Mark(clock);
  heap.add(new Throwing(), clock.now() + 10);
  heap.add(mark, clock.now() + 10);
  await assert.rejects(clock.advance(20), /it fell/);
  await clock.advance(20);
  assert.ok(mark.firedAt !== undefined);
});
