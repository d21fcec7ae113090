import assert from "node:assert/strict";
import {
  encodeNotify,
  ManagerReporter,
  type NotifyFields,
  openNotifySocket,
  openServiceManager,
  type ServiceHealth,
} from "../../../src/kernel/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** A reporter with a manager that keeps what it is told. */
function makeReporter(watchdogMs?: number) {
  const clock = new ManualClock();
  const told: NotifyFields[] = [];
  const health: Record<string, ServiceHealth> = { mesh: { state: "healthy" } };
  const state = { missing: ["node is starting"] as string[], health, isStuck: false, isOpen: true };
  const reporter = new ManagerReporter({
    clock,
    log: silentLog,
    watchdogMs,
    socket: {
      send: (fields) => {
        told.push(fields);
        return state.isStuck ? new Promise(() => {}) : Promise.resolve();
      },
      close: () => void (state.isOpen = false),
    },
  });
  const node = { missing: () => state.missing, health: () => health, summary: () => "ready" };
  return { reporter, clock, told, state, node };
}

Deno.test("ManagerReporter tells that a node is ready once, and how it is doing when that changes", async () => {
  const { reporter, clock, told, state, node } = makeReporter();
  reporter.follow(node);
  await clock.advance(20_000);
  assert.deepEqual(told, [{ STATUS: "not ready: node is starting" }]);
  // Parts that start one after the other are no news, unless it takes long.
  state.missing = ["control"];
  reporter.look();
  await clock.advance(1_000);
  assert.equal(told.length, 1);
  await clock.advance(4_000);
  assert.deepEqual(told.splice(1), [{ STATUS: "not ready: control" }]);
  state.missing = [];
  reporter.look();
  reporter.look();
  await clock.advance(20_000);
  assert.deepEqual(told.slice(1), [{ READY: 1, STATUS: "ready" }]);
  state.health.mesh = { state: "degraded", detail: "restarting" };
  await clock.advance(5_000);
  state.health.mesh = { state: "healthy" };
  await clock.advance(5_000);
  assert.deepEqual(told.slice(2), [{ STATUS: "degraded: mesh: restarting" }, { STATUS: "ready" }]);
  await reporter.close();
});

Deno.test("ManagerReporter gives signs of life at half of the time, until a part is down for good", async () => {
  const { reporter, clock, told, state, node } = makeReporter(3_000);
  state.missing = [];
  reporter.follow(node);
  await clock.advance(6_000);
  const signs = () => told.filter((fields) => fields.WATCHDOG === 1).length;
  assert.equal(signs(), 5);
  state.health.mesh = { state: "degraded" };
  await clock.advance(3_000);
  assert.equal(signs(), 7);
  state.health.mesh = { state: "unhealthy", detail: "no socket" };
  await clock.advance(9_000);
  assert.equal(signs(), 7);
  assert.deepEqual(told.at(-1), { STATUS: "unhealthy: mesh: no socket" });
  await reporter.close();
  await clock.advance(9_000);
  assert.equal(signs(), 7);
});

Deno.test("ManagerReporter tells that a node stops once, and stays alive meanwhile", async () => {
  const { reporter, clock, told, state, node } = makeReporter(2_000);
  state.missing = [];
  reporter.follow(node);
  reporter.stopping("SIGTERM", 10_000);
  reporter.stopping("again", 10_000);
  state.missing = ["node is stopping"];
  state.health.mesh = { state: "unhealthy" };
  await clock.advance(1_000);
  assert.deepEqual(told.filter((fields) => "STATUS" in fields), [
    { READY: 1, STATUS: "ready" },
    {
      STOPPING: 1,
      STATUS: "stopping: SIGTERM",
      EXTEND_TIMEOUT_USEC: 10_000_000,
      // It was told at once: both waited for the first message.
      WATCHDOG: 1,
    },
  ]);
  await clock.advance(1_000);
  assert.deepEqual(told.at(-1), { WATCHDOG: 1 });
  await reporter.close();
});

Deno.test("ManagerReporter tells a manager that is slow the latest, and closes although it is stuck", async () => {
  const { reporter, clock, told, state } = makeReporter();
  state.isStuck = true;
  for (let i = 0; i < 100; i++) reporter.failed(`try ${i}`, i);
  reporter.handOver(7);
  const closed = reporter.close();
  await clock.advance(1_000);
  await closed;
  assert.equal(state.isOpen, false);
  assert.deepEqual(told, [{ STATUS: "try 0", ERRNO: 0 }]);

  const slow = makeReporter();
  for (let i = 0; i < 100; i++) slow.reporter.failed(`try ${i}`, i);
  slow.reporter.handOver(7);
  await slow.reporter.close();
  assert.deepEqual(slow.told, [
    { STATUS: "try 0", ERRNO: 0 },
    { STATUS: "try 99", ERRNO: 99, MAINPID: 7, READY: 1 },
  ]);
});

Deno.test("encodeNotify() keeps each value on its line", () => {
  assert.equal(encodeNotify({ READY: 1, STATUS: "up" }), "READY=1\nSTATUS=up");
  assert.equal(encodeNotify({ STATUS: "a\nREADY=1\r\n\0b" }), "STATUS=a READY=1 b");
});

Deno.test("openNotifySocket() reaches a path and an abstract name", async () => {
  const folder = await Deno.makeTempDir();
  const name = `net-test-${crypto.randomUUID()}`;
  const places = [[`${folder}/notify`, `${folder}/notify`], [`@${name}`, `\0${name}`]] as const;
  for (const [address, path] of places) {
    const manager = Deno.listenDatagram({ transport: "unixpacket", path });
    const socket = openNotifySocket(address);
    await socket.send({ READY: 1, STATUS: "up" });
    const [bytes] = await manager.receive();
    assert.equal(new TextDecoder().decode(bytes), "READY=1\nSTATUS=up");
    socket.close();
    manager.close();
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openNotifySocket() waits for a manager whose queue is full, not for one that is stuck", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/notify`;
  const manager = Deno.listenDatagram({ transport: "unixpacket", path });
  const socket = openNotifySocket(path);
  const count = 64;
  const sending = (async () => {
    for (let i = 0; i < count; i++) await socket.send({ STATUS: i });
  })();
  // Longer than it takes to fill the queue.
  await new Promise((resolve) => setTimeout(resolve, 120));
  for (let last = -1; last < count - 1;) {
    const [bytes] = await manager.receive();
    const number = Number(new TextDecoder().decode(bytes).slice("STATUS=".length));
    // What was given up may have arrived after all; a manager is told the same twice then.
    assert.ok(number === last || number === last + 1, `${number} after ${last}`);
    last = number;
  }
  await sending;
  const stuck = (async () => {
    for (;;) await socket.send({ STATUS: "more" });
  })();
  await assert.rejects(stuck, /takes nothing/);
  socket.close();
  manager.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openServiceManager() goes on without a manager that cannot be reached", async () => {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void warnings.push(event) };
  const folder = await Deno.makeTempDir();
  const variables = { NOTIFY_SOCKET: `${folder}/gone`, WATCHDOG_USEC: "x" };
  const manager = openServiceManager({ variables, pid: 1, log });
  manager.stopping("SIGTERM", 1);
  manager.failed("no", 2);
  await manager.close();
  // One warning is enough for any number of messages.
  assert.deepEqual(warnings, ["manager_variable", "manager_unreachable"]);
  await Deno.remove(folder, { recursive: true });

  const none = openServiceManager({ variables: {}, pid: 1, log: silentLog });
  none.handOver(2);
  await none.close();
  assert.deepEqual(none.sockets, []);
});
