import assert from "node:assert/strict";
import { CortexError, CortexMetrics, openCortex, WaitBudget } from "../../../src/state/mod.ts";
import { createBench, ORIGIN, settle } from "./harness.ts";
import { ADD, amount, BREAK, SUM_MODEL } from "./sum_model.ts";

/** How a wait ended, once it has. */
function follow(wait: Promise<void>): { outcome: string } {
  const seen = { outcome: "waiting" };
  wait.then(
    () => seen.outcome = "done",
    (error) => seen.outcome = error instanceof CortexError ? error.kind : String(error),
  );
  return seen;
}

Deno.test("a wait ends when its event is folded, not before", async () => {
  const { open, write, clock, metrics } = createBench();
  await using fold = await open();
  const waits = [2n, 0n, 1n].map((seq) => follow(fold.waitForSeq(seq, 1_000)));
  write("a", 1);
  await settle();
  assert.deepEqual(waits.map(({ outcome }) => outcome), ["waiting", "done", "waiting"]);
  await clock.advance(10);
  write("a", 1);
  write("a", 1);
  await settle();
  assert.deepEqual(waits.map(({ outcome }) => outcome), ["done", "done", "done"]);
  assert.equal(metrics.waitsTotal, 3);
  assert.equal(metrics.waitNs, 20e6);
});

Deno.test("a wait times out, and a deadline of 0 looks once", async () => {
  const { open, clock, metrics } = createBench();
  await using fold = await open();
  const token = { origin: ORIGIN, seq: 0n };
  const late = follow(fold.waitForToken(token, 50));
  await clock.advance(49);
  assert.equal(late.outcome, "waiting");
  await clock.advance(1);
  assert.equal(late.outcome, "timeout");
  await assert.rejects(fold.waitForToken(token, 0), {
    kind: "timeout",
    code: "timeout",
    message: "read-your-writes wait timed out",
  });
  assert.equal(metrics.waitTimeoutsTotal, 2);
  fold.append(ADD, amount("a", 1));
  await fold.waitForToken(token, 0);
  await assert.rejects(fold.waitForToken({ origin: ORIGIN, seq: 9n }, NaN), RangeError);
});

Deno.test("a token of another origin is refused", async () => {
  const { open, metrics } = createBench();
  await using fold = await open();
  const token = { origin: 0x99n, seq: 0n };
  const error = {
    kind: "wrong_origin",
    message: "token origin 0000000000000099 != adapter origin 0000000000000042",
  };
  await assert.rejects(fold.waitForToken(token, 10), error);
  assert.throws(() => fold.pollToken(token), error);
  assert.equal(metrics.waitWrongOriginTotal, 2);
});

Deno.test("so many may wait at a time, and places are given back", async () => {
  const { open, write, metrics } = createBench();
  await using fold = await open({ waitersMax: 2 });
  const waits = [follow(fold.waitForSeq(0n, 1_000)), follow(fold.waitForSeq(0n, 1_000))];
  await assert.rejects(fold.waitForSeq(0n, 1_000), { kind: "queue_full", code: "backpressure" });
  assert.equal(metrics.waitQueueFullTotal, 1);
  write("a", 1);
  await settle();
  assert.deepEqual(waits.map(({ outcome }) => outcome), ["done", "done"]);
  // What is there already needs no place.
  await fold.waitForSeq(0n, 1_000);
  follow(fold.waitForSeq(1n, 1_000));
});

Deno.test("the process's places are asked for first, and none is lost", async () => {
  const { redex, clock } = createBench();
  const metrics = new CortexMetrics();
  const waits = new WaitBudget(2);
  const open = () =>
    openCortex({ redex, clock, metrics, waits }, SUM_MODEL, { origin: ORIGIN, waitersMax: 1 });
  await using first = await open();
  await using second = await open();
  follow(first.waitForSeq(0n, 50));
  await assert.rejects(first.waitForSeq(0n, 50), { kind: "queue_full" });
  assert.equal(waits.taken, 1);
  follow(second.waitForSeq(0n, 50));
  await assert.rejects(second.waitForSeq(0n, 50), { kind: "queue_full" });
  await clock.advance(50);
  assert.equal(waits.taken, 0);
});

Deno.test("a fold that stops tells those who wait how far it came", async () => {
  const { open, write, writeRaw } = createBench();
  await using fold = await open();
  const early = fold.waitForSeq(0n, 1_000);
  const late = fold.waitForToken({ origin: ORIGIN, seq: 5n }, 1_000);
  write("a", 1);
  writeRaw(BREAK, new Uint8Array(0));
  await early;
  await assert.rejects(late, {
    kind: "stopped",
    message: "fold task stopped before reaching token seq (applied through 0)",
  });
});

Deno.test("closing ends every wait", async () => {
  const { open } = createBench();
  const fold = await open();
  const wait = fold.waitForSeq(5n, Infinity);
  await fold.close();
  await assert.rejects(wait, {
    kind: "stopped",
    message: "fold task stopped before reaching token seq (applied through nothing)",
  });
});

Deno.test("a wait ends with its signal and leaves nothing behind", async () => {
  const { open, clock } = createBench();
  await using fold = await open({ waitersMax: 1 });
  const controller = new AbortController();
  const wait = fold.waitForSeq(5n, 1_000, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(wait, reason);
  await assert.rejects(fold.waitForSeq(5n, 1_000, controller.signal), reason);
  const next = follow(fold.waitForSeq(5n, 10));
  await clock.advance(10);
  assert.equal(next.outcome, "timeout");
});
