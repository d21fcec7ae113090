/** Our workflows beside the Rust core's: the same events, triggers and joins. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock as clock } from "../../src/base/mod.ts";
import { openRedex } from "../../src/log/mod.ts";
import {
  createWorkflowModel,
  openWorkflow,
  type TriggerAction,
  TriggerEngine,
  WORKFLOW_STATUSES,
} from "../../src/state/mod.ts";
import { assertSameState, call, draw, ORIGIN, replay, startPeer, test } from "./netdb_peer.ts";
import type { PeerStep } from "./netdb_peer_process.ts";

test("workflows become what they become in the core, links and deletions included", async () => {
  const task = fc.bigInt({ min: 0n, max: 7n });
  const calls = draw(
    fc.oneof(
      call("submit", task),
      call("submit", task),
      call("transition", task, fc.constantFrom(...WORKFLOW_STATUSES)),
      call("start", task),
      call("advance", task),
      call("retry", task),
      call("requestCancel", task),
      call("link", task, task),
      call("link", task, task),
      call("delete", task),
    ),
    600,
  );
  await using peer = startPeer();
  for (const count of [20, 100, 600]) {
    const part = calls.slice(0, count);
    const theirs = await peer.call("fold", { adapter: "workflow", calls: part });
    await using redex = openRedex({ clock });
    await using workflow = await openWorkflow({ redex, clock }, { origin: ORIGIN });
    replay(workflow, part);
    assertSameState(createWorkflowModel(), workflow.adapter.state, theirs.stateBytes);
  }
});

test("triggers fire and groups are joined as in the core", async () => {
  const step = (on: PeerStep["on"], method: string, ...args: unknown[]): PeerStep => ({
    on,
    method,
    args,
  });
  const steps = [
    step("triggers", "armAfterTask", 101n, "submit", 30n),
    step("triggers", "armAfterTerminal", 101n, "start", 25n),
    step("triggers", "armIfResult", 101n, "k", "v", "submit", 31n),
    step("triggers", "armIfResult", 102n, "k", "v", "submit", 32n),
    step("triggers", "armAfterTask", 103n, "submit", 33n),
    step("triggers", "armAfterTerminal", 103n, "submit", 34n),
    step("triggers", "armAtTick", 5n, "submit", 35n),
    step("triggers", "onTaskChange", 101n),
    step("group", "fanOut"),
    step("group", "tryJoin"),
    step("triggers", "recordResult", 101n, "k", "v"),
    step("triggers", "recordResult", 102n, "k", "other"),
    ...[101n, 102n].flatMap((shard) => [
      step("workflow", "start", shard),
      step("triggers", "onTaskChange", shard),
      step("workflow", "complete", shard),
      step("triggers", "onTaskChange", shard),
      step("triggers", "onTaskChange", shard),
    ]),
    step("workflow", "fail", 103n),
    step("group", "tryJoin"),
    step("triggers", "onTaskChange", 103n),
    step("triggers", "onTick", 4n),
    step("triggers", "onTick", 6n),
    step("triggers", "onTick", 6n),
    step("workflow", "retry", 103n),
    step("group", "tryJoin"),
    step("workflow", "complete", 103n),
    step("group", "tryJoin"),
    step("group", "tryJoin"),
  ];
  const [shards, join] = [[101n, 102n, 103n], 200n];
  await using peer = startPeer();
  const theirs = await peer.call("coordinate", { shards, join, steps });
  await using redex = openRedex({ clock });
  await using workflow = await openWorkflow({ redex, clock }, { origin: ORIGIN });
  const triggers = new TriggerEngine(workflow.adapter.state);
  const ours = steps.map(({ on, method, args }) => {
    if (on === "group" && method === "fanOut") {
      for (const shard of shards) workflow.submit(shard);
      return null;
    }
    if (on === "group") return kindOf(workflow.tryJoin({ shards, join }));
    if (on === "triggers") return trigger(triggers, method, args);
    replay(workflow, [[method, args]]);
    return null;
  });
  assert.deepEqual(ours, theirs.map((answer) => Array.isArray(answer) ? answer : kindOf(answer)));
});

/** The kind of a join's outcome and what failed: how many are open, and tokens, are ours. */
function kindOf(outcome: unknown): unknown {
  if (typeof outcome !== "object" || outcome === null) return outcome;
  const { kind, failed } = outcome as { kind?: unknown; failed?: unknown };
  return failed === undefined ? { kind } : { kind, failed };
}

/** Does to our triggers what a call does to the core's. */
function trigger(engine: TriggerEngine, method: string, args: readonly unknown[]): unknown {
  const [first, ...rest] = args as readonly [bigint, ...string[]];
  const [kind, id] = args.slice(-2) as [TriggerAction["kind"], bigint];
  const [key = "", value = ""] = rest;
  switch (method) {
    case "armAfterTask":
      engine.arm({ kind: "after-task", task: first }, { kind, id });
      return null;
    case "armAfterTerminal":
      engine.arm({ kind: "after-terminal", task: first }, { kind, id });
      return null;
    case "armIfResult":
      engine.arm({ kind: "if-result", task: first, key, value }, { kind, id });
      return null;
    case "armAtTick":
      engine.arm({ kind: "at-tick", tick: first }, { kind, id });
      return null;
    case "recordResult":
      engine.recordResult(first, key, value);
      return null;
    case "onTick":
      return engine.onTick(first);
    default:
      return engine.onTaskChange(first);
  }
}
