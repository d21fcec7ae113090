import assert from "node:assert/strict";
import { Emitter } from "../../src/base/mod.ts";

Deno.test("Emitter.emit() calls every handler with what happened, in their order", () => {
  const emitter = new Emitter<[name: string, count: number]>();
  const calls: string[] = [];
  emitter.on((name, count) => calls.push(`first ${name} ${count}`));
  emitter.on((name, count) => calls.push(`second ${name} ${count}`));
  emitter.emit("x", 3);
  assert.deepEqual(calls, ["first x 3", "second x 3"]);
});

Deno.test("Emitter.on() gives back what takes the handler away, also while it is called", () => {
  const emitter = new Emitter<[]>();
  let calls = 0;
  const off = emitter.on(() => {
    calls += 1;
    off();
  });
  emitter.emit();
  emitter.emit();
  off();
  assert.equal(calls, 1);
});
