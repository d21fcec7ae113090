/** Three nodes as one composition: started together, judged, one killed, stopped together. */
import assert from "node:assert/strict";
import { makeWorkspace, waitFor } from "./harness.ts";
import { describe } from "./program.ts";
import { rpcRequest } from "./rpc.ts";

/** From source each start compiles first, and the machine is shared. */
const WAIT = ["--wait", "20s"];

Deno.test("V28: of three nodes one is killed: unavailable, not healthy, exit 1", async (t) => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const env = { NET_UDP: "127.0.0.1:0" };
  workspace.defer(async () => void await home.net(["stop", "--composition", "mesh"]));
  let victim = 0;

  await t.step("V-a: they start in order, answer, and are found healthy", async () => {
    const started = await home.json(["start", "--composition", "mesh", ...WAIT], { env });
    const members = started.members as readonly Record<string, unknown>[];
    assert.deepEqual(members.map(({ name, status }) => [name, status]), [
      ["net-1", "started"],
      ["net-2", "started"],
      ["net-3", "started"],
    ]);
    victim = Number(members[1]?.pid);
    const validation = started.validation as Record<string, unknown>;
    assert.equal(validation.healthy, true);
    assert.deepEqual(validation.unsatisfied, []);
  });

  await t.step("they are one mesh", async () => {
    await waitFor("the first one has two peers", async () => {
      const { peers } = await home.json(["node", "peers", "--family", "1"]);
      return (peers as readonly unknown[]).length === 2;
    });
    const socketPath = home.socketPath.replace("net.sock", "net-1.sock");
    const { result } = await rpcRequest({ socketPath }, "composition.mesh_health");
    const { healthy, deploy_graph, subsystems } = result as Record<string, unknown>;
    assert.deepEqual([healthy, deploy_graph], [true, "mesh"]);
    assert.deepEqual(Object.values(subsystems as object), ["ok", "ok", "ok"]);
  });

  await t.step("one is killed", async () => {
    Deno.kill(victim, "SIGKILL");
    await waitFor("it is gone", async () => {
      const { members } = await home.json(["members"]);
      return (members as readonly Record<string, unknown>[])[1]?.state === "gone";
    });
    const result = await home.net(["validate", "composition", "mesh", "--json"]);
    assert.equal(result.code, 1, describe(result));
    assert.equal(result.stdout.trim().split("\n").length, 1, "one document and nothing else");
    const verdict = JSON.parse(result.stdout);
    assert.equal(verdict.healthy, false);
    assert.equal(verdict.deploy_graph, "mesh");
    assert.deepEqual(verdict.subsystems, { "net-1": "ok", "net-2": "unavailable", "net-3": "ok" });
  });

  await t.step("they stop, the last one first", async () => {
    const { members } = await home.json(["stop", "--composition", "mesh"]);
    const stopped = members as readonly Record<string, unknown>[];
    assert.deepEqual(stopped.map(({ name, status }) => [name, status]), [
      ["net-3", "stopped"],
      ["net-2", "gone"],
      ["net-1", "stopped"],
    ]);
    assert.deepEqual((await home.json(["members"])).members, []);
  });
});
