/** `net validate ipc`: a verdict on everything that might sit at an address, in time. */
import assert from "node:assert/strict";
import { type Home, makeWorkspace, type Workspace } from "./harness.ts";
import { describe, type RunResult } from "./program.ts";

/** Wall time of the whole process, start included (`decisions.md` 8). */
const VERDICT_MS_MAX = 6000;

Deno.test("validate ipc finds the running node compliant by socket and by port", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0", "--port", "0"] });
  const { tcp } = await node.status();
  for (const endpoint of [node.socketPath, `unix:${node.socketPath}`, "net", String(tcp)]) {
    const text = await node.home.net(["validate", "ipc", endpoint]);
    assert.equal(text.code, 0, `${endpoint}: ${describe(text)}`);
    assert.match(text.stdout, /^Result: COMPLIANT$/m);
    for (const method of ["health.liveness", "health.readiness", "health.check"]) {
      assert.match(text.stdout, new RegExp(`✓ ${method}`));
    }
    const report = await node.home.json(["validate", "ipc", endpoint]);
    assert.equal(report.schema, "net.validate.ipc.v1");
    assert.equal(report.compliant, true);
    assert.equal(report.primal, "net");
  }
  const strict = await node.home.json(["validate", "ipc", node.socketPath, "--rules", "strict"]);
  assert.equal(strict.compliant, true, JSON.stringify(strict));
  const { not_callable } = strict.capabilities as { not_callable: unknown };
  assert.deepEqual(not_callable, []);
});

Deno.test("validate ipc says what is wrong, within 6 s", async (t) => {
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
    Object.entries(cases).map(async ([name, makeEndpoint]) =>
      [name, await validate(home, await makeEndpoint())] as const
    ),
  );
  for (const [name, result] of verdicts) {
    await t.step(name, () => {
      assert.equal(result.code, 1, describe(result));
      assert.match(result.stdout, /^Result: NON-COMPLIANT$/m);
      assert.match(result.stdout, /→ \S/, "each failure has its reason");
      assert.ok(result.durationMs < VERDICT_MS_MAX, `${name}: ${result.durationMs} ms`);
    });
  }
  await t.step("no endpoint at all", async () => {
    for (const endpoint of ["host:99999", "", "1.2.3.4:"]) {
      assert.equal((await validate(home, endpoint)).code, 2, `"${endpoint}"`);
    }
  });
});

async function validate(home: Home, endpoint: string): Promise<RunResult> {
  return await home.net(["validate", "ipc", endpoint], { timeoutMs: VERDICT_MS_MAX + 4000 });
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
