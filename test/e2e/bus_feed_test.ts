/** One node's bus feeds another's, over kill -9 of either. */
import assert from "node:assert/strict";
import {
  assertFails,
  type Home,
  makeWorkspace,
  type TestNode,
  ticketOf,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { describe } from "./program.ts";

const UDP = ["--udp", "127.0.0.1:0", "--bus-shards", "2"];
/** Published with one call, for so many calls between two kills. */
const EVENTS = 200;
const CALLS = 3;

/** Two nodes, of which bob takes what alice's bus hands over. */
async function startFeed(workspace: Workspace) {
  const plain = await workspace.startNode({ flags: UDP });
  const aliceId = String((await plain.status()).node_id);
  const ticket = await ticketOf(plain);
  const bobFlags = [...UDP, "--bus-accept", aliceId];
  const bob = await workspace.startNode({
    flags: [...bobFlags, "--join", "-"],
    stdin: ticket,
  });
  const bobId = String((await bob.status()).node_id);
  await plain.kill("SIGTERM");
  const aliceFlags = [...UDP, "--bus", "mesh", "--bus-peer", bobId];
  const alice = await workspace.startNode({ home: plain.home, flags: aliceFlags });
  return { alice, bob, aliceId, bobId, aliceFlags, bobFlags };
}

const lines = (text: string) => text.split("\n").filter((line) => line !== "");
const numbersIn = async (home: Home, ...args: string[]) => {
  const { stdout, code, stderr } = await home.net(["bus", "poll", ...args]);
  assert.equal(code, 0, stderr);
  return lines(stdout).map((line) => (JSON.parse(line) as { n: number }).n);
};
const published = (from: number) =>
  Array.from({ length: EVENTS }, (_, i) => `{"n":${from + i}}`).join("\n");

Deno.test("bus: a node feeds another one, which says what came from whom", async () => {
  await using workspace = await makeWorkspace();
  const { alice, bob, aliceId, bobId } = await startFeed(workspace);
  const done = await alice.home.net(["bus", "publish"], { stdin: published(0) });
  assert.equal(done.stdout, `published ${EVENTS} events, kept by node ${bobId}\n`, describe(done));
  const numbers = await numbersIn(bob.home);
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: EVENTS }, (_, i) => i));
  const mine = await alice.home.net(["bus", "poll"]);
  assert.equal(mine.stdout, "");
  assert.match(mine.stderr, new RegExp(bobId), "it says where they are");
  const stats = await alice.home.net(["bus", "stats"]);
  assert.match(stats.stdout, new RegExp(`^feeds +${bobId}$`, "m"));
  const { feed } = await bob.home.json(["bus", "stats"]) as { feed: Record<string, unknown> };
  assert.deepEqual([feed.accept, feed.events, feed.not_allowed], [[aliceId], EVENTS, 0]);
});

Deno.test("bus: a node that may not feed is refused, with what to do about it", async () => {
  await using workspace = await makeWorkspace();
  const bob = await workspace.startNode({ flags: UDP });
  const { node_id: bobId } = await bob.status();
  const carol = await workspace.startNode({
    flags: [...UDP, "--bus", "mesh", "--bus-peer", String(bobId), "--join", "-"],
    stdin: await ticketOf(bob),
  });
  const { node_id: carolId } = await carol.status();
  const refused = await carol.home.net(["bus", "publish", '{"n":1}']);
  assert.match(assertFails(refused, 5, "not_allowed"), new RegExp(`--bus-accept ${carolId}`));
  assert.deepEqual(await numbersIn(bob.home), []);
  const stats = await bob.home.net(["bus", "stats"]);
  assert.match(stats.stdout, /^not let in +1$/m);
});

Deno.test("bus: what was acknowledged outlives kill -9 of either node, and comes once", async () => {
  await using workspace = await makeWorkspace();
  const feed = await startFeed(workspace);
  let { alice, bob } = feed;
  const acknowledged: number[] = [];
  let next = 0;
  const publishSome = async () => {
    for (let call = 0; call < CALLS; call++) {
      const from = next;
      next += EVENTS;
      const { code } = await alice.home.net(["bus", "publish"], { stdin: published(from) });
      if (code === 0) acknowledged.push(...Array.from({ length: EVENTS }, (_, i) => from + i));
    }
  };
  const again = async (node: TestNode, flags: readonly string[], during: Promise<void>) => {
    await new Promise((resolve) => setTimeout(resolve, 400 + 150 * (next / EVENTS)));
    await node.kill("SIGKILL");
    const started = await workspace.startNode({ home: node.home, flags });
    await during;
    return started;
  };
  for (let round = 0; round < 2; round++) {
    bob = await again(bob, feed.bobFlags, publishSome());
    alice = await again(alice, feed.aliceFlags, publishSome());
  }
  await publishSome();
  const seen = await waitFor("all that was acknowledged is there", async () => {
    const numbers = await numbersIn(bob.home);
    const there = new Set(numbers);
    return acknowledged.every((number) => there.has(number)) && numbers;
  });
  assert.ok(acknowledged.length >= EVENTS * CALLS, String(acknowledged.length));
  assert.equal(new Set(seen).size, seen.length, "none is there twice");
  assert.ok(seen.every((number) => number < next));
});
