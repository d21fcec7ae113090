/** The serving engine: one body, one answer (`nrpc.md` 5, 6, 10, 11). */
import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import {
  HeaderName,
  headerNumber,
  RpcFlag,
  RpcStatusError,
  Status,
  textHeader,
} from "../../../src/rpc/mod.ts";
import { HELD_BYTES_PER_CALLER_MAX } from "../../../src/rpc/server/limits.ts";
import { ORIGIN, ServerKit, SERVICE } from "./server_kit.ts";

Deno.test("RpcServer answers at once what its handler answers at once", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, (body) => body);
  kit.request(5, { body: utf8("hi") });
  assert.deepEqual(await kit.responses(), [
    { callLow: 5, item: 0, status: 0, headers: [], text: "hi" },
  ]);
  assert.equal(kit.meter.handlerInvocations, 1);
  assert.equal(kit.meter.handlersRunning, 0);
});

Deno.test("RpcServer takes an upload of one item for a body, and refuses one that goes on", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, (body) => body);
  const { clientStreaming, requestEnd } = RpcFlag;
  kit.request(1, { body: utf8("one"), flags: clientStreaming | requestEnd });
  kit.request(2, { body: utf8("one"), flags: clientStreaming });
  assert.deepEqual((await kit.responses()).map(({ status, text }) => [status, text]), [
    [Status.ok, "one"],
    [Status.internal, `"${SERVICE}" takes one body, not a stream of items`],
  ]);
});

Deno.test("RpcServer keeps a body for a handler that takes its time", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, async (body) => {
    await Promise.resolve();
    return body;
  });
  kit.request(5, { body: utf8("hi") });
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["hi"]);
});

Deno.test("RpcServer hands its handlers who calls, until when, and in which trace", async () => {
  const kit = new ServerKit();
  const deadlineMs = kit.clock.wallMs() + 5_000;
  const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  let seen: Record<string, unknown> = {};
  kit.server.serve(SERVICE, (body, context) => {
    const { caller, origin, callId, service, trace } = context;
    seen = {
      caller,
      origin,
      callId,
      service,
      deadlineMs: context.deadlineMs,
      trace: trace?.traceId,
    };
    return body;
  });
  kit.request(5, { deadlineMs, headers: [textHeader("TraceParent", parent)] });
  await kit.responses();
  assert.deepEqual(seen, {
    caller: 9n,
    origin: (BigInt(ORIGIN.high) << 32n) | BigInt(ORIGIN.low),
    callId: 5n,
    service: SERVICE,
    deadlineMs,
    trace: "4bf92f3577b34da6a3ce929d0e0e4736",
  });
});

Deno.test("RpcServer drops frames that do not say the truth, and counts each kind", async () => {
  const kit = new ServerKit();
  let runs = 0;
  kit.server.serve(SERVICE, (body) => {
    runs += 1;
    return body;
  });
  kit.request(1, { origin: { low: 7, high: 7 } });
  kit.request(2, { channel: "other" });
  kit.request(3, { service: "other" });
  kit.deliver(new Uint8Array(31));
  kit.deliver(new Uint8Array(32));
  assert.deepEqual(await kit.responses(), []);
  assert.equal(runs, 0);
  assert.equal(kit.meter.packetOriginMismatchDropped, 2);
  const { misrouted, misnamed, malformed } = kit.server.counters;
  assert.deepEqual({ misrouted, misnamed, malformed }, { misrouted: 1, misnamed: 1, malformed: 1 });
});

Deno.test("RpcServer answers a request that cannot be read with status 7", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, (body) => body);
  const { encodeRequest } = await import("./server_kit.ts");
  kit.deliver(encodeRequest(5, { body: utf8("hi") }).subarray(0, 45));
  const [response] = await kit.responses();
  assert.equal(response?.status, Status.unknownVersion);
  assert.match(response.text, /^malformed request: /);
});

Deno.test("RpcServer runs no handler twice for one call id", async () => {
  const kit = new ServerKit();
  let runs = 0;
  let finish: (body: Uint8Array) => void = () => {};
  kit.server.serve(SERVICE, () => {
    runs += 1;
    return new Promise<Uint8Array>((resolve) => finish = resolve);
  });
  kit.request(5);
  kit.request(5);
  assert.deepEqual((await kit.responses()).map(({ status, text }) => [status, text]), [
    [Status.internal, "duplicate REQUEST for already-in-flight call_id"],
  ]);
  finish(utf8("done"));
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["done"]);
  kit.request(5);
  assert.deepEqual(await kit.responses(), []);
  assert.equal(runs, 1);
  assert.equal(kit.server.counters.duplicates, 2);
});

Deno.test("RpcServer refuses what came long after its deadline, not what a slow clock says", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, (body) => body);
  kit.request(1, { deadlineMs: kit.clock.wallMs() - 10_001 });
  kit.request(2, { deadlineMs: kit.clock.wallMs() - 9_000 });
  assert.deepEqual((await kit.responses()).map(({ status, text }) => [status, text]), [
    [Status.timeout, "deadline already passed when request landed"],
    [Status.ok, ""],
  ]);
});

Deno.test("RpcServer ends a handler at the caller's deadline, or at its own", async () => {
  const kit = new ServerKit();
  const aborted: bigint[] = [];
  kit.server.serve(SERVICE, (_body, { signal, callId }) => {
    signal.addEventListener("abort", () => aborted.push(callId));
    return new Promise(() => {});
  }, { handlerTimeoutMs: 2_000 });
  kit.request(1, { deadlineMs: kit.clock.wallMs() + 1_000 });
  kit.request(2);
  await kit.clock.advance(999);
  assert.deepEqual(await kit.responses(), []);
  await kit.clock.advance(1);
  assert.deepEqual(
    (await kit.responses()).map(({ callLow, status, text }) => [callLow, status, text]),
    [
      [1, Status.timeout, "handler deadline_ns exceeded"],
    ],
  );
  await kit.clock.advance(1_000);
  assert.deepEqual(
    (await kit.responses()).map(({ callLow, status, text }) => [callLow, status, text]),
    [
      [2, Status.timeout, "handler took more than 2000 ms"],
    ],
  );
  assert.deepEqual(aborted, [1n, 2n]);
});

Deno.test("RpcServer answers a cancel at once, and nothing after it", async () => {
  const kit = new ServerKit();
  let finish: (body: Uint8Array) => void = () => {};
  let isAborted = false;
  const served = kit.server.serve(SERVICE, (_body, { signal }) => {
    signal.addEventListener("abort", () => isAborted = true);
    return new Promise<Uint8Array>((resolve) => finish = resolve);
  });
  kit.request(5);
  kit.cancel(5);
  assert.deepEqual((await kit.responses()).map(({ status, text }) => [status, text]), [
    [Status.cancelled, "server observed CANCEL during handler execution"],
  ]);
  assert.ok(isAborted);
  assert.equal(served.running, 1, "it is not through yet");
  finish(utf8("too late"));
  assert.deepEqual(await kit.responses(), []);
  assert.equal(served.running, 0);
});

Deno.test("RpcServer does not run what was cancelled before it came", async () => {
  const kit = new ServerKit();
  let runs = 0;
  kit.server.serve(SERVICE, (body) => {
    runs += 1;
    return body;
  });
  kit.cancel(5);
  kit.request(5);
  assert.deepEqual(await kit.responses(), []);
  assert.equal(runs, 0);
});

Deno.test("RpcServer tells what handlers throw", async () => {
  const kit = new ServerKit();
  const errors: unknown[] = [
    new Error("slipped"),
    new RpcStatusError(0x8001, "no such tree"),
    new Error("nrpc:app_error:0x8abc:half ripe"),
    "just text",
    new Error("x".repeat(5_000)),
  ];
  kit.server.serve(SERVICE, (body) => {
    const error = errors[body[0] ?? 0];
    if (body.length === 2) return Promise.reject(error);
    throw error;
  });
  for (let at = 0; at < errors.length; at++) kit.request(10 + at, { body: Uint8Array.of(at) });
  kit.request(20, { body: Uint8Array.of(0, 0) });
  const responses = await kit.responses();
  assert.deepEqual(responses.map(({ status, text }) => [status, text.slice(0, 40)]), [
    [Status.internal, "handler panicked: slipped"],
    [0x8001, "no such tree"],
    [0x8abc, "half ripe"],
    [Status.internal, "handler panicked: just text"],
    [Status.internal, `handler panicked: ${"x".repeat(22)}`],
    [Status.internal, "handler panicked: slipped"],
  ]);
  assert.ok(responses.every(({ text }) => text.length <= 1_024));
  assert.equal(kit.meter.handlerPanics, 4);
});

Deno.test("RpcServer asks its gate, and says so to whom it refuses", async () => {
  const kit = new ServerKit({ mayAdmit: () => false });
  let runs = 0;
  kit.server.serve(SERVICE, (body) => {
    runs += 1;
    return body;
  });
  kit.request(5);
  const [response] = await kit.responses();
  assert.equal(response?.status, Status.capabilityDenied);
  assert.equal(kit.meter.capabilityDenied, 1);
  assert.equal(runs, 0);
  // Whoever cannot be told on its own session is told nothing.
  kit.peer.provenOriginLow = undefined;
  kit.request(6);
  assert.deepEqual(await kit.responses(), []);
});

Deno.test("RpcServer bounds handlers per service and per caller, and says when to try again", async () => {
  const kit = new ServerKit();
  const resolves: ((body: Uint8Array) => void)[] = [];
  const served = kit.server.serve(
    SERVICE,
    () => new Promise<Uint8Array>((resolve) => resolves.push(resolve)),
    { runningMax: 3, runningPerPeerMax: 2 },
  );
  for (const call of [1, 2, 3]) kit.request(call);
  const [refused] = await kit.responses();
  assert.equal(refused?.callLow, 3);
  assert.equal(refused.status, Status.backpressure);
  assert.ok((headerNumber(refused.headers, HeaderName.retryAfter) ?? 0) > 0);
  assert.equal(served.running, 2);
  assert.equal(kit.meter.overloaded, 1);
  await kit.clock.advance(700);
  resolves[0]?.(utf8(""));
  await kit.responses();
  kit.request(4);
  kit.request(5);
  const [again] = await kit.responses();
  assert.equal(headerNumber(again?.headers ?? [], HeaderName.retryAfter), 700);
});

Deno.test("RpcServer lets answers wait for room, in order, and drops what finds none", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, (body) => body);
  kit.link.room = 0;
  for (const call of [1, 2, 3]) kit.request(call);
  assert.deepEqual(await kit.responses(), []);
  kit.link.addRoom(10);
  assert.deepEqual((await kit.responses()).map(({ callLow }) => callLow), [1, 2, 3]);
  kit.link.room = 0;
  for (let call = 10; call < 10 + 20_000; call++) kit.request(call);
  await kit.clock.advance(0);
  kit.link.addRoom(Infinity);
  let sent = 0;
  for (let part = -1; part !== 0; sent += part) part = (await kit.responses()).length;
  assert.ok(sent < 20_000);
  assert.equal(sent + kit.meter.responsesDropped, 20_000);
});

Deno.test("RpcServer ends handlers whose caller is gone, and all when it stops", async () => {
  const kit = new ServerKit();
  const aborted: bigint[] = [];
  kit.server.serve(SERVICE, (_body, { signal, callId }) => {
    signal.addEventListener("abort", () => aborted.push(callId));
    return new Promise(() => {});
  });
  kit.request(1);
  kit.lose();
  assert.deepEqual(aborted, [1n]);
  assert.deepEqual(await kit.responses(), []);
  kit.request(2);
  kit.server.stop();
  assert.deepEqual(aborted, [1n, 2n]);
  const [response] = await kit.responses();
  assert.equal(response?.status, Status.cancelled);
});

Deno.test("a closed service answers what runs, and hears nobody afterwards", async () => {
  const kit = new ServerKit();
  let finish: (body: Uint8Array) => void = () => {};
  const served = kit.server.serve(
    SERVICE,
    () => new Promise<Uint8Array>((resolve) => finish = resolve),
  );
  kit.request(1);
  let isClosed = false;
  void served.close().then(() => isClosed = true);
  assert.deepEqual(kit.withdrawn, [SERVICE]);
  kit.request(2);
  assert.deepEqual((await kit.responses()).map(({ callLow, status }) => [callLow, status]), [
    [2, Status.notFound],
  ]);
  assert.ok(kit.isHeard() && !isClosed);
  assert.throws(() => kit.server.serve(SERVICE, (body) => body), { kind: "serve_failed" });
  finish(utf8("done"));
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["done"]);
  await kit.clock.advance(0);
  assert.ok(isClosed && !kit.isHeard());
  await kit.server.serve(SERVICE, (body) => body).close({ isPatient: false });
});

Deno.test("RpcServer lets long answers wait for each other: a handler that ran is never called busy", async () => {
  const kit = new ServerKit();
  const long = new Uint8Array(40 * 1_048_576);
  kit.server.serve(SERVICE, () => long);
  kit.link.holdsLarge = true;
  // Three of them are under way, others wait, as far as there is room for them.
  const room = Math.floor(HELD_BYTES_PER_CALLER_MAX / long.length);
  for (let call = 1; call <= 3 + room + 1; call++) kit.request(call);
  const [dropped] = await kit.responses();
  assert.deepEqual([dropped?.callLow, dropped?.status], [3 + room + 1, Status.internal]);
  kit.cancel(5);
  assert.deepEqual((await kit.responses()).map(({ status }) => status), [Status.cancelled]);
  kit.link.releaseLarge();
  // What came is long; only which calls they answer is looked at.
  for (let turn = 0; turn < 100; turn++) await kit.clock.advance(0);
  const answered = kit.link.take().map(({ callLow }) => callLow).sort((a, b) => a - b);
  const expected = Array.from({ length: 3 + room }, (_, index) => index + 1);
  assert.deepEqual(answered, expected.filter((call) => call !== 5));
  assert.equal(kit.server.counters.heldBytes, 0);
});

Deno.test("RpcServer sends long answers in fragments to those who take them, and says so to others", async () => {
  const large = new Uint8Array(20_000);
  const extended = new ServerKit();
  extended.server.serve(SERVICE, () => large);
  extended.request(1);
  const [response] = await extended.responses();
  assert.deepEqual([response?.status, response?.text.length], [Status.ok, 20_000]);
  const plain = new ServerKit({ isExtended: false });
  plain.server.serve(SERVICE, () => large);
  plain.request(1);
  const [refused] = await plain.responses();
  assert.equal(refused?.status, Status.internal);
  assert.match(refused.text, /body too large for this peer/);
});

Deno.test("RpcServer tells observers of every answer, and of every call it ends", async () => {
  const kit = new ServerKit({ isObserved: true });
  kit.server.serve(SERVICE, (body, { signal }) => {
    if (body.length === 0) {
      return new Promise((_, reject) => signal.addEventListener("abort", reject));
    }
    if (body[0] === 1) throw new Error("slipped");
    return body;
  });
  kit.request(1, { body: Uint8Array.of(7, 7) });
  kit.request(2, { body: Uint8Array.of(1) });
  kit.request(3);
  kit.cancel(3);
  kit.request(4, { deadlineMs: kit.clock.wallMs() + 10 });
  await kit.clock.advance(10);
  await kit.responses();
  assert.deepEqual(
    kit.events.map((
      { direction, caller, callee, method, outcome, requestBytes, responseBytes },
    ) => [
      direction,
      caller,
      callee,
      method,
      outcome,
      requestBytes,
      responseBytes,
    ]),
    [
      ["inbound", 9n, 1n, SERVICE, "ok", 2, 2],
      ["inbound", 9n, 1n, SERVICE, "error", 1, 25],
      ["inbound", 9n, 1n, SERVICE, "canceled", 0, 47],
      ["inbound", 9n, 1n, SERVICE, "timeout", 0, 28],
    ],
  );
});

Deno.test("whatever comes in whatever order, a call is answered once at most and runs once", async () => {
  const anyStep = fc.record({
    what: fc.constantFrom("request", "cancel", "finish", "fail", "wait", "lose"),
    call: fc.integer({ min: 1, max: 4 }),
  });
  await fc.assert(fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
    const kit = new ServerKit();
    const runs = new Map<bigint, number>();
    const ends = new Map<number, { resolve(body: Uint8Array): void; reject(error: Error): void }>();
    const served = kit.server.serve(SERVICE, (_body, { callId }) => {
      runs.set(callId, (runs.get(callId) ?? 0) + 1);
      return new Promise<Uint8Array>((resolve, reject) => {
        ends.set(Number(callId), { resolve, reject });
      });
    }, { handlerTimeoutMs: 1_000 });
    const answers = new Map<number, number>();
    const take = async () => {
      for (const { callLow, text } of await kit.responses()) {
        if (text.startsWith("duplicate")) continue;
        answers.set(callLow, (answers.get(callLow) ?? 0) + 1);
      }
    };
    for (const { what, call } of steps) {
      if (what === "request") kit.request(call);
      else if (what === "cancel") kit.cancel(call);
      else if (what === "finish") ends.get(call)?.resolve(utf8("done"));
      else if (what === "fail") ends.get(call)?.reject(new Error("slipped"));
      else if (what === "wait") await kit.clock.advance(400);
      else kit.lose("replaced");
      await take();
    }
    await kit.clock.advance(2_000);
    await take();
    for (const end of ends.values()) end.resolve(utf8(""));
    await take();
    assert.ok([...runs.values(), ...answers.values()].every((count) => count === 1));
    assert.equal(served.running, 0);
    assert.equal(kit.server.counters.running, 0);
  }));
});
