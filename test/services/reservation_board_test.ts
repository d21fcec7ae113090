import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import { createReservationBoard } from "../../src/services/mod.ts";
import { acquireLease, isLeaseHeld, releaseLease } from "../../src/state/mod.ts";
import { until } from "./capabilities/capability_kit.ts";
import { startFoldingNode } from "./fold_kit.ts";

const TASK = 77n;
const nowUs = () => BigInt(Math.round(systemClock.wallMs() * 1_000));

Deno.test("of two nodes that know each other one has the lease of a task, until it gives it back", async () => {
  await using left = await startFoldingNode();
  await using right = await startFoldingNode({ join: left });
  const [ours, theirs] = [left, right].map(({ service }) => createReservationBoard(service));
  assert.ok(ours !== undefined && theirs !== undefined);
  const ask = (board: typeof ours, holder: bigint) =>
    acquireLease(board, { task: TASK, holder, nowUs: nowUs(), untilUs: nowUs() + 60_000_000n });
  assert.equal(ask(ours, left.nodeId).kind, "acquired");
  await until("right hears of it", () => theirs.reservationOf(TASK) !== undefined);
  assert.deepEqual(ask(theirs, right.nodeId), { kind: "contended", holder: left.nodeId });
  assert.equal(isLeaseHeld(theirs, { task: TASK, holder: left.nodeId, nowUs: nowUs() }), true);
  // Nobody says for another that it holds something.
  assert.equal(ask(ours, right.nodeId).kind, "contended");
  assert.ok(releaseLease(ours, { task: TASK, holder: left.nodeId, nowUs: nowUs() }));
  await until("it is free", () => theirs.reservationOf(TASK)?.kind === "free");
  assert.equal(ask(theirs, right.nodeId).kind, "acquired");
});
