/** A node as a service: real processes under a runner of units, under systemd, and with opened sockets. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Home, makeWorkspace, waitFor } from "./harness.ts";
import { runtimeEnv, spawnProgram } from "./program.ts";
import { close, connectRaw, rpcRequest } from "./rpc.ts";
import { type RunningUnit, runUnit } from "./unit_runner.ts";
import { startUserManager } from "./user_manager.ts";

const ACTIVATOR = fileURLToPath(new URL("socket_activator.pl", import.meta.url));

/** The unit that the program prints, and where it wants to lie. */
async function printUnit(home: Home, ...flags: readonly string[]) {
  const { unit, path } = await home.json(["node", "unit", "--user", ...flags]);
  return { unit: String(unit), path: String(path) };
}

async function run(home: Home, unit: string): Promise<RunningUnit> {
  return await runUnit(unit, {
    cwd: `${home.dir}/cwd`,
    env: { ...runtimeEnv(), ...home.env },
    specifiers: { E: `${home.dir}/config`, t: `${home.dir}/run` },
  });
}

async function answersLiveness(socketPath: string): Promise<void> {
  const { result } = await rpcRequest({ socketPath }, "health.liveness");
  assert.equal((result as Record<string, unknown>).alive, true);
}

Deno.test("service: the printed unit runs a node that says when it is ready, alive and stopping", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const { unit } = await printUnit(home, "--udp", "127.0.0.1:0");
  await Deno.mkdir(`${home.dir}/config/net`);
  await Deno.writeTextFile(`${home.dir}/config/net/net.env`, "# ours\nNET_LOG_LEVEL=debug\n");
  const quick = unit.replace("WatchdogSec=30", "WatchdogSec=1").replace(
    "RestartSec=1",
    "RestartSec=50ms",
  );
  await using service = await run(home, quick);
  const ready = await service.told("READY");
  assert.equal(ready.STATUS, "ready");
  // Who was told that it is ready needs not try again.
  await answersLiveness(home.socketPath);
  await service.told("WATCHDOG");
  assert.match(service.output(), /debug/, "settings of the file were read");

  const firstPid = service.pid;
  Deno.kill(firstPid, "SIGKILL");
  await service.told("READY", 2);
  assert.notEqual(service.pid, firstPid);
  assert.equal(service.exits[0], 137);
  await answersLiveness(home.socketPath);

  assert.equal(await service.stop(), 0);
  const stopping = await service.told("STOPPING");
  assert.equal(stopping.STATUS, "stopping: SIGTERM");
  assert.ok(Number(stopping.EXTEND_TIMEOUT_USEC) <= 20_000_000);
  assert.equal(service.starts, 2);
  await assert.rejects(Deno.lstat(home.socketPath), Deno.errors.NotFound);
});

Deno.test("service: a mistake in the settings ends the service, and is told", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const { unit } = await printUnit(home);
  const wrong = unit.replace("Restart=", "Environment=NET_UDP=nowhere\nRestart=");
  await using service = await run(home, wrong);
  await waitFor("the service ended", () => service.exits.length > 0);
  assert.deepEqual(service.exits, [2]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(service.starts, 1, service.output());
  assert.match(service.output(), /NET_UDP/);
});

Deno.test("service: systemd itself starts, watches and stops it, and opens its socket", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const started = await startUserManager(home.env);
  if (typeof started === "string") {
    console.log(`without systemd: ${started}`);
    return;
  }
  await using manager = started;
  const service = await printUnit(home, "--udp", "127.0.0.1:0");
  const socket = await printUnit(home, "--type", "socket");
  await Deno.mkdir(`${home.dir}/config/systemd/user`, { recursive: true });
  await Deno.mkdir(`${home.dir}/config/net`);
  await Deno.writeTextFile(
    `${home.dir}/config/net/net.env`,
    Object.entries(runtimeEnv()).map(([name, text]) => `${name}=${text}\n`).join(""),
  );
  await Deno.writeTextFile(service.path, service.unit.replace("WatchdogSec=30", "WatchdogSec=5"));
  await Deno.writeTextFile(socket.path, socket.unit);
  await manager.systemctl("daemon-reload");

  // Returns when the node said that it is ready.
  await manager.systemctl("start", "net");
  await answersLiveness(home.socketPath);
  const first = await manager.show("net", "MainPID", "StatusText", "ActiveState");
  assert.deepEqual([first.ActiveState, first.StatusText], ["active", "ready"]);
  // A node that hangs gives no sign of life.
  Deno.kill(Number(first.MainPID), "SIGSTOP");
  const again = await waitFor("a node that hangs was replaced", async () => {
    // The text stays that of the last one until the next one says something.
    const shown = await manager.show("net", "NRestarts", "MainPID", "StatusText", "ActiveState");
    return Number(shown.NRestarts) > 0 && shown.ActiveState === "active" && shown;
  });
  assert.equal(again.StatusText, "ready");
  assert.ok(Number(again.MainPID) > 0 && again.MainPID !== first.MainPID);
  await answersLiveness(home.socketPath);
  await manager.systemctl("stop", "net");
  const stopped = await manager.show("net", "Result", "ExecMainStatus");
  assert.deepEqual(stopped, { Result: "success", ExecMainStatus: "0" });
  await assert.rejects(Deno.lstat(home.socketPath), Deno.errors.NotFound);

  await manager.systemctl("start", "net.socket");
  assert.equal((await manager.show("net", "ActiveState")).ActiveState, "inactive");
  // Whoever connects first starts the node, and is answered by it.
  await answersLiveness(home.socketPath);
  const pid = (await Deno.readTextFile(`${home.dir}/run/biomeos/net.pid`)).trim();
  assert.equal((await manager.show("net", "MainPID")).MainPID, pid);
  const stop = await home.net(["node", "stop"]);
  assert.equal(stop.code, 0);
  assert.match(stop.stderr, /its service manager still listens/);
  await waitFor(
    "the node is gone",
    async () => (await manager.show("net", "ActiveState")).ActiveState === "inactive",
  );
  assert.ok((await Deno.lstat(home.socketPath)).isSocket);
  await manager.systemctl("stop", "net.socket");

  // The machine's unit, without what only the machine's own manager can do; this one's socket lies in /tmp.
  const { unit } = await home.json(["node", "unit", "--udp", "127.0.0.1:0"]);
  const guarded = String(unit)
    .replace(
      /^(DynamicUser|EnvironmentFile|Wants|After|PrivateTmp|ProtectHome|ProtectKernel\w+)=.*\n/gm,
      "",
    )
    .replace("[Service]\n", `[Service]\nTimeoutStartSec=20\n${environmentLines(runtimeEnv())}`)
    .replace(/^Environment=DENO_DIR=.*\n/m, "");
  await Deno.writeTextFile(service.path.replace("net.service", "net-guarded.service"), guarded);
  await manager.systemctl("daemon-reload");
  const guardedStart = await manager.systemctl("start", "net-guarded").catch(() => "failed");
  const { ExecMainStatus } = await manager.show("net-guarded", "ExecMainStatus");
  // From 200 on it was the manager that could not set the sandbox up.
  if (Number(ExecMainStatus) >= 200) {
    console.log(`without the machine's sandbox: it cannot be made here (${ExecMainStatus})`);
    return;
  }
  assert.notEqual(guardedStart, "failed", `${ExecMainStatus}\n${manager.log()}`);
  await answersLiveness(`${home.dir}/run/net/net.sock`);
  await manager.systemctl("stop", "net-guarded");
  assert.equal((await manager.show("net-guarded", "Result")).Result, "success");
});

function environmentLines(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables).map(([name, text]) => `Environment="${name}=${text}"\n`).join(
    "",
  );
}

Deno.test("service: sockets that somebody else opened are served, and left to him", async () => {
  await using workspace = await makeWorkspace();
  if (!await isThere("perl")) {
    console.log("without perl: nobody opens sockets for a node here");
    return;
  }
  const home = workspace.makeHome();
  const { socketPath } = home;
  await Deno.mkdir(`${home.dir}/run/biomeos`, { mode: 0o700 });
  const sockets = [`control=unix:${socketPath}`, "port=tcp:0", "http=tcp:0", "--"];
  const program = spawnProgram(["node", "start", "--udp", "127.0.0.1:0"], {
    env: home.env,
    cwd: `${home.dir}/cwd`,
    through: ["perl", ACTIVATOR, ...sockets],
  });
  workspace.defer(async () => {
    program.kill("SIGKILL");
    await program.finished();
  });
  const port = await waitFor("the sockets are open", () => portOf(program.stderr(), "port"));
  const httpPort = portOf(program.stderr(), "http") ?? assert.fail();
  // Long before the node can answer: none of these is refused, and all are answered.
  const replies = await Promise.all([
    rpcRequest({ socketPath }, "health.liveness"),
    rpcRequest({ host: "127.0.0.1", port }, "health.liveness"),
    fetch(`http://127.0.0.1:${httpPort}/livez`).then(async (response) => {
      await response.body?.cancel();
      return response.status;
    }),
  ]).catch((error) => {
    throw new Error(`${error.message}\n${program.stderr()}`);
  });
  assert.equal(replies[2], 200);
  const status = await rpcRequest({ socketPath }, "node.status");
  const { socket, tcp, http } = status.result as Record<string, unknown>;
  assert.deepEqual([socket, tcp, http], [
    socketPath,
    `127.0.0.1:${port}`,
    `127.0.0.1:${httpPort}`,
  ]);
  const strange = await rpcRequest({ host: "127.0.0.1", port }, "node.status");
  assert.equal(strange.error?.code, -32003);
  for (const endpoint of [`unix:${socketPath}`, `tcp://127.0.0.1:${port}`]) {
    const verdict = await home.net(["validate", "ipc", endpoint, "--rules", "strict"]);
    assert.equal(verdict.code, 0, verdict.stdout);
  }
  assert.equal(await Deno.readTextFile(`${home.dir}/run/biomeos/net.pid`), `${program.pid}\n`);
  program.kill("SIGTERM");
  assert.equal((await program.finished()).code, 0);
  const left = [...Deno.readDirSync(`${home.dir}/run/biomeos`)].map(({ name }) => name);
  assert.deepEqual(left, ["net.sock"]);
});

Deno.test("service: systemd-socket-activate hands its socket over", async () => {
  await using workspace = await makeWorkspace();
  if (!await isThere("systemd-socket-activate")) {
    console.log("without systemd-socket-activate: its way of handing sockets over is not tried");
    return;
  }
  const home = workspace.makeHome();
  const { socketPath } = home;
  await Deno.mkdir(`${home.dir}/run/biomeos`, { mode: 0o700 });
  // It hands on no variables but those it is told to.
  const variables = Object.entries({ ...runtimeEnv(), ...home.env }).flatMap(([name, text]) => [
    "-E",
    `${name}=${text}`,
  ]);
  const program = spawnProgram(["node", "start", "--udp", "127.0.0.1:0"], {
    env: home.env,
    cwd: `${home.dir}/cwd`,
    through: ["systemd-socket-activate", "-l", socketPath, "--fdname=control", ...variables],
  });
  workspace.defer(async () => {
    program.kill("SIGKILL");
    await program.finished();
  });
  await waitFor("the socket is open", async () => {
    try {
      close(await connectRaw({ socketPath }));
      return true;
    } catch {
      return false;
    }
  });
  await answersLiveness(socketPath);
  program.kill("SIGTERM");
  assert.equal((await program.finished()).code, 0, program.stderr());
});

function portOf(text: string, name: string): number | undefined {
  const [, port] = new RegExp(`^opened ${name} (\\d+)$`, "m").exec(text) ?? [];
  return port === undefined ? undefined : Number(port);
}

async function isThere(program: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v ${program}`],
    stdout: "null",
  }).output();
  return success;
}
