import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { spawnable } from "../../src/base/mod.ts";

Deno.test("spawnable() names the own executable in another way, others as they are", () => {
  assert.equal(spawnable("/a/net", "/a/net"), "/a/./net");
  assert.equal(spawnable("/a/other", "/a/net"), "/a/other");
  assert.equal(spawnable("net", "net"), "net");
});

Deno.test("a spawned own executable gets the arguments that it was given", async () => {
  const child = spawn(spawnable(Deno.execPath()), ["--version"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let printed = "";
  child.stdout.on("data", (bytes) => printed += bytes);
  await new Promise((resolve) => child.on("close", resolve));
  assert.match(printed, /^deno /);
});
