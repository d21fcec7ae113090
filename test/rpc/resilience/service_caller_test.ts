import assert from "node:assert/strict";
import { CircuitBreaker, type RetryOptions, RpcError } from "../../../src/rpc/mod.ts";
import {
  BODY,
  broken,
  busy,
  createServiceKit,
  internal,
  type ScriptedCall,
  SERVICE,
  Settled,
} from "./service_kit.ts";

type Kit = ReturnType<typeof createServiceKit>;

const callOf = (kit: Kit, index: number) => kit.targets.calls[index] as ScriptedCall;

function call(kit: Kit, options: Parameters<Kit["caller"]["call"]>[2] = {}) {
  return new Settled(kit.caller.call(SERVICE, BODY, options));
}

Deno.test("call() of a target hands everything to the engine as it is", async () => {
  const kit = createServiceKit([]);
  const options = { target: 7n, timeoutMs: 5 };
  const result = call(kit, options);
  assert.equal(callOf(kit, 0).options, options);
  callOf(kit, 0).answer(9);
  await kit.clock.advance(0);
  assert.deepEqual(result.value, Uint8Array.of(9));
});

Deno.test("call() goes round the nodes that offer the service", async () => {
  const kit = createServiceKit([3n, 1n, 2n]);
  for (let index = 0; index < 4; index++) {
    const result = call(kit);
    callOf(kit, index).answer(index);
    await kit.clock.advance(0);
    assert.equal(result.count, 1);
  }
  assert.deepEqual(kit.targets.asked, [1n, 2n, 3n, 1n]);
});

Deno.test("call() that finds nobody is counted and told to the observer", async () => {
  const kit = createServiceKit([]);
  const heard: string[] = [];
  kit.metrics.observe(({ status, method }) => void heard.push(`${method} ${status.kind}`));
  const result = call(kit);
  await kit.clock.advance(0);
  assert.equal(result.kind, "no_route");
  const [service] = kit.metrics.snapshot().services;
  assert.equal(service?.calls_total, 1);
  assert.equal(service?.errors_no_route, 1);
  assert.equal(service?.latency_count, 1);
  assert.deepEqual(heard, [`${SERVICE} error`]);
});

Deno.test("capability_denied is never retried, whatever is asked for (promise N7)", async () => {
  const kit = createServiceKit([1n]);
  kit.mesh.denying.add(1n);
  const result = call(kit, { retry: { attempts: 5 } });
  await kit.clock.advance(60_000);
  assert.equal(result.kind, "capability_denied");
  assert.equal(kit.targets.calls.length, 0);
  kit.mesh.denying.clear();
  kit.mesh.version += 1;
  const later = call(kit, { retry: { attempts: 5 } });
  callOf(kit, 0).fail(new RpcError("capability_denied", "no", { status: 8, target: 1n }));
  await kit.clock.advance(60_000);
  assert.equal(later.kind, "capability_denied");
  assert.equal(kit.targets.calls.length, 1);
});

Deno.test("call() asks the next node when the first is busy, until one takes it (promise N2)", async () => {
  const kit = createServiceKit();
  const result = call(kit);
  callOf(kit, 0).fail(busy());
  await kit.clock.advance(0);
  callOf(kit, 1).fail(new RpcError("no_route", "no session"));
  await kit.clock.advance(0);
  callOf(kit, 2).answer(3);
  await kit.clock.advance(0);
  assert.deepEqual(kit.targets.asked, [1n, 2n, 3n]);
  assert.deepEqual(result.value, Uint8Array.of(3));
});

Deno.test("call() says that nodes are busy, with their hint, when all refuse", async () => {
  const kit = createServiceKit();
  const result = call(kit);
  for (const error of [new RpcError("no_route", "no session"), busy(70), busy(90)]) {
    callOf(kit, kit.targets.calls.length - 1).fail(error);
    await kit.clock.advance(0);
  }
  assert.equal(result.kind, "backpressure");
  assert.equal((result.error as RpcError).retryAfterMs, 70);
});

Deno.test("call() that left is asked of nobody else when the node is silent or breaks", async () => {
  const kit = createServiceKit();
  const silent = call(kit, { timeoutMs: 900 });
  await kit.clock.advance(900);
  assert.equal(silent.kind, "timeout");
  const gone = call(kit, { timeoutMs: 900 });
  callOf(kit, 1).fail(broken());
  await kit.clock.advance(0);
  assert.equal(gone.kind, "transport");
  assert.equal(kit.targets.calls.length, 2);
});

Deno.test("call() that may run twice is asked of the next node after a fair share of the time (N2)", async () => {
  const kit = createServiceKit();
  const result = call(kit, { timeoutMs: 900, isIdempotent: true });
  await kit.clock.advance(299);
  assert.deepEqual(kit.targets.asked, [1n]);
  await kit.clock.advance(1);
  assert.deepEqual(kit.targets.asked, [1n, 2n]);
  assert.equal(callOf(kit, 1).options.timeoutMs, 600);
  // The first is not given up: whoever answers first wins, the other is cancelled.
  assert.equal(callOf(kit, 0).isCancelled, false);
  callOf(kit, 0).answer(1);
  await kit.clock.advance(0);
  assert.deepEqual(result.value, Uint8Array.of(1));
  assert.equal(callOf(kit, 1).isCancelled, true);
  await kit.clock.advance(900);
  assert.equal(kit.targets.calls.length, 2);
});

Deno.test("call() that may run twice is asked of the next node when the way breaks", async () => {
  const kit = createServiceKit([1n, 2n]);
  const result = call(kit, { isIdempotent: true });
  callOf(kit, 0).fail(broken());
  await kit.clock.advance(0);
  callOf(kit, 1).fail(internal());
  await kit.clock.advance(0);
  assert.equal(result.kind, "server_error");
});

Deno.test("call() passes over a node to which nothing has left, in every case", async () => {
  const kit = createServiceKit([1n, 2n]);
  kit.targets.closed.add(1n);
  const result = call(kit, { timeoutMs: 1000 });
  await kit.clock.advance(500);
  assert.deepEqual(kit.targets.asked, [1n, 2n]);
  assert.equal(callOf(kit, 0).isCancelled, true);
  callOf(kit, 1).answer(2);
  await kit.clock.advance(0);
  assert.deepEqual(result.value, Uint8Array.of(2));
});

Deno.test("call() asks nobody else once the caller has given up", async () => {
  const kit = createServiceKit();
  const aborter = new AbortController();
  const result = call(kit, { signal: aborter.signal, isIdempotent: true });
  aborter.abort();
  await kit.clock.advance(60_000);
  assert.equal(result.kind, "cancelled");
  assert.equal(result.count, 1);
  assert.equal(callOf(kit, 0).isCancelled, true);
  assert.equal(kit.targets.calls.length, 1);
});

Deno.test("retry finds the nodes afresh at each attempt (promise 63)", async () => {
  const kit = createServiceKit([1n]);
  const result = call(kit, { retry: { hasJitter: false } });
  callOf(kit, 0).fail(internal());
  kit.mesh.nodes = [5n];
  kit.mesh.version += 1;
  await kit.clock.advance(50);
  callOf(kit, 1).answer(5);
  await kit.clock.advance(0);
  assert.deepEqual(kit.targets.asked, [1n, 5n]);
  assert.deepEqual(result.value, Uint8Array.of(5));
});

Deno.test("retry shares one deadline, and sends the body that was given", async () => {
  const kit = createServiceKit([1n]);
  const retry: RetryOptions = { hasJitter: false, attemptTimeoutMs: 100 };
  call(kit, { timeoutMs: 220, retry });
  await kit.clock.advance(1000);
  assert.deepEqual(kit.targets.calls.map(({ options }) => options.timeoutMs), [100, 70]);
  assert.ok(kit.targets.calls.every(({ body }) => body === BODY));
});

Deno.test("hedge asks the nodes of the service, none of them twice (promise 64)", async () => {
  const kit = createServiceKit([1n, 2n]);
  const result = call(kit, { hedge: { hedges: 5 } });
  await kit.clock.advance(1000);
  assert.deepEqual(kit.targets.calls.map(({ target, at }) => [target, at]), [
    [1n, 1000],
    [2n, 1050],
  ]);
  callOf(kit, 1).answer(2);
  await kit.clock.advance(0);
  assert.deepEqual(result.value, Uint8Array.of(2));
  assert.equal(callOf(kit, 0).isCancelled, true);
});

Deno.test("hedge refuses an empty list", async () => {
  const kit = createServiceKit();
  const result = call(kit, { hedge: { targets: [] } });
  await kit.clock.advance(0);
  assert.equal(result.kind, "no_route");
});

Deno.test("breaker refuses calls while the service keeps failing", async () => {
  const kit = createServiceKit([1n]);
  const breaker = new CircuitBreaker(kit.clock, { failures: 1 });
  call(kit, { breaker });
  callOf(kit, 0).fail(internal());
  await kit.clock.advance(0);
  const result = call(kit, { breaker, retry: {} });
  await kit.clock.advance(0);
  assert.equal(result.kind, "breaker_open");
  assert.equal(kit.targets.calls.length, 1);
});

Deno.test("callStream() picks and gates as call() does (promise N5)", async () => {
  const kit = createServiceKit([1n, 2n]);
  kit.mesh.denying.add(1n);
  const opening = kit.caller.callStream(SERVICE, BODY);
  await kit.clock.advance(0);
  const stream = callOf(kit, 0).open();
  const responses = await opening;
  assert.equal(responses.target, 2n);
  const read = responses.read();
  stream.give(4);
  assert.deepEqual(await read, Uint8Array.of(4));
  kit.mesh.denying.add(2n);
  kit.mesh.version += 1;
  await assert.rejects(kit.caller.callStream(SERVICE, BODY), { kind: "capability_denied" });
  await assert.rejects(kit.caller.callClientStream(SERVICE), { kind: "capability_denied" });
  await assert.rejects(kit.caller.callDuplex(SERVICE), { kind: "capability_denied" });
});

Deno.test("callStream() is opened at the next node when the first refuses before any item", async () => {
  const kit = createServiceKit([1n, 2n, 3n]);
  const opening = kit.caller.callStream(SERVICE, BODY, { isManualGrant: true });
  await kit.clock.advance(0);
  const refused = callOf(kit, 0).open();
  const responses = await opening;
  responses.grant(8);
  const first = new Settled(responses.read());
  const second = new Settled(responses.read());
  await kit.clock.advance(0);
  refused.fail(busy());
  await kit.clock.advance(0);
  const taken = callOf(kit, 1).open();
  await kit.clock.advance(0);
  assert.equal(taken.granted, 8);
  assert.equal(responses.target, 2n);
  taken.give(1);
  await kit.clock.advance(0);
  taken.end();
  await kit.clock.advance(0);
  assert.deepEqual(first.value, Uint8Array.of(1));
  assert.equal(second.count, 1);
  assert.equal(second.value, undefined);
});

Deno.test("callStream() goes nowhere else once an item has come", async () => {
  const kit = createServiceKit([1n, 2n]);
  const opening = kit.caller.callStream(SERVICE, BODY);
  await kit.clock.advance(0);
  const stream = callOf(kit, 0).open();
  const responses = await opening;
  const first = responses.read();
  await kit.clock.advance(0);
  stream.give(1);
  await first;
  const second = new Settled(responses.read());
  stream.fail(busy());
  await kit.clock.advance(0);
  assert.equal(second.kind, "backpressure");
  assert.equal(kit.targets.calls.length, 1);
});

Deno.test("callStream() hears its caller for as long as it lives", async () => {
  const kit = createServiceKit([1n, 2n]);
  const aborter = new AbortController();
  const opening = kit.caller.callStream(SERVICE, BODY, { signal: aborter.signal });
  await kit.clock.advance(0);
  callOf(kit, 0).open();
  await opening;
  aborter.abort();
  assert.equal(callOf(kit, 0).isCancelled, true);
});

Deno.test("callClientStream() and callDuplex() open at the next node when a way does not", async () => {
  for (const shape of ["callClientStream", "callDuplex"] as const) {
    const kit = createServiceKit([1n, 2n]);
    kit.targets.closed.add(1n);
    const opening = new Settled<unknown>(kit.caller[shape](SERVICE));
    await kit.clock.advance(5000);
    assert.deepEqual(kit.targets.calls.map((each) => [each.target, each.shape]), [
      [1n, shape],
      [2n, shape],
    ]);
    callOf(kit, 1).open();
    await kit.clock.advance(0);
    assert.equal(opening.count, 1);
  }
});

Deno.test("callStream() refuses to hedge", async () => {
  const kit = createServiceKit();
  await assert.rejects(kit.caller.callStream(SERVICE, BODY, { hedge: {} }), TypeError);
});

Deno.test("findServiceNodes() names all nodes that announce the service (promise 61)", () => {
  assert.deepEqual(createServiceKit([2n, 1n]).caller.findServiceNodes(SERVICE), [1n, 2n]);
});
