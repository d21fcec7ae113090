import assert from "node:assert/strict";
import { NetError, systemRandom } from "../../src/base/mod.ts";
import { createGatewayApp, type GatewayApp, type GatewayAppDeps } from "../../src/gateway/app.ts";
import { GatewayCounters } from "../../src/gateway/gateway_counters.ts";
import type { GatewayRoute } from "../../src/gateway/route.ts";
import { createLog, silentLog } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

interface Kit {
  readonly app: GatewayApp;
  readonly clock: ManualClock;
  readonly counters: GatewayCounters;
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** Ends the answers given so far. */
  end(): void;
}

function open(routes: readonly GatewayRoute[], deps: Partial<GatewayAppDeps> = {}): Kit {
  const clock = new ManualClock();
  const counters = new GatewayCounters();
  const app = createGatewayApp(
    { clock, counters, random: systemRandom, log: silentLog, isLocal: true, ...deps },
    routes,
  );
  const endings: (() => void)[] = [];
  const info = {
    remoteHost: "127.0.0.1",
    onEnd: (action: () => void) => void endings.push(action),
  };
  return {
    app,
    clock,
    counters,
    ask: (path, init) => app(new Request(`http://localhost${path}`, init), info),
    end: () => endings.splice(0).forEach((action) => action()),
  };
}

const OK: GatewayRoute = { path: "/ok", handlers: { GET: () => new Response("ok") } };

Deno.test("the gateway gives every answer an id, the client's where it is plain", async () => {
  const kit = open([OK]);
  const own = await kit.ask("/ok");
  assert.match(own.headers.get("x-request-id") ?? "", /^[0-9a-f]{16}$/);
  const taken = await kit.ask("/none", { headers: { "x-request-id": "a-1", "x-corr-id": "c:2" } });
  assert.equal(taken.status, 404);
  assert.equal(taken.headers.get("x-request-id"), "a-1");
  assert.equal(taken.headers.get("x-corr-id"), "c:2");
  const bad = await kit.ask("/ok", { headers: { "x-request-id": "a b", "x-corr-id": "<x>" } });
  assert.match(bad.headers.get("x-request-id") ?? "", /^[0-9a-f]{16}$/);
  assert.equal(bad.headers.get("x-corr-id"), null);
});

Deno.test("the gateway takes so many requests in a second, and those for its health always", async () => {
  const vital: GatewayRoute = { ...OK, path: "/livez", isVital: true };
  const kit = open([OK, vital], { limits: { requestsPerSecond: 3 } });
  const statuses = [];
  for (let at = 0; at < 4; at++) statuses.push((await kit.ask("/ok")).status);
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  const refused = await kit.ask("/ok");
  assert.equal(refused.headers.get("retry-after"), "1");
  const { code, retryable, retry_after_ms } = await refused.json();
  assert.deepEqual([code, retryable, retry_after_ms], ["rate_limited", true, 1_000]);
  assert.equal((await kit.ask("/livez")).status, 200);
  await kit.clock.advance(1_000);
  assert.equal((await kit.ask("/ok")).status, 200);
});

Deno.test("the gateway counts a request as under way until its answer has ended", async () => {
  const kit = open([OK], { limits: { inFlightMax: 2 } });
  assert.equal((await kit.ask("/ok")).status, 200);
  assert.equal((await kit.ask("/ok")).status, 200);
  const refused = await kit.ask("/ok");
  assert.equal(refused.status, 503);
  assert.equal((await refused.json()).code, "too_busy");
  kit.end();
  assert.equal(kit.counters.inFlight, 0);
  assert.equal((await kit.ask("/ok")).status, 200);
});

Deno.test("the gateway in the open leaves room for other clients", async () => {
  const kit = open([OK], { isLocal: false, limits: { inFlightMax: 16 } });
  const endings: (() => void)[] = [];
  const ask = async (remoteHost: string) => {
    const info = { remoteHost, onEnd: (action: () => void) => void endings.push(action) };
    return (await kit.app(new Request("http://node.example/ok"), info)).status;
  };
  assert.deepEqual([await ask("a"), await ask("a"), await ask("a")], [200, 200, 503]);
  assert.equal(await ask("b"), 200);
  for (const end of endings) end();
  assert.equal(await ask("a"), 200);
});

Deno.test("the gateway answers for a handler that does not", async () => {
  let aborted: unknown;
  const slow: GatewayRoute = {
    path: "/slow",
    answerMs: 200,
    handlers: {
      GET: ({ signal }) => {
        signal.addEventListener("abort", () => aborted = signal.reason);
        return new Promise(() => {});
      },
    },
  };
  const kit = open([slow]);
  const answer = kit.ask("/slow");
  await Promise.resolve();
  await kit.clock.advance(200);
  const response = await answer;
  assert.equal(response.status, 504);
  assert.equal((await response.json()).code, "timeout");
  assert.ok(aborted instanceof Error);
});

Deno.test("the gateway bounds bodies by what they say and by what they are", async () => {
  const echo: GatewayRoute = {
    path: "/echo",
    bodyBytesMax: 4,
    handlers: { POST: async ({ body }) => new Response(await body?.bytes()) },
  };
  const kit = open([echo]);
  const send = (body: BodyInit, headers: Record<string, string> = {}) =>
    kit.ask("/echo", { method: "POST", body, headers });
  assert.equal(await (await send("abcd")).text(), "abcd");
  assert.equal((await send("a", { "content-length": "5" })).status, 413);
  const long = await send(new Blob(["abc", "de"]).stream());
  assert.equal(long.status, 413);
  assert.equal((await long.json()).code, "payload_too_large");
  assert.equal(kit.counters.snapshot()['rejected_total{reason="body_too_large"}'], 2);
});

Deno.test("the gateway takes no encoded bodies", async () => {
  const kit = open([OK]);
  const statusOf = async (encoding: string) =>
    (await kit.ask("/ok", { headers: { "content-encoding": encoding } })).status;
  assert.equal(await statusOf("gzip"), 415);
  assert.equal(await statusOf("identity, gzip"), 415);
  assert.equal(await statusOf("identity"), 200);
});

Deno.test("the gateway on this machine serves no web pages of elsewhere", async () => {
  const kit = open([OK]);
  const ask = async (host: string, headers: Record<string, string>) => {
    const request = new Request(`http://${host}/ok`, { headers });
    return (await kit.app(request, { remoteHost: "", onEnd: () => {} })).status;
  };
  assert.equal(await ask("127.0.0.1:8080", {}), 200);
  assert.equal(await ask("[::1]:8080", {}), 200);
  assert.equal(await ask("evil.example", {}), 421);
  assert.equal(await ask("127.0.0.1.evil.example", {}), 421);
  assert.equal(await ask("localhost", { origin: "http://localhost" }), 200);
  assert.equal(await ask("localhost", { origin: "http://evil.example" }), 403);
  assert.equal(await ask("localhost", { origin: "null" }), 403);
  const embedded = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
  assert.equal(await ask("localhost", embedded), 403);
});

Deno.test("the gateway in the open serves other names, but takes no writes of web pages", async () => {
  const write: GatewayRoute = { path: "/w", handlers: { PUT: () => new Response("ok") } };
  const kit = open([OK, write], { isLocal: false });
  const ask = async (path: string, method: string) => {
    const headers = { origin: "https://evil.example" };
    const request = new Request(`http://node.example${path}`, { method, headers });
    return (await kit.app(request, { remoteHost: "", onEnd: () => {} })).status;
  };
  assert.equal(await ask("/ok", "GET"), 200);
  assert.equal(await ask("/w", "PUT"), 403);
});

Deno.test("the gateway answers failures by their code, and keeps what is inside", async () => {
  const fail = (error: unknown): GatewayRoute => ({
    path: "/fail",
    handlers: { GET: () => Promise.reject(error) },
  });
  const answerOf = async (error: unknown) => {
    const response = await open([fail(error)]).ask("/fail");
    return { status: response.status, ...await response.json() };
  };
  const busy = await answerOf(new NetError("limit", "busy", { next: "wait" }));
  assert.deepEqual([busy.status, busy.code, busy.retryable, busy.next], [
    429,
    "limit",
    true,
    "wait",
  ]);
  const gone = await answerOf(new NetError("not_found", "gone"));
  assert.deepEqual([gone.status, gone.retryable], [404, false]);
  const inside = await answerOf(new TypeError("a secret of the program"));
  assert.deepEqual([inside.status, inside.code], [500, "internal"]);
  assert.ok(!JSON.stringify(inside).includes("secret"));
});

Deno.test("the gateway makes no failure of a client that left", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line) });
  const abort = new AbortController();
  const waiting: GatewayRoute = {
    path: "/wait",
    handlers: {
      GET: ({ signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        ),
    },
  };
  const kit = open([waiting], { log });
  const answer = kit.ask("/wait", { signal: abort.signal });
  abort.abort();
  assert.equal((await answer).status, 499);
  assert.deepEqual(lines, []);
});

Deno.test("the gateway counts answers by route, method and status", async () => {
  const kit = open([OK]);
  await kit.ask("/ok");
  await kit.ask("/ok", { method: "HEAD" });
  await kit.ask("/nothing/of/this", { method: "BREW" });
  const counters = kit.counters.snapshot();
  assert.equal(counters['http_requests_total{route="/ok",method="GET",status="200"}'], 1);
  assert.equal(counters['http_requests_total{route="/ok",method="HEAD",status="200"}'], 1);
  assert.equal(counters['http_requests_total{route="none",method="other",status="404"}'], 1);
});
