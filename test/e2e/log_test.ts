/** Logs, the bus and the database, as people and scripts use them. */
import assert from "node:assert/strict";
import { assertFails, makeWorkspace, type TestNode, waitFor, type Workspace } from "./harness.ts";
import { describe, type RunningProgram, spawnProgram } from "./program.ts";

const UDP = ["--udp", "127.0.0.1:0"];

/** Starts a verb that prints until it is stopped, and waits until it has told that it does. */
async function startReader(
  workspace: Workspace,
  { home }: TestNode,
  args: readonly string[],
  isReady: (program: RunningProgram) => boolean,
): Promise<RunningProgram> {
  const program = spawnProgram(args, { env: home.env, cwd: `${home.dir}/cwd` });
  workspace.defer(async () => {
    program.kill("SIGKILL");
    await program.finished();
  });
  await waitFor(`net ${args.join(" ")} reads`, () => {
    assert.ok(program.isAlive(), program.stderr());
    return isReady(program);
  });
  return program;
}

const documents = (text: string) =>
  text.trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);

Deno.test("log: appended, read and tailed by other processes, over kill -9 of the node", async (t) => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: UDP });
  const { home } = node;
  const append = async (...args: string[]) => {
    const result = await home.net(["log", "append", "app/orders", ...args]);
    assert.equal(result.code, 0, describe(result));
    return result.stdout;
  };
  assert.equal(await append('{"total":12}'), "appended event 0 to app/orders\n");
  const tail = await startReader(
    workspace,
    node,
    ["log", "tail", "app/orders", "--from", "start", "--limit", "4"],
    (program) => program.stdout().includes("12"),
  );
  await t.step("lines, durable, and a live tail", async () => {
    const lines = await home.net(["log", "append", "app/orders", "--durable"], {
      stdin: '{"total":7}\n{"total":30}\n',
    });
    assert.equal(lines.stdout, "appended 2 events to app/orders: 1 to 2\n", describe(lines));
    await append("no json");
    assert.equal((await tail.finished()).code, 0);
    assert.equal(tail.stdout(), '{"total":12}\n{"total":7}\n{"total":30}\nno json\n');
  });
  await t.step("conditions, numbers and forms", async () => {
    const read = async (...args: string[]) =>
      (await home.net(["log", "read", "app/orders", ...args])).stdout;
    assert.equal(await read("--where", "total>=10"), '{"total":12}\n{"total":30}\n');
    assert.equal(await read("--from", "3", "--hex"), "6e6f206a736f6e\n");
    const [last] = documents(await read("--last", "1", "--json"));
    assert.deepEqual([last?.schema, last?.seq, last?.text], ["net.log.read.v1", 3, "no json"]);
  });
  await t.step("what was appended is there after kill -9", async () => {
    const status = await node.kill("SIGKILL");
    assert.equal(status.signal, "SIGKILL");
    const again = await workspace.startNode({ home, flags: UDP });
    const read = await home.net(["log", "read", "app/orders"]);
    assert.equal(read.stdout, '{"total":12}\n{"total":7}\n{"total":30}\nno json\n');
    assert.equal(await append("--expect", "4", "next"), "appended event 4 to app/orders\n");
    assertFails(
      await home.net(["log", "append", "app/orders", "x", "--expect", "4"]),
      1,
      "conflict",
    );
    const verified = await home.net(["log", "verify", "app/orders"]);
    assert.match(verified.stdout, /5 events, .*, all intact$/m);
    await again.kill("SIGTERM");
  });
  await t.step("and without a node", async () => {
    // Named, so that a node of somebody else on this machine is not taken for this one.
    const place = ["--data-dir", home.dataDir];
    assert.equal(await append("alone", ...place), "appended event 5 to app/orders\n");
    const list = await home.json(["log", "ls", ...place]);
    const [row] = list.logs as Record<string, unknown>[];
    assert.deepEqual([row?.channel, row?.next_seq, row?.persisted_seq], ["app/orders", 6, 6]);
    assertFails(await home.net(["log", "tail", "app/orders", ...place]), 6, "not_running");
    assertFails(await home.net(["log", "read", "nope", ...place]), 4, "not_found");
  });
});

Deno.test("log: what an append has told of is there when the node is killed in the middle", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: UDP });
  const { home } = node;
  const lines = Array.from({ length: 500_000 }, (_, i) => `line ${i}`);
  const append = spawnProgram(["log", "append", "a"], {
    env: home.env,
    cwd: `${home.dir}/cwd`,
    stdin: lines.join("\n"),
  });
  await waitFor("some of it is appended", async () => {
    const { logs } = await node.call("log.ls");
    return ((logs as { next_seq: number }[])[0]?.next_seq ?? 0) > 0;
  });
  await node.kill("SIGKILL");
  assert.equal((await append.finished()).code, 6, append.stderr());
  const [, last] = /: 0 to (\d+), then it ended$/m.exec(append.stderr()) ?? [];
  const told = last === undefined ? 0 : Number(last) + 1;
  await workspace.startNode({ home, flags: UDP });
  const kept = (await home.net(["log", "read", "a"])).stdout.trimEnd().split("\n");
  assert.ok(kept.length >= told, `${told} told of, ${kept.length} kept`);
  assert.deepEqual(kept, lines.slice(0, kept.length), "in order, and nothing else");
});

Deno.test("log: who may not publish on a channel may not use its log", async () => {
  await using workspace = await makeWorkspace();
  const { home } = await workspace.startNode({ flags: UDP });
  await home.net(["identity", "new", "owner"]);
  await home.net(["channel", "create", "vault/keys", "--root", "owner"]);
  const refused = assertFails(
    await home.net(["log", "append", "vault/keys", "x"]),
    5,
    "not_allowed",
  );
  assert.match(refused, /Cannot use log "vault\/keys": .*demands a token/);
  const own = (await home.net(["identity", "show", "--entity"])).stdout.trim();
  await home.net(["channel", "create", "vault/keys", "--root", own]);
  const allowed = await home.net(["log", "append", "vault/keys", "x"]);
  assert.equal(allowed.code, 0, describe(allowed));
});

Deno.test("log: a tail survives retention and compaction, and tells what it took", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: [...UDP, "--log-segment", "64K"] });
  const { home } = node;
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `${from + i} ${"x".repeat(200)}`).join("\n");
  const run = async (args: readonly string[], stdin?: string) => {
    const result = await home.net(args, { stdin });
    assert.equal(result.code, 0, describe(result));
    return result;
  };
  await run(["log", "append", "logs/app"], lines(0, 1_000));
  await run(["log", "create", "logs/app", "--keep", "events:100"]);
  const tail = await startReader(
    workspace,
    node,
    ["log", "tail", "logs/app", "--last", "1", "--json", "--limit", "501"],
    (program) => program.stdout().includes('"seq":999'),
  );
  await run(["log", "append", "logs/app"], lines(1_000, 1_250));
  await run(["log", "compact", "logs/app"]);
  await run(["log", "append", "logs/app"], lines(1_250, 1_500));
  assert.equal((await tail.finished()).code, 0, tail.stderr());
  let next = 999;
  for (const { kind, seq, from, to } of documents(tail.stdout())) {
    assert.equal(kind === "lag" ? from : seq, next, "no silent gap");
    next = Number(kind === "lag" ? to : seq) + 1;
  }
  assert.equal(next, 1_500);
  const gone = await run(["log", "read", "logs/app", "--from", "0", "--limit", "1", "--json"]);
  const [lag] = documents(gone.stdout);
  assert.deepEqual([lag?.kind, lag?.from, lag?.reason], ["lag", 0, "retention"]);
});

Deno.test("a node that stops does not wait for those who follow", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: UDP });
  await node.home.net(["log", "append", "a", "x"]);
  const isTold = (program: RunningProgram) => program.stdout() + program.stderr() !== "";
  const readers = await Promise.all([
    startReader(workspace, node, ["log", "tail", "a", "--last", "1"], isTold),
    startReader(workspace, node, ["db", "tasks", "watch"], isTold),
  ]);
  const before = performance.now();
  assert.equal((await node.kill("SIGTERM")).code, 0);
  assert.ok(
    performance.now() - before < 4_000,
    "it is stopped before the control surface gives up",
  );
  for (const reader of readers) assert.equal((await reader.finished()).code, 6, reader.stderr());
});

Deno.test("log: damage is found, told of, and taken out under a running tail", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: UDP });
  const { home } = node;
  const run = async (code: number, ...args: string[]) => {
    const result = await home.net(["log", ...args], {
      stdin: Array.from({ length: 20 }, (_, i) => `event ${i}`).join("\n"),
    });
    assert.equal(result.code, code, describe(result));
    return result.stdout;
  };
  await run(0, "append", "a");
  await node.kill("SIGTERM");
  const logs = `${home.dataDir}/logs`;
  await run(0, "verify", "--folder", logs);
  using dat = await Deno.open(`${logs}/a/v0000000001/dat`, { write: true });
  await dat.seek(9, Deno.SeekMode.Start);
  await dat.write(new TextEncoder().encode("#"));
  assert.match(await run(9, "verify", "--folder", `${logs}/a`), /1 damaged \(1\)/);
  const again = await workspace.startNode({ home, flags: UDP });
  assert.match(await run(9, "verify", "a"), /19 events, .*, 1 damaged: 1$/m);
  assertFails(await home.net(["log", "repair", "--folder", logs]), 3, "data_dir_locked");
  const tail = await startReader(
    workspace,
    again,
    ["log", "tail", "a", "--from", "start", "--limit", "20"],
    (program) => program.stdout().includes("event 19"),
  );
  assert.match(await run(0, "repair", "a"), /repaired: 1 damaged \(1\)\ncopies of it are in /);
  assert.match(await run(0, "append", "a", "after"), /appended event 20/);
  assert.equal((await tail.finished()).code, 0, tail.stderr());
  assert.match(tail.stdout(), /event 19\nafter\n$/);
  assert.match(tail.stderr(), /event 1 of a is gone: damaged/);
  assert.match(await run(0, "verify", "a"), /20 events, .*, all intact$/m);
});

Deno.test("bus: published, polled with conditions, and gone on with by a cursor file", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: [...UDP, "--bus-shards", "2"] });
  const { home } = node;
  const events = Array.from({ length: 500 }, (_, n) => JSON.stringify({ n, isOdd: n % 2 === 1 }));
  const published = await home.net(["bus", "publish"], { stdin: events.join("\n") });
  assert.equal(published.stdout, "published 500 events, kept by log\n", describe(published));
  const poll = async (...args: string[]) => {
    const result = await home.net(["bus", "poll", "--cursor-file", "cursor", ...args]);
    assert.equal(result.code, 0, describe(result));
    return result.stdout.split("\n").filter((line) => line !== "");
  };
  const odd = await home.net(["bus", "poll", "--where", "isOdd==true && n<10", "--order", "time"]);
  assert.deepEqual(
    odd.stdout.trimEnd().split("\n").map((line) => (JSON.parse(line) as { n: number }).n).sort(),
    [1, 3, 5, 7, 9],
  );
  const first = await poll("--limit", "120");
  assert.equal(first.length, 120);
  const rest = await poll();
  assert.deepEqual([...first, ...rest].sort(), [...events].sort(), "each event once");
  assert.deepEqual(await poll(), []);
  await node.kill("SIGTERM");
  const again = await workspace.startNode({ home, flags: [...UDP, "--bus-shards", "1"] });
  const follower = await startReader(
    workspace,
    again,
    ["bus", "poll", "--cursor-file", "cursor", "--follow", "--limit", "1"],
    () => true,
  );
  await home.net(["bus", "publish", '{"late":true}']);
  assert.equal((await follower.finished()).code, 0, follower.stderr());
  assert.equal(follower.stdout(), '{"late":true}\n');
  const stats = await home.json(["bus", "stats"]);
  assert.deepEqual([stats.engine, stats.ingested, stats.dropped], ["log", 1, 0]);
  assertFails(await home.net(["bus", "publish", "no json"]), 2, "usage");
});

Deno.test("bus: the password of its engine is seen nowhere", async () => {
  await using workspace = await makeWorkspace();
  const secret = "hunter2xyz";
  // Nobody listens there: the node runs, and says so.
  const node = await workspace.startNode({
    flags: [...UDP, "--bus", "redis", "--bus-url", `redis://:${secret}@127.0.0.1:1`],
  });
  const failed = await node.home.net(["bus", "publish", "1"]);
  assert.equal(failed.code, 6, describe(failed));
  const health = await node.call("health.check");
  const commandLine = Deno.build.os === "linux"
    ? await Deno.readTextFile(`/proc/${node.pid}/cmdline`)
    : "";
  const texts = [failed.stderr, JSON.stringify(health), commandLine, node.log()];
  for (const text of texts) assert.ok(!text.includes(secret), text);
});

Deno.test("db: rows, conditions, watching, tokens, and a snapshot on another node", async (t) => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: UDP });
  const { home } = node;
  const net = async (...args: string[]) => {
    const result = await home.net(["db", ...args]);
    assert.equal(result.code, 0, describe(result));
    return result.stdout;
  };
  assert.equal(await net("tasks", "add", "buy milk"), "added task 1\n");
  const watch = await startReader(
    workspace,
    node,
    ["db", "tasks", "watch", "--status", "pending", "--limit", "4"],
    (program) => program.stderr().includes("waiting for changes"),
  );
  await t.step("what was written is read", async () => {
    const token = (await net("tasks", "add", "buy bread", "--token")).trim();
    assert.match(token, /^[0-9a-f]{16}:1$/);
    const shown = await home.json(["db", "tasks", "show", "2", "--after", token]);
    assert.equal(shown.title, "buy bread");
    await net("tasks", "rename", "1", "buy oat milk");
    await net("tasks", "done", "1");
    assert.equal((await watch.finished()).code, 0);
    assert.deepEqual(watch.stdout().trimEnd().split("\n"), [
      "came     1  pending  buy milk",
      "came     2  pending  buy bread",
      "changed  1  pending  buy oat milk",
      "went     1  pending  buy oat milk",
    ]);
    const found = await home.json([
      "db",
      "tasks",
      "ls",
      "--where",
      "title~MILK && status=completed",
    ]);
    assert.deepEqual((found.tasks as { id: string }[]).map(({ id }) => id), ["1"]);
  });
  await t.step("memories and workflows", async () => {
    await net("memories", "store", "the key is under the mat", "--tag", "home");
    await net("memories", "pin", "1");
    assert.match(await net("memories", "ls", "--tag", "home", "--pinned"), /under the mat/);
    await net("workflow", "submit", "7");
    await net("workflow", "submit", "--parent", "7");
    await net("workflow", "complete", "7");
    assertFails(await home.net(["db", "workflow", "start", "7"]), 1, "conflict");
    assert.match(await net("workflow", "tree", "7"), /^7 {2}done.*\n└ 8 {2}submitted/);
  });
  await t.step("the whole of it on another node, which takes new writes", async () => {
    const file = `${home.dir}/cwd/all.netdb`;
    await net("snapshot", "save", file);
    const other = await workspace.startNode({ flags: UDP });
    const load = ["db", "snapshot", "load", file];
    const loaded = await other.home.net(load);
    assert.equal(loaded.code, 0, describe(loaded));
    assertFails(await other.home.net(load), 1, "conflict");
    assert.equal((await other.home.net([...load, "--force"])).code, 0);
    await other.home.net(["db", "tasks", "done", "2"]);
    await other.kill("SIGKILL");
    const place = ["--data-dir", other.home.dataDir];
    const rows = await other.home.json(["db", "tasks", "ls", ...place]);
    assert.deepEqual(
      (rows.tasks as { id: string; status: string }[]).map(({ id, status }) => [id, status]),
      [["1", "completed"], ["2", "completed"]],
      "and is read without it",
    );
    const { counts } = await other.home.json(["db", "workflow", "counts", ...place]);
    assert.deepEqual([(counts as { done: number }).done], [1]);
  });
  await t.step("rows as lines from one database into another", async () => {
    const lines = await net("tasks", "ls", "--lines");
    const third = workspace.makeHome();
    const place = ["--data-dir", third.dataDir];
    const added = await third.net(["db", "tasks", "add", "-", ...place], { stdin: lines });
    assert.equal(added.stdout, "2 tasks added: 1 to 2\n", describe(added));
  });
});
