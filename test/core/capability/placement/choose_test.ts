import assert from "node:assert/strict";
import fc from "fast-check";
import {
  choosePlacement,
  compareTied,
  createCandidateSource,
  rankPlacements,
  type TieBreak,
} from "../../../../src/core/capability/mod.ts";
import { setOf } from "./samples.ts";

const source = createCandidateSource(
  [5n, 3n, 9n, 1n].map((nodeId) => ({ nodeId, capabilities: setOf() })),
);
const slots = [0, 1, 2, 3];
const choose = (scores: readonly (number | undefined)[], tieBreak?: TieBreak) =>
  choosePlacement(slots, (slot) => scores[slot], source, tieBreak)?.nodeId;

Deno.test("choosePlacement() takes the highest score, and nobody who scored nothing", () => {
  assert.equal(choose([0.2, undefined, 0.9, 0.5]), 9n);
  assert.equal(choose([undefined, undefined, undefined, undefined]), undefined);
  assert.equal(choose([0, undefined, 0, 0]), undefined);
  assert.equal(choose([0, undefined, 0, 0.1]), 1n);
});

Deno.test("choosePlacement() decides between equals by distance, what is free, and id", () => {
  const equal = [1, 1, 1, 1];
  assert.equal(choose(equal), 1n);
  const rtts = new Map([[9n, 3], [5n, 3], [3n, 8]]);
  const rttMs = (nodeId: bigint) => rtts.get(nodeId);
  assert.equal(choose(equal, { rttMs }), 5n);
  const freeResource = (nodeId: bigint) => Number(nodeId);
  assert.equal(choose(equal, { freeResource }), 9n);
  assert.equal(choose(equal, { rttMs, freeResource }), 9n);
  assert.equal(choose(equal, { rttMs: () => undefined, freeResource: () => NaN }), 1n);
  assert.equal(choose([1, 1, 0.9, 0.9], { rttMs }), 5n);
});

Deno.test("rankPlacements() orders all, the chosen one first", () => {
  const anyScore = fc.constantFrom(undefined, 0, 0.5, 1);
  const anyRtt = fc.constantFrom(undefined, 1, 2);
  fc.assert(
    fc.property(
      fc.array(anyScore, { minLength: 4, maxLength: 4 }),
      fc.array(anyRtt, { minLength: 10, maxLength: 10 }),
      (scores, rtts) => {
        const tieBreak = { rttMs: (nodeId: bigint) => rtts[Number(nodeId)] };
        const ranked = rankPlacements(slots, (slot) => scores[slot], source, tieBreak);
        assert.equal(ranked[0]?.nodeId, choose(scores, tieBreak));
        assert.equal(ranked.length, scores.filter((score) => (score ?? 0) > 0).length);
        for (const [at, right] of ranked.entries()) {
          const left = ranked[at - 1];
          if (left === undefined) continue;
          assert.ok(left.score >= right.score);
          if (left.score === right.score) {
            assert.ok(compareTied(left.nodeId, right.nodeId, tieBreak) < 0);
            assert.ok(compareTied(right.nodeId, left.nodeId, tieBreak) > 0);
          }
        }
      },
    ),
  );
  assert.equal(compareTied(1n, 1n, {}), 0);
});
