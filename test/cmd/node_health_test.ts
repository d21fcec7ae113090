import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { runInMemory } from "./_harness.ts";

const CHECK = {
  status: "degraded",
  healthy: false,
  phase: "serving",
  uptime_secs: 75,
  active_connections: 2,
  subsystems: {
    mesh: { status: "degraded", detail: "no session with ab", since: "2026-01-01T00:00:00.000Z" },
    blobs: { status: "healthy", since: "2026-01-01T00:00:00.000Z" },
  },
};

Deno.test("node health answers by its exit code, and shows what is not healthy", async () => {
  const degraded = await runInMemory(["node", "health"], { node: { "health.check": CHECK } });
  assert.equal(degraded.code, 0, "a degraded node works");
  assert.match(degraded.stdout, /^status {3}degraded$/m);
  assert.match(degraded.stdout, /^parts {4}1 of 2 healthy$/m);
  assert.match(degraded.stdout, /^mesh +degraded +2026-01-01T00:00:00.000Z +no session with ab$/m);
  assert.doesNotMatch(degraded.stdout, /^blobs/m);
  const all = await runInMemory(["node", "health", "--all"], { node: { "health.check": CHECK } });
  assert.match(all.stdout, /^blobs +healthy/m);
  const down = { ...CHECK, status: "unhealthy" };
  const unhealthy = await runInMemory(["node", "health", "--json"], {
    node: { "health.check": down },
  });
  assert.equal(unhealthy.code, 1);
  const { schema, passed, status } = JSON.parse(unhealthy.stdout);
  assert.deepEqual([schema, passed, status], ["net.node.health.v1", false, "unhealthy"]);
  assert.equal((await runInMemory(["node", "health"])).code, 6, "no node runs");
});

Deno.test("node health --ready asks for readiness, for reads or writes", async () => {
  const node = {
    "health.readiness": (params: Readonly<Record<string, unknown>>) =>
      params.for === "write"
        ? { ready: false, missing: ["blob_keeping"], writes: false }
        : { ready: true, missing: [], writes: false },
  };
  const ready = await runInMemory(["node", "health", "--ready"], { node });
  assert.deepEqual([ready.code, ready.stdout], [0, "ready, for reads only\n"]);
  assert.deepEqual(ready.calls, [{ method: "health.readiness", params: {} }]);
  const write = await runInMemory(["node", "health", "--ready", "--for", "write"], { node });
  assert.deepEqual([write.code, write.stdout], [1, "not ready: blob_keeping\n"]);
  const quiet = await runInMemory(["node", "health", "--ready", "--quiet"], { node });
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
  const live = await runInMemory(["node", "health", "--live"], {
    node: { "health.liveness": { status: "healthy", alive: true } },
  });
  assert.deepEqual([live.code, live.stdout], [0, "alive\n"]);
  assert.equal((await runInMemory(["node", "health", "--for", "read"], { node })).code, 2);
  assert.equal((await runInMemory(["node", "health", "--live", "--ready"], { node })).code, 2);
});

Deno.test("node metrics prints the text, or families", async () => {
  const node = {
    "node.metrics": ({ format }: Readonly<Record<string, unknown>>) =>
      format === "json" ? { families: [{ name: "net_up" }] } : { text: `net_up 1\n# ${format}\n` },
  };
  const text = await runInMemory(["node", "metrics"], { node });
  assert.equal(text.stdout, "net_up 1\n# prometheus\n");
  const open = await runInMemory(["node", "metrics", "--openmetrics"], { node });
  assert.equal(open.stdout, "net_up 1\n# openmetrics\n");
  const json = await runInMemory(["node", "metrics", "--json"], { node });
  assert.deepEqual(JSON.parse(json.stdout), {
    schema: "net.node.metrics.v1",
    families: [{ name: "net_up" }],
  });
});

Deno.test("node drain waits so long, tells what is left, and can be taken back", async () => {
  const drained = { status: "drained", in_flight: 0, drained_at: "2026-01-01T00:00:00.000Z" };
  const done = await runInMemory(["node", "drain"], { node: { "health.drain": drained } });
  assert.equal(done.code, 0);
  assert.match(done.stdout, /^drained/);
  assert.match(done.stderr, /net node stop/);
  assert.deepEqual(done.calls, [{ method: "health.drain", params: { timeout_ms: 30_000 } }]);

  const draining = {
    status: "draining",
    in_flight: 3,
    in_flight_by: { calls: 2, http: 1 },
    timeout_ms: 100,
  };
  const late = await runInMemory(["node", "drain", "--timeout", "100ms"], {
    node: { "health.drain": draining },
  });
  assert.equal(late.code, 7);
  assert.match(late.stderr, /2 calls, 1 http under way/);
  assert.match(late.stderr, /next: repeat the command/);
  assert.deepEqual(late.calls[0]?.params, { timeout_ms: 100 });
  assert.equal((await runInMemory(["node", "drain", "--timeout", "1h"])).code, 2);

  const resumed = await runInMemory(["node", "drain"], {
    node: { "health.drain": { status: "resumed", in_flight: 1 } },
  });
  assert.equal(resumed.code, 1);
  const back = await runInMemory(["node", "drain", "--cancel", "--json"], {
    node: { "health.resume": { status: "serving" } },
  });
  assert.equal(JSON.parse(back.stdout).status, "serving");
  const stopping = await runInMemory(["node", "drain", "--cancel"], {
    node: {
      "health.resume": () => {
        throw new NetError("conflict", "Cannot take work again: the node is stopping");
      },
    },
  });
  assert.equal(stopping.code, 1);
});
