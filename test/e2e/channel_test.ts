/** Channels between three nodes, as people and scripts use them. */
import assert from "node:assert/strict";
import { assertFails, type Home, makeWorkspace, type TestNode, ticketOf } from "./harness.ts";
import { untilConnected, waitFor, type Workspace } from "./harness.ts";
import { describe, type RunningProgram, spawnProgram } from "./program.ts";

const UDP = ["--udp", "127.0.0.1:0"];

/** Three nodes; the second and third joined the first. */
async function startThree(workspace: Workspace) {
  const alice = await workspace.startNode({ flags: UDP });
  const stdin = await ticketOf(alice);
  const join = () => workspace.startNode({ flags: [...UDP, "--join", "-"], stdin });
  const [bob, carol] = [await join(), await join()];
  await untilConnected(alice, bob);
  await untilConnected(alice, carol);
  return { alice, bob, carol };
}

/** Starts a subscription and waits until it stands. */
async function subscribe(
  workspace: Workspace,
  { home }: TestNode,
  args: readonly string[],
): Promise<RunningProgram> {
  const program = spawnProgram(["channel", "subscribe", ...args], {
    env: home.env,
    cwd: `${home.dir}/cwd`,
  });
  workspace.defer(async () => {
    program.kill("SIGKILL");
    await program.finished();
  });
  await waitFor("it is subscribed", () => {
    assert.ok(program.isAlive(), program.stderr());
    return program.stderr().includes("subscribed to");
  });
  return program;
}

const publish = (home: Home, channel: string, text: string, stdin?: string) =>
  home.net(["channel", "publish", channel, text], { stdin });

Deno.test("channel publish reaches every subscriber, over a restart of the publisher", async (t) => {
  await using workspace = await makeWorkspace();
  const { alice, bob, carol } = await startThree(workspace);
  const created = await alice.home.json(["channel", "create", "room/lobby", "--reliable"]);
  assert.deepEqual([created.name, created.reliable, created.kept], ["room/lobby", true, true]);
  const first = await subscribe(workspace, bob, ["room/lobby"]);
  const second = await subscribe(workspace, carol, ["room/lobby"]);
  await t.step("one event, and a line each", async () => {
    const one = await publish(alice.home, "room/lobby", "hello");
    assert.equal(one.stdout, "published 1 event, 2 of 2 sent\n", describe(one));
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`);
    const many = await publish(alice.home, "room/lobby", "-", `${lines.join("\n")}\n`);
    assert.equal(many.stdout, "published 500 events, 1,000 of 1,000 sent\n", describe(many));
    const expected = `${["hello", ...lines].join("\n")}\n`;
    for (const program of [first, second]) {
      await waitFor("all events came", () => program.stdout().length >= expected.length);
      assert.equal(program.stdout(), expected);
    }
  });
  await t.step("stats tell of both sides", async () => {
    const { published } = await alice.home.json(["channel", "stats", "room/lobby"]);
    const [row] = published as Record<string, unknown>[];
    assert.deepEqual([row?.events, row?.deliveries, row?.failures], [501, 1_002, 0]);
    const shown = await bob.home.net(["channel", "stats"]);
    assert.match(shown.stdout, /room\/lobby .* active$/m);
  });
  await t.step("the publisher starts again, and nobody else does anything", async () => {
    await alice.kill("SIGTERM");
    const again = await workspace.startNode({ home: alice.home, flags: UDP });
    await untilConnected(again, bob);
    await waitFor("both are subscribed again", async () => {
      const { channels } = await again.home.json(["channel", "ls"]);
      return (channels as Record<string, unknown>[])[0]?.subscribers === 2;
    }, 60_000);
    const after = await publish(again.home, "room/lobby", "back");
    assert.equal(after.stdout, "published 1 event, 2 of 2 sent\n", describe(after));
    for (const program of [first, second]) {
      await waitFor("it came", () => program.stdout().endsWith("back\n"));
    }
  });
  await t.step("Ctrl-C ends a subscription, and the publisher knows", async () => {
    first.kill("SIGINT");
    assert.equal((await first.finished()).code, 130);
    await waitFor("one is left", async () => {
      const { channels } = await alice.home.json(["channel", "ls"]);
      return (channels as Record<string, unknown>[])[0]?.subscribers === 1;
    });
  });
});

Deno.test("channel subscribe counts, groups, and follows tokens", async (t) => {
  await using workspace = await makeWorkspace();
  const { alice, bob, carol } = await startThree(workspace);
  await t.step("a queue group shares", async () => {
    await alice.home.json(["channel", "create", "jobs"]);
    const args = ["jobs", "--group", "workers", "--count", "5"];
    const members = [
      await subscribe(workspace, bob, args),
      await subscribe(workspace, carol, args),
    ];
    const lines = Array.from({ length: 10 }, (_, i) => `job ${i}`);
    await publish(alice.home, "jobs", "-", lines.join("\n"));
    const got: string[] = [];
    for (const member of members) {
      assert.equal((await member.finished()).code, 0, member.stderr());
      got.push(...member.stdout().trimEnd().split("\n"));
    }
    assert.deepEqual(got.sort(), lines.sort());
  });
  await t.step("a gate opens for who has a token, until it is taken back", async () => {
    const { entity_id: owner, node_id: nodeId } = await alice.status();
    const { entity_id: reader } = await bob.status();
    await alice.home.json(["channel", "create", "vault", "--root", String(owner)]);
    const refused = await bob.home.net(["channel", "subscribe", "vault", "--from", String(nodeId)]);
    assertFails(refused, 5, "not_allowed");
    const issue = ["token", "issue", String(reader), "--channel", "vault", "--allow", "subscribe"];
    const issued = await alice.home.net(issue);
    assert.equal(issued.code, 0, describe(issued));
    const file = `${workspace.dir}/vault.token`;
    await Deno.writeTextFile(file, issued.stdout);
    const args = ["vault", "--token", `@${file}`, "--from", String(nodeId)];
    const program = await subscribe(workspace, bob, args);
    const report = await publish(alice.home, "vault", "secret");
    assert.match(report.stdout, /1 of 1 sent/);
    await waitFor("it came", () => program.stdout() === "secret\n");
    const revoked = await alice.home.net(["token", "revoke", String(owner)]);
    assert.equal(revoked.code, 0, describe(revoked));
    await waitFor("nobody gets it any more", async () => {
      const { stdout } = await publish(alice.home, "vault", "more");
      return stdout.includes("nobody is subscribed");
    });
    await publish(alice.home, "vault", "too late");
    assert.match(program.stdout(), /^secret\n(more\n)*$/);
  });
  await t.step("a channel that is not there, and one that must be made first", async () => {
    const { node_id: nodeId } = await alice.status();
    const nowhere = ["channel", "subscribe", "nowhere", "--from", String(nodeId)];
    assertFails(await bob.home.net(nowhere), 4, "not_found");
    const strict = await workspace.startNode({
      flags: [...UDP, "--unregistered-channels", "deny"],
    });
    assertFails(await publish(strict.home, "news", "x"), 4, "not_found");
    assertFails(await publish(strict.home, "News", "x"), 2, "usage");
  });
});
