/** Calls between two nodes from the command line: commands and modules that serve, and everybody who dies. */
import assert from "node:assert/strict";
import {
  assertFails,
  equalFiles,
  type Home,
  makeWorkspace,
  patternBytes,
  startPair,
  type TestNode,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { describe, type RunningProgram, spawnProgram } from "./program.ts";

/** Starts a verb that goes on until it is stopped. */
function start(
  workspace: Workspace,
  { home }: TestNode,
  args: readonly string[],
): RunningProgram {
  const program = spawnProgram(["rpc", ...args], { env: home.env, cwd: `${home.dir}/cwd` });
  workspace.defer(async () => {
    program.kill("SIGKILL");
    await program.finished();
  });
  return program;
}

/** Serves, and waits until calls may come. */
async function serve(
  workspace: Workspace,
  server: TestNode,
  args: readonly string[],
  services: readonly string[],
): Promise<RunningProgram> {
  const program = start(workspace, server, ["serve", ...args]);
  await waitFor("it is served", () => {
    assert.ok(program.isAlive(), program.stderr());
    return services.every((service) => program.stderr().includes(`serving ${service}:`));
  });
  return program;
}

/** Waits until a node has heard that a service is offered. */
async function untilOffered({ home }: TestNode, service: string): Promise<void> {
  await waitFor(`${service} is offered`, async () => {
    return (await home.net(["rpc", "ls", service])).code === 0;
  });
}

const call = (home: Home, args: readonly string[], stdin?: string | Uint8Array<ArrayBuffer>) =>
  home.net(["rpc", "call", ...args], { stdin });

Deno.test("net rpc serve and call: a command per call, in every shape", async (t) => {
  await using workspace = await makeWorkspace();
  const { first: server, second: caller } = await startPair(workspace);
  const serverId = String((await server.status()).node_id);
  const callerId = String((await caller.status()).node_id);
  const ticks = "read n; i=0; while [ $i -lt $n ]; do i=$((i+1)); echo tick $i; done";
  // All at once: news of services goes out together.
  const [, who] = await Promise.all([
    ["upper", "--", "tr", "a-z", "A-Z"],
    ["who", "--", "sh", "-c", 'echo "$NET_RPC_CALLER"'],
    ["fails", "--", "sh", "-c", "echo 'out of paper' >&2; exit 3"],
    ["ticks", "--stream", "--", "sh", "-c", ticks],
    ["count", "--upload", "--", "wc", "-l"],
    ["echo", "--upload", "--stream", "--", "sed", "-u", "s/^/> /"],
    ["cat", "--", "cat"],
  ].map((args) => serve(workspace, server, args, [String(args[0])])));
  for (const service of ["upper", "who", "fails", "ticks", "count", "echo", "cat"]) {
    await untilOffered(caller, service);
  }

  await t.step("unary, by name and by node, and to oneself", async () => {
    for (const flags of [[], ["--node", serverId.slice(0, 6)], ["--routing", "lowest_latency"]]) {
      const result = await call(caller.home, ["upper", "hello", ...flags]);
      assert.deepEqual([result.code, result.stdout], [0, "HELLO"], describe(result));
    }
    const own = await call(server.home, ["upper", "own", "--node", "self"]);
    assert.deepEqual([own.code, own.stdout], [0, "OWN"], describe(own));
    const document = await caller.home.json(["rpc", "call", "upper", "x"]);
    assert.deepEqual([document.schema, document.text], ["net.rpc.call.v1", "X"]);
  });
  await t.step("ls names the service on both nodes", async () => {
    const { services } = await caller.home.json(["rpc", "ls", "upper"]);
    const [row] = services as Record<string, unknown>[];
    const nodes = row?.nodes as Record<string, unknown>[];
    assert.deepEqual(nodes.map(({ node_id, state, trust }) => [node_id, state, trust]), [
      [serverId, "connected", "proven"],
    ]);
    const { stdout } = await server.home.net(["rpc", "ls"]);
    assert.match(stdout, new RegExp(`^upper +unary +${serverId} +this node`, "m"));
  });
  await t.step("the command knows its caller", async () => {
    assert.equal((await call(caller.home, ["who"])).stdout, `${callerId}\n`);
    who?.kill("SIGTERM");
    assert.equal((await who?.finished())?.code, 0);
    const gone = await call(caller.home, ["who", "--node", serverId, "--timeout", "5s"]);
    assert.match(assertFails(gone, 4, "not_found"), /who/);
  });
  await t.step("a failed command is a typed error with its last words", async () => {
    const result = await call(caller.home, ["fails"]);
    assert.match(assertFails(result, 1, "failed"), /^net: .*out of paper$/m);
    const json = await call(caller.home, ["fails", "--json"]);
    const { error } = JSON.parse(json.stderr);
    assert.deepEqual([error.data.kind, error.data.status], ["server_error", 0x8103]);
  });
  await t.step("a stream, an upload, and both at once", async () => {
    const stream = await call(caller.home, ["ticks", "-", "--stream"], "1000\n");
    const expected = Array.from({ length: 1_000 }, (_, i) => `tick ${i + 1}\n`).join("");
    assert.deepEqual([stream.code, stream.stdout], [0, expected], describe(stream));
    const lines = Array.from({ length: 1_000 }, (_, i) => `line ${i}\n`).join("");
    const upload = await call(caller.home, ["count", "--upload"], lines);
    assert.equal(upload.stdout.trim(), "1000", describe(upload));
    const both = await call(caller.home, ["echo", "--upload", "--stream", "--json"], "a\nb\n");
    const items = both.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).text);
    assert.deepEqual(items, ["> a", "> b"], describe(both));
  });
  await t.step("20 MiB there and back, byte for byte", async () => {
    const file = `${workspace.dir}/body`;
    await Deno.writeFile(file, patternBytes(20 * 1024 * 1024, 11));
    const result = await call(caller.home, ["cat", `@${file}`, "--timeout", "50s"]);
    assert.equal(result.code, 0, result.stderr);
    await Deno.writeFile(`${workspace.dir}/answer`, result.stdoutBytes);
    assert.ok(await equalFiles(file, `${workspace.dir}/answer`));
  });
  await t.step("watch and stats tell of calls on both sides", async () => {
    const watch = start(workspace, server, ["watch", "upper", "--count", "1", "--json"]);
    const out = start(workspace, caller, ["watch", "--direction", "outbound", "--count", "1"]);
    await waitFor("both watch", async () => {
      const counters = await Promise.all(
        [server, caller].map((node) => node.call("node.counters")),
      );
      return counters.every(({ counters }) =>
        (counters as Record<string, number>).net_rpc_programs_watchers === 1
      );
    });
    assert.equal((await call(caller.home, ["upper", "seen"])).stdout, "SEEN");
    assert.equal((await watch.finished()).code, 0);
    const event = JSON.parse(watch.stdout());
    assert.deepEqual(
      [event.direction, event.caller, event.callee, event.status, event.request_bytes],
      ["inbound", callerId, serverId, "ok", 4],
    );
    assert.equal((await out.finished()).code, 0);
    assert.match(out.stdout(), new RegExp(`out  ${serverId}  upper  .*  ok$`, "m"));
    const { services } = await caller.home.json(["rpc", "stats"]);
    const row = (services as Record<string, unknown>[]).find(({ service }) => service === "upper");
    assert.ok(Number(row?.calls_total) >= 5);
    const { stdout } = await server.home.net(["rpc", "stats", "--prometheus"]);
    assert.match(stdout, /^nrpc_handler_invocations_total\{service="upper"\} [5-9]$/m);
  });
  await t.step("bench measures it", async () => {
    const result = await caller.home.json(["rpc", "bench", "upper", "--for", "500ms"]);
    assert.ok(Number(result.calls) > 0 && Number(result.calls_per_second) > 0);
    assert.deepEqual([result.in_flight, result.body_bytes, result.answer_bytes], [16, 64, 64]);
  });
});

Deno.test("net rpc serve --module answers from a worker, and a broken module says why", async (t) => {
  await using workspace = await makeWorkspace();
  const { first: server, second: caller } = await startPair(workspace);
  const file = `${server.home.dir}/cwd/handlers.ts`;
  await Deno.writeTextFile(
    file,
    `const text = (body: Uint8Array) => new TextDecoder().decode(body);
export default {
  upper: (body: Uint8Array) => text(body).toUpperCase(),
  async *count(body: Uint8Array) {
    for (let i = 1; i <= Number(text(body)); i++) yield { i };
  },
  spin: () => { for (;;); },
};
`,
  );
  const services = ["upper", "count", "spin"];
  const program = await serve(workspace, server, ["--module", "handlers.ts"], services);
  for (const service of services) await untilOffered(caller, service);
  await t.step("calls are answered", async () => {
    assert.equal((await call(caller.home, ["upper", "hi"])).stdout, "HI");
    const count = await call(caller.home, ["count", "3", "--stream"]);
    assert.equal(count.stdout, '{"i":1}\n{"i":2}\n{"i":3}\n');
  });
  await t.step("a handler that never ends is given up in time, and so is its program", async () => {
    assertFails(await call(caller.home, ["spin", "--timeout", "1s"]), 7, "timeout");
    program.kill("SIGINT");
    program.kill("SIGINT");
    assert.equal((await program.finished()).code, 130);
  });
  await t.step("what can't be loaded", async () => {
    const absent = await server.home.net(["rpc", "serve", "--module", "no_such.ts"]);
    assert.match(assertFails(absent, 4, "not_found"), /there is no such file/);
    await Deno.writeTextFile(file, "export default 3;");
    const empty = await server.home.net(["rpc", "serve", "--module", "handlers.ts"]);
    assert.match(assertFails(empty, 2, "usage"), /its default export must be an object/);
  });
});

Deno.test("whoever dies in the middle of a call, the other side hears of it", async (t) => {
  await using workspace = await makeWorkspace();
  const flags = ["--drain-timeout", "100ms"];
  const { first: server, second: caller } = await startPair(workspace, { flags });
  const serverId = String((await server.status()).node_id);
  const pidFile = `${workspace.dir}/pid`;
  // Prints one line, tells its pid, and then is silent for ever.
  const script = `echo $$ > ${pidFile}; echo begun; exec sleep 1000`;
  const args = ["slow", "--stream", "--", "sh", "-c", script];
  let program = await serve(workspace, server, args, ["slow"]);
  const begin = async () => {
    await Deno.remove(pidFile).catch(() => {});
    const running = start(workspace, caller, ["call", "slow", "--stream", "--node", serverId]);
    await waitFor("the first item came", () => {
      assert.ok(running.isAlive(), running.stderr());
      return running.stdout() === "begun\n";
    });
    return { running, pid: Number(await Deno.readTextFile(pidFile)) };
  };
  const untilDead = (pid: number) => waitFor(`process ${pid} is gone`, () => !isAlive(pid));

  await t.step("Ctrl-C of the caller ends the command", async () => {
    const { running, pid } = await begin();
    assert.ok(isAlive(pid));
    running.kill("SIGINT");
    assert.equal((await running.finished()).code, 130);
    await untilDead(pid);
    await waitFor("the server tells of it", () => {
      return /slow for [0-9a-f]{16}: cancelled/.test(program.stderr());
    });
  });
  await t.step("a caller that is killed ends the command as well", async () => {
    const { running, pid } = await begin();
    running.kill("SIGKILL");
    await untilDead(pid);
  });
  await t.step("a deadline ends both sides", async () => {
    const late = await call(caller.home, [
      "slow",
      "--stream",
      "--node",
      serverId,
      "--timeout",
      "1s",
    ]);
    assertFails(late, 7, "timeout");
    await untilDead(Number(await Deno.readTextFile(pidFile)));
  });
  await t.step("a serving program that is killed is a typed error at once", async () => {
    const { running, pid } = await begin();
    const startMs = performance.now();
    program.kill("SIGKILL");
    await running.finished();
    assert.ok(performance.now() - startMs < 5_000);
    const code = (await running.finished()).code;
    const result = { code, signal: null, durationMs: 0, stdout: "", stderr: running.stderr() };
    assert.match(
      assertFails({ ...result, stdoutBytes: new Uint8Array(0) }, 1, "failed"),
      /the program that serves slow has ended/,
    );
    // Nobody is left to end its command.
    Deno.kill(pid, "SIGKILL");
  });
  await t.step("a server that is stopped in mid-stream says so at once", async () => {
    program = await serve(workspace, server, args, ["slow"]);
    const { running } = await begin();
    const startMs = performance.now();
    await server.kill("SIGTERM");
    const { code } = await running.finished();
    assert.ok(performance.now() - startMs < 10_000);
    assert.equal(code, 1, running.stderr());
    assert.match(running.stderr(), /^net: the serving node stops$/m);
    assert.match(running.stderr(), /^next: it was ended on the other side/m);
    assert.equal((await program.finished()).code, 6);
  });
});

Deno.test("a server that is killed in mid-stream is a typed error within two session timeouts", async () => {
  await using workspace = await makeWorkspace();
  const flags = ["--session-timeout", "3s", "--heartbeat", "1s"];
  const { first: server, second: caller } = await startPair(workspace, { flags });
  const script = "echo begun; exec sleep 1000";
  await serve(workspace, server, ["slow", "--stream", "--", "sh", "-c", script], ["slow"]);
  await untilOffered(caller, "slow");
  const running = start(workspace, caller, ["call", "slow", "--stream", "--json"]);
  await waitFor("the first item came", () => running.stdout().includes("begun"));
  const startMs = performance.now();
  await server.kill("SIGKILL");
  const { code } = await running.finished();
  assert.ok(performance.now() - startMs < 8_000);
  assert.equal(code, 6, running.stderr());
  const { error } = JSON.parse(running.stderr());
  assert.deepEqual([error.code, error.data.kind], ["unreachable", "transport"]);
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
