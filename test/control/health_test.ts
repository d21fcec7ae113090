import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { connectControl } from "../../src/control/mod.ts";
import { startHarness } from "./harness.ts";

Deno.test("healthMethods() answer with every member the readers look for", async () => {
  await using harness = await startHarness({ tcp: { host: "127.0.0.1", port: 0 } });
  await using client = await connectControl({ tcp: harness.server.tcpAddress });
  deepStrictEqual(await client.call("health.liveness"), { status: "healthy", alive: true });
  deepStrictEqual(await client.call("health.readiness"), {
    status: "healthy",
    version: "0.1.0",
    primal: "net",
    domain: "network",
    ready: true,
    degraded: false,
    missing: [],
    writes: true,
    phase: "serving",
  });
  deepStrictEqual(await client.call("health.check"), {
    status: "healthy",
    healthy: true,
    version: "0.1.0",
    primal: "net",
    domain: "network",
    phase: "serving",
    uptime_secs: 1,
    active_connections: 1,
    subsystems: {},
  });
  deepStrictEqual(await client.call("identity.get"), {
    primal: "net",
    version: "0.1.0",
    domain: "network",
    license: "Apache-2.0",
  });
  deepStrictEqual(await client.call("health.version"), {
    version: "0.1.0",
    build_hash: "test",
    compiled_at: "unknown",
  });
});

Deno.test("capabilities.list names every method in all forms, under both names", async () => {
  await using harness = await startHarness({ tcp: { host: "127.0.0.1", port: 0 } });
  await using client = await connectControl({ socketPath: harness.path });
  const list = await client.call("capabilities.list") as Record<string, unknown>;
  deepStrictEqual(await client.call("capability.list"), list);
  const names = harness.table.list().map(({ name }) => name);
  deepStrictEqual(list.methods, names);
  deepStrictEqual(list.capabilities, names);
  deepStrictEqual(list.transport, ["uds", "tcp"]);
  equal(list.protocol, "jsonrpc-2.0");
  const groups = list.provided_capabilities as { type: string; methods: string[] }[];
  deepStrictEqual(
    groups.flatMap(({ type, methods }) => methods.map((method) => `${type}.${method}`)).sort(),
    names,
  );
  const info = list.method_info as { name: string; access: string; read_only: boolean }[];
  ok(
    info.some(({ name, access, read_only }) =>
      name === "health.drain" && access === "privileged" && !read_only
    ),
  );
});
