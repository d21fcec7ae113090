import { deepStrictEqual, equal } from "node:assert/strict";
import { createControlCounters } from "../../src/control/counters.ts";
import { createDispatcher } from "../../src/control/dispatcher.ts";
import { LineServer } from "../../src/control/line_server.ts";
import { MethodTable } from "../../src/control/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";

Deno.test("LineServer counts accepts that fail, pauses, and goes on", () =>
  checkAccepts(
    Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" }),
    [50, 50, 50],
  ));

Deno.test("LineServer does not pause for clients that connect and reset", () =>
  checkAccepts(new Deno.errors.NotConnected("Transport endpoint is not connected"), []));

/** Three accepts fail; `pauses` are the times in milliseconds that nothing was accepted. */
async function checkAccepts(fault: Error, pauses: readonly number[]): Promise<void> {
  const counters = createControlCounters();
  const waits: number[] = [];
  const clock = {
    now: () => 0,
    wallMs: () => 0,
    soon: (action: () => void) => queueMicrotask(action),
    after: (delayMs: number, action: () => void) => {
      // The pause ends at once here; sweeps never come.
      if (delayMs < 1000) {
        waits.push(delayMs);
        queueMicrotask(action);
      }
      return () => {};
    },
  };
  const table = new MethodTable();
  const now = clock.now;
  const server = new LineServer({
    dispatcher: createDispatcher({ table, log: silentLog, counters, now }),
    counters,
    clock,
    log: silentLog,
  });
  let left = 3;
  const closed = Promise.withResolvers<never>();
  server.serve({
    accept: () => left-- > 0 ? Promise.reject(fault) : closed.promise,
    close: () => {},
  }, "unix");
  while (left >= 0) await new Promise((resolve) => setImmediate(resolve));
  equal(counters.accept_failures_total, 3);
  deepStrictEqual(waits, pauses);
  const stopped = server.stop(new AbortController().signal);
  closed.reject(new Deno.errors.BadResource("closed"));
  await stopped;
  equal(counters.accept_failures_total, 3);
}
