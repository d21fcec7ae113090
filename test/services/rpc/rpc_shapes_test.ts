/** Calls of all four shapes between whole nodes on a simulated network. */
import assert from "node:assert/strict";
import { RpcStatusError } from "../../../src/rpc/mod.ts";
import { RpcKit } from "./rpc_kit.ts";

const text = (value: string) => new TextEncoder().encode(value);
const read = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function pair(kit: RpcKit) {
  const [caller, server] = [await kit.node(1), await kit.node(2)];
  await kit.connect(caller, server);
  return { caller: caller.rpc, server: server.rpc, target: server.node.nodeId };
}

Deno.test("RpcService answers unary calls, at once and later", async () => {
  using kit = new RpcKit();
  const { caller, server, target } = await pair(kit);
  server.serve("echo", (body) => body);
  server.serve("later", async (body) => {
    await Promise.resolve();
    return text(`later ${read(body)}`);
  });
  assert.equal(read(await kit.settled(caller.call("echo", text("hi"), { target }))), "hi");
  assert.equal(read(await kit.settled(caller.call("later", text("hi")))), "later hi");
});

Deno.test("RpcService tells a caller the status that a handler chose", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  server.serve("fails", (body) => {
    if (body.length === 0) throw new RpcStatusError(0x8123, "no bananas");
    throw new Error("slipped");
  });
  await assert.rejects(kit.settled(caller.call("fails", text(""))), {
    kind: "server_error",
    status: 0x8123,
    message: "no bananas",
  });
  await assert.rejects(kit.settled(caller.call("fails", text("x"))), {
    kind: "server_error",
    status: 6,
    message: "handler panicked: slipped",
  });
});

Deno.test("RpcService carries bodies of megabytes both ways", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  server.serve("echo", (body) => body);
  const body = Uint8Array.from({ length: 3_000_000 }, (_, at) => at * 31);
  assert.deepEqual(await kit.settled(caller.call("echo", body)), body);
});

Deno.test("RpcService streams answers in order, at the reader's pace", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  let given = 0;
  server.serveStream("count", function* (body) {
    for (let n = 0; n < Number(read(body)); n++) {
      given = n + 1;
      yield text(String(n));
    }
  });
  const stream = await kit.settled(caller.callStream("count", text("1000"), { streamWindow: 8 }));
  await kit.clock.advance(1_000);
  assert.ok(given <= 9, `the handler gave ${given} items before any was taken`);
  const items: string[] = [];
  for (;;) {
    const item = await kit.settled(stream.read());
    if (item === undefined) break;
    items.push(read(item));
  }
  assert.deepEqual(items, Array.from({ length: 1000 }, (_, n) => String(n)));
});

Deno.test("RpcService takes uploads, and answers them once", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  server.serveClientStream("sum", async (items) => {
    let sum = 0;
    for await (const item of items) sum += Number(read(item));
    return text(String(sum));
  });
  const upload = await kit.settled(caller.callClientStream("sum", { requestWindow: 4 }));
  for (let n = 1; n < 100; n++) await kit.settled(upload.send(text(String(n))));
  assert.equal(read(await kit.settled(upload.finish(text("100")))), "5050");
  const empty = await kit.settled(caller.callClientStream("sum"));
  assert.equal(read(await kit.settled(empty.finish())), "0");
});

Deno.test("RpcService streams both ways at once", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  server.serveDuplex("shout", async function* (items) {
    for await (const item of items) yield text(read(item).toUpperCase());
  });
  const call = await kit.settled(caller.callDuplex("shout"));
  const heard: string[] = [];
  for (const word of ["a", "b", "c"]) {
    await kit.settled(call.requests.send(text(word)));
    heard.push(read(await kit.settled(call.responses.read()) ?? text("")));
  }
  await kit.settled(call.requests.finish());
  assert.equal(await kit.settled(call.responses.read()), undefined);
  assert.deepEqual(heard, ["A", "B", "C"]);
});

Deno.test("RpcService aborts a handler whose caller cancels, and one whose caller leaves", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  const aborted: string[] = [];
  server.serve("wait", (body, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.push(read(body));
        reject(signal.reason);
      });
    }));
  const aborter = new AbortController();
  const cancelled = caller.call("wait", text("one"), { signal: aborter.signal });
  const left = caller.call("wait", text("two"));
  await kit.clock.advance(500);
  aborter.abort();
  await assert.rejects(kit.settled(cancelled), { kind: "cancelled" });
  await kit.clock.advance(500);
  assert.deepEqual(aborted, ["one"]);
  void caller.stop();
  await assert.rejects(kit.settled(left), { kind: "cancelled" });
  await kit.clock.advance(500);
  assert.deepEqual(aborted, ["one", "two"]);
});

Deno.test("RpcService ends running calls at once when it stops", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  server.serve("wait", () => new Promise(() => {}));
  server.serveStream("drip", async function* () {
    yield text("drop");
    await new Promise(() => {});
  });
  const call = caller.call("wait", text(""));
  const stream = await kit.settled(caller.callStream("drip", text("")));
  assert.equal(read(await kit.settled(stream.read()) ?? text("")), "drop");
  await kit.clock.advance(100);
  void server.stop();
  await assert.rejects(kit.settled(call, 200), { kind: "cancelled" });
  await assert.rejects(kit.settled(stream.read(), 200), { kind: "cancelled" });
});

Deno.test("a closed service lets running handlers answer, and refuses new calls", async () => {
  using kit = new RpcKit();
  const { caller, server, target } = await pair(kit);
  let answer: (body: Uint8Array) => void = () => {};
  const served = server.serve("slow", () => new Promise<Uint8Array>((resolve) => answer = resolve));
  const running = caller.call("slow", text(""), { target });
  running.catch(() => {});
  assert.ok(await kit.until(() => served.running === 1));
  const closed = served.close();
  await assert.rejects(kit.settled(caller.call("slow", text(""), { target })), {
    code: "not_found",
  });
  answer(text("done"));
  assert.equal(read(await kit.settled(running)), "done");
  await kit.settled(closed);
  assert.deepEqual(server.services, []);
});

Deno.test("a service that is overloaded says when to try again", async () => {
  using kit = new RpcKit();
  const { caller, server } = await pair(kit);
  server.serve("busy", () => new Promise(() => {}), { runningMax: 2 });
  void caller.call("busy", text("")).catch(() => {});
  void caller.call("busy", text("")).catch(() => {});
  await kit.clock.advance(500);
  await assert.rejects(kit.settled(caller.call("busy", text(""))), (error: unknown) => {
    const { kind, retryAfterMs } = error as { kind: string; retryAfterMs?: number };
    return kind === "backpressure" && retryAfterMs !== undefined && retryAfterMs > 0;
  });
});
