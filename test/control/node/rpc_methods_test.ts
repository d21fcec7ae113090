/** The methods about calls, over calls that stay in this process. */
import assert from "node:assert/strict";
import { concatBytes, NetError, utf8 } from "../../../src/base/mod.ts";
import { PIECE_BYTES_MAX } from "../../../src/control/node/rpc_items.ts";
import { RpcStatusError } from "../../../src/rpc/mod.ts";
import { MEMORY_NODE } from "./_memory_rpc.ts";
import { makeRpcNode } from "./_rpc_node.ts";

type Row = Record<string, unknown>;

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;
const b64 = (text: string) => utf8(text).toBase64();
const itemsOf = (rows: readonly Row[]) =>
  rows.flatMap(({ items }) => (items ?? []) as string[]).map((text) =>
    new TextDecoder().decode(Uint8Array.fromBase64(text))
  );

Deno.test("nrpc.call answers a unary call in its reply, as text or base64", async () => {
  const { rpc, call } = makeRpcNode();
  rpc.serve("upper", (body) => utf8(new TextDecoder().decode(body).toUpperCase()));
  rpc.serve("bytes", () => new Uint8Array([0xff]));
  const reply = await call("nrpc.call", { service: "upper", body: "hello" });
  assert.deepEqual([reply.text, reply.items, reply.shape], ["HELLO", 1, "unary"]);
  assert.equal((await call("nrpc.call", { service: "bytes" })).base64, "/w==");
  const given = { service: "upper", body: b64("x"), encoding: "base64" };
  assert.equal((await call("nrpc.call", given)).text, "X");
  await assert.rejects(call("nrpc.call", { ...given, body: "*" }), hasCode("usage"));
  await assert.rejects(call("nrpc.call", { service: "nobody" }), hasCode("unreachable"));
});

Deno.test("nrpc.call hands options on, and refuses those that can't be read", async () => {
  const { rpc, call } = makeRpcNode();
  rpc.serve("echo", (body) => body);
  const trace = { parent: `00-${"a1".repeat(16)}-${"b2".repeat(8)}-01` };
  await call("nrpc.call", {
    service: "echo",
    node: "self",
    timeout_ms: 1500,
    headers: [{ name: "x-a", value: "1" }],
    where: "gpu",
    trace,
    routing: "sticky",
    sticky_key: "alice",
    any_health: true,
    window: 4,
    retries: 2,
    hedges: 1,
    hedge_delay_ms: 20,
  });
  const [options] = rpc.options;
  assert.equal(options?.target, MEMORY_NODE);
  assert.equal(options?.timeoutMs, 1500);
  assert.deepEqual(options?.headers, [{ name: "x-a", value: utf8("1") }]);
  assert.equal(options?.where?.kind, "metadata_exists");
  assert.deepEqual([options?.trace?.traceId, options?.trace?.parentSpanId], [
    "a1".repeat(16),
    "b2".repeat(8),
  ]);
  assert.equal(options?.routing?.kind, "sticky");
  assert.deepEqual([options?.filterUnhealthy, options?.streamWindow], [false, 4]);
  assert.deepEqual([options?.retry, options?.hedge], [{ attempts: 3 }, { hedges: 1, delayMs: 20 }]);
  for (
    const wrong of [
      { trace: { parent: "00-1-2-01" } },
      { routing: "sticky" },
      { where: "((" },
      { node: "zz" },
      { answer: "reply", shape: "server_stream" },
      { answer: "progress", shape: "duplex" },
      { open: true, body: "x" },
      { timeout_ms: 0 },
    ]
  ) await assert.rejects(call("nrpc.call", { service: "echo", ...wrong }), hasCode("usage"));
});

Deno.test("nrpc.call tells the status and the body that a server refused with", async () => {
  const { rpc, call } = makeRpcNode();
  rpc.serve("no", () => {
    throw new RpcStatusError(0x8001, "not today", utf8('{"why":"rain"}'));
  });
  await assert.rejects(call("nrpc.call", { service: "no" }), (error) => {
    assert.ok(error instanceof NetError);
    assert.equal(error.message, "not today");
    assert.deepEqual(error.data, {
      kind: "server_error",
      status: 0x8001,
      body: { text: '{"why":"rain"}' },
    });
    return true;
  });
});

Deno.test("a body longer than a line goes and comes in pieces", async () => {
  const { rpc, start, call, areas } = makeRpcNode();
  rpc.serve("echo", (body) => body);
  const running = start("nrpc.call", { service: "echo", open: true, answer: "progress" });
  const { call: id } = await running.until((row) => row.call !== undefined);
  const long = new Uint8Array(2 * PIECE_BYTES_MAX + 7).map((_, i) => i * 31);
  for (let at = 0; at < long.length; at += PIECE_BYTES_MAX) {
    const piece = long.subarray(at, at + PIECE_BYTES_MAX);
    const isLast = at + piece.length === long.length;
    await call("nrpc.send", { call: id, items: [piece.toBase64()], more: !isLast, end: isLast });
  }
  await running.result;
  const pieces = running.told.slice(1);
  assert.deepEqual(pieces.map(({ more }) => more), [true, true, false]);
  const got = concatBytes(
    ...pieces.map(({ items }) => Uint8Array.fromBase64(String((items as string[])[0]))),
  );
  assert.equal(got.length, long.length);
  assert.ok(got.every((byte, i) => byte === long[i]));
  assert.deepEqual([areas.rpc_programs?.().gathered_bytes, areas.rpc_programs?.().uploads], [0, 0]);
  await assert.rejects(call("nrpc.send", { call: id, end: true }), hasCode("not_found"));
});

Deno.test("an upload is taken item by item, and what it is answered with comes back", async () => {
  const { rpc, start, call } = makeRpcNode();
  rpc.serveClientStream("count", async (items) => {
    let count = 0;
    for await (const item of items) count += item.length;
    return utf8(String(count));
  });
  rpc.serveDuplex("echo", async function* (items) {
    for await (const item of items) yield utf8(`<${new TextDecoder().decode(item)}>`);
  });
  for (
    const [service, shape, expected] of [
      ["count", "client_stream", ["6"]],
      ["echo", "duplex", ["<a>", "<bc>", "<def>"]],
    ] as const
  ) {
    const running = start("nrpc.call", { service, shape, open: true, answer: "progress" });
    const { call: id } = await running.until((row) => row.call !== undefined);
    await call("nrpc.send", { call: id, items: [b64("a"), b64("bc")] });
    await call("nrpc.send", { call: id, items: [b64("def")], end: true });
    const result = await running.result;
    assert.deepEqual(itemsOf(running.told), expected);
    assert.deepEqual([result.items, result.node], [expected.length, "0000000000000abc"]);
  }
});

Deno.test("a program that leaves cancels its call", async () => {
  const { rpc, start, areas } = makeRpcNode();
  rpc.serveStream("ticks", async function* (_, { signal }) {
    yield utf8("tick");
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve());
    if (!signal.aborted) await promise;
    signal.throwIfAborted();
  });
  const running = start("nrpc.call", {
    service: "ticks",
    shape: "server_stream",
    answer: "progress",
  });
  await running.until(({ items }) => items !== undefined);
  running.leave();
  await assert.rejects(running.result);
  assert.equal(rpc.cancelled, 1);
  const open = start("nrpc.call", { service: "ticks", open: true, answer: "progress" });
  await open.until((row) => row.call !== undefined);
  open.leave();
  await assert.rejects(open.result);
  assert.equal(areas.rpc_programs?.().uploads, 0);
});

Deno.test("nrpc.serve tells of calls and answers them as the program says", async () => {
  const { rpc, start, call, areas } = makeRpcNode();
  const serving = start("nrpc.serve", { service: "upper", running_max: 3 });
  const { serving: id } = await serving.until((row) => row.serving !== undefined);
  assert.equal(rpc.services.get("upper")?.options.runningMax, 3);
  const answering = rpc.call("upper", utf8("hi"), { timeoutMs: 5 });
  const told = await serving.until((row) => row.call === 1);
  assert.deepEqual([told.body, told.caller, told.shape, told.deadline_ms], [
    b64("hi"),
    "0000000000000abc",
    "unary",
    5,
  ]);
  assert.deepEqual(
    await call("nrpc.answer", { serving: id, call: 1, items: [b64("HI")], end: true }),
    { over: false },
  );
  assert.deepEqual(await answering, utf8("HI"));
  const refused = rpc.call("upper", utf8("no"));
  await serving.until((row) => row.call === 2);
  await call("nrpc.answer", { serving: id, call: 2, error: { status: 0x8005, message: "bad" } });
  await assert.rejects(refused, (error) => {
    assert.deepEqual((error as NetError).data, { kind: "server_error", status: 0x8005 });
    return true;
  });
  assert.deepEqual(await call("nrpc.answer", { serving: id, call: 2, end: true }), { over: true });
  await call("nrpc.unserve", { serving: id });
  assert.deepEqual(await serving.result, {
    service: "upper",
    shape: "unary",
    calls: 2,
    answered: 1,
    failed: 1,
    cancelled: 0,
  });
  assert.equal(rpc.services.size, 0);
  assert.equal(areas.rpc_programs?.().served_calls_total, 2);
  await assert.rejects(call("nrpc.unserve", { serving: id }), hasCode("not_found"));
});

Deno.test("nrpc.serve hands a long body and an upload over as the program takes them", async () => {
  const { rpc, start, call } = makeRpcNode();
  const unary = start("nrpc.serve", { service: "size" });
  const { serving: id } = await unary.until((row) => row.serving !== undefined);
  const answering = rpc.call("size", new Uint8Array(PIECE_BYTES_MAX + 5));
  const told = await unary.until((row) => row.call === 1);
  assert.equal(told.body, undefined);
  const sizes: number[] = [];
  for (;;) {
    const piece = await call("nrpc.take", { serving: id, call: 1 });
    if (piece.end) break;
    for (const text of piece.items as string[]) sizes.push(Uint8Array.fromBase64(text).length);
  }
  assert.deepEqual(sizes, [PIECE_BYTES_MAX, 5]);
  await call("nrpc.answer", { serving: id, call: 1, end: true });
  assert.equal((await answering).length, 0);

  const duplex = start("nrpc.serve", { service: "echo", shape: "duplex" });
  const { serving } = await duplex.until((row) => row.serving !== undefined);
  const stream = await rpc.callDuplex("echo");
  const reading = stream.responses.read();
  await duplex.until((row) => row.call === 1);
  void stream.requests.send(utf8("one"));
  const taken = await call("nrpc.take", { serving, call: 1 });
  assert.deepEqual(itemsOf([taken]), ["one"]);
  const answer = call("nrpc.answer", { serving, call: 1, items: [b64("eno")] });
  assert.deepEqual(await reading, utf8("eno"));
  assert.deepEqual(await answer, { over: false });
  await stream.requests.finish();
  assert.equal((await call("nrpc.take", { serving, call: 1 })).end, true);
  await call("nrpc.answer", { serving, call: 1, end: true });
  assert.equal(await stream.responses.read(), undefined);
});

Deno.test("nrpc.serve tells a program that its caller is gone, and a caller that the program is", async () => {
  const { rpc, start } = makeRpcNode();
  const serving = start("nrpc.serve", { service: "slow", shape: "server_stream" });
  await serving.until((row) => row.serving !== undefined);
  const controller = new AbortController();
  const stream = await rpc.callStream("slow", utf8(""), { signal: controller.signal });
  const reading = stream.read();
  await serving.until((row) => row.call === 1);
  controller.abort();
  assert.match(String((await serving.until((row) => row.cancelled === 1)).reason), /cancelled/);
  await assert.rejects(reading);
  const other = (await rpc.callStream("slow", utf8(""))).read();
  await serving.until((row) => row.call === 2);
  serving.leave();
  await assert.rejects(other, /the program that serves slow has ended/);
  const { cancelled, failed } = await serving.result;
  assert.deepEqual([cancelled, failed], [1, 1]);
});

Deno.test("a node that stops ends what is served and watched, and says so", async () => {
  const { rpc, start, stop } = makeRpcNode();
  const serving = start("nrpc.serve", { service: "slow" });
  const watching = start("nrpc.watch", {});
  await serving.until((row) => row.serving !== undefined);
  const answering = rpc.call("slow", utf8(""));
  await serving.until((row) => row.call === 1);
  stop();
  await assert.rejects(answering, /the serving node stops/);
  await assert.rejects(serving.result, hasCode("draining"));
  await assert.rejects(watching.result, hasCode("draining"));
  assert.equal(rpc.services.size, 0);
});

Deno.test("a name is served once", async () => {
  const { start } = makeRpcNode();
  const first = start("nrpc.serve", { service: "a" });
  await first.until((row) => row.serving !== undefined);
  await assert.rejects(start("nrpc.serve", { service: "a" }).result, hasCode("conflict"));
  first.leave();
  await first.result;
});

Deno.test("nrpc.ls lists services, who offers them, and the shape of our own", async () => {
  const { call, start } = makeRpcNode([
    [MEMORY_NODE, ["nrpc:own", "gpu"]],
    [2n, ["nrpc:own", "nrpc:far"]],
  ]);
  const serving = start("nrpc.serve", { service: "own", shape: "duplex" });
  await serving.until((row) => row.serving !== undefined);
  const { services } = await call("nrpc.ls") as { services: Row[] };
  assert.deepEqual(
    services.map(({ service, shape, node_count: count }) => [service, shape, count]),
    [
      ["far", null, 1],
      ["own", "duplex", 2],
    ],
  );
  assert.deepEqual(services[0]?.nodes, [{
    node_id: "0000000000000002",
    own: false,
    state: "connected",
    relayed: true,
    trust: "proven",
    rtt_ms: 1.5,
  }]);
  const one = await call("nrpc.ls", { service: "own" }) as { services: Row[] };
  assert.equal(one.services.length, 1);
  serving.leave();
  await serving.result;
});

Deno.test("nrpc.watch tells every watcher of calls, and nobody once all have left", async () => {
  const { rpc, start } = makeRpcNode();
  const all = start("nrpc.watch", {});
  const one = start("nrpc.watch", { service: "b", direction: "inbound", count: 1 });
  await one.until((row) => row.watching === true);
  const event = {
    caller: 1n,
    callee: 2n,
    method: "a",
    latencyMs: 3,
    outcome: "error" as const,
    error: "why",
    requestBytes: 4,
    responseBytes: 5,
    direction: "outbound" as const,
    unixMs: 6,
  };
  rpc.meters.tell(event);
  rpc.meters.tell({
    ...event,
    method: "b",
    direction: "inbound",
    outcome: "ok",
    error: undefined,
  });
  assert.deepEqual(await one.result, { told: 1, dropped: 0 });
  const rows = () => all.told.flatMap(({ events }) => (events ?? []) as Row[]);
  await all.until(() => rows().length === 2);
  assert.deepEqual(rows()[0], {
    caller: "0000000000000001",
    callee: "0000000000000002",
    method: "a",
    latency_ms: 3,
    status: "error",
    message: "why",
    request_bytes: 4,
    response_bytes: 5,
    direction: "outbound",
    ts_unix_ms: 6,
  });
  assert.ok(rpc.meters.isObserved);
  all.leave();
  await assert.rejects(all.result);
  assert.ok(!rpc.meters.isObserved);
});

Deno.test("nrpc.bench measures calls, and says why none can be made", async () => {
  const { rpc, call } = makeRpcNode();
  let count = 0;
  rpc.serve("sometimes", (body) => {
    if (++count % 10 === 0) throw new RpcStatusError(6, "no");
    return body;
  });
  const params = { service: "sometimes", seconds: 0.1, in_flight: 4, body_bytes: 10 };
  const result = await call("nrpc.bench", params);
  assert.ok(Number(result.calls) >= 9);
  assert.ok(Number((result.errors as Row).server_error) >= 1);
  assert.equal(result.answer_bytes, 10);
  assert.ok(Number(result.p50_ms) <= Number(result.p99_ms));
  assert.ok(Number(result.p99_ms) <= Number(result.max_ms));
  await assert.rejects(call("nrpc.bench", { ...params, service: "no" }), hasCode("unreachable"));
});

Deno.test("nrpc.stats gives the snapshot, or text for Prometheus", async () => {
  const { rpc, call } = makeRpcNode();
  rpc.meters.of("echo").calls = 2;
  const { services } = await call("nrpc.stats") as { services: Row[] };
  assert.deepEqual(services.map(({ service, calls_total: total }) => [service, total]), [[
    "echo",
    2,
  ]]);
  const { text } = await call("nrpc.stats", { format: "prometheus" });
  assert.match(String(text), /^nrpc_calls_total\{service="echo"\} 2$/m);
});
