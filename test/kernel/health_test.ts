import assert from "node:assert/strict";
import {
  describeHealth,
  HEALTH_LOOK_MS,
  type HealthSnapshot,
  HealthState,
  missingFor,
  type PartReport,
  type SupervisorState,
} from "../../src/kernel/mod.ts";
import { createLog } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

function create() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    write: (line) => lines.push(line.split(" ").slice(1).join(" ")),
    wallMs: () => 0,
  });
  const parts: Record<string, PartReport> = { mesh: { state: "starting" } };
  const supervisor = {
    state: "starting" as SupervisorState,
    health: () => ({ ...parts }),
    restarts: () => ({ mesh: 2 }),
  };
  const health = new HealthState({ clock, log, supervisor });
  const work = { count: 0, isRefused: false };
  health.addDrainPart({
    name: "calls",
    begin: () => void (work.isRefused = true),
    resume: () => void (work.isRefused = false),
    inFlight: () => work.count,
  });
  return { clock, lines, parts, supervisor, health, work };
}

Deno.test("HealthState names what is missing while a node starts, and nothing when it serves", () => {
  const { parts, supervisor, health } = create();
  parts.gateway = { state: "starting" };
  assert.deepEqual(health.snapshot().missing, ["mesh", "gateway"]);
  parts.mesh = { state: "healthy" };
  const { phase, isReady, status, missing } = health.snapshot();
  assert.deepEqual({ phase, isReady, status, missing }, {
    phase: "starting",
    isReady: false,
    status: "degraded",
    missing: ["gateway"],
  });
  parts.gateway = { state: "healthy" };
  assert.deepEqual(health.snapshot().missing, ["node"], "its start is not over");
  supervisor.state = "running";
  const up = health.snapshot();
  assert.deepEqual([up.phase, up.isReady, up.status], ["serving", true, "healthy"]);
  assert.equal(up.parts.get("mesh")?.restarts, 2);
});

Deno.test("HealthState takes a degraded node for ready, and one with a part that is down not", () => {
  const { parts, supervisor, health } = create();
  supervisor.state = "running";
  parts.mesh = { state: "degraded", detail: "no session" };
  const degraded = health.snapshot();
  assert.deepEqual([degraded.status, degraded.isReady], ["degraded", true]);
  assert.equal(describeHealth(degraded), "serving; mesh is degraded (no session)");
  parts.mesh = { state: "unhealthy", detail: "socket lost" };
  const down = health.snapshot();
  assert.deepEqual([down.status, down.isReady, down.missing], ["unhealthy", false, ["mesh"]]);
});

Deno.test("HealthState keeps reads open where a part takes no writes", () => {
  const { parts, supervisor, health } = create();
  supervisor.state = "running";
  parts.mesh = { state: "degraded", detail: "full", refusesWrites: true };
  const snapshot = health.snapshot();
  assert.deepEqual([snapshot.isReady, snapshot.takesWrites], [true, false]);
  assert.deepEqual(missingFor(snapshot, "any"), []);
  assert.deepEqual(missingFor(snapshot, "read"), []);
  assert.deepEqual(missingFor(snapshot, "write"), ["mesh"]);
});

Deno.test("HealthState knows since when a part is as it is, and logs what changes", async () => {
  const { clock, lines, parts, supervisor, health } = create();
  health.start();
  await clock.advance(5_000);
  parts.mesh = { state: "healthy" };
  supervisor.state = "running";
  health.look();
  const since = clock.wallMs();
  await clock.advance(5_000);
  assert.equal(health.snapshot().parts.get("mesh")?.sinceMs, since);
  parts.mesh = { state: "degraded", detail: "one" };
  await clock.advance(HEALTH_LOOK_MS);
  const degradedSince = health.snapshot().parts.get("mesh")?.sinceMs;
  assert.ok(degradedSince !== undefined && degradedSince > since);
  parts.mesh = { state: "degraded", detail: "another" };
  await clock.advance(HEALTH_LOOK_MS);
  assert.equal(health.snapshot().parts.get("mesh")?.sinceMs, degradedSince);
  parts.mesh = { state: "unhealthy", detail: "gone" };
  await clock.advance(HEALTH_LOOK_MS);
  parts.mesh = { state: "healthy" };
  await clock.advance(HEALTH_LOOK_MS);
  assert.deepEqual(lines, [
    "info service_degraded service=mesh reason=one",
    "warn service_unhealthy service=mesh reason=gone",
    "info service_recovered service=mesh",
  ]);
  health.stop();
});

Deno.test("HealthState.onChange() tells the present state, and then each change once", async () => {
  const { clock, lines, parts, supervisor, health, work } = create();
  const seen: string[] = [];
  health.onChange(() => {
    throw new Error("a fault of who listens");
  });
  const stop = health.onChange((snapshot: HealthSnapshot) => seen.push(describeHealth(snapshot)));
  health.start();
  await clock.advance(3 * HEALTH_LOOK_MS);
  parts.mesh = { state: "healthy" };
  supervisor.state = "running";
  health.look();
  await clock.advance(3 * HEALTH_LOOK_MS);
  work.count = 2;
  const drained = health.drain(60_000);
  await clock.advance(HEALTH_LOOK_MS);
  work.count = 0;
  await clock.advance(HEALTH_LOOK_MS);
  await drained;
  health.resume();
  parts.mesh = { state: "degraded", detail: "quiet" };
  await clock.advance(HEALTH_LOOK_MS);
  health.beginStop();
  supervisor.state = "stopped";
  health.stop();
  assert.deepEqual(seen, [
    "starting; waits for mesh",
    "serving",
    "draining; 2 under way",
    "drained",
    "serving",
    "serving; mesh is degraded (quiet)",
    "stopping",
    "stopped",
  ]);
  assert.ok(lines.some((line) => line.startsWith("error health_subscriber_failed")));
  stop();
  await clock.advance(HEALTH_LOOK_MS);
  assert.equal(seen.length, 8);
});

Deno.test("V29: HealthState.drain() refuses new work, waits for the rest, and can be taken back", async () => {
  const { clock, lines, parts, supervisor, health, work } = create();
  supervisor.state = "running";
  parts.mesh = { state: "healthy" };
  work.count = 3;
  const first = health.drain(1_000);
  assert.ok(work.isRefused && health.isDraining);
  assert.deepEqual(health.snapshot().missing, ["draining"]);
  assert.equal(health.snapshot().status, "healthy", "a drain is no illness");
  await clock.advance(1_000);
  assert.deepEqual(await first, {
    phase: "draining",
    inFlight: 3,
    inFlightByPart: { calls: 3 },
    drainedAtMs: undefined,
  });
  const second = health.drain(60_000);
  await clock.advance(500);
  work.count = 0;
  await clock.advance(100);
  const report = await second;
  assert.equal(report.phase, "drained");
  assert.equal(health.snapshot().phase, "drained");
  assert.equal((await health.drain(0)).drainedAtMs, report.drainedAtMs);
  const told = lines.filter((line) => line.includes("node_drain"));
  assert.deepEqual(told, ["info node_draining under_way=3", "info node_drained"], "each once");

  const late = { isRefused: false };
  const remove = health.addDrainPart({
    name: "late",
    begin: () => void (late.isRefused = true),
    resume: () => void (late.isRefused = false),
    inFlight: () => 0,
  });
  assert.ok(late.isRefused, "a way in that comes later is closed too");
  assert.ok(health.resume());
  assert.ok(!work.isRefused && !late.isRefused && !health.isDraining);
  assert.equal(health.snapshot().phase, "serving");
  remove();
});

Deno.test("V29: HealthState.drain() ends its waiting with the drain, and with whoever waits", async () => {
  const { clock, supervisor, health, work } = create();
  supervisor.state = "running";
  work.count = 1;
  const resumed = health.drain(60_000);
  await clock.advance(50);
  health.resume();
  await clock.advance(50);
  assert.equal((await resumed).phase, "open");
  const leaving = new AbortController();
  const left = health.drain(60_000, { signal: leaving.signal });
  leaving.abort();
  assert.equal((await left).phase, "draining");
  health.beginStop();
  assert.equal(health.resume(), false, "a node that stops stays drained");
  assert.equal(health.snapshot().phase, "stopping");
});
