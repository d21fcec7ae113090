import assert from "node:assert/strict";
import type { ReservationState } from "../../../../src/core/capability/mod.ts";
import {
  acquireLease,
  createWorkflowModel,
  deriveShardGroup,
  deriveShardId,
  isLeaseHeld,
  judgeJoin,
  mayRunStep,
  releaseLease,
  type ReservationBoard,
  type ShardGroup,
  submitEvent,
  transitionEvent,
  TriggerEngine,
  type WorkflowStatus,
} from "../../../../src/state/mod.ts";
import { foldInto } from "../model_samples.ts";

const model = createWorkflowModel();

/** A workflow whose tasks stand like this, by letter; `.` is one that is not there. */
function workflow(statuses: string) {
  const names: Readonly<Record<string, WorkflowStatus>> = {
    r: "running",
    d: "done",
    f: "failed",
  };
  const state = model.create();
  for (const [at, letter] of [...statuses].entries()) {
    const status = names[letter];
    if (status === undefined) continue;
    foldInto(model, state, [submitEvent(BigInt(at)), transitionEvent(BigInt(at), status)]);
  }
  return state;
}

const group = (count: number): ShardGroup => ({
  shards: Array.from({ length: count }, (_, at) => BigInt(at)),
  join: 100n,
});

Deno.test("deriveShardId() is splitmix64 of the parent", () => {
  // The first outputs of splitmix64 with seed 0, as its author publishes them.
  assert.deepEqual([0, 1, 2].map((index) => deriveShardId(0n, index)), [
    0xe220a8397b1dcdafn,
    0x6e789e6aa1b965f4n,
    0x06c45d188009454fn,
  ]);
  assert.equal(deriveShardId(2n ** 64n - 1n, 7) < 2n ** 64n, true);
  assert.equal(new Set(deriveShardGroup(5n, 1000, 1n).shards).size, 1000);
  assert.throws(() => deriveShardGroup(5n, 0, 1n), /at least 1/);
  assert.throws(() => deriveShardGroup(5n, 65_537, 1n), /at most 65536/);
});

Deno.test("judgeJoin() waits for all, for an end of all, or for enough", () => {
  const judge = (statuses: string, policy?: Parameters<typeof judgeJoin>[2]) => {
    const outcome = judgeJoin(workflow(statuses), group(statuses.length), policy);
    return outcome.kind === "failed" ? outcome.failed : outcome.kind;
  };
  assert.equal(judge("ddd"), "ready");
  assert.equal(judge("drd"), "pending");
  assert.equal(judge("d.d"), "pending");
  assert.deepEqual(judge("dfr"), [1n]);
  assert.deepEqual(judge("ffd"), [0n, 1n]);
  assert.equal(judge("dfd", { kind: "best-effort" }), "ready");
  assert.equal(judge("dfr", { kind: "best-effort" }), "pending");
  assert.equal(judge("ddr", { kind: "threshold", done: 2 }), "ready");
  assert.equal(judge("dfr", { kind: "threshold", done: 2 }), "pending");
  assert.deepEqual(judge("dff", { kind: "threshold", done: 2 }), [1n, 2n]);
  const state = foldInto(model, workflow("ff"), [submitEvent(100n)]);
  assert.equal(judgeJoin(state, group(2)).kind, "already_submitted");
});

Deno.test("a trigger fires once, in the order in which they were armed", () => {
  const state = workflow("rr");
  const engine = new TriggerEngine(state);
  engine.arm({ kind: "after-task", task: 0n }, { kind: "submit", id: 30n });
  engine.arm({ kind: "after-terminal", task: 0n }, { kind: "start", id: 20n });
  engine.arm({ kind: "after-task", task: 1n }, { kind: "submit", id: 10n });
  assert.deepEqual(engine.onTaskChange(0n), []);
  assert.deepEqual(engine.onTaskChange(77n), []);
  foldInto(model, state, [transitionEvent(0n, "done")]);
  assert.deepEqual(engine.onTaskChange(0n), [
    { kind: "submit", id: 30n },
    { kind: "start", id: 20n },
  ]);
  assert.deepEqual(engine.onTaskChange(0n), []);
  assert.equal(engine.armedCount, 1);
});

Deno.test("a trigger that cannot fire any more is dropped", () => {
  const engine = new TriggerEngine(workflow("fdd"));
  engine.arm({ kind: "after-task", task: 0n }, { kind: "submit", id: 10n });
  engine.arm({ kind: "after-terminal", task: 0n }, { kind: "submit", id: 11n });
  engine.arm({ kind: "if-result", task: 1n, key: "k", value: "v" }, { kind: "submit", id: 12n });
  engine.arm({ kind: "if-result", task: 2n, key: "k", value: "v" }, { kind: "submit", id: 13n });
  engine.recordResult(1n, "k", "other");
  engine.recordResult(2n, "k", "v");
  assert.deepEqual(engine.onTaskChange(0n), [{ kind: "submit", id: 11n }]);
  assert.deepEqual(engine.onTaskChange(1n), []);
  assert.deepEqual(engine.onTaskChange(2n), [{ kind: "submit", id: 13n }]);
  assert.equal(engine.armedCount, 0);
  engine.arm({ kind: "after-task", task: 5n }, { kind: "submit", id: 14n });
  assert.equal(engine.onTaskDelete(5n), 1);
  assert.equal(engine.armedCount, 0);
});

Deno.test("a trigger on a time fires when the clock has come there", () => {
  const engine = new TriggerEngine(model.create());
  engine.arm({ kind: "at-tick", tick: 5n }, { kind: "submit", id: 1n });
  engine.arm({ kind: "at-tick", tick: 9n }, { kind: "submit", id: 2n });
  assert.deepEqual(engine.onTick(4n), []);
  assert.deepEqual(engine.onTick(6n), [{ kind: "submit", id: 1n }]);
  assert.deepEqual(engine.onTick(6n), []);
  assert.equal(engine.armedCount, 1);
});

Deno.test("the number of triggers has a limit, and results are forgotten oldest first", () => {
  const engine = new TriggerEngine(workflow("d"));
  for (let i = 0; i < 65_536; i++) {
    engine.arm({ kind: "at-tick", tick: 1n }, { kind: "start", id: 1n });
  }
  const condition = { kind: "if-result", task: 0n, key: "k", value: "v" } as const;
  assert.throws(() => engine.arm(condition, { kind: "start", id: 1n }), /armed already/);
  assert.equal(engine.onTick(1n).length, 65_536);
  engine.recordResult(0n, "k", "v");
  for (let task = 1n; task <= 65_536n; task++) engine.recordResult(task, "k", "v");
  engine.arm(condition, { kind: "start", id: 1n });
  assert.deepEqual(engine.onTaskChange(0n), []);
});

/** Reservations of one node: what its fold would take. */
function board(): ReservationBoard & { refuses: boolean } {
  const states = new Map<bigint, ReservationState>();
  return {
    refuses: false,
    reservationOf: (resource) => states.get(resource),
    say({ resourceId, state }) {
      if (!this.refuses) states.set(resourceId, state);
      return !this.refuses;
    },
  };
}

Deno.test("a lease is held by whoever was first, until it runs out or is given back", () => {
  const fold = board();
  const ask = (holder: bigint, nowUs: bigint) =>
    acquireLease(fold, { task: 1n, holder, nowUs, untilUs: nowUs + 10n });
  assert.deepEqual(ask(7n, 100n), { kind: "acquired", untilUs: 110n });
  assert.deepEqual(ask(8n, 105n), { kind: "contended", holder: 7n });
  assert.deepEqual(ask(7n, 105n), { kind: "acquired", untilUs: 115n });
  assert.equal(isLeaseHeld(fold, { task: 1n, holder: 7n, nowUs: 114n }), true);
  assert.equal(isLeaseHeld(fold, { task: 1n, holder: 7n, nowUs: 115n }), false);
  assert.deepEqual(ask(8n, 115n), { kind: "acquired", untilUs: 125n });
  assert.equal(releaseLease(fold, { task: 1n, holder: 7n, nowUs: 116n }), false);
  assert.equal(releaseLease(fold, { task: 1n, holder: 8n, nowUs: 116n }), true);
  assert.equal(ask(7n, 117n).kind, "acquired");
});

Deno.test("a lease that the own fold refuses is contended, and one that is at work is not taken", () => {
  const fold = board();
  fold.refuses = true;
  const request = { task: 1n, holder: 7n, nowUs: 0n, untilUs: 9n };
  assert.deepEqual(acquireLease(fold, request), { kind: "contended", holder: undefined });
  fold.refuses = false;
  fold.say({ resourceId: 1n, state: { kind: "active", holder: 9n, jobId: 1n } });
  assert.deepEqual(acquireLease(fold, request), { kind: "contended", holder: 9n });
  assert.equal(isLeaseHeld(fold, { task: 1n, holder: 9n, nowUs: 10n ** 18n }), true);
});

Deno.test("mayRunStep() runs a step with side effects once", () => {
  for (const kind of ["pure", "idempotent"] as const) assert.ok(mayRunStep(kind, true));
  assert.ok(mayRunStep("side-effecting", false));
  assert.ok(!mayRunStep("side-effecting", true));
});
