import assert from "node:assert/strict";
import { ensureMeshSocket, type OwnProcess, selfCommand } from "../../cmd/self_command.ts";

function pretended(own: Partial<OwnProcess>) {
  const calls: unknown[][] = [];
  const replace = (...call: unknown[]) => void calls.push(call);
  return { calls, own: { hasMeshSocket: true, wasReplaced: false, replace, ...own } };
}

Deno.test("selfCommand() runs the main module with the socket's flag", () => {
  assert.deepEqual(selfCommand(["node", "start"]), [
    Deno.execPath(),
    "run",
    "-A",
    "--unstable-net",
    Deno.mainModule,
    "node",
    "start",
  ]);
});

Deno.test("selfCommand() runs the packed executable by its name alone", () => {
  assert.deepEqual(selfCommand(["node"], "file:///proc/self/fd/100"), [Deno.execPath(), "node"]);
  assert.equal(selfCommand(["node"], "file:///proc/self/fd/100/x.ts").length, 6);
});

Deno.test("ensureMeshSocket() leaves a process that lacks nothing alone", () => {
  const { own, calls } = pretended({});
  ensureMeshSocket(own, ["a"]);
  assert.deepEqual(calls, []);
});

Deno.test("ensureMeshSocket() hands a ticket over in the environment", () => {
  const { own, calls } = pretended({});
  // Where the process cannot be replaced it goes on: the ticket was visible all the same.
  ensureMeshSocket(own, ["a"], { NET_TICKET: "net1x" });
  assert.deepEqual(calls, [[["a"], { NET_TICKET: "net1x" }]]);
});

Deno.test("ensureMeshSocket() fails once where the socket cannot be had", () => {
  const first = pretended({ hasMeshSocket: false });
  assert.throws(() => ensureMeshSocket(first.own, ["a"]), /--unstable-net/);
  assert.equal(first.calls.length, 1);
  const second = pretended({ hasMeshSocket: false, wasReplaced: true });
  assert.throws(() => ensureMeshSocket(second.own, ["a"]), /--unstable-net/);
  assert.equal(second.calls.length, 0);
});
