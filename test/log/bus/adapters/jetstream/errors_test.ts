/** What JetStream says against a batch, by real states of a server where there are any, else by what one would send. */
import assert from "node:assert/strict";
import {
  createJetStreamAdapter,
  type JetStreamAdapterOptions,
} from "../../../../../src/log/bus/adapters/jetstream/mod.ts";
import type { BusErrorKind } from "../../../../../src/log/bus/mod.ts";
import { batchOf, bytesOf, failureOf, openAdapter, SIGNAL } from "../../engines/adapter_kit.ts";
import { explainByEnd, natsError } from "../../../../../src/log/bus/adapters/jetstream/errors.ts";
import { type NatsReplies, type NatsReply, startFakeNats } from "../../engines/fake_nats.ts";
import { natsTest, startNats } from "../../engines/nats_server.ts";

const create = (port: number, options: Partial<JetStreamAdapterOptions> = {}) =>
  createJetStreamAdapter(
    { url: `nats://127.0.0.1:${port}`, requestTimeoutMs: 500, ...options },
    { log: { warn() {} } },
  );
const batch = batchOf([bytesOf("1")]);

function refusing(code: number, number: number): readonly NatsReply[] {
  return [{ body: JSON.stringify({ error: { code, err_code: number, description: "no" } }) }];
}

const REPLIES: readonly (readonly [string, number, number, BusErrorKind])[] = [
  ["no leader", 503, 10008, "transient"],
  ["not the leader", 500, 10009, "transient"],
  ["no peers", 400, 10005, "transient"],
  ["stream offline", 500, 10118, "transient"],
  ["the same id is being stored", 409, 10158, "transient"],
  ["an unknown number with status 503", 503, 19999, "transient"],
  ["share of the account used up", 400, 10002, "backpressure"],
  ["insufficient resources", 503, 10023, "backpressure"],
  ["no memory", 500, 10028, "backpressure"],
  ["no storage", 500, 10047, "backpressure"],
  ["not stored", 503, 10077, "backpressure"],
  ["too many requests", 429, 10167, "backpressure"],
  ["stream not found", 404, 10059, "fatal"],
  ["wrong last id", 400, 10070, "fatal"],
  ["wrong last sequence", 400, 10071, "fatal"],
  ["message too large", 400, 10054, "fatal"],
  ["JetStream off", 503, 10076, "transient"],
  ["JetStream off for the account", 503, 10039, "fatal"],
  ["an unknown number", 500, 19999, "fatal"],
];

for (const [name, code, number, kind] of REPLIES) {
  Deno.test(`JetStream: "${name}" (${number}) as an acknowledgement is ${kind}`, async () => {
    const replies: NatsReplies = (subject) =>
      subject === "net.shard.0" ? refusing(code, number) : undefined;
    await using server = startFakeNats(replies);
    await using adapter = await openAdapter(create(server.port));
    const failure = await failureOf(adapter.write(batch, SIGNAL));
    assert.equal(failure.kind, kind);
    assert.equal(failure.data?.number, number);
  });
}

Deno.test("JetStream: an acknowledgement that is none is fatal", async () => {
  for (const body of ["", "{", "null", '{"stream":""}', '{"seq":1}']) {
    await using server = startFakeNats((subject) =>
      subject === "net.shard.0" ? [{ body }] : undefined
    );
    await using adapter = await openAdapter(create(server.port));
    assert.equal((await failureOf(adapter.write(batch, SIGNAL))).kind, "fatal", body);
  }
});

Deno.test("JetStream: a failed question about a stream is no empty stream", async () => {
  await using server = startFakeNats((subject) =>
    subject.startsWith("$JS.API.STREAM.INFO") ? refusing(503, 10008) : undefined
  );
  await using adapter = await openAdapter(create(server.port));
  assert.equal((await failureOf(adapter.poll(0, undefined, 1, SIGNAL))).kind, "transient");
});

Deno.test("JetStream: a stream that another writer made meanwhile is used", async () => {
  await using server = startFakeNats((subject) => {
    if (subject.startsWith("$JS.API.STREAM.INFO")) return refusing(404, 10059);
    return subject.startsWith("$JS.API.STREAM.CREATE") ? refusing(400, 10058) : undefined;
  });
  await using adapter = await openAdapter(create(server.port));
  await adapter.write(batch, SIGNAL);
  assert.ok(server.subjects.includes("net.shard.0"));
});

Deno.test("JetStream: a server since 2.11 is asked once for a page", async () => {
  const message = (sequence: number, pending: number): NatsReply => ({
    headers: {
      "Nats-Sequence": String(sequence),
      "Nats-Num-Pending": String(pending),
      "Nats-Msg-Id": `a:${sequence}`,
    },
    body: `{"r":${sequence},"t":1,"s":0}`,
  });
  const bodies: unknown[] = [];
  await using server = startFakeNats((subject, body) => {
    if (!subject.startsWith("$JS.API.DIRECT.GET")) return undefined;
    bodies.push(JSON.parse(body));
    // Sequences 4 and 5 were removed; the server ends the batch before it is full.
    return [message(3, 4), message(6, 3), { status: " 204 EOB" }];
  }, "2.11.4");
  await using adapter = await openAdapter(create(server.port));
  const page = await adapter.poll(0, "2", 5, SIGNAL);
  assert.deepEqual(bodies, [{ seq: 3, batch: 6 }]);
  assert.deepEqual(page.events.map(({ id, dedupId }) => [id, dedupId]), [["3", "a:3"], [
    "6",
    "a:6",
  ]]);
  assert.equal(page.nextId, "6");
  assert.equal(page.hasMore, true);
});

Deno.test("JetStream: a direct get that is refused fails by its status", async () => {
  const cases = [[" 408 Bad Request", undefined], [" 503", "transient"], [" 400 Bad", "fatal"]];
  for (const [status, kind] of cases) {
    await using server = startFakeNats(
      (subject) => subject.startsWith("$JS.API.DIRECT.GET") ? [{ status }] : undefined,
      "2.12.0",
    );
    await using adapter = await openAdapter(create(server.port));
    const polled = adapter.poll(0, undefined, 5, SIGNAL);
    if (kind === undefined) assert.deepEqual((await polled).events, []);
    else assert.equal((await failureOf(polled)).kind, kind);
  }
});

natsTest(
  "JetStream: an event larger than the server takes is fatal, before any is sent",
  async () => {
    await using server = await startNats({ config: "max_payload: 2048" });
    await using adapter = await openAdapter(create(server.port));
    const events = batchOf([bytesOf("1"), new Uint8Array(2_048)]);
    const failure = await failureOf(adapter.write(events, SIGNAL));
    assert.equal(failure.kind, "fatal");
    assert.equal(failure.data?.index, 1);
    assert.deepEqual((await adapter.poll(0, undefined, 5, SIGNAL)).events, []);
    await adapter.write(batchOf([new Uint8Array(1_800)]), SIGNAL);
  },
);

natsTest("JetStream: a server without it is fatal at once", async () => {
  await using server = await startNats({ hasJetStream: false });
  const failure = await failureOf(create(server.port).start());
  assert.equal(failure.kind, "fatal");
  assert.match(failure.next ?? "", /-js/);
});

natsTest("JetStream: no room is backpressure", async () => {
  const config = "jetstream { max_file_store: 4096 }";
  await using server = await startNats({ hasJetStream: false, config });
  await using adapter = await openAdapter(create(server.port));
  const large = batchOf(Array.from({ length: 20 }, () => new Uint8Array(500)));
  assert.equal((await failureOf(adapter.write(large, SIGNAL))).kind, "backpressure");
});

natsTest("JetStream: a user who may not publish is told so for good", async () => {
  const config = `authorization { users: [
    { user: reader, password: word, permissions: { publish: { deny: ["net.shard.*"] } } }
    { user: blind, password: word, permissions: { publish: { deny: ["$JS.API.>"] } } }
  ] }`;
  await using server = await startNats({ config });
  const options = { password: "word" };
  await using adapter = await openAdapter(create(server.port, { ...options, user: "reader" }));
  const failure = await failureOf(adapter.write(batch, SIGNAL));
  assert.equal(failure.kind, "fatal");
  assert.equal(failure.data?.error, "PermissionViolationError");
  await using blind = await openAdapter(create(server.port, { ...options, user: "blind" }));
  assert.equal((await failureOf(blind.poll(0, undefined, 1, SIGNAL))).kind, "fatal");
  assert.equal(await blind.isHealthy(SIGNAL), true);
});

natsTest("JetStream: wrong passwords and tokens are fatal at once, and shown nowhere", async () => {
  const secret = "ge@heim/1";
  const configs = ["authorization { user: u, password: right }", "authorization { token: right }"];
  for (const [index, config] of configs.entries()) {
    await using server = await startNats({ config });
    const logged: unknown[] = [];
    const log = { warn: (...record: unknown[]) => void logged.push(record) };
    for (const written of [secret, encodeURIComponent(secret)]) {
      const url = `nats://${index === 0 ? "u:" : ""}${written}@127.0.0.1:${server.port}`;
      const adapter = createJetStreamAdapter({ url }, { log });
      const failure = await failureOf(adapter.start());
      assert.equal(failure.kind, "fatal");
      const shown = [failure, failure.cause, failure.stack, failure.data, adapter, logged]
        .map((each) => Deno.inspect(each, { depth: 9, showHidden: true })).join("\n");
      assert.ok(!shown.includes("heim"), shown);
    }
    const login = index === 0 ? { user: "u", password: "right" } : { token: "right" };
    const right = create(server.port, login);
    await right.start();
    await right.write(batch, SIGNAL);
    await right.stop();
  }
});

Deno.test("JetStream: an error of the library that nothing explains is fatal, unless its connection is over", () => {
  const same = (text: string) => text;
  const stumbled = natsError(new TypeError("undefined has no write"), "Cannot write", same);
  assert.equal(explainByEnd(stumbled, false).kind, "fatal");
  assert.equal(explainByEnd(stumbled, true).kind, "transient");
  const refused = natsError(
    Object.assign(new Error("no"), { name: "AuthorizationError" }),
    "Cannot connect",
    same,
  );
  assert.equal(explainByEnd(refused, true).kind, "fatal");
});
