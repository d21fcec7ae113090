import { equal, ok } from "node:assert/strict";
import { ByteBudget } from "../../src/control/byte_budget.ts";
import { LineBuffer } from "../../src/control/line_buffer.ts";

Deno.test("ByteBudget takes no more than it has, and what is there already", () => {
  const budget = new ByteBudget(10);
  ok(budget.take(10));
  ok(budget.isSpent && !budget.take(1));
  budget.add(5);
  equal(budget.bytes, 15);
  budget.give(6);
  ok(!budget.isSpent && budget.take(1) && !budget.take(1));
});

Deno.test("LineBuffer takes its room from a budget and gives it back", () => {
  const budget = new ByteBudget(10_000);
  const fill = (buffer: LineBuffer, bytes: number) => {
    for (let left = bytes; left > 0;) {
      const space = buffer.space();
      if (buffer.isStarved) return;
      space.fill(0x78);
      const length = Math.min(space.length, left);
      buffer.commit(length);
      left -= length;
    }
  };
  const first = new LineBuffer(1 << 20, budget);
  const second = new LineBuffer(1 << 20, budget);
  fill(first, 8000);
  ok(!first.isStarved);
  equal(budget.bytes, 8192 - 2048);
  fill(second, 8000);
  ok(second.isStarved);
  second.release();
  equal(budget.bytes, 8192 - 2048);
  first.space()[0] = 0x0a;
  first.commit(1);
  equal(first.next()?.length, 8000);
  first.space();
  equal(budget.bytes, 0);
  first.release();
  equal(budget.bytes, 0);
});
