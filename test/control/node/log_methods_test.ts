import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { MethodTable } from "../../../src/control/mod.ts";
import { logMethods } from "../../../src/control/node/log_methods.ts";
import { type KitOptions, startLogs } from "../../services/log/log_kit.ts";

type Row = Record<string, unknown>;

async function startMethods(options: KitOptions = {}) {
  const kit = await startLogs(options);
  const told: Row[] = [];
  const table = new MethodTable();
  table.register(...logMethods({ logs: kit.logs }));
  const call = async (name: string, params: Row, signal = new AbortController().signal) =>
    await table.lookup(name)?.call(params, {
      transport: "unix",
      signal,
      progress: (data) => void told.push(data as Row),
      send: (data) => Promise.resolve(void told.push(data as Row)),
    }) as Row;
  const items = () => told.splice(0).flatMap((report) => (report.items ?? []) as Row[]);
  return { ...kit, call, told, items, [Symbol.asyncDispose]: () => kit.logs.stop() };
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("log.append takes text and base64, and answers with numbers and a token", async () => {
  await using kit = await startMethods();
  const channel = "a/b";
  const first = await kit.call("log.append", { channel, events: ["x", "y"] });
  assert.deepEqual(first, {
    channel,
    count: 2,
    first: 0,
    last: 1,
    next_seq: 2,
    persisted_seq: 2,
    token: "00000000000000ab:1",
  });
  const bytes = await kit.call("log.append", { channel, events: ["/w=="], encoding: "base64" });
  assert.equal(bytes.first, 2);
  await assert.rejects(
    kit.call("log.append", { channel, events: ["?"], encoding: "base64" }),
    hasCode("usage"),
  );
  await kit.call("log.read", { channel });
  assert.deepEqual(kit.items().map(({ text, base64 }) => text ?? base64), ["x", "y", "/w=="]);
});

Deno.test("log.append takes an event from a file, and reading gives it in pieces", async () => {
  await using kit = await startMethods();
  const folder = await Deno.makeTempDir();
  try {
    const bytes = new Uint8Array(1_200_000).map((_, i) => i % 251);
    await Deno.writeFile(`${folder}/event`, bytes);
    await kit.call("log.append", { channel: "big", file: `${folder}/event` });
    await kit.call("log.read", { channel: "big" });
    const pieces = kit.items();
    assert.deepEqual(pieces.map(({ more }) => more), [true, true, false]);
    const joined = pieces.map(({ base64 }) => Uint8Array.fromBase64(String(base64)));
    assert.deepEqual(new Uint8Array(await new Blob(joined).arrayBuffer()), bytes);
    await assert.rejects(
      kit.call("log.append", { channel: "big", file: `${folder}/none` }),
      hasCode("not_found"),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("log.read filters JSON events and counts only those", async () => {
  await using kit = await startMethods();
  const events = [1, 2, 3, 4].map((total) => JSON.stringify({ kind: "order", total }));
  await kit.call("log.append", { channel: "orders", events: ["no json", ...events] });
  const read = async (params: Row) => {
    const result = await kit.call("log.read", { channel: "orders", ...params });
    return [result.events, kit.items().map(({ seq }) => seq)];
  };
  assert.deepEqual(await read({ where: "total>=2 && kind==order" }), [3, [2, 3, 4]]);
  assert.deepEqual(await read({ where: "!total || total<2" }), [1, [1]]);
  assert.deepEqual(await read({ where: "kind==order", limit: 2 }), [2, [1, 2]]);
  const cut = await kit.call("log.read", { channel: "orders", where: "total>=2", limit: 1 });
  assert.equal(cut.next_seq, 3, "behind the last one that was given");
  kit.items();
  assert.deepEqual(await read({ from: 3, to: 4 }), [1, [3]]);
  assert.deepEqual(await read({ from: { last: 2 } }), [2, [3, 4]]);
  assert.deepEqual(await read({ from: "end" }), [0, []]);
  await assert.rejects(read({ where: "total>=" }), hasCode("usage"));
});

Deno.test("log.read follows until its caller goes, and tells of lags", async () => {
  await using kit = await startMethods({ defaults: { retention: { eventsMax: 1 } } });
  await kit.append("a", "x", "y");
  await kit.call("log.compact", { channel: "a" });
  const controller = new AbortController();
  const reading = kit.call("log.read", { channel: "a", from: 0, follow: true }, controller.signal);
  await kit.clock.advance(1);
  await kit.append("a", "z");
  await kit.clock.advance(1);
  assert.deepEqual(kit.items().map(({ kind, seq, to }) => [kind, seq ?? to]), [
    ["lag", 0],
    ["event", 1],
    ["event", 2],
  ]);
  const ended = assert.rejects(reading, /left/);
  controller.abort(new Error("left"));
  await ended;
  const limited = await kit.call("log.read", { channel: "a", follow: true, limit: 2 });
  assert.deepEqual([limited.events, limited.next_seq], [2, 3]);
});

Deno.test("log.ls, stat, create, verify, compact and remove look after logs", async () => {
  await using kit = await startMethods();
  const { call } = kit;
  await kit.append("app/b", "x");
  await kit.append("zoo", "y");
  const made = await call("log.create", {
    channel: "app/a",
    fsync: { kind: "interval", ms: 2_000 },
    retention: { events_max: 10, age_max_ms: 60_000 },
  });
  assert.deepEqual([made.fsync, made.retention, made.own_rules], [
    "interval:2s",
    { events_max: 10, bytes_max: null, age_max_ms: 60_000 },
    true,
  ]);
  const names = async (params: Row) =>
    ((await call("log.ls", params)).logs as Row[]).map(({ channel }) => channel);
  assert.deepEqual(await names({}), ["app/a", "app/b", "zoo"]);
  assert.deepEqual(await names({ prefix: "app/" }), ["app/a", "app/b"]);
  assert.deepEqual(await names({ after: "app/a" }), ["app/b", "zoo"]);
  const { events, next_seq, kept, failure } = await call("log.stat", { channel: "zoo" });
  assert.deepEqual([events, next_seq, kept, failure], [1, 1, "memory", null]);
  const verifying = call("log.verify", { channel: "zoo" });
  await kit.clock.advance(1);
  const { intact, read_events } = await verifying;
  assert.deepEqual([intact, read_events], [true, 1]);
  assert.deepEqual(await call("log.remove", { channel: "zoo" }), { removed: "zoo" });
  await assert.rejects(call("log.remove", { channel: "zoo" }), hasCode("not_found"));
  await assert.rejects(call("log.stat", { channel: "zoo" }), hasCode("not_found"));
});

Deno.test("log.ls lists logs that may not be opened, and says why", async () => {
  let isGuarded = false;
  await using kit = await startMethods({
    guard: (channel) => {
      if (isGuarded && channel === "vault") throw new NetError("not_allowed", "a token is missing");
    },
  });
  await kit.append("vault", "x");
  await kit.append("open", "y");
  isGuarded = true;
  const { logs } = await kit.call("log.ls", {});
  assert.deepEqual((logs as Row[]).map(({ channel, failure }) => [channel, failure]), [
    ["open", null],
    ["vault", "a token is missing"],
  ]);
});

Deno.test("log.create takes a log's own rules back", async () => {
  await using kit = await startMethods({ defaults: { retention: { eventsMax: 7 } } });
  const create = async (params: Row) => {
    const { retention, fsync } = await kit.call("log.create", { channel: "a", ...params });
    return [(retention as Row).events_max, fsync];
  };
  assert.deepEqual(await create({ fsync: { kind: "interval", ms: 1_000 } }), [7, "interval:1s"]);
  assert.deepEqual(await create({ retention: {} }), [null, "interval:1s"]);
  assert.deepEqual(await create({ retention: null, fsync: null }), [7, "never"]);
});
