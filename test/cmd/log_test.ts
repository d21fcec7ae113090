/** The log verbs against a pretended node. */
import assert from "node:assert/strict";
import type { CheckLogsOptions } from "../../cmd/doors.ts";
import { sinceFlag } from "../../cmd/log_common.ts";
import { logTable, statText } from "../../cmd/log_ls.ts";
import { NetError } from "../../src/base/mod.ts";
import { type Answers, type Call, runInMemory } from "./_harness.ts";

const LOG = {
  channel: "app/orders",
  kept: "disk",
  events: 1_200,
  first_seq: 34,
  next_seq: 1_234,
  persisted_seq: 1_200,
  bytes: 65_536,
  generation: 2,
  damaged: 0,
  fsync: "interval:1s",
  retention: { events_max: 1_200, bytes_max: null, age_max_ms: 86_400_000 },
  own_rules: true,
  failure: null,
};

const EVENTS = [
  { kind: "lag", from: 0, to: 4, reason: "retention" },
  { kind: "event", seq: 5, time: "2026-01-01T00:00:00.000000001Z", text: "a\x1b[2Jb" },
  { kind: "event", seq: 6, time: "2026-01-01T00:00:00.000000002Z", base64: "/w==" },
];

const reading: Answers = {
  "log.read": (_, report) => {
    report({ reading: true, position: 0 });
    report({ items: EVENTS, persisted_seq: 6 });
    return { channel: "x", events: 2, gone: 5, next_seq: 7 };
  },
};

/** A node that takes every append. */
function appending() {
  let next = 0;
  return {
    "log.append": ({ events }: Call["params"]) => {
      const count = (events as string[]).length;
      next += count;
      return {
        count,
        first: next - count,
        last: next - 1,
        next_seq: next,
        persisted_seq: 0,
        token: `00000000000000ab:${next - 1}`,
      };
    },
  };
}

const decode = ({ params }: Call) =>
  (params.events as string[]).map((event) =>
    new TextDecoder().decode(Uint8Array.fromBase64(event))
  );

Deno.test("net log append takes a text, lines, the whole input, lengths and hex", async () => {
  const run = async (args: string, stdin = "") => {
    const result = await runInMemory(["log", "append", "app/x", ...args.split(" ")], {
      node: appending(),
      stdin,
    });
    assert.equal(result.code, 0, result.stderr);
    return { ...result, events: result.calls.map(decode) };
  };
  const one = await run("hello");
  assert.deepEqual([one.stdout, one.events], ["appended event 0 to app/x\n", [["hello"]]]);
  const lines = await run("-", "a\nb\n\nc\n");
  assert.equal(lines.stdout, "appended 4 events to app/x: 0 to 3\n");
  assert.deepEqual(lines.events, [["a", "b", "", "c"]]);
  assert.deepEqual((await run("- --batch 2", "a\nb\nc")).events, [["a", "b"], ["c"]]);
  assert.deepEqual((await run("- --whole", "a\nb\n")).events, [["a\nb\n"]]);
  assert.deepEqual((await run("- --raw", "\0\0\0\x02hi\0\0\0\0")).events, [["hi"], [""]]);
  assert.deepEqual((await run("- --hex", "6869\n")).events, [["hi"]]);
  assert.equal((await run("hello --token")).stdout, "00000000000000ab:0\n");
  const expecting = await run("- --expect 0 --durable --batch 1", "a\nb");
  assert.deepEqual(expecting.calls.map(({ params }) => [params.expected, params.durable]), [
    [0, true],
    [1, true],
  ]);
  const json = JSON.parse((await run("hello --json")).stdout);
  assert.deepEqual([json.schema, json.first, json.last, json.token], [
    "net.log.append.v1",
    0,
    0,
    "00000000000000ab:0",
  ]);
  assert.equal((await run("-")).stdout, "nothing to append\n");
});

Deno.test("net log append says how far it came", async () => {
  let calls = 0;
  const { "log.append": append } = appending();
  const node: Answers = {
    "log.append": (params) => {
      if (++calls === 2) throw new NetError("no_space", "Cannot append: no space left");
      return append(params);
    },
  };
  const { code, stdout, stderr } = await runInMemory(["log", "append", "a", "--batch", "1"], {
    node,
    stdin: "x\ny\n",
  });
  assert.equal(code, 12);
  assert.equal(stdout, "");
  assert.match(stderr, /^appended event 0 to a, then it ended\n/);
  calls = 0;
  const json = await runInMemory(["log", "append", "a", "--batch", "1", "--json"], {
    node,
    stdin: "x\ny\n",
  });
  assert.equal(json.code, 12);
  const taken = JSON.parse(json.stdout);
  assert.deepEqual([taken.count, taken.complete], [1, false]);
});

Deno.test("net log append and read work on the data folder, tail needs a node", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const place = ["--data-dir", folder];
    const append = await runInMemory(["log", "append", "a", "x", ...place], {
      standalone: appending(),
    });
    assert.deepEqual([append.code, append.openCount], [0, 0]);
    const empty = await runInMemory(["log", "read", "a", ...place], { standalone: reading });
    assert.equal(empty.code, 4);
    assert.match(empty.stderr, /Cannot find logs: there are none in/);
    await Deno.writeTextFile(`${folder}/identity.key`, "");
    const read = await runInMemory(["log", "read", "a", ...place], { standalone: reading });
    assert.equal(read.code, 0);
    const tail = await runInMemory(["log", "tail", "a", ...place], { standalone: reading });
    assert.equal(tail.code, 6);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("net log read prints lines, hex, bytes behind lengths and documents", async () => {
  const run = (...args: string[]) => runInMemory(["log", "read", "x", ...args], { node: reading });
  const plain = await run();
  assert.equal(plain.stdout, "a\x1b[2Jb\nbase64:/w==\n");
  assert.match(plain.stderr, /events 0 to 4 of x are gone: forgotten/);
  assert.deepEqual(plain.calls[0]?.params, {
    channel: "x",
    from: "start",
    to: undefined,
    limit: undefined,
    where: undefined,
    follow: false,
  });
  assert.equal((await run("--hex")).stdout, "611b5b324a62\nff\n");
  assert.equal((await run("--text")).stdout, "a\x1b[2Jb\n\ufffd\n");
  assert.match((await run("--meta")).stdout, /^5\t2026-01-01T00:00:00\.000000001Z\ta/);
  assert.equal((await run("--raw")).stdout, "\0\0\0\x06a\x1b[2Jb\0\0\0\x01\ufffd");
  const shown = await runInMemory(["log", "read", "x"], { node: reading, isTerminal: true });
  assert.ok(!shown.stdout.includes("\x1b"), "nothing that could steer a terminal");
  const documents = (await run("--json")).stdout.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.deepEqual(documents, [
    { schema: "net.log.read.v1", channel: "x", ...EVENTS[0] },
    { schema: "net.log.read.v1", channel: "x", persisted: true, ...EVENTS[1] },
    { schema: "net.log.read.v1", channel: "x", persisted: false, ...EVENTS[2] },
  ]);
  assert.equal((await run("--hex", "--text")).code, 2);
  assert.equal((await run("--json", "--raw")).code, 2);
});

Deno.test("net log read and tail begin where they are told to", async () => {
  const from = async (verb: string, ...args: string[]) => {
    const { calls, code } = await runInMemory(["log", verb, "x", ...args], { node: reading });
    return code === 0 ? calls.at(-1)?.params.from : code;
  };
  assert.equal(await from("tail"), "end");
  assert.equal(await from("tail", "--from", "start"), "start");
  assert.equal(await from("read", "--from", "12"), 12);
  assert.deepEqual(await from("tail", "--last", "3"), { last: 3 });
  assert.deepEqual(await from("read", "--since", "2026-01-01T00:00:00Z"), {
    since_ms: Date.UTC(2026, 0, 1),
  });
  assert.equal(await from("read", "--from", "x"), 2);
  assert.equal(await from("read", "--last", "3", "--from", "1"), 2);
  assert.equal(sinceFlag("10m", 1_000_000), 400_000);
  assert.throws(() => sinceFlag("yesterday"), /must be a time or a duration/);
});

Deno.test("net log tail --wait waits for a log, and misses none of it", async () => {
  let looks = 0;
  const node: Answers = {
    ...reading,
    "log.stat": () => {
      if (++looks < 3) throw new NetError("not_found", "not yet");
      return LOG;
    },
  };
  const { calls, code } = await runInMemory(["log", "tail", "x", "--wait", "5s"], { node });
  assert.equal(code, 0);
  assert.deepEqual(calls.map(({ method }) => method), [
    "log.stat",
    "log.stat",
    "log.stat",
    "log.read",
  ]);
  assert.equal(calls.at(-1)?.params.from, "start");
});

Deno.test("net log joins events that come in pieces", async () => {
  const node: Answers = {
    "log.read": (_, report) => {
      const head = { kind: "event", seq: 1, time: "t" };
      report({ items: [{ ...head, base64: btoa("hello "), more: true }], persisted_seq: 2 });
      report({ items: [{ ...head, base64: btoa("world"), more: false }], persisted_seq: 2 });
      return { events: 1 };
    },
  };
  const { stdout } = await runInMemory(["log", "read", "x"], { node });
  assert.equal(stdout, "hello world\n");
});

Deno.test("net log ls and stat show logs", async () => {
  const node: Answers = {
    "log.ls": ({ after }) =>
      after === undefined ? { logs: [LOG], next: "x" } : { logs: [], next: "x" },
    "log.stat": LOG,
  };
  const ls = await runInMemory(["log", "ls", "app/"], { node });
  assert.equal(
    ls.stdout,
    "LOG         ON    EVENTS  FIRST  NEXT      SIZE  FSYNC        KEEPS                 STATE\n" +
      "app/orders  disk   1,200     34  1234  64.0 KiB  interval:1s  1200 events, 1 d 0 h  ok\n",
  );
  assert.equal(ls.calls[0]?.params.prefix, "app/");
  assert.equal(logTable([]), "no logs");
  const stat = await runInMemory(["log", "stat", "app/orders"], { node });
  assert.match(stat.stdout, /^on device {3}below 1200, 34 to go$/m);
  assert.match(statText({ ...LOG, damaged: 2 }), /state +2 damaged/);
});

Deno.test("net log create, rm, verify and compact pass on what they are told", async () => {
  const node: Answers = {
    "log.create": LOG,
    "log.remove": { removed: "a" },
    "log.verify": { ...LOG, read_events: 10, read_bytes: 300, damaged_ranges: [], intact: true },
    "log.compact": { ...LOG, swept_events: 4, bytes_before: 131_072 },
  };
  const line = "log create a --fsync every:5 --keep events:10,age:7d --memory";
  const created = await runInMemory(line.split(" "), { node });
  assert.deepEqual(created.calls[0]?.params, {
    channel: "a",
    fsync: { kind: "every-n", records: 5 },
    retention: { events_max: 10, bytes_max: undefined, age_max_ms: 604_800_000 },
    volatile: true,
  });
  for (const wrong of ["--fsync sometimes", "--keep 5"]) {
    const { code } = await runInMemory(["log", "create", "a", ...wrong.split(" ")], { node });
    assert.equal(code, 2, wrong);
  }
  assert.equal((await runInMemory(["log", "rm", "a"], { node })).stdout, "removed a\n");
  const verified = await runInMemory(["log", "verify", "a"], { node });
  assert.equal(verified.stdout, "app/orders: 10 events, 300 B, all intact\n");
  const compacted = await runInMemory(["log", "compact", "a"], { node });
  assert.equal(
    compacted.stdout,
    "app/orders: forgot 4 events, 128.0 KiB before, 64.0 KiB now\n",
  );
  const ranges = [{ from: 3, to: 3 }, { from: 7, to: 9 }];
  const damaged = await runInMemory(["log", "verify", "a"], {
    node: {
      "log.verify": {
        ...LOG,
        damaged: 4,
        read_events: 6,
        read_bytes: 300,
        damaged_ranges: ranges,
        intact: false,
      },
    },
  });
  assert.equal(damaged.code, 9);
  assert.match(damaged.stdout, /4 damaged: 3, 7 to 9$/m);
});

const FOLDER = {
  folder: "/x/a",
  sound: false,
  manifest_sound: true,
  events: 99,
  bytes: 2_048,
  damaged: 1,
  damaged_events: [{ seq: "5" }],
  cut: 2,
  torn_bytes: 3,
  times: "complete",
  leftovers: ["v0000000001"],
};
const FAULTS = "1 damaged (5); 2 not written whole; 3 B torn at the end; " +
  "left over by a crash: v0000000001";

Deno.test("net log repair says what it took out, and where that is", async () => {
  const node: Answers = {
    "log.repair": {
      channel: "a",
      before: FOLDER,
      after: { ...FOLDER, sound: true },
      taken: "/x/a/@taken/1",
    },
  };
  const { code, stdout, calls } = await runInMemory(["log", "repair", "a"], { node });
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `a: 99 events, 2.0 KiB, repaired: ${FAULTS}\ncopies of it are in /x/a/@taken/1\n`,
  );
  assert.deepEqual(calls[0]?.params, { channel: "a", keep_taken: true });
  const discarding = await runInMemory(["log", "repair", "a", "--discard"], { node });
  assert.equal(discarding.calls[0]?.params.keep_taken, false);
});

Deno.test("net log verify and repair --folder look at folders without a node", async () => {
  const folders: [string, boolean, boolean][] = [];
  const doors = {
    checkLogs: (folder: string, { isRepairing, isKeepingTaken, onChecked }: CheckLogsOptions) => {
      folders.push([folder, isRepairing, isKeepingTaken]);
      onChecked({ channel: "a", ...FOLDER, before: null, taken: null });
      onChecked({ channel: "", ...FOLDER, sound: true, before: null, taken: null });
      return Promise.resolve();
    },
  };
  const options = { doors, cwd: "/srv" };
  const verified = await runInMemory(["log", "verify", "--folder", "logs"], options);
  assert.equal(verified.code, 9);
  assert.equal(
    verified.stdout,
    `a: 99 events, 2.0 KiB, ${FAULTS}\n/srv/logs: 99 events, 2.0 KiB, sound\n`,
  );
  const json = await runInMemory(["log", "repair", "--folder", "/l", "--json"], options);
  assert.deepEqual(json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).schema), [
    "net.log.repair.v1",
    "net.log.repair.v1",
  ]);
  assert.deepEqual(folders, [["/srv/logs", false, false], ["/l", true, true]]);
  for (const args of [["verify"], ["repair"], ["verify", "a", "--folder", "b"]]) {
    assert.equal((await runInMemory(["log", ...args], options)).code, 2, args.join(" "));
  }
});

Deno.test("__complete proposes logs of the running node", async () => {
  const node = { "log.ls": { logs: [LOG, { ...LOG, channel: "zoo" }] } };
  const { stdout } = await runInMemory(["__complete", "log", "tail", "app"], { node });
  assert.match(stdout, /^app\/orders\t/);
  assert.ok(!stdout.includes("zoo"));
});
