/** Sockets that the library ends while they fail. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { guardSockets } from "../../../../../src/log/bus/adapters/jetstream/_socket_guard.ts";

Deno.test("a guarded socket whose listeners were all removed may fail", async () => {
  class Transport {
    dial(): Promise<EventEmitter> {
      return Promise.resolve(new EventEmitter());
    }
  }
  const plain = await new Transport().dial();
  assert.throws(() => plain.emit("error", new Error("reset")), /reset/);
  guardSockets(Transport);
  guardSockets(Transport);
  const socket = await new Transport().dial();
  const seen: string[] = [];
  socket.on("error", ({ message }) => seen.push(message));
  socket.emit("error", new Error("first"));
  socket.removeAllListeners();
  socket.emit("error", new Error("second"));
  assert.deepEqual(seen, ["first"]);
  assert.equal(socket.listenerCount("error"), 1);
});

Deno.test("guardSockets() leaves alone what is built otherwise", () => {
  guardSockets(class {});
});
