/** Joining by ticket: every way to hand one over, and every way to be refused. */
import assert from "node:assert/strict";
import {
  assertFails,
  makeWorkspace,
  startPair,
  ticketOf,
  untilConnected,
  waitFor,
} from "./harness.ts";

const UDP = ["--udp", "127.0.0.1:0"];

Deno.test("node start --join takes a word, a file, standard input and NET_TICKET", async () => {
  await using workspace = await makeWorkspace();
  const first = await workspace.startNode({ flags: UDP });
  const ticket = await ticketOf(first);
  assert.match(ticket, /^net1[0-9a-z]+$/);
  const file = `${workspace.dir}/ticket`;
  await Deno.writeTextFile(file, `${ticket}\n`);
  const joined = [
    await workspace.startNode({ flags: [...UDP, "--join", ticket.toUpperCase()] }),
    await workspace.startNode({ flags: [...UDP, "--join", `@${file}`] }),
    await workspace.startNode({ flags: [...UDP, "--join", "-"], stdin: `  ${ticket}\n` }),
    await workspace.startNode({ flags: UDP, env: { NET_TICKET: ticket } }),
  ];
  for (const node of joined) await untilConnected(first, node);
});

Deno.test("node start joins again after a restart without its ticket", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  await second.kill("SIGTERM");
  const again = await workspace.startNode({ home: second.home, flags: UDP });
  await untilConnected(first, again);
  // A crash leaves a session behind on the other side, which must not keep the node out.
  await again.kill("SIGKILL");
  const third = await workspace.startNode({ home: second.home, flags: UDP });
  await untilConnected(first, third);
});

Deno.test("node start --join refuses a damaged ticket and says why", async (t) => {
  await using workspace = await makeWorkspace();
  const first = await workspace.startNode({ flags: UDP });
  const ticket = await ticketOf(first);
  const flipped = ticket.slice(0, 40) + (ticket[40] === "q" ? "p" : "q") + ticket.slice(41);
  const cases: Record<string, readonly [string, RegExp]> = {
    "one letter changed": [flipped, /checksum/i],
    "cut": [ticket.slice(0, -10), /checksum|short|truncated/i],
    "other prefix": [`bc${ticket.slice(3)}`, /begin|prefix|checksum/i],
    "mixed case": [`${ticket.slice(0, 30)}${ticket.slice(30).toUpperCase()}`, /case/i],
    "not a ticket": ["hello", /ticket/i],
  };
  for (const [name, [text, reason]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const home = workspace.makeHome();
      const result = await home.net(["node", "start", ...UDP, "--join", text]);
      const message = assertFails(result, 2, "ticket_invalid");
      assert.match(message, reason);
      assert.ok(!message.includes(text.slice(0, 60)) || text.length < 20, "no ticket in the text");
      assert.deepEqual([...Deno.readDirSync(`${home.dir}/run`)].length <= 1, true);
    });
  }
  await t.step("empty", async () => {
    const home = workspace.makeHome();
    const result = await home.net(["node", "start", ...UDP, "--join", "-"], { stdin: "" });
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, /^next: /m);
  });
});

Deno.test("node start --join refuses an expired ticket", async () => {
  await using workspace = await makeWorkspace();
  const first = await workspace.startNode({ flags: UDP });
  const ticket = await ticketOf(first, ["--expires", "1s"]);
  const result = await waitFor("the ticket expires", async () => {
    const home = workspace.makeHome();
    // A node that still gets in before the second is over is stopped by the time limit.
    const run = home.net(["node", "start", ...UDP, "--join", ticket], { timeoutMs: 3000 });
    return await run.catch(() => undefined);
  });
  assert.match(assertFails(result, 2, "ticket_expired"), /expired/i);
});

Deno.test("node start prints the ticket only when asked to", async () => {
  await using workspace = await makeWorkspace();
  const silent = await workspace.startNode({ flags: UDP });
  // The node answers before it has said all it says.
  await waitFor("the ticket is mentioned", () => /net node ticket/.test(silent.log()));
  assert.doesNotMatch(silent.log(), /net1[0-9a-z]{20}/);
  const shown = await workspace.startNode({ flags: [...UDP, "--show-ticket"] });
  await waitFor("the ticket is printed", () => /net1[0-9a-z]{20}/.test(shown.log()));
  const document = await shown.home.json(["node", "ticket"]);
  assert.equal(document.schema, "net.node.ticket.v1");
  assert.match(String(document.psk), /^[0-9a-f]{64}$/);
});
