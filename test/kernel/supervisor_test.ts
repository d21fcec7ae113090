import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  RESTART_PAUSE_MS,
  RESTART_WINDOW_MS,
  RESTARTS_MAX,
  type Service,
  type ServiceHealth,
  Supervisor,
} from "../../src/kernel/mod.ts";
import { createLog } from "../../src/observe/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

/** A service that notes what is done to it, and does what the test says. */
class TestService implements Service {
  onStart: () => Promise<void> = () => Promise.resolve();
  onStop: () => Promise<void> = () => Promise.resolve();
  starts = 0;
  stops = 0;

  constructor(
    readonly name: string,
    readonly events: string[],
    readonly fail: (error: unknown) => void,
  ) {}

  start(): Promise<void> {
    this.starts += 1;
    this.events.push(`start ${this.name}`);
    return this.onStart();
  }

  stop(): Promise<void> {
    this.stops += 1;
    this.events.push(`stop ${this.name}`);
    return this.onStop();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }
}

function create(...names: string[]) {
  const clock = new ManualClock();
  const events: string[] = [];
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    write: (line) => lines.push(line.split(" ").slice(1, 4).join(" ")),
    wallMs: () => 0,
  });
  const supervisor = new Supervisor({ clock, log });
  const services = names.map((name) =>
    supervisor.add((fail) => new TestService(name, events, fail))
  );
  const service = (at = 0) => services[at] ?? assert.fail();
  return { clock, events, lines, supervisor, service };
}

Deno.test("Supervisor.start() goes in order, stop() back", async () => {
  const { events, supervisor } = create("a", "b", "c");
  assert.equal(supervisor.state, "new");
  await supervisor.start();
  assert.equal(supervisor.state, "running");
  assert.deepEqual(Object.keys(supervisor.health()), ["a", "b", "c"]);
  await supervisor.stop();
  assert.equal(supervisor.state, "stopped");
  assert.deepEqual(events, ["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
});

Deno.test("Supervisor.start() waits for one service before the next", async () => {
  const { events, supervisor, service } = create("a", "b");
  const { promise, resolve } = Promise.withResolvers<void>();
  service(0).onStart = () => promise;
  const started = supervisor.start();
  await Promise.resolve();
  assert.equal(supervisor.state, "starting");
  assert.deepEqual(events, ["start a"]);
  resolve();
  await started;
  assert.deepEqual(events, ["start a", "start b"]);
  await supervisor.stop();
});

Deno.test("Supervisor.start() stops what it started when one fails", async () => {
  const { events, supervisor, service } = create("a", "b", "c");
  service(1).onStart = () => Promise.reject(new Error("no luck"));
  await assert.rejects(
    supervisor.start(),
    (error) =>
      error instanceof NetError && error.code === "failed" &&
      error.message === "Cannot start b: no luck",
  );
  assert.deepEqual(events, ["start a", "start b", "stop b", "stop a"]);
  assert.equal(supervisor.state, "stopped");
});

Deno.test("Supervisor.start() passes a NetError on as it is", async () => {
  const { supervisor, service } = create("a");
  const error = new NetError("address_in_use", "Cannot bind");
  service().onStart = () => Promise.reject(error);
  await assert.rejects(supervisor.start(), (thrown) => thrown === error);
});

Deno.test("Supervisor.add() and start() are for a new supervisor", async () => {
  const { events, supervisor } = create("a");
  await supervisor.start();
  await assert.rejects(supervisor.start(), TypeError);
  assert.throws(() => supervisor.add((fail) => new TestService("b", events, fail)), TypeError);
  await supervisor.stop();
});

Deno.test("Supervisor.stop() while starting leaves nothing running", async () => {
  const { events, supervisor, service } = create("a", "b");
  const { promise, resolve } = Promise.withResolvers<void>();
  service(0).onStart = () => promise;
  const started = supervisor.start();
  const stopped = supervisor.stop();
  resolve();
  await assert.rejects(
    started,
    (error) => error instanceof NetError && error.message === "Cannot start: it was stopped",
  );
  await stopped;
  assert.equal(supervisor.state, "stopped");
  assert.equal(service(1).starts, 0);
  assert.equal(events.at(-1), "stop a");
});

Deno.test("Supervisor.stop() is idempotent and goes on when a service fails to stop", async () => {
  const { events, lines, supervisor, service } = create("a", "b");
  await supervisor.start();
  service(1).onStop = () => Promise.reject(new Error("stuck"));
  await Promise.all([supervisor.stop(), supervisor.stop()]);
  await supervisor.stop();
  assert.deepEqual(events, ["start a", "start b", "stop b", "stop a"]);
  assert.deepEqual(lines, ["error service_stop_failed service=b"]);
});

Deno.test("Supervisor.stop() is bounded for all services together", async () => {
  const { clock, lines, supervisor, service } = create("a", "b", "c");
  await supervisor.start();
  const never = () => new Promise<void>(() => {});
  service(0).onStop = never;
  service(2).onStop = never;
  let isStopped = false;
  const stopped = supervisor.stop(1_000).then(() => void (isStopped = true));
  await clock.advance(999);
  assert.ok(!isStopped);
  await clock.advance(1);
  await stopped;
  assert.equal(service(1).stops, 1);
  assert.equal(supervisor.state, "stopped");
  assert.deepEqual(lines, [
    "error service_stop_timeout service=c",
    "error service_stop_timeout service=a",
  ]);
});

Deno.test("Supervisor restarts what failed, after pauses that double, then gives up", async () => {
  const { clock, lines, supervisor, service } = create("a", "b");
  await supervisor.start();
  const a = service(0);
  for (let n = 0; n < RESTARTS_MAX; n++) {
    a.fail(new Error(`fault ${n}`));
    a.fail(new Error("again, while restarting"));
    assert.deepEqual(supervisor.health().a, { state: "degraded", detail: "restarting" });
    await clock.advance(RESTART_PAUSE_MS * 2 ** n - 1);
    assert.deepEqual([a.starts, a.stops], [n + 1, n + 1]);
    await clock.advance(1);
    assert.equal(a.starts, n + 2);
    assert.deepEqual(supervisor.health().a, { state: "healthy" });
  }
  a.fail(new Error("last"));
  assert.equal(supervisor.health().a?.state, "unhealthy");
  assert.match(supervisor.health().a?.detail ?? "", /Cannot keep a running: last/);
  assert.deepEqual(supervisor.health().b, { state: "healthy" });
  a.fail(new Error("more"));
  await clock.advance(RESTART_WINDOW_MS * 2);
  assert.equal(a.starts, 1 + RESTARTS_MAX);
  assert.equal(service(1).stops, 0);
  assert.deepEqual(lines, [
    ...Array<string>(RESTARTS_MAX).fill("warn service_restarting service=a"),
    "error service_down service=a",
  ]);
  await supervisor.stop();
});

Deno.test("Supervisor counts failing restarts, and forgets old ones", async () => {
  const { clock, supervisor, service } = create("a");
  await supervisor.start();
  const a = service();
  a.onStart = () => Promise.reject(new Error("still broken"));
  a.fail(new Error("broken"));
  await clock.advance(RESTART_PAUSE_MS * 2 ** RESTARTS_MAX);
  assert.equal(a.starts, 1 + RESTARTS_MAX);
  assert.equal(supervisor.health().a?.state, "unhealthy");
  await supervisor.stop();

  const other = create("b");
  await other.supervisor.start();
  for (let n = 0; n < RESTARTS_MAX * 2; n++) {
    other.service().fail(new Error("now and then"));
    await other.clock.advance(RESTART_WINDOW_MS / 2);
    assert.equal(other.supervisor.health().b?.state, "healthy");
  }
  await other.supervisor.stop();
});

Deno.test("Supervisor.stop() during the pause of a restart ends it", async () => {
  const { clock, supervisor, service } = create("a");
  await supervisor.start();
  service().fail(new Error("fault"));
  await clock.advance(1);
  await supervisor.stop();
  await clock.advance(RESTART_PAUSE_MS * 2);
  assert.equal(service().starts, 1);
  assert.equal(supervisor.state, "stopped");
});

Deno.test("Supervisor.stop() during a restart's start leaves nothing running", async () => {
  const { clock, events, supervisor, service } = create("a");
  await supervisor.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  service().onStart = () => promise;
  service().fail(new Error("fault"));
  await clock.advance(RESTART_PAUSE_MS);
  await supervisor.stop();
  resolve();
  await clock.advance(0);
  assert.deepEqual(events.slice(-2), ["stop a", "stop a"]);
});

Deno.test("Supervisor ignores failures before it runs and after it stopped", async () => {
  const { clock, supervisor, service } = create("a");
  service().fail(new Error("early"));
  await supervisor.start();
  await supervisor.stop();
  service().fail(new Error("late"));
  await clock.advance(RESTART_WINDOW_MS);
  assert.deepEqual([service().starts, service().stops], [1, 1]);
});
