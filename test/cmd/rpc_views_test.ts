/** net rpc ls, watch, stats and bench against a pretended node. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { servicesText } from "../../cmd/rpc_ls.ts";
import { statsText } from "../../cmd/rpc_stats.ts";
import { eventText } from "../../cmd/rpc_watch.ts";
import { makeRpcNode } from "../control/node/_rpc_node.ts";
import { runInMemory } from "./_harness.ts";

const NODES = [
  { node_id: "0000000000000abc", own: true, state: null, relayed: null, rtt_ms: null },
  { node_id: "31a56ab7724a0b59", own: false, state: "connected", relayed: false, rtt_ms: 1.25 },
  { node_id: "41a56ab7724a0b59", own: false, state: null, relayed: null, rtt_ms: null },
];

Deno.test("net rpc ls lists services and who offers them", async () => {
  const services = [
    { service: "upper", shape: "server_stream", node_count: 5, nodes: NODES },
    { service: "zip\x1b[2J", shape: null, node_count: 1, nodes: NODES.slice(1, 2) },
  ];
  const lines = servicesText(services).split("\n");
  assert.match(lines[1] ?? "", /^upper +server-stream +0000000000000abc +this node +-$/);
  assert.match(lines[2] ?? "", /^ +31a56ab7724a0b59 +direct +1\.25ms$/);
  assert.match(lines[3] ?? "", /^ +41a56ab7724a0b59 +no session +-$/);
  assert.match(lines[4] ?? "", /and 2 more/);
  assert.match(lines[5] ?? "", /^zip\[2J +- /);
  assert.equal(servicesText([]), "no services");
  const node = { "nrpc.ls": { services, omitted: 3 } };
  const shown = await runInMemory(["rpc", "ls"], { node });
  assert.match(shown.stderr, /and 3 more services/);
  const json = JSON.parse((await runInMemory(["rpc", "ls", "upper", "--json"], { node })).stdout);
  assert.deepEqual([json.schema, json.services.length], ["net.rpc.ls.v1", 2]);
  const none = await runInMemory(["rpc", "ls", "nobody"], {
    node: { "nrpc.ls": { services: [], omitted: 0 } },
  });
  assert.deepEqual([none.code, none.calls[0]?.params], [4, { service: "nobody" }]);
  assert.match(none.stderr, /^next: serve it on a node with net rpc serve nobody/m);
});

Deno.test("net rpc watch prints a line for each call, and tells of those it missed", async () => {
  const event = {
    caller: "31a56ab7724a0b59",
    callee: "0000000000000abc",
    method: "upper",
    latency_ms: 12,
    status: "error",
    message: "no\x1b[2J",
    request_bytes: 5,
    response_bytes: 2_048,
    direction: "inbound",
    ts_unix_ms: Date.UTC(2026, 0, 1, 10, 20, 30, 456),
  };
  assert.equal(
    eventText(event),
    "10:20:30.456  in   31a56ab7724a0b59  upper  12 ms  5 B > 2.0 KiB  error: no[2J",
  );
  const node = {
    "nrpc.watch": (_: unknown, report: (progress: object) => void) => {
      report({ watching: true });
      report({ events: [event, { ...event, status: "ok", message: null }], dropped: 0 });
      report({ events: [event], dropped: 7 });
      return { told: 3, dropped: 7 };
    },
  };
  const line = "rpc watch upper --direction inbound --count 3".split(" ");
  const plain = await runInMemory(line, { node });
  assert.equal(plain.stdout.trimEnd().split("\n").length, 3);
  assert.match(plain.stderr, /^waiting for calls\n.*7 calls were not shown/s);
  assert.deepEqual(plain.calls[0]?.params, { service: "upper", direction: "inbound", count: 3 });
  const json = await runInMemory([...line, "--json"], { node });
  assert.deepEqual(JSON.parse(json.stdout.split("\n")[0] ?? ""), {
    schema: "net.rpc.watch.v1",
    ...event,
  });
  assert.equal((await runInMemory(["rpc", "watch", "--count", "x"], { node })).code, 2);
});

Deno.test("net rpc stats shows calls made and served, and text for Prometheus", async () => {
  const zero = {
    calls_total: 0,
    in_flight: 0,
    errors_no_route: 0,
    errors_timeout: 0,
    errors_server: 0,
    errors_transport: 0,
    handler_invocations_total: 0,
    capability_denied_total: 0,
  };
  const made = {
    ...zero,
    service: "far",
    calls_total: 1_234,
    errors_timeout: 2,
    latency_sum_ns: 3e6,
    latency_count: 2,
  };
  const served = { ...zero, service: "own", handler_invocations_total: 5, handler_in_flight: 1 };
  const tables = statsText({ answer: { services: [made, served] } }).split("\n\n");
  assert.match(tables[0] ?? "", /^far +1,234 +0 +0 +2 +0 +0 +1\.50ms$/m);
  assert.match(tables[1] ?? "", /^own +5 +1 +0 +0 +0 +-$/m);
  assert.equal(statsText({ answer: {} }), "no calls yet");
  const node = {
    "nrpc.stats": ({ format }: Record<string, unknown>) =>
      format === "prometheus" ? { text: "# HELP a\na 1\n" } : { services: [made] },
  };
  assert.equal(
    (await runInMemory(["rpc", "stats", "--prometheus"], { node })).stdout,
    "# HELP a\na 1\n",
  );
  const json = JSON.parse((await runInMemory(["rpc", "stats", "--json"], { node })).stdout);
  assert.deepEqual([json.schema, json.services.length], ["net.rpc.stats.v1", 1]);
});

Deno.test("net rpc bench passes its flags on and shows the result", async () => {
  const node = {
    "nrpc.bench": {
      service: "echo",
      in_flight: 64,
      body_bytes: 1_024,
      answer_bytes: 1_024,
      seconds: 5,
      calls: 50_000,
      calls_per_second: 10_000,
      first_ms: 3,
      p50_ms: 0.5,
      p90_ms: 0.75,
      p99_ms: 1.5,
      max_ms: 9,
      errors: { timeout: 2, server_error: 1_000 },
    },
  };
  const line = "rpc bench echo --node 31a5 --in-flight 64 --body 1024 --for 5s --routing random";
  const shown = await runInMemory(line.split(" "), { node });
  assert.match(shown.stdout, /^calls\/s +10,000$/m);
  assert.match(shown.stdout, /^errors +timeout 2, server_error 1,000$/m);
  assert.deepEqual(shown.calls[0]?.params, {
    service: "echo",
    node: "31a5",
    in_flight: 64,
    body_bytes: 1_024,
    seconds: 5,
    routing: "random",
  });
  const json = JSON.parse((await runInMemory([...line.split(" "), "--json"], { node })).stdout);
  assert.equal(json.schema, "net.rpc.bench.v1");
  for (const wrong of ["--in-flight 0", "--body -1", "--for 0s"]) {
    const result = await runInMemory(["rpc", "bench", "echo", ...wrong.split(" ")], { node });
    assert.equal(result.code, 2, wrong);
  }
  const failing = {
    "nrpc.bench": () => {
      throw new NetError("unreachable", "nobody", { data: { kind: "no_route" } });
    },
  };
  const none = await runInMemory(["rpc", "bench", "echo"], { node: failing });
  assert.deepEqual([none.code, /net rpc ls echo/.test(none.stderr)], [6, true]);
});

Deno.test("the rpc verbs complete services and peers", async () => {
  const node = {
    "nrpc.ls": { services: [{ service: "upper" }, { service: "echo" }], omitted: 0 },
    "node.peers": { peers: [{ node_id: "31a56ab7724a0b59" }] },
  };
  const services = await runInMemory(["__complete", "rpc", "call", "u"], { node });
  assert.match(services.stdout, /^upper\t/m);
  assert.doesNotMatch(services.stdout, /^echo\t/m);
  const peers = await runInMemory(["__complete", "rpc", "call", "upper", "--node", "3"], { node });
  assert.match(peers.stdout, /^31a56ab7724a0b59\t/m);
  const flags = await runInMemory(["__complete", "rpc", "watch", "--d"], { node });
  assert.match(flags.stdout, /^--direction\t/m);
});

Deno.test("net rpc bench measures a service that is served", async () => {
  const { rpc, caller } = makeRpcNode();
  rpc.serve("echo", (body) => body);
  const { code, stdout, stderr } = await runInMemory(
    ["rpc", "bench", "echo", "--for", "50ms", "--json"],
    { doors: { connect: () => Promise.resolve(caller()) } },
  );
  assert.equal(code, 0, stderr);
  assert.ok(JSON.parse(stdout).calls > 0);
});
