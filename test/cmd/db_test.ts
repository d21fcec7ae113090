/** The db verbs against a pretended node. */
import assert from "node:assert/strict";
import { treeText } from "../../cmd/db_workflow.ts";
import { NetError } from "../../src/base/mod.ts";
import { type Answers, runInMemory } from "./_harness.ts";

const TOKEN = "00000000000000ab:4";
const TASK = {
  id: "7",
  title: "buy\x1b milk",
  status: "pending",
  created: "2026-01-01T00:00:00.000000001Z",
  updated: "2026-01-02T00:00:00.000000001Z",
};
const MEMORY = {
  id: "3",
  content: "line one\nline two",
  tags: ["home", "keys"],
  source: "cli",
  pinned: true,
  created: TASK.created,
  updated: TASK.updated,
};
const STEP = {
  id: "12",
  status: "running",
  step: 2,
  attempts: 1,
  cancel_requested: true,
  parent: "2",
  children: [],
};

const listing = (method: string, ...rows: object[]): Answers => ({
  [method]: (_, report) => {
    report({ rows });
    return { total: rows.length + 1, shown: rows.length };
  },
});

Deno.test("net db tasks add takes a title, titles and JSON lines", async () => {
  let next = 1;
  const node: Answers = {
    "db.tasks.add": ({ rows }) => {
      const ids = (rows as { id?: string }[]).map(({ id }) => String(id ?? next++));
      return { ids, count: ids.length, seq: 4, token: TOKEN };
    },
  };
  const one = await runInMemory(["db", "tasks", "add", "milk", "--id", "007"], { node });
  assert.equal(one.stdout, "added task 7\n", one.stderr);
  assert.deepEqual(one.calls[0]?.params.rows, [{ id: "7", title: "milk" }]);
  const token = await runInMemory(["db", "tasks", "add", "milk", "--token", "--durable"], { node });
  assert.equal(token.stdout, `${TOKEN}\n`);
  assert.equal(token.calls[0]?.params.durable, true);
  const stdin = 'one\n\n{"id":"9","title":"nine","status":"pending","schema":"x"}\n';
  const many = await runInMemory(["db", "tasks", "add", "-", "--json"], { node, stdin });
  assert.deepEqual(many.calls[0]?.params.rows, [{ title: "one" }, { id: "9", title: "nine" }]);
  assert.deepEqual(JSON.parse(many.stdout), {
    schema: "net.db.tasks.add.v1",
    ids: ["2", "9"],
    count: 2,
    seq: 4,
    token: TOKEN,
  });
  const wrong = await runInMemory(["db", "tasks", "add", "-"], { node, stdin: "a\n{no\n" });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /Cannot read line 2: it is no JSON/);
  assert.equal((await runInMemory(["db", "tasks", "add", "x", "--id", "-1"], { node })).code, 2);
});

Deno.test("net db tasks ls turns flags into conditions, and prints a table, a document or lines", async () => {
  const node = listing("db.tasks.ls", TASK);
  const line = [
    ..."db tasks ls --status pending --since 2026-01-01T00:00:00Z --order id-desc --limit 1".split(
      " ",
    ),
    "--title",
    'a "b"',
    "--where",
    "id>3",
  ];
  const { stdout, stderr, calls } = await runInMemory(line, { node });
  assert.deepEqual(calls[0]?.params, {
    where: ["id>3", 'status="pending"', 'title~"a \\"b\\""', "created>=2026-01-01T00:00:00.000Z"],
    order: "id-desc",
    limit: 1,
  });
  assert.equal(
    stdout,
    "ID  STATUS   UPDATED               TITLE\n 7  pending  2026-01-02T00:00:00Z  buy milk\n",
  );
  assert.match(stderr, /^1 more; see them with a larger --limit$/m);
  const json = await runInMemory(["db", "tasks", "ls", "--json"], { node });
  assert.deepEqual(JSON.parse(json.stdout), {
    schema: "net.db.tasks.ls.v1",
    tasks: [TASK],
    total: 2,
  });
  const lines = await runInMemory(["db", "tasks", "ls", "--lines"], { node });
  assert.deepEqual(JSON.parse(lines.stdout), { schema: "net.db.task.v1", ...TASK });
  const waiting = ["db", "tasks", "ls", "--after", TOKEN, "--timeout", "2s"];
  const after = await runInMemory(waiting, { node });
  assert.deepEqual([after.calls[0]?.params.after, after.calls[0]?.params.timeout_ms], [
    TOKEN,
    2_000,
  ]);
});

Deno.test("net db tasks rename, done, rm, show and watch", async () => {
  const written = { row: { ...TASK, status: "completed" }, seq: 4, count: 1, token: TOKEN };
  const node: Answers = {
    "db.tasks.rename": written,
    "db.tasks.done": written,
    "db.tasks.rm": { removed: TASK, seq: 5, count: 1, token: TOKEN },
    "db.tasks.show": TASK,
    "db.tasks.watch": (_, report) => {
      report({ changes: [{ change: "came", ...TASK }] });
      report({ watching: true, rows: 1 });
      report({ changes: [{ change: "went", ...TASK }] });
      return { told: 2 };
    },
  };
  const run = async (...args: string[]) =>
    (await runInMemory(["db", "tasks", ...args], { node })).stdout;
  assert.equal(await run("rename", "7", "x"), "task 7 is completed: buy milk\n");
  assert.equal(await run("done", "7"), "task 7 is completed: buy milk\n");
  assert.equal(await run("complete", "7", "--token"), `${TOKEN}\n`);
  assert.equal(await run("rm", "7"), "removed task 7  pending  buy milk\n");
  assert.match(await run("show", "7"), /^title {4}buy milk$/m);
  const watched = await runInMemory(["db", "tasks", "watch", "--limit", "2"], { node });
  assert.equal(watched.stdout, "came     7  pending  buy milk\nwent     7  pending  buy milk\n");
  assert.match(watched.stderr, /^1 now, waiting for changes$/m);
  const missing: Answers = {
    "db.tasks.done": () => {
      throw new NetError("not_found", "Cannot find task 9", { next: "look" });
    },
  };
  assert.equal((await runInMemory(["db", "tasks", "done", "9"], { node: missing })).code, 4);
});

Deno.test("net db memories store, retag, ls and show", async () => {
  const node: Answers = {
    ...listing("db.memories.ls", MEMORY),
    "db.memories.store": { ids: ["3"], count: 1, seq: 4, token: TOKEN },
    "db.memories.retag": { row: MEMORY, token: TOKEN },
    "db.memories.show": MEMORY,
  };
  const stored = await runInMemory(
    "db memories store hello --tag a --tag b".split(" "),
    { node },
  );
  assert.equal(stored.stdout, "stored memory 3\n");
  assert.deepEqual(stored.calls[0]?.params.rows, [
    { content: "hello", tags: ["a", "b"], source: "cli" },
  ]);
  const retagged = await runInMemory("db memories retag 3 x y".split(" "), { node });
  assert.deepEqual(retagged.calls[0]?.params, { id: "3", tags: ["x", "y"], durable: undefined });
  assert.equal((await runInMemory("db memories retag x y".split(" "), { node })).code, 2);
  const line = "db memories ls --tag a --tag b --any-tag c --any-tag d --unpinned --text k";
  const listed = await runInMemory(line.split(" "), { node });
  assert.deepEqual(listed.calls[0]?.params.where, [
    'content~"k"',
    'tag="a"',
    'tag="b"',
    'tag="c" || tag="d"',
    "!pinned",
  ]);
  assert.match(
    listed.stdout,
    / 3 {2}pin {2}2026-01-02T00:00:00Z {2}home,keys {2}line one line two$/m,
  );
  const shown = await runInMemory("db memories show 3".split(" "), { node });
  assert.match(shown.stdout, /\n\nline one\nline two\n$/);
});

Deno.test("net db memories store reads a file, and nothing that is too long", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/a`, "from a file");
    await Deno.writeTextFile(`${folder}/b`, "x".repeat(600_000));
    const node = { "db.memories.store": { ids: ["3"], count: 1, seq: 4, token: TOKEN } };
    const store = (file: string) =>
      runInMemory(["db", "memories", "store", `@${file}`, "--source", "s"], { node, cwd: folder });
    assert.deepEqual((await store("a")).calls[0]?.params.rows, [
      { content: "from a file", tags: [], source: "s" },
    ]);
    assert.equal((await store("b")).code, 12);
    assert.equal((await store("c")).code, 4);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("net db workflow passes on what it is told, and draws trees", async () => {
  const words = ["start", "wait", "block", "complete", "fail", "retry", "advance", "cancel"];
  const written = { row: STEP, seq: 1, count: 1, token: TOKEN };
  const node: Answers = {
    ...Object.fromEntries(words.map((word) => [`db.workflow.${word}`, written])),
    ...listing("db.workflow.ls", STEP),
    "db.workflow.submit": written,
    "db.workflow.link": written,
    "db.workflow.rm": { removed: STEP, tasks: 3, token: TOKEN },
    "db.workflow.counts": { counts: { running: 1_200, done: 3 }, total: 1_203 },
  };
  for (const word of words) {
    const { stdout, calls } = await runInMemory(["db", "workflow", word, "12"], { node });
    assert.equal(stdout, "workflow task 12  running  step 2  attempt 1  asked to stop\n", word);
    assert.deepEqual(calls[0]?.params, { id: "12", durable: undefined });
  }
  const submitted = await runInMemory("db workflow submit --parent 2".split(" "), { node });
  assert.deepEqual([submitted.calls[0]?.params.id, submitted.calls[0]?.params.parent], [
    undefined,
    "2",
  ]);
  const listed = await runInMemory(
    "db workflow ls --open --status failed --status blocked --within 7 --parent 2".split(" "),
    { node },
  );
  assert.deepEqual([listed.calls[0]?.params.where, listed.calls[0]?.params.within], [
    ['status="failed" || status="blocked"', "!terminal", "parent=2"],
    "7",
  ]);
  const removed = await runInMemory("db workflow rm 12".split(" "), { node });
  assert.equal(removed.stdout, "removed workflow task 12 and all below it: 3\n");
  const counted = await runInMemory("db workflow counts".split(" "), { node });
  assert.equal(counted.stdout, "running  1,200\ndone         3\nall      1,203\n");
  const rows = [
    { ...STEP, id: "1", children: ["2", "50"], cancel_requested: false },
    { ...STEP, id: "2", children: ["1"], cancel_requested: false },
    { id: "50", status: null },
  ];
  assert.equal(
    treeText({ rows, omitted: 0 }),
    "1  running  step 2  attempt 1\n├ 2  running  step 2  attempt 1\n│ └ 1  …\n└ 50  not submitted",
  );
});

Deno.test("net db snapshot goes through files, or through a private one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const node: Answers = {
      "db.snapshot.save": async ({ path }) => {
        await Deno.writeTextFile(String(path), "bundle");
        return { path, bytes: 6 };
      },
      "db.snapshot.load": async ({ path, replace }) => ({
        path,
        bytes: (await Deno.readFile(String(path))).length,
        parts: [{ name: "tasks", events: 1_000 }],
        ignored: replace ? ["netdb/x"] : [],
      }),
    };
    const options = { node, cwd: folder };
    const saved = await runInMemory("db snapshot save s".split(" "), options);
    assert.equal(saved.stdout, `${folder}/s\n`);
    const streamed = await runInMemory("db snapshot save -".split(" "), options);
    assert.equal(streamed.stdout, "bundle");
    const both = await runInMemory("db snapshot save - --json".split(" "), options);
    assert.equal(both.code, 2);
    const loaded = await runInMemory("db snapshot load s --force".split(" "), options);
    assert.equal(loaded.stdout, "loaded 6 B: tasks 1,000 events\n");
    assert.match(loaded.stderr, /left out, not known here: netdb\/x/);
    const piped = await runInMemory("db snapshot load -".split(" "), {
      ...options,
      stdin: "12345",
    });
    assert.equal(piped.stdout, "loaded 5 B: tasks 1,000 events\n");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["s"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("net db works on the data folder; watching needs a node", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const place = ["--data-dir", folder];
    const standalone = {
      ...listing("db.tasks.ls", TASK),
      "db.tasks.add": { ids: ["1"], count: 1, seq: 0, token: TOKEN },
    };
    const added = await runInMemory(["db", "tasks", "add", "x", ...place], { standalone });
    assert.deepEqual([added.code, added.openCount], [0, 0]);
    const empty = await runInMemory(["db", "tasks", "ls", ...place], { standalone });
    assert.equal(empty.code, 4, "nothing to read where no node ever was");
    const watched = await runInMemory(["db", "tasks", "watch", ...place], { standalone });
    assert.equal(watched.code, 6);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("__complete proposes ids of rows of the running node", async () => {
  const node = listing("db.tasks.ls", { ...TASK, id: "71" }, { ...TASK, id: "8" });
  const { stdout, openCount } = await runInMemory(["__complete", "db", "tasks", "done", "7"], {
    node,
  });
  assert.match(stdout, /^71\t/);
  assert.ok(!stdout.includes("8\t"));
  assert.equal(openCount, 0);
  const without = await runInMemory(["__complete", "db", "workflow", "show", ""]);
  assert.deepEqual([without.code, without.stdout], [0, ""]);
});
