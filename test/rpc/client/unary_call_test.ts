import assert from "node:assert/strict";
import {
  BODY_BYTES_MAX,
  CONTINUE_HEADERS,
  Dispatch,
  END_HEADERS,
  headerText,
  RpcError,
  RpcFlag,
  Status,
  textHeader,
} from "../../../src/rpc/mod.ts";
import { type Answer, MemoryLink, requestOf, type SentFrame } from "../memory_links.ts";
import { bodyOf, type ClientKit, createClientKit, Outcome, PEER, SERVICE } from "./client_kit.ts";

const WALL = 1_700_000_000_000;
const TEXT = new TextEncoder();

/** Makes a call and takes its request off the link. */
function call(kit: ClientKit, options: Parameters<ClientKit["client"]["call"]>[3] = {}) {
  const outcome = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1, 2, 3), options));
  const [request] = kit.link.take();
  return { outcome, request: request as SentFrame };
}

Deno.test("call() writes one request, and gives the answer as bytes of its own", async () => {
  const kit = createClientKit();
  const { outcome, request } = call(kit);
  const read = requestOf(request);
  assert.deepEqual([...read.body], [1, 2, 3]);
  assert.equal(read.serviceLength, SERVICE.length);
  assert.equal(read.flags, 0);
  assert.equal(read.deadlineMs, WALL + 1_000 + 30_000);
  assert.equal(request.item, 0);
  kit.links.respond(kit.link, request, { body: bodyOf(9, 8) });
  await kit.clock.advance(0);
  assert.deepEqual([...outcome.value ?? []], [9, 8]);
  assert.equal(kit.client.counters.pending, 0);
  assert.deepEqual(
    [kit.meter.calls, kit.meter.inFlight, kit.meter.latency.count, kit.meter.errorsServer],
    [1, 0, 1, 0],
  );
});

Deno.test("call() draws ids that are never 0 and not in use", () => {
  const firstRandom = new Uint8Array(32);
  new Uint32Array(firstRandom.buffer).set([0, 0, 5, 6, 5, 6, 7, 8]);
  const kit = createClientKit({ firstRandom });
  const ids = [call(kit), call(kit)].map(({ request }) => [request.callLow, request.callHigh]);
  assert.deepEqual(ids, [[5, 6], [7, 8]]);
  kit.client.stop();
});

Deno.test("call() ends at its deadline with a CANCEL, and a late answer is counted", async () => {
  const kit = createClientKit();
  const { outcome, request } = call(kit, { timeoutMs: 500 });
  assert.equal(requestOf(request).deadlineMs, WALL + 1_500);
  await kit.clock.advance(499);
  assert.equal(outcome.settled, 0);
  await kit.clock.advance(1);
  assert.equal(outcome.error?.kind, "timeout");
  assert.equal(outcome.error?.bindingText, "nrpc:timeout: elapsed_ms=500");
  const [cancel] = kit.link.take();
  assert.deepEqual(
    [cancel?.dispatch, cancel?.callLow, cancel?.callHigh],
    [Dispatch.cancel, request.callLow, request.callHigh],
  );
  kit.links.respond(kit.link, request);
  await kit.clock.advance(0);
  assert.equal(outcome.settled, 1);
  assert.equal(kit.client.counters.unknownDropped, 1);
  assert.equal(kit.meter.errorsTimeout, 1);
});

Deno.test("call() falls due at its own time among many", async () => {
  const kit = createClientKit();
  const timeouts = [900, 20, 400, 400, 30_000, 1, 700];
  const calls = timeouts.map((timeoutMs) => call(kit, { timeoutMs }));
  // One that is answered in the middle disturbs nobody.
  kit.links.respond(kit.link, (calls[2] as { request: SentFrame }).request);
  for (const untilMs of [1, 20, 400, 700, 900, 30_000]) {
    await kit.clock.advance(untilMs + 1_000 - kit.clock.now());
    for (const [at, timeoutMs] of timeouts.entries()) {
      const isOver = at === 2 || timeoutMs <= untilMs;
      assert.equal(calls[at]?.outcome.settled, isOver ? 1 : 0, `${timeoutMs} at ${untilMs}`);
    }
  }
});

Deno.test("call() without time left fails before anything is sent", async () => {
  const kit = createClientKit();
  const outcome = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1), { timeoutMs: 0 }));
  const bad = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1), { timeoutMs: -1 }));
  await kit.clock.advance(0);
  assert.equal(outcome.error?.kind, "timeout");
  assert.equal(bad.error?.kind, "codec_encode");
  assert.deepEqual(kit.link.take(), []);
  assert.equal(kit.meter.inFlight, 0);
});

Deno.test("call() cancelled by its signal sends CANCEL; before it began, nothing", async () => {
  const kit = createClientKit();
  const controller = new AbortController();
  const { outcome } = call(kit, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await kit.clock.advance(0);
  assert.equal(outcome.error?.kind, "cancelled");
  assert.match(String(outcome.error?.cause), /enough/);
  assert.deepEqual(kit.link.take().map(({ dispatch }) => dispatch), [Dispatch.cancel]);
  const late = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(), { signal: controller.signal }));
  await kit.clock.advance(0);
  assert.equal(late.error?.kind, "cancelled");
  assert.deepEqual(kit.link.take(), []);
});

Deno.test("call() takes answers from the link it was sent on only", async () => {
  const kit = createClientKit();
  const other = kit.links.set(8n, SERVICE, new MemoryLink({ peer: 8n }));
  const { outcome, request } = call(kit);
  kit.links.respond(other, request, { body: bodyOf(6) });
  await kit.clock.advance(0);
  assert.equal(outcome.settled, 0);
  assert.equal(kit.client.counters.forgedDropped, 1);
  kit.links.respond(kit.link, request, { body: bodyOf(5) });
  await kit.clock.advance(0);
  assert.deepEqual([...outcome.value ?? []], [5]);
});

Deno.test("call() counts frames that are none, and what no server sends", async () => {
  const kit = createClientKit();
  const { outcome, request } = call(kit);
  kit.links.deliver(kit.link, new Uint8Array(31));
  kit.links.deliver(kit.link, request.bytes);
  assert.equal(kit.client.counters.malformedDropped, 2);
  assert.equal(outcome.settled, 0);
  const broken = request.bytes.slice(0, 40);
  broken[0] = Dispatch.response;
  kit.links.deliver(kit.link, broken);
  await kit.clock.advance(0);
  assert.equal(outcome.error?.kind, "codec_decode");
});

const STATES: readonly [string, Answer, Partial<RpcError>][] = [
  ["internal", { status: Status.internal, body: TEXT.encode("boom") }, {
    kind: "server_error",
    status: 6,
    message: "boom",
    bindingText: "nrpc:server_error: status=0x0006 message=boom",
  }],
  ["capability denied", { status: Status.capabilityDenied }, {
    kind: "capability_denied",
    status: 8,
    target: PEER,
    capability: "nrpc:echo",
    code: "not_allowed",
  }],
  ["backpressure", {
    status: Status.backpressure,
    headers: [textHeader("net-retry-after-ms", "250")],
    body: TEXT.encode("busy"),
  }, { kind: "backpressure", status: 4, retryAfterMs: 250, message: "busy" }],
  ["cancelled", { status: Status.cancelled }, { kind: "cancelled", status: 5 }],
  ["the application's own", { status: 0x9000, body: TEXT.encode("mine") }, {
    kind: "server_error",
    status: 0x9000,
    message: "mine",
  }],
];

for (const [name, answer, wanted] of STATES) {
  Deno.test(`call() answered with status ${name} fails with its kind`, async () => {
    const kit = createClientKit();
    const { outcome, request } = call(kit);
    kit.links.respond(kit.link, request, answer);
    await kit.clock.advance(0);
    for (const [key, value] of Object.entries(wanted)) {
      assert.equal(outcome.error?.[key as keyof RpcError], value, key);
    }
    assert.deepEqual(kit.link.take(), [], "no cancel for what is over");
  });
}

Deno.test("call() ends with transport when its link does", async () => {
  for (const reason of ["peer_lost", "replaced", "reset", "closed"] as const) {
    const kit = createClientKit();
    const calls = [call(kit), call(kit)];
    kit.links.end(kit.link, reason);
    await kit.clock.advance(0);
    for (const { outcome } of calls) assert.equal(outcome.error?.kind, "transport");
    assert.deepEqual([kit.meter.errorsTransport, kit.meter.inFlight], [2, 0]);
  }
});

Deno.test("call() waits for its link within its deadline", async () => {
  const kit = createClientKit();
  const waiting = new Outcome(kit.client.call(9n, SERVICE, bodyOf(4), { timeoutMs: 100 }));
  const refused = new Outcome(kit.client.call(10n, SERVICE, bodyOf(4)));
  const late = new Outcome(kit.client.call(11n, SERVICE, bodyOf(4), { timeoutMs: 100 }));
  kit.links.refuse(10n, SERVICE, new RpcError("no_route", "no session"));
  const link = kit.links.set(9n, SERVICE, new MemoryLink({ peer: 9n }));
  await kit.clock.advance(10);
  const [request] = link.take();
  kit.links.respond(link, request as SentFrame, { body: bodyOf(1) });
  await kit.clock.advance(90);
  assert.deepEqual([...waiting.value ?? []], [1]);
  assert.equal(refused.error?.kind, "no_route");
  assert.equal(kit.meter.errorsNoRoute, 1);
  assert.equal(late.error?.kind, "timeout");
  assert.equal(kit.links.opening(11n, SERVICE), 0, "nobody waits for the link any more");
});

Deno.test("call() waits for room, and gives up waiting at its deadline", async () => {
  const kit = createClientKit();
  kit.link.room = 0;
  const first = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1), { timeoutMs: 100 }));
  const second = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(2), { timeoutMs: 200 }));
  await kit.clock.advance(100);
  assert.equal(first.error?.kind, "timeout");
  kit.link.addRoom(10);
  await kit.clock.advance(0);
  const sent = kit.link.take();
  assert.deepEqual(
    sent.map(({ bytes }) => bytes.at(-1)),
    [2],
    "no request, no cancel of the first",
  );
  kit.links.respond(kit.link, sent[0] as SentFrame);
  await kit.clock.advance(0);
  assert.equal(second.settled, 1);
});

Deno.test("call() sends its CANCEL when there is room again", async () => {
  const kit = createClientKit();
  kit.link.room = 1;
  call(kit, { timeoutMs: 50 });
  await kit.clock.advance(50);
  assert.deepEqual(kit.link.take(), []);
  kit.link.addRoom(1);
  await kit.clock.advance(0);
  assert.deepEqual(kit.link.take().map(({ dispatch }) => dispatch), [Dispatch.cancel]);
  kit.client.stop();
});

Deno.test("call() sends long bodies in fragments where the peer takes them", async () => {
  const kit = createClientKit();
  const body = new Uint8Array(100_000).fill(5);
  const outcome = new Outcome(kit.client.call(PEER, SERVICE, body));
  await kit.clock.advance(0);
  const [request] = kit.link.take() as [SentFrame];
  assert.ok(request.isLarge);
  assert.deepEqual(requestOf(request).body, body);
  kit.links.respond(kit.link, request, { body });
  await kit.clock.advance(0);
  assert.deepEqual(outcome.value, body);
});

Deno.test("call() with a long body ends at its deadline while it is sent", async () => {
  const kit = createClientKit();
  kit.link.holdsLarge = true;
  const body = new Uint8Array(100_000);
  const outcome = new Outcome(kit.client.call(PEER, SERVICE, body, { timeoutMs: 100 }));
  await kit.clock.advance(100);
  assert.equal(outcome.error?.kind, "timeout");
  kit.link.releaseLarge();
  await kit.clock.advance(0);
  // The server may hold parts of it: it is told.
  assert.deepEqual(kit.link.take().map(({ dispatch }) => dispatch), [Dispatch.cancel]);
});

Deno.test("call() refuses at once what the peer cannot take", async () => {
  const plain = createClientKit({ isExtended: false });
  const outcome = new Outcome(plain.client.call(PEER, SERVICE, new Uint8Array(9_000)));
  await plain.clock.advance(0);
  assert.equal(outcome.error?.kind, "too_large");
  assert.match(outcome.error?.message ?? "", /body too large for this peer/);
  const ours = createClientKit();
  const huge = new Outcome(ours.client.call(PEER, SERVICE, new Uint8Array(BODY_BYTES_MAX + 1)));
  await ours.clock.advance(0);
  assert.equal(huge.error?.kind, "too_large");
  assert.deepEqual([...plain.link.take(), ...ours.link.take()], []);
});

Deno.test("call() fails when its long answer was not taken here", async () => {
  const kinds = {
    budget: "backpressure",
    too_large: "too_large",
    malformed: "codec_decode",
    late: "transport",
  } as const;
  for (const [reason, kind] of Object.entries(kinds)) {
    const kit = createClientKit();
    const { outcome, request } = call(kit);
    const { callLow, callHigh } = request;
    kit.client.onRefused(kit.link, {
      dispatch: Dispatch.response,
      originLow: 1,
      originHigh: 2,
      callLow,
      callHigh,
      item: 0,
      reason: reason as keyof typeof kinds,
      retryAfterMs: 70,
    });
    await kit.clock.advance(0);
    assert.equal(outcome.error?.kind, kind);
    assert.equal(outcome.error?.retryAfterMs, kind === "backpressure" ? 70 : undefined);
  }
});

Deno.test("call() asks the caller gate first", async () => {
  const kit = createClientKit();
  kit.denied.add(PEER);
  const outcome = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1)));
  await kit.clock.advance(0);
  assert.equal(outcome.error?.kind, "capability_denied");
  assert.deepEqual([outcome.error?.target, outcome.error?.capability], [PEER, "nrpc:echo"]);
  assert.deepEqual([kit.meter.callsDenied, kit.meter.inFlight], [1, 0]);
  assert.deepEqual(kit.link.take(), []);
});

Deno.test("call() says so when too many wait", async () => {
  const kit = createClientKit({ callsMax: 2 });
  const first = call(kit);
  call(kit);
  const third = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1)));
  await kit.clock.advance(0);
  assert.equal(third.error?.kind, "backpressure");
  assert.ok((third.error?.retryAfterMs ?? 0) > 0);
  kit.links.respond(kit.link, first.request);
  const fourth = call(kit);
  assert.ok(fourth.request !== undefined, "one has ended, so another may begin");
  assert.equal(kit.meter.inFlight, 2);
  kit.client.stop();
});

Deno.test("call() carries trace, predicate and the caller's headers, in this order", () => {
  const kit = createClientKit();
  const { request } = call(kit, {
    trace: {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      parentSpanId: undefined,
      isSampled: true,
      state: [],
    },
    where: { kind: "metadata_exists", key: "intent" },
    headers: [textHeader("mine", "x")],
  });
  const { headers, flags } = requestOf(request);
  assert.deepEqual(headers.map(({ name }) => name), ["traceparent", "net-where", "mine"]);
  assert.equal(
    headerText(headers, "traceparent"),
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  );
  assert.equal(flags, RpcFlag.trace);
  kit.client.stop();
});

Deno.test("call() refuses headers that cannot be sent, before it sends", async () => {
  const kit = createClientKit();
  const bad = [
    Array.from({ length: 33 }, () => textHeader("a", "")),
    [textHeader("", "x")],
    [textHeader("x".repeat(65), "x")],
    [{ name: "x", value: new Uint8Array(4_097) }],
  ];
  for (const headers of bad) {
    const outcome = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1), { headers }));
    await kit.clock.advance(0);
    assert.equal(outcome.error?.kind, "codec_encode");
  }
  const nameless = new Outcome(kit.client.call(PEER, "", bodyOf(1)));
  await kit.clock.advance(0);
  assert.equal(nameless.error?.kind, "codec_encode");
  assert.deepEqual(kit.link.take(), []);
  assert.deepEqual([kit.meter.inFlight, kit.client.counters.pending], [0, 0]);
});

Deno.test("call() is told to observers only while there are some", async () => {
  const quiet = createClientKit();
  const { request } = call(quiet);
  quiet.links.respond(quiet.link, request);
  assert.deepEqual(quiet.events, []);
  const kit = createClientKit({ isObserved: true });
  kit.links.respond(kit.link, call(kit).request, { body: bodyOf(1, 2) });
  kit.links.respond(kit.link, call(kit).request, { status: 6, body: TEXT.encode("boom") });
  call(kit, { timeoutMs: 40 });
  await kit.clock.advance(40);
  assert.deepEqual(
    kit.events.map(({ outcome, error, requestBytes, responseBytes, latencyMs, direction }) => [
      outcome,
      error,
      requestBytes,
      responseBytes,
      latencyMs,
      direction,
    ]),
    [
      ["ok", undefined, 3, 2, 0, "outbound"],
      ["error", "boom", 3, 4, 0, "outbound"],
      ["timeout", undefined, 3, 0, 40, "outbound"],
    ],
  );
});

Deno.test("stop() ends every call, and refuses new ones", async () => {
  const kit = createClientKit();
  const { outcome } = call(kit);
  kit.client.stop();
  const late = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1)));
  await kit.clock.advance(60_000);
  assert.equal(outcome.error?.kind, "cancelled");
  assert.equal(late.error?.kind, "cancelled");
  assert.equal(kit.client.counters.pending, 0);
});

Deno.test("call() says when its request leaves", () => {
  const kit = createClientKit();
  const said: string[] = [];
  const begin = (target: bigint, name: string, signal?: AbortSignal) =>
    new Outcome(
      kit.client.call(target, SERVICE, bodyOf(1), { signal, onSent: () => said.push(name) }),
    );
  begin(PEER, "ready");
  begin(PEER, "aborted", AbortSignal.abort());
  begin(PEER + 1n, "no link");
  assert.deepEqual(said, ["ready"]);
  kit.client.stop();
});

Deno.test("call() takes no item of a stream for the whole answer", async () => {
  for (const [headers, isCancelled] of [[CONTINUE_HEADERS, true], [END_HEADERS, false]] as const) {
    const kit = createClientKit();
    const { outcome, request } = call(kit);
    kit.links.respond(kit.link, request, { headers, body: bodyOf(9), item: 1 });
    await kit.clock.advance(0);
    assert.equal(outcome.error?.kind, "codec_decode");
    assert.match(outcome.error.next ?? "", /--stream/);
    const cancels = kit.link.take().filter(({ dispatch }) => dispatch === Dispatch.cancel);
    assert.equal(cancels.length, isCancelled ? 1 : 0);
  }
});
