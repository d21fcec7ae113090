/** The channel verbs against a pretended node. */
import assert from "node:assert/strict";
import { channelTable } from "../../cmd/channel_ls.ts";
import { statsText } from "../../cmd/channel_stats.ts";
import { NetError } from "../../src/base/mod.ts";
import { runInMemory } from "./_harness.ts";

const CHANNEL = {
  name: "room/lobby",
  prefix: false,
  wire_hash: "2ee8",
  shares_wire_hash_with: ["n52512"],
  visibility: "parent-visible",
  require_token: true,
  roots: [],
  reliable: true,
  rate: 100,
  priority: 7,
  queue_groups: "token-bound",
  publish_tags: [],
  subscribe_tags: ["gpu"],
  bind_origin: false,
  kept: true,
  subscribers: 12,
};

const decode = (events: unknown) =>
  (events as string[]).map((event) => new TextDecoder().decode(Uint8Array.fromBase64(event)));

Deno.test("net channel create passes every flag on, and warns of a channel for nobody", async () => {
  const node = { "channel.create": (params: object) => ({ ...CHANNEL, ...params }) };
  const line = "channel create logs/ --visibility exported --require-token --reliable --rate 5 " +
    "--priority 7 --queue-groups deny --publish-tag a --subscribe-tag b --subscribe-tag c " +
    "--bind-origin";
  const result = await runInMemory(line.split(" "), { node });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stdout, "logs/\n");
  assert.match(result.stderr, /nobody can subscribe/);
  assert.deepEqual(result.calls[0]?.params, {
    name: "logs/",
    prefix: true,
    visibility: "exported",
    require_token: true,
    roots: [],
    reliable: true,
    rate: 5,
    priority: 7,
    queue_groups: "deny",
    publish_tags: ["a"],
    subscribe_tags: ["b", "c"],
    bind_origin: true,
  });
  const wrong = await runInMemory(["channel", "create", "a", "--rate", "-1"], { node });
  assert.equal(wrong.code, 2);
});

Deno.test("net channel publish sends one event, or a line each, and says what became of them", async () => {
  const node = {
    "channel.publish": ({ events }: Record<string, unknown>) => ({
      events: (events as string[]).length,
      attempted: 2 * (events as string[]).length,
      delivered: 2 * (events as string[]).length,
      failed: 0,
      errors: [],
    }),
  };
  const one = await runInMemory(["channel", "publish", "room/a", "hello"], { node });
  assert.equal(one.stdout, "published 1 event, 2 of 2 sent\n");
  assert.deepEqual(decode(one.calls[0]?.params.events), ["hello"]);
  assert.equal(one.calls[0]?.params.on_failure, "best_effort");
  const stdin = "first\n\nthird";
  const many = await runInMemory(["channel", "publish", "room/a", "-", "--json"], { node, stdin });
  assert.deepEqual(many.calls.flatMap(({ params }) => decode(params.events)), [
    "first",
    "",
    "third",
  ]);
  const document = JSON.parse(many.stdout);
  assert.deepEqual([document.schema, document.events, document.delivered], [
    "net.channel.publish.v1",
    3,
    6,
  ]);
});

Deno.test("net channel publish keeps a channel's rate by waiting", async () => {
  let tries = 0;
  const node = {
    "channel.publish": ({ events }: Record<string, unknown>) => {
      tries += 1;
      if (tries === 2) {
        throw new NetError("limit", "too fast", { data: { retry_after_ms: 1 } });
      }
      const taken = Math.min(2, (events as string[]).length);
      return { events: taken, attempted: taken, delivered: taken, failed: 0, errors: [] };
    },
  };
  const stdin = "1\n2\n3\n4\n5\n";
  const result = await runInMemory(["channel", "publish", "room/a", "-"], { node, stdin });
  assert.equal(result.stdout, "published 5 events, 5 of 5 sent\n");
  assert.deepEqual(result.calls.map(({ params }) => decode(params.events)), [
    ["1", "2", "3", "4", "5"],
    ["3", "4", "5"],
    ["3", "4", "5"],
    ["5"],
  ]);
});

Deno.test("net channel publish --wait publishes once somebody is subscribed, or not at all", async () => {
  let looks = 0;
  const node = {
    "channel.stats": () => {
      looks += 1;
      if (looks === 1) throw new NetError("not_found", "nothing is known of it");
      return { published: [{ channel: "a/b", subscribers: looks < 3 ? [] : [{}] }] };
    },
    "channel.publish": { events: 1, attempted: 1, delivered: 1, failed: 0, errors: [] },
  };
  const line = ["channel", "publish", "a/b", "hello", "--wait", "5s"];
  const { code, calls } = await runInMemory(line, { node });
  assert.equal(code, 0);
  assert.deepEqual(calls.map(({ method }) => method.slice("channel.".length)), [
    "stats",
    "stats",
    "stats",
    "publish",
  ]);
  const nobody = { ...node, "channel.stats": { published: [] } };
  const clock = { now: 0 };
  const late = await runInMemory(line, { node: nobody, now: () => clock.now += 2_000 });
  assert.equal(late.code, 7);
  assert.match(late.stderr, /Cannot publish on "a\/b": nobody subscribed in time/);
  assert.ok(!late.calls.some(({ method }) => method === "channel.publish"));
});

Deno.test("net channel publish says which line is too long, and sends those before it", async () => {
  const node = {
    "channel.publish": ({ events }: Record<string, unknown>) => {
      const index = decode(events).indexOf("long");
      if (index >= 0) {
        throw new NetError("limit", "too long", {
          data: { event_index: index, bytes: 9000, bytes_max: 8104 },
        });
      }
      const { length } = events as string[];
      return { events: length, attempted: length, delivered: length, failed: 0, errors: [] };
    },
  };
  const stdin = "1\n2\nlong\n4\n";
  const { code, stdout, stderr, calls } = await runInMemory(
    ["channel", "publish", "room/a", "-"],
    { node, stdin },
  );
  assert.equal(code, 12);
  assert.equal(stdout, "");
  assert.deepEqual(decode(calls.at(-1)?.params.events), ["1", "2"]);
  assert.match(stderr, /^published 2 events, 2 of 2 sent, then it ended\n/);
  assert.match(stderr, /Cannot publish line 3: it has 9000 bytes, must be at most 8104/);
});

Deno.test("net channel publish warns of subscribers that were not reached", async () => {
  const errors = [{ node_id: "31a56ab7724a0b59", code: "backpressure", message: "no room" }];
  const node = {
    "channel.publish": { events: 1, attempted: 2, delivered: 1, failed: 1, errors },
  };
  const result = await runInMemory(["channel", "publish", "room/a", "x"], { node });
  assert.equal(result.code, 0);
  assert.match(result.stderr, /1 of them was not sent; the last to 31a56ab7724a0b59: no room/);
});

Deno.test("net channel subscribe prints events as they come, and notes what publishers say", async () => {
  const event = { publisher: "31a56ab7724a0b59", origin: null, sequence: 4, index: 0 };
  const node = {
    "channel.subscribe": (_: unknown, report: (progress: object) => void) => {
      report({ status: { publisher: "31a56ab7724a0b59", state: "active", reason: null } });
      report({ status: { publisher: "2b2b", state: "refused", reason: "unauthorized" } });
      report({
        events: [{ ...event, text: "a\x1b[2Jb" }, { ...event, base64: "/w==" }],
        dropped: 0,
      });
      return { channel: "room/a", received: 2, dropped: 3 };
    },
  };
  const line = "channel subscribe room/a --from 31a5 --group g --count 2".split(" ");
  const plain = await runInMemory(line, { node });
  assert.equal(plain.code, 0, plain.stderr);
  assert.equal(plain.stdout, "a\x1b[2Jb\nbase64:/w==\n");
  assert.match(plain.stderr, /subscribed to room\/a at 31a56ab7724a0b59/);
  assert.match(plain.stderr, /2b2b refuses room\/a: unauthorized/);
  assert.match(plain.stderr, /3 events were missed/);
  assert.deepEqual(plain.calls[0]?.params, {
    channel: "room/a",
    from: ["31a5"],
    group: "g",
    count: 2,
  });
  const shown = await runInMemory(line, { node, isTerminal: true });
  assert.equal(shown.stdout.split("\n")[0], "a[2Jb", "nothing that could steer a terminal");
  const json = await runInMemory([...line, "--json"], { node });
  const documents = json.stdout.trimEnd().split("\n").map((text) => JSON.parse(text));
  assert.deepEqual(documents[0], {
    schema: "net.channel.subscribe.v1",
    channel: "room/a",
    ...event,
    text: "a\x1b[2Jb",
  });
  const wrong = await runInMemory(["channel", "subscribe", "a", "--count", "0"], { node });
  assert.equal(wrong.code, 2);
});

Deno.test("net channel subscribe tells news of a publisher once, and what to do about a refusal", async () => {
  const status = (state: string, reason: string | null = null) => ({
    status: { publisher: "31a56ab7724a0b59", state, reason },
  });
  const node = {
    "channel.subscribe": (_: unknown, report: (progress: object) => void) => {
      report({ waiting: true });
      for (let i = 0; i < 3; i++) report(status("refused", "unauthorized"));
      report(status("active"));
      report(status("refused", "unauthorized"));
      return { channel: "room/a", received: 0, dropped: 0 };
    },
  };
  const { stderr } = await runInMemory(["channel", "subscribe", "room/a"], { node });
  assert.deepEqual(stderr.trimEnd().split("\n").map((line) => line.replace(/: .*/, "")), [
    "waiting for events of room/a",
    "net",
    "next",
    "subscribed to room/a at 31a56ab7724a0b59",
    "net",
  ]);
  assert.match(stderr, /refuses room\/a: unauthorized; it is asked again\nnext: show a token/);
  const far = {
    "channel.subscribe": (_: unknown, report: (progress: object) => void) => {
      report({ waiting: true, out_of_reach: ["00000000000000ab"] });
      return { channel: "room/a", received: 0, dropped: 0 };
    },
  };
  const told = await runInMemory(["channel", "subscribe", "room/a"], { node: far });
  assert.match(told.stderr, /^00000000000000ab offers room\/a without being a peer/m);
  const absent = await runInMemory(["channel", "subscribe", "room/a"]);
  assert.doesNotMatch(absent.stderr, /waiting/, "nothing is waited for where nothing runs");
});

Deno.test("channelTable() marks shared hashes, prefixes and what is gone after a restart", () => {
  const opened = { ...CHANNEL, name: "news", kept: false, shares_wire_hash_with: [] };
  const prefix = { ...CHANNEL, name: "logs/", prefix: true, wire_hash: null, subscribers: null };
  const lines = channelTable([CHANNEL, opened, { ...prefix, shares_wire_hash_with: [] }]).split(
    "\n",
  );
  assert.match(lines[1] ?? "", /^room\/lobby +2ee8\+ +parent-visible +token,reliable,tags,100\/s/);
  assert.match(lines[2] ?? "", /^\[news\] +2ee8 /);
  assert.match(lines[3] ?? "", /^logs\/\* +- /);
  assert.equal(channelTable([]), "no channels");
});

Deno.test("net channel ls asks for the sharers of a hash", async () => {
  const node = { "channel.ls": { channels: [CHANNEL], omitted: 2 } };
  const result = await runInMemory(["channel", "ls", "--hash", "0x2EE8"], { node });
  assert.deepEqual(result.calls[0]?.params, { wire_hash: "2ee8" });
  assert.match(result.stderr, /and 2 more/);
  const wrong = await runInMemory(["channel", "ls", "--hash", "12345"], { node });
  assert.equal(wrong.code, 2);
});

Deno.test("statsText() shows what was published, and how subscriptions go", () => {
  const text = statsText({
    answer: {
      published: [{
        channel: "room/a",
        events: 1_234,
        bytes: 99_999,
        deliveries: 2_468,
        failures: 1,
        refused_by_rate: 7,
        subscribers: [{ node_id: "31a5" }],
      }],
      subscribed: [
        {
          channel: "jobs",
          group: "g",
          readers: 1,
          waiting: 5,
          dropped: 0,
          publishers: [
            { node_id: "31a5", state: "active", reason: null },
            { node_id: "2b2b", state: "refused", reason: "unauthorized" },
          ],
        },
        { channel: "lost", group: null, readers: 2, waiting: 0, dropped: 9, publishers: [] },
      ],
    },
  });
  assert.match(text, /^room\/a +1,234 +98K +2,468 +1 +7 +1$/m);
  assert.match(text, /^jobs +g +1 +5 +0 +31a5 +active$/m);
  assert.match(text, /^ +2b2b +unauthorized$/m);
  assert.match(text, /^lost +- +2 +0 +9 +- +nobody offers it$/m);
  assert.equal(statsText({ answer: {} }), "nothing published, nothing subscribed to");
});

Deno.test("net channel rm says what it removed", async () => {
  const node = { "channel.rm": { removed: "room/a" } };
  const result = await runInMemory(["channel", "rm", "room/a"], { node });
  assert.equal(result.stdout, "removed room/a\n");
});
