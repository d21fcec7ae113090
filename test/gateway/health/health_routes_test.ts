import assert from "node:assert/strict";
import { systemRandom } from "../../../src/base/mod.ts";
import { createGatewayApp, type GatewayAppDeps } from "../../../src/gateway/app.ts";
import { GatewayCounters } from "../../../src/gateway/gateway_counters.ts";
import { healthRoutes } from "../../../src/gateway/health/health_routes.ts";
import type { GatewayRoute } from "../../../src/gateway/route.ts";
import { HealthState, type PartReport, type SupervisorState } from "../../../src/kernel/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const WORK: GatewayRoute = {
  path: "/work",
  handlers: { GET: () => new Response("done"), PUT: () => new Response("done") },
};

function open(deps: Partial<GatewayAppDeps> = {}) {
  const clock = new ManualClock();
  const parts: Record<string, PartReport> = { mesh: { state: "healthy" } };
  const supervisor = {
    state: "running" as SupervisorState,
    health: () => ({ ...parts }),
    restarts: () => ({}),
  };
  const health = new HealthState({ clock, log: silentLog, supervisor });
  const counters = new GatewayCounters();
  health.addDrainPart({ name: "http", inFlight: () => counters.inFlight });
  const member = {
    primal: "net",
    version: "1.2.3",
    domain: "network",
    build: { buildHash: "abc", compiledAt: "unknown" },
  };
  const app = createGatewayApp({
    clock,
    counters,
    random: systemRandom,
    log: silentLog,
    isLocal: true,
    isDraining: () => health.isDraining,
    ...deps,
  }, [WORK, ...healthRoutes({ member, health, uptimeSecs: () => 7.9 }, deps.isLocal ?? true)]);
  const endings: (() => void)[] = [];
  const info = {
    remoteHost: "127.0.0.1",
    onEnd: (action: () => void) => void endings.push(action),
  };
  const ask = (path: string, init?: RequestInit, host = "localhost") =>
    app(new Request(`http://${host}${path}`, init), info);
  const end = () => endings.splice(0).forEach((action) => action());
  return { clock, parts, supervisor, health, counters, ask, end };
}

Deno.test("the health paths answer as the triad does", async () => {
  const { ask } = open();
  const live = await ask("/livez");
  assert.equal(live.headers.get("cache-control"), "no-store");
  assert.deepEqual(await live.json(), { status: "healthy", alive: true });
  const ready = await ask("/readyz");
  assert.equal(ready.status, 200);
  assert.deepEqual(await ready.json(), {
    status: "healthy",
    version: "1.2.3",
    primal: "net",
    domain: "network",
    ready: true,
    degraded: false,
    missing: [],
    writes: true,
    phase: "serving",
  });
  const check = await (await ask("/healthz")).json();
  assert.deepEqual([check.status, check.healthy, check.uptime_secs], ["healthy", true, 7]);
  assert.equal(check.subsystems.mesh.status, "healthy");
  assert.deepEqual(await (await ask("/version")).json(), {
    service: "net",
    version: "1.2.3",
    build_hash: "abc",
    compiled_at: "unknown",
  });
});

Deno.test("/readyz is 503 and names what is missing, for writes apart from reads", async () => {
  const { ask, parts, supervisor } = open();
  parts.mesh = { state: "degraded", detail: "full", refusesWrites: true };
  const statuses = [];
  for (const query of ["", "?for=any", "?for=read", "?for=write"]) {
    statuses.push((await ask(`/readyz${query}`)).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 503]);
  const refused = await ask("/readyz?for=write");
  assert.equal(refused.headers.get("retry-after"), "3");
  const { ready, degraded, missing, retry_after, writes } = await refused.json();
  assert.deepEqual({ ready, degraded, missing, retry_after, writes }, {
    ready: false,
    degraded: true,
    missing: ["mesh"],
    retry_after: 3,
    writes: false,
  });
  assert.equal((await (await ask("/readyz")).json()).writes, false);
  const senseless = await ask("/readyz?for=lunch");
  assert.equal(senseless.status, 400);
  assert.match((await senseless.json()).message, /any, read or write/);

  supervisor.state = "starting";
  parts.mesh = { state: "starting" };
  const starting = await ask("/readyz");
  assert.equal(starting.status, 503);
  const document = await starting.json();
  assert.deepEqual([document.status, document.phase, document.missing], [
    "not_ready",
    "starting",
    ["mesh"],
  ]);
  assert.equal((await ask("/livez")).status, 200);
});

Deno.test("/healthz is 503 where a part is down, and not where one is degraded", async () => {
  const { ask, parts } = open();
  parts.mesh = { state: "degraded", detail: "no session" };
  const degraded = await ask("/healthz");
  assert.equal(degraded.status, 200);
  const { status, healthy, subsystems } = await degraded.json();
  assert.deepEqual([status, healthy, subsystems.mesh.detail], ["degraded", false, "no session"]);
  parts.mesh = { state: "unhealthy", detail: "socket lost" };
  const down = await ask("/healthz");
  assert.equal(down.status, 503);
  assert.deepEqual((await down.json()).unhealthy, ["mesh"]);
  assert.equal((await ask("/readyz")).status, 503);
  assert.equal((await ask("/livez")).status, 200, "a restart is for a process that hangs");
});

Deno.test("the health paths answer HEAD, and refuse what else there is", async () => {
  const { ask } = open();
  const head = await ask("/readyz", { method: "HEAD" });
  assert.equal(head.status, 200);
  const post = await ask("/livez", { method: "POST", body: "x" });
  assert.equal(post.status, 405);
  assert.equal(post.headers.get("allow"), "GET, HEAD, OPTIONS");
  assert.equal(post.headers.get("content-type"), "application/problem+json");
  const missing = await ask("/livezz");
  assert.equal(missing.status, 404);
  assert.equal(missing.headers.get("content-type"), "application/problem+json");
  const { status, title, code, next } = await missing.json();
  assert.deepEqual([status, title, code], [404, "There is nothing at this path", "not_found"]);
  assert.match(next, /\/healthz/);
});

Deno.test("the health paths answer an orchestrator under any name where everybody may ask", async () => {
  const open_ = open({ isLocal: false });
  assert.equal((await open_.ask("/readyz", {}, "10.1.2.3:8090")).status, 200);
  // A page of elsewhere that had its name point to this machine must not read them.
  assert.equal((await open().ask("/readyz", {}, "attacker.example")).status, 421);
});

Deno.test("the health paths answer when nothing else does any more", async () => {
  const { ask } = open({ limits: { inFlightMax: 1, requestsPerSecond: 2 } });
  assert.equal((await ask("/work")).status, 200);
  assert.equal((await ask("/work")).status, 503);
  assert.equal((await ask("/work")).status, 429);
  for (const path of ["/livez", "/readyz", "/healthz", "/version"]) {
    assert.equal((await ask(path)).status, 200, path);
  }
});

Deno.test("/healthz tells strangers which part is ill, and not why", async () => {
  const { ask, parts } = open({ isLocal: false });
  parts.mesh = { state: "degraded", detail: "no session with 00c0ffee" };
  const answer = await ask("/healthz");
  assert.equal(answer.status, 200);
  const text = await answer.text();
  assert.equal(JSON.parse(text).subsystems.mesh.status, "degraded");
  assert.ok(!text.includes("c0ffee"), text);
});

Deno.test("V29: a draining gateway refuses new work, ends connections, and answers for its health", async () => {
  const { ask, end, health, counters, clock } = open();
  assert.equal((await ask("/work")).headers.get("connection"), null);
  const drained = health.drain(60_000);
  assert.equal((await ask("/livez")).status, 200);
  const ready = await ask("/readyz");
  assert.equal(ready.status, 503);
  assert.equal(ready.headers.get("connection"), null, "a prober keeps its connection");
  const document = await ready.json();
  assert.deepEqual([document.missing, document.phase], [["draining"], "draining"]);
  for (const path of ["/work", "/nothing"]) {
    const refused = await ask(path);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "3");
    assert.equal(refused.headers.get("connection"), "close");
    assert.equal(refused.headers.get("content-type"), "application/problem+json");
    const { code, retryable, next } = await refused.json();
    assert.deepEqual([code, retryable], ["draining", true]);
    assert.match(next, /another node/);
  }
  assert.equal(counters.inFlight, 1, "the request of before is under way");
  end();
  await clock.advance(100);
  assert.equal((await drained).phase, "drained");
  assert.equal((await (await ask("/healthz")).json()).phase, "drained");
  assert.equal((await ask("/healthz")).status, 200, "a drain is no illness");
  health.resume();
  assert.equal((await ask("/work")).status, 200);
  assert.equal((await ask("/readyz")).status, 200);
  end();
});
