import assert from "node:assert/strict";
import { readManagerEnvironment } from "../../../src/kernel/mod.ts";

const NOTHING = { notifyAddress: undefined, watchdogMs: undefined, sockets: [], warnings: [] };

Deno.test("readManagerEnvironment() finds nothing in an empty environment", () => {
  assert.deepEqual(readManagerEnvironment({}, 7), NOTHING);
});

Deno.test("readManagerEnvironment() takes paths and abstract names to report to", () => {
  for (const NOTIFY_SOCKET of ["/run/systemd/notify", "@abstract"]) {
    assert.equal(readManagerEnvironment({ NOTIFY_SOCKET }, 7).notifyAddress, NOTIFY_SOCKET);
  }
});

Deno.test("readManagerEnvironment() warns of an address that is none and goes on", () => {
  for (const NOTIFY_SOCKET of ["relative", "vsock:2:1", "/", `/${"x".repeat(107)}`]) {
    const read = readManagerEnvironment({ NOTIFY_SOCKET }, 7);
    assert.equal(read.notifyAddress, undefined);
    assert.match(read.warnings.join(), /^NOTIFY_SOCKET is /);
  }
});

Deno.test("readManagerEnvironment() takes a watchdog that is this process's", () => {
  const watchdog = (WATCHDOG_PID?: string) =>
    readManagerEnvironment({ WATCHDOG_USEC: "3000000", WATCHDOG_PID }, 7).watchdogMs;
  assert.equal(watchdog(), 3000);
  assert.equal(watchdog("7"), 3000);
  assert.equal(watchdog("8"), undefined);
});

Deno.test("readManagerEnvironment() warns of a watchdog that no node can keep up with", () => {
  for (const WATCHDOG_USEC of ["0", "19999", "-1", "1e9", "x", "9".repeat(16)]) {
    const read = readManagerEnvironment({ WATCHDOG_USEC }, 7);
    assert.equal(read.watchdogMs, undefined, WATCHDOG_USEC);
    assert.equal(read.warnings.length, 1);
  }
});

Deno.test("readManagerEnvironment() numbers and names the sockets", () => {
  const read = (LISTEN_FDNAMES?: string, LISTEN_PID = "7", LISTEN_FDS = "2") =>
    readManagerEnvironment({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }, 7);
  assert.deepEqual(read("control:http").sockets, [
    { descriptor: 3, name: "control" },
    { descriptor: 4, name: "http" },
  ]);
  assert.deepEqual(read("control").sockets[1], { descriptor: 4, name: "" });
  assert.deepEqual(read().sockets.map(({ name }) => name), ["", ""]);
  // Those were for another process, which started this one.
  assert.deepEqual(read("control", "8"), NOTHING);
  assert.deepEqual(read("control", "7", "0"), NOTHING);
});

Deno.test("readManagerEnvironment() warns of a number of sockets that cannot be", () => {
  for (const LISTEN_FDS of ["17", "-1", "two", "1".repeat(15)]) {
    const read = readManagerEnvironment({ LISTEN_PID: "7", LISTEN_FDS }, 7);
    assert.deepEqual(read.sockets, []);
    assert.match(read.warnings.join(), /^LISTEN_FDS /);
  }
});
