import assert from "node:assert/strict";
import fc from "fast-check";
import { FairScheduler, NO_QUEUE } from "../../../../src/core/transport/routing/fair_scheduler.ts";

interface Item {
  readonly queue: number;
  readonly number: number;
  readonly cost: number;
}

/** Deficit round robin as the textbook has it: a list of queues, one whole turn at a time. */
class Reference {
  readonly round: number[] = [];
  readonly items = new Map<number, Item[]>();
  readonly deficits = new Map<number, number>();
  readonly weights = new Map<number, number>();
  #isGranted = false;

  push(item: Item): void {
    const list = this.items.get(item.queue) ?? [];
    this.items.set(item.queue, list);
    list.push(item);
    if (list.length === 1) this.round.push(item.queue);
  }

  take(quantum: number): Item | undefined {
    for (;;) {
      const [queue] = this.round;
      if (queue === undefined) return undefined;
      const list = this.items.get(queue) ?? [];
      let deficit = this.deficits.get(queue) ?? 0;
      if (!this.#isGranted) deficit += quantum * (this.weights.get(queue) ?? 1);
      this.#isGranted = true;
      const [first] = list;
      if (first !== undefined && first.cost <= deficit) {
        list.shift();
        this.deficits.set(queue, list.length === 0 ? 0 : deficit - first.cost);
        if (list.length === 0) {
          this.round.shift();
          this.#isGranted = false;
        }
        return first;
      }
      this.deficits.set(queue, deficit);
      this.round.push(...this.round.splice(0, 1));
      this.#isGranted = false;
    }
  }
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ queue: fc.nat(4), cost: fc.integer({ min: 1, max: 10 }) }),
    },
    { weight: 2, arbitrary: fc.constant("take" as const) },
  ),
  { maxLength: 300 },
);

Deno.test("FairScheduler.take() serves as textbook deficit round robin does", () => {
  fc.assert(
    fc.property(steps, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 5, maxLength: 5 }), (
      list,
      weights,
    ) => {
      const scheduler = new FairScheduler<Item>({ quantum: 10 });
      const reference = new Reference();
      for (const [queue, weight] of weights.entries()) {
        assert.equal(scheduler.open(weight), queue);
        reference.weights.set(queue, weight);
      }
      let number = 0;
      let waiting = 0;
      for (const step of [...list, ...Array<"take">(list.length).fill("take")]) {
        if (step === "take") {
          const expected = reference.take(10);
          assert.equal(scheduler.take(), expected);
          if (expected !== undefined) waiting -= 1;
        } else {
          const item = { ...step, number: number++ };
          assert.ok(scheduler.push(item.queue, item, item.cost));
          reference.push(item);
          waiting += 1;
        }
        assert.equal(scheduler.length, waiting);
      }
      assert.equal(scheduler.take(), undefined);
    }),
    { numRuns: 300 },
  );
});

Deno.test("FairScheduler.take() shares by weight and serves a turn of 16 at a time", () => {
  const scheduler = new FairScheduler<number>();
  const [one, three] = [scheduler.open(1), scheduler.open(3)];
  for (let i = 0; i < 1_000; i++) {
    scheduler.push(one, 1);
    scheduler.push(three, 3);
  }
  const first = Array.from({ length: 64 }, () => scheduler.take());
  assert.deepEqual(first, [...Array(16).fill(1), ...Array(48).fill(3)]);
  let share = 0;
  for (let i = 0; i < 640; i++) if (scheduler.take() === 3) share += 1;
  assert.equal(share, 480);
});

Deno.test("FairScheduler.take() lets a quiet queue pass a flooding one", () => {
  const scheduler = new FairScheduler<string>();
  const [flood, quiet] = [scheduler.open(), scheduler.open()];
  for (let i = 0; i < 1_024; i++) scheduler.push(flood, "flood");
  scheduler.push(quiet, "quiet");
  const first = Array.from({ length: 17 }, () => scheduler.take());
  assert.ok(first.includes("quiet"));
});

Deno.test("FairScheduler.push() drops with a counter when a queue or all of them are full", () => {
  const scheduler = new FairScheduler<number>({ depthMax: 20, itemsMax: 30 });
  const [a, b] = [scheduler.open(), scheduler.open()];
  for (let i = 0; i < 25; i++) scheduler.push(a, i);
  for (let i = 0; i < 25; i++) scheduler.push(b, i);
  assert.equal(scheduler.queueLength(a), 20);
  assert.equal(scheduler.queueLength(b), 10);
  assert.ok(!scheduler.push(99, 1));
  assert.deepEqual(scheduler.counters, {
    scheduled_total: 30,
    taken_total: 0,
    drop_queue_full_total: 6,
    drop_scheduler_full_total: 15,
    drop_queue_closed_total: 0,
  });
});

Deno.test("FairScheduler.close() gives back what waited, wherever the queue stood", () => {
  const changes = fc.array(fc.record({ queue: fc.nat(5), kind: fc.nat(5) }), { maxLength: 120 });
  fc.assert(
    fc.property(changes, (list) => {
      const scheduler = new FairScheduler<number>({ queuesMax: 6, depthMax: 40 });
      const model = new Map<number, number[]>();
      for (let i = 0; i < 6; i++) model.set(scheduler.open(), []);
      let next = 0;
      for (const { queue, kind } of list) {
        if (kind === 0) {
          const dropped: number[] = [];
          scheduler.close(queue, (item) => dropped.push(item));
          assert.deepEqual(dropped, model.get(queue) ?? []);
          model.delete(queue);
        } else if (kind === 1) {
          const opened = scheduler.open();
          if (model.size === 6) assert.equal(opened, NO_QUEUE);
          else model.set(opened, []);
        } else if (kind === 2) {
          const item = scheduler.take();
          const owner = [...model.values()].find((items) => items[0] === item);
          if (item === undefined) {
            assert.ok([...model.values()].every((items) => items.length === 0));
          } else assert.equal(owner?.shift(), item);
        } else if (scheduler.push(queue, next)) model.get(queue)?.push(next++);
        const waiting = [...model.values()].reduce((sum, items) => sum + items.length, 0);
        assert.equal(scheduler.length, waiting);
        assert.equal(scheduler.queuesOpen, model.size);
        const c = scheduler.counters;
        assert.equal(c.scheduled_total, c.taken_total + c.drop_queue_closed_total + waiting);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("FairScheduler.open() refuses weights that are none", () => {
  const scheduler = new FairScheduler<number>();
  assert.throws(() => scheduler.open(0), RangeError);
  assert.throws(() => scheduler.open(Number.NaN), RangeError);
  const queue = scheduler.open();
  assert.throws(() => scheduler.setWeight(queue, 2_000), RangeError);
});
