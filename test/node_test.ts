/** A node as a whole: how it stops, and what its health says meanwhile. */
import assert from "node:assert/strict";
import { loadNodeConfig } from "../src/config/mod.ts";
import { createNode } from "../src/node.ts";
import { createLog } from "../src/observe/mod.ts";

function create(drainTimeout: string) {
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    write: (line) => lines.push(line.split(" ").slice(1).join(" ")),
  });
  const config = loadNodeConfig({
    flags: { amnesia: true, drainTimeout },
    env: {},
    cwd: "/",
    hostname: "test",
  });
  return { lines, node: createNode(config, { log, scope: "storage" }) };
}

Deno.test("V29: Node.stop() lets work under way end before services stop", async () => {
  const { lines, node } = create("10s");
  await node.start();
  assert.deepEqual(node.health.snapshot().missing, []);
  let underWay = 1;
  node.health.addDrainPart({ name: "work", inFlight: () => underWay });
  const phases: string[] = [];
  node.health.onChange(({ phase }) => {
    if (phases.at(-1) !== phase) phases.push(phase);
  });
  const stopped = node.stop("test");
  assert.equal(node.health.snapshot().phase, "stopping");
  assert.equal(node.stopSignal.aborted, false, "services work while there is work");
  assert.ok(node.storage.health().state === "healthy");
  underWay = 0;
  await stopped;
  assert.deepEqual(phases, ["serving", "stopping", "stopped"]);
  assert.ok(!lines.some((line) => line.includes("work_abandoned")), lines.join("\n"));
});

Deno.test("V29: Node.stop() abandons work that goes on for too long, and says how much", async () => {
  const { lines, node } = create("50ms");
  await node.start();
  node.health.addDrainPart({ name: "work", inFlight: () => 3 });
  await node.stop("test");
  assert.ok(lines.includes("warn work_abandoned part=work count=3"), lines.join("\n"));
  assert.equal(node.health.snapshot().phase, "stopped");
  assert.equal(node.health.resume(), false);
});
