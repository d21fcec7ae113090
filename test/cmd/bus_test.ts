/** The bus verbs against a pretended node. */
import assert from "node:assert/strict";
import { statsText } from "../../cmd/bus_stats.ts";
import { NetError } from "../../src/base/mod.ts";
import { type Answers, type Call, runInMemory } from "./_harness.ts";

const decode = ({ params }: Call) =>
  (params.events as string[]).map((event) =>
    new TextDecoder().decode(Uint8Array.fromBase64(event))
  );

const EVENTS = [
  { id: "0", shard: 0, insertion_ts: "12", text: '{"a":1}' },
  { id: "0", shard: 1, insertion_ts: "13", base64: "/w==" },
];

const polling: Answers = {
  "bus.poll": async (_, report) => {
    await report({ polling: true });
    await report({ missed: [{ shard: 1, events: 3 }], failed: [{ shard: 2, error: "no" }] });
    await report({ items: EVENTS, cursor: "YQ==" });
    return { events: 2, next: "Yg==", has_more: false };
  },
};

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("net bus publish sends lines, and is done when they are kept", async () => {
  const node: Answers = {
    "bus.publish": ({ events }) => ({
      taken: (events as string[]).length,
      refused: 0,
      engine: "log",
    }),
  };
  const one = await runInMemory(["bus", "publish", '{"a":1}'], { node });
  assert.equal(one.stdout, "published 1 event, kept by log\n", one.stderr);
  assert.deepEqual(one.calls.map(decode), [['{"a":1}'], []]);
  assert.deepEqual(one.calls.map(({ params }) => [params.patient, params.flush]), [
    [true, undefined],
    [undefined, true],
  ]);
  const many = await runInMemory(["bus", "publish", "--drop", "--json"], { node, stdin: "1\n2\n" });
  const document = JSON.parse(many.stdout);
  assert.deepEqual([document.schema, document.events, document.refused, document.engine], [
    "net.bus.publish.v1",
    2,
    0,
    "log",
  ]);
  assert.equal(many.calls[0]?.params.patient, false);
});

Deno.test("net bus publish says which line is no JSON, and publishes those before it", async () => {
  const node: Answers = {
    "bus.publish": ({ events }) => {
      const index = decode({ method: "", params: { events } }).indexOf("bad");
      if (index >= 0) throw new NetError("usage", "no JSON", { data: { event_index: index } });
      return { taken: (events as string[]).length, refused: 0, engine: "log" };
    },
  };
  const { code, stderr, calls } = await runInMemory(["bus", "publish"], {
    node,
    stdin: "1\n2\nbad\n4\n",
  });
  assert.equal(code, 2);
  assert.deepEqual(calls.map(decode), [["1", "2", "bad", "4"], ["1", "2"]]);
  assert.match(stderr, /Cannot publish line 3: it is no JSON/);
  assert.match(stderr, /^2 events were taken by the node; whether they are kept is not known$/m);
});

Deno.test("net bus publish says which line is too large for a call, and publishes those before it", async () => {
  const node: Answers = {
    "bus.publish": ({ events }) => ({
      taken: (events as string[]).length,
      refused: 0,
      engine: "log",
    }),
  };
  const line = `1\n"${"x".repeat(800_000)}"\n3\n`;
  const { code, stderr, calls } = await runInMemory(["bus", "publish"], { node, stdin: line });
  assert.equal(code, 12);
  assert.deepEqual(calls.map(decode), [["1"]]);
  assert.match(stderr, /Cannot publish line 2: it has 800,002 bytes, at most 785,408/);
  const fits = `"${"x".repeat(785_406)}"`;
  const done = await runInMemory(["bus", "publish"], { node, stdin: fits });
  assert.equal(done.code, 0, done.stderr);
  const request = JSON.stringify({ ...done.calls[0], id: 1, jsonrpc: "2.0" });
  assert.ok(request.length < 1024 * 1024);
});

Deno.test("net bus publish waits for an engine that is away for a while, not for ever", async () => {
  let flushes = 0;
  const node: Answers = {
    "bus.publish": ({ events, flush }) => {
      if (flush && ++flushes < 3) throw new NetError("unreachable", "Cannot flush");
      return { taken: (events as string[]).length, refused: 0, engine: "redis" };
    },
  };
  const { code, stdout, stderr } = await runInMemory(["bus", "publish", "1"], { node });
  assert.deepEqual([code, stdout, flushes], [0, "published 1 event, kept by redis\n", 3]);
  assert.equal(stderr, "waiting for redis: Cannot flush\n");
  flushes = -9;
  const clock = { now: 0 };
  const late = await runInMemory(["bus", "publish", "1"], { node, now: () => clock.now += 30_000 });
  assert.equal(late.code, 6);
});

Deno.test("net bus poll prints lines or documents, what is gone, and where to go on", async () => {
  const line = "bus poll --where a==1 --limit 5 --order time --shard 0 --shard 1".split(" ");
  const plain = await runInMemory(line, { node: polling });
  assert.equal(plain.code, 0);
  assert.equal(plain.stdout, '{"a":1}\nbase64:/w==\n');
  assert.match(plain.stderr, /3 events are gone from shard 1/);
  assert.match(plain.stderr, /shard 2 gives nothing: no/);
  assert.match(plain.stderr, /go on with --cursor Yg==$/m);
  assert.deepEqual(plain.calls[0]?.params, {
    cursor: undefined,
    limit: 5,
    where: "a==1",
    order: "insertion_ts",
    shards: [0, 1],
    follow: false,
  });
  const json = await runInMemory(["bus", "poll", "--json"], { node: polling });
  assert.deepEqual(json.stdout.trimEnd().split("\n").map((text) => JSON.parse(text)), [
    { schema: "net.bus.poll.v1", kind: "lag", shard: 1, events: 3 },
    { schema: "net.bus.poll.v1", kind: "event", ...EVENTS[0] },
    { schema: "net.bus.poll.v1", kind: "event", ...EVENTS[1] },
    { schema: "net.bus.poll.v1", kind: "cursor", cursor: "Yg==", has_more: false },
  ]);
});

Deno.test("net bus poll --cursor-file goes on where it ended", () =>
  withFolder(async (folder) => {
    const line = ["bus", "poll", "--cursor-file", "c"];
    const first = await runInMemory(line, { node: polling, cwd: folder });
    assert.equal(first.calls[0]?.params.cursor, undefined);
    assert.equal(await Deno.readTextFile(`${folder}/c`), "Yg==\n");
    assert.ok(!first.stderr.includes("--cursor"));
    const second = await runInMemory(line, { node: polling, cwd: folder });
    assert.equal(second.calls[0]?.params.cursor, "Yg==");
    const failing: Answers = {
      "bus.poll": async (_, report) => {
        await report({ items: EVENTS, cursor: "Yw==" });
        throw new NetError("unreachable", "the node is gone");
      },
    };
    const cut = await runInMemory(line, { node: failing, cwd: folder });
    assert.equal(cut.code, 6);
    assert.equal(await Deno.readTextFile(`${folder}/c`), "Yw==\n", "what was printed counts");
    const both = await runInMemory([...line, "--cursor", "x"], { node: polling, cwd: folder });
    assert.equal(both.code, 2);
    const lost = await runInMemory(["bus", "poll", "--cursor-file", "no/such/c"], {
      node: polling,
      cwd: folder,
    });
    assert.equal(lost.code, 4);
  }));

Deno.test("net bus stats shows what was counted, and what is wrong", async () => {
  const answer = {
    engine: "redis",
    health: { state: "degraded", detail: "Cannot reach the bus engine redis" },
    ingested: 2_000,
    dispatched: 1_500,
    dropped: 0,
    batches: 2,
    refused: 7,
    sampled: 0,
    unrouted: 0,
    shards: [{ shard: 0, state: "active", ingested: 2_000, waiting: 500, batch_target: 1_000 }],
  };
  const { stdout, stderr } = await runInMemory(["bus", "stats"], { node: { "bus.stats": answer } });
  assert.match(stdout, /^engine {7}redis$/m);
  assert.match(stdout, /^refused {6}7$/m);
  assert.ok(!stdout.includes("sampled"));
  assert.match(stdout, /0 {2}active {2}2,000 +0 +500 {3}1,000/);
  assert.match(stderr, /warning: Cannot reach the bus engine redis/);
  assert.ok(!/feeds|fed by|let in/.test(stdout));
  const source = { node: "000000000000000b", listening: true, events: 1_500, repeats: 1 };
  const feed = {
    peer: "000000000000000a",
    is_connected: false,
    accept: ["000000000000000b"],
    events: 1_500,
    not_allowed: 2,
    sources: [source],
  };
  const fed = statsText({ answer: { ...answer, feed }, before: undefined, seconds: 0 });
  assert.match(fed, /^feeds +000000000000000a {2}\(not connected\)$/m);
  assert.match(fed, /^fed by +000000000000000b$/m);
  assert.match(fed, /^not let in +2$/m);
  assert.match(fed, /^000000000000000b {2}feeds {2}1,500 +1 +0 +0$/m);
  const look = { answer, before: { ...answer, ingested: 0 }, seconds: 2 };
  assert.match(statsText(look), /^taken +2,000 {2}\(1,000\/s\)$/m);
});
