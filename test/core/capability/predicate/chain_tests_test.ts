import assert from "node:assert/strict";
import {
  createCapabilitySet,
  everyTest,
  excludeChainTest,
  fromForkTest,
  heatLevelTest,
  parsePredicate,
  preparePredicate,
  requireAnyChainTest,
  requireChainTest,
} from "../../../../src/core/capability/mod.ts";

const set = createCapabilitySet([
  "hardware.gpu",
  "causal:00000000000000ff[1..9]",
  "fork-of:0000000000000001",
  "heat:00000000000000ff=0.50",
]);

Deno.test("requireChainTest() and its relatives ask about chains", () => {
  assert.ok(requireChainTest(255n)(set) && !requireChainTest(1n)(set));
  assert.ok(requireAnyChainTest([1n, 255n])(set) && !requireAnyChainTest([])(set));
  assert.ok(excludeChainTest(1n)(set) && !excludeChainTest(255n)(set));
  assert.ok(fromForkTest(1n)(set) && !fromForkTest(255n)(set));
  assert.ok(heatLevelTest(255n, 0.5)(set) && !heatLevelTest(255n, 0.51)(set));
  assert.ok(!heatLevelTest(1n, 0)(set), "who says nothing is not read at all");
});

Deno.test("everyTest() puts them beside a predicate", () => {
  const hasGpu = preparePredicate(parsePredicate("hardware.gpu"));
  assert.ok(everyTest([hasGpu, requireChainTest(255n)])(set));
  assert.ok(!everyTest([hasGpu, excludeChainTest(255n)])(set));
  assert.ok(everyTest([])(set));
});
