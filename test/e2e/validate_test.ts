/** `net validate ipc`: a verdict on everything that might sit at an address, in time. */
import assert from "node:assert/strict";
import { type Home, makeWorkspace, type Workspace } from "./harness.ts";
import { describe, type RunResult } from "./program.ts";

/** Time of a run that nobody limited (`decisions.md` 8), with what a loaded machine adds. */
const DEFAULT_RUN_MS_MAX = 5000 + 1500;

/** The same where a second was allowed. */
const SHORT_RUN_MS_MAX = 1000 + 1500;

/**
 * What benchScale's validator sends, a connection for each line: recorded from
 * syntheticChemistry/benchScale, `src/validation/ipc_compliance.rs` at commit 98b2695f.
 */
const REFERENCE_LINES: readonly string[] = [
  '{"id":1,"jsonrpc":"2.0","method":"health.liveness","params":{}}\n',
  '{"id":1,"jsonrpc":"2.0","method":"health.readiness","params":{}}\n',
  '{"id":1,"jsonrpc":"2.0","method":"health.check","params":{}}\n',
];

Deno.test("V13, V21, V-d: the running node is compliant by socket and by port", async (t) => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0", "--port", "0"] });
  const { tcp } = await node.status();
  for (const endpoint of [`unix:${node.socketPath}`, "net", String(tcp)]) {
    const report = await node.home.json(["validate", "ipc", endpoint]);
    assert.equal(report.schema, "net.validate.ipc.v1");
    assert.equal(report.compliant, true);
    assert.equal(report.primal, "net");
  }
  const text = await node.home.net(["validate", "ipc", node.socketPath]);
  assert.equal(text.code, 0, describe(text));
  assert.match(text.stdout, /^Result: COMPLIANT$/m);
  for (const method of ["health.liveness", "health.readiness", "health.check"]) {
    assert.match(text.stdout, new RegExp(`✓ ${method}`));
  }
  const strict = await node.home.json(["validate", "ipc", node.socketPath, "--rules", "strict"]);
  assert.equal(strict.compliant, true, JSON.stringify(strict));
  const { not_callable } = strict.capabilities as { not_callable: unknown };
  assert.deepEqual(not_callable, []);

  await t.step("V-d: the reference's own bytes get replies that it passes", async () => {
    const { hostname, port } = new URL(`tcp://${tcp}`);
    for (const line of REFERENCE_LINES) {
      using conn = await Deno.connect({ hostname, port: Number(port) });
      await conn.write(new TextEncoder().encode(line));
      const reply = JSON.parse(await readLine(conn));
      assert.equal(reply.jsonrpc, "2.0");
      assert.equal(Object.hasOwn(reply, "result"), true);
      assert.equal(Object.hasOwn(reply, "error"), false);
    }
  });
  const reference = Deno.env.get("NET_REFERENCE_VALIDATOR") ?? "";
  await t.step({
    name: "V-d: the reference itself says so",
    // Built by hand where a Rust toolchain is; docs/validate.md says how.
    ignore: reference === "",
    fn: async () => {
      const { code } = await new Deno.Command(reference, { args: [String(tcp)] }).output();
      assert.equal(code, 0);
    },
  });
});

/** One line, as far as its newline. */
async function readLine(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.endsWith("\n")) {
    const length = await conn.read(buffer);
    assert.notEqual(length, null, "the connection was closed");
    text += new TextDecoder().decode(buffer.subarray(0, length ?? 0));
  }
  return text;
}

Deno.test("V23, V24, V26: validate ipc says what is wrong, in time", async (t) => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const cases: Record<string, () => Promise<string> | string> = {
    "dead socket": () => deadSocket(`${home.dir}/dead.sock`),
    "nothing there": () => `${home.dir}/nothing.sock`,
    "plain file": () => plainFile(`${home.dir}/file`),
    "HTTP server": () => httpServer(workspace),
    "silent unix server": () => silentServer(workspace, `${home.dir}/silent.sock`),
    "silent TCP server": () => silentServer(workspace),
    "dribbling server": () => dribblingServer(workspace),
    "closed port": () => closedPort(),
  };
  // Together, because the silent ones use up the whole time limit.
  const verdicts = await Promise.all(
    Object.entries(cases).map(async ([name, makeEndpoint]) => {
      const limits = name === "silent unix server" ? [] : ["--deadline", "1s"];
      return [name, await validate(home, await makeEndpoint(), ...limits)] as const;
    }),
  );
  for (const [name, result] of verdicts) {
    await t.step(name, () => {
      assert.equal(result.code, 1, describe(result));
      const report = JSON.parse(result.stdout);
      assert.equal(report.compliant, false);
      for (const { error } of report.results) assert.match(error, /\S/, "a failure has its reason");
      const limitMs = name === "silent unix server" ? DEFAULT_RUN_MS_MAX : SHORT_RUN_MS_MAX;
      assert.ok(report.duration_ms < limitMs, `${name}: ${report.duration_ms} ms`);
    });
  }
  await t.step("no endpoint at all", async () => {
    for (const endpoint of ["host:99999", ""]) {
      assert.equal((await validate(home, endpoint)).code, 2, `"${endpoint}"`);
    }
  });
});

async function validate(
  home: Home,
  endpoint: string,
  ...flags: readonly string[]
): Promise<RunResult> {
  return await home.net(["validate", "ipc", endpoint, "--json", ...flags]);
}

/** A socket file without a process behind it, as `kill -9` leaves it. */
async function deadSocket(path: string): Promise<string> {
  const script = `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} });` +
    `Deno.kill(Deno.pid, "SIGKILL")`;
  await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
  assert.equal(Deno.lstatSync(path).isSocket, true);
  return path;
}

function plainFile(path: string): string {
  Deno.writeTextFileSync(path, "not a socket\n");
  return path;
}

function httpServer(workspace: Workspace): string {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello"),
  );
  workspace.defer(() => server.shutdown());
  return `127.0.0.1:${server.addr.port}`;
}

function silentServer(workspace: Workspace, path?: string): string {
  const listener = path === undefined
    ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
    : Deno.listen({ transport: "unix", path });
  acceptAll(workspace, listener, () => Promise.resolve());
  return path ?? `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
}

/** A byte now and then, and never a line end. */
function dribblingServer(workspace: Workspace): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  acceptAll(workspace, listener, async (connection, signal) => {
    while (!signal.aborted) {
      await connection.write(new Uint8Array([0x7b]));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
  return `127.0.0.1:${listener.addr.port}`;
}

function closedPort(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return `127.0.0.1:${port}`;
}

function acceptAll(
  workspace: Workspace,
  listener: Deno.Listener,
  handle: (connection: Deno.Conn, signal: AbortSignal) => Promise<void>,
): void {
  const connections: Deno.Conn[] = [];
  const handlers: Promise<void>[] = [];
  const controller = new AbortController();
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      handlers.push(handle(connection, controller.signal).catch(() => {}));
    }
  })();
  workspace.defer(async () => {
    controller.abort();
    listener.close();
    await accepting;
    await Promise.all(handlers);
    for (const connection of connections) connection.close();
  });
}
