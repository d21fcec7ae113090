import assert from "node:assert/strict";
import { PlacementFilters } from "../../../../src/core/capability/mod.ts";
import { daemon } from "./samples.ts";

Deno.test("PlacementFilters.score() brings answers into 0..1 and counts them", () => {
  const filters = new PlacementFilters();
  let answer: number | boolean | undefined | Error;
  filters.register("f", () => {
    if (answer instanceof Error) throw answer;
    return answer;
  });
  const score = (given: typeof answer) => {
    answer = given;
    return filters.score("f", 1n, daemon());
  };
  assert.deepEqual([0.5, 7, -1, true, Infinity].map(score), [0.5, 1, 0, 1, 1]);
  assert.deepEqual([undefined, false, NaN].map(score), [undefined, undefined, undefined]);
  assert.equal(score(new Error("it failed")), undefined);
  const counters = { calls_total: 9, refused_total: 3, failed_total: 1 };
  assert.deepEqual([...filters.counters], [["f", counters]]);
});

Deno.test("PlacementFilters.register() replaces nothing, and a refused name leaves no counter", () => {
  const filters = new PlacementFilters();
  assert.ok(filters.register("f", () => 1));
  assert.ok(!filters.register("f", () => 0));
  assert.equal(filters.score("f", 1n, daemon()), 1);
  assert.equal(filters.counters.size, 1);
  assert.equal(filters.score("other", 1n, daemon()), undefined);
  assert.deepEqual([...filters.counters.keys()], ["f"]);
  assert.ok(filters.has("f") && filters.unregister("f") && !filters.has("f"));
  assert.ok(!filters.unregister("f"));
  assert.equal(filters.counters.size, 0);
});

Deno.test("PlacementFilters.register() is bounded", () => {
  const filters = new PlacementFilters();
  for (let n = 0; n < 256; n++) filters.register(`${n}`, () => 1);
  assert.throws(() => filters.register("one more", () => 1), RangeError);
  assert.ok(!filters.register("0", () => 1));
});
