import assert from "node:assert/strict";
import {
  EntityLog,
  Superposition,
  superpositionOf,
  verifyContinuity,
} from "../../../src/state/mod.ts";
import { eventsOf, WRITER } from "../causal/chain_samples.ts";

const EVENTS = eventsOf(WRITER.originHash, 9);
const head = (sequence: number) => (EVENTS[sequence - 1] ?? assert.fail()).link;

Deno.test("Superposition goes through the phases of a move", () => {
  const move = new Superposition(head(4));
  assert.deepEqual([move.phase, move.isSuperposed, move.isCollapsed], ["localized", false, false]);
  move.advance("transfer");
  assert.equal(move.phase, "spreading");
  move.advance("replay");
  move.sourceAdvanced(head(7));
  assert.deepEqual([move.phase, move.replayGap, move.isSuperposed], ["superposed", 3n, true]);
  move.targetReplayed(head(7));
  assert.equal(move.phase, "ready_to_collapse");
  move.advance("cutover");
  assert.ok(move.isCollapsed && !move.isSuperposed);
  move.advance("complete");
  assert.equal(move.phase, "resolved");
  assert.equal(superpositionOf("restore"), "spreading");
});

Deno.test("Superposition stays ready when the target was quicker than the phases, until it is behind", () => {
  const move = new Superposition(head(4));
  move.advance("restore");
  move.targetReplayed(head(4));
  assert.equal(move.phase, "ready_to_collapse");
  move.advance("replay");
  assert.equal(move.phase, "ready_to_collapse");
  move.sourceAdvanced(head(5));
  assert.equal(move.phase, "superposed");
  move.targetReplayed(head(5));
  assert.equal(move.phase, "ready_to_collapse");
  move.advance("cutover");
  move.advance("snapshot");
  assert.equal(move.phase, "collapsed");
});

Deno.test("Superposition.continuityProof() holds against the log of the chain", () => {
  const log = new EntityLog(WRITER.entityId);
  for (const event of EVENTS) log.append(event);
  const move = new Superposition(head(3));
  move.targetReplayed(head(5));
  move.sourceAdvanced(head(8));
  const proof = move.continuityProof();
  assert.ok(proof?.fromSequence === 4n && proof.toSequence === 7n);
  assert.equal(verifyContinuity(proof, log), undefined);
  assert.equal(new Superposition(head(1)).continuityProof(), undefined);
});
