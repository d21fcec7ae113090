/** A node in the background: by `--detach`, by the scripts of orchestrators, by the init script of a machine. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { describe, programWords, runtimeEnv } from "./program.ts";
import { type Home, makeWorkspace, waitFor, type Workspace } from "./harness.ts";
import { type RpcAddress, rpcRequest } from "./rpc.ts";

const START_MEMBER = fileURLToPath(new URL("start_member.sh", import.meta.url));
const INIT = fileURLToPath(new URL("../../scripts/service/net.init", import.meta.url));

Deno.test("background: --detach tells who runs, survives its shell, and a second one is told of it", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const NOTIFY_SOCKET = `${home.dir}/notify`;
  const manager = Deno.listenDatagram({ transport: "unixpacket", path: NOTIFY_SOCKET });
  workspace.defer(() => manager.close());
  const started = await home.json(["node", "start", "--detach", "--udp", "127.0.0.1:0"], {
    env: { NOTIFY_SOCKET },
  });
  const pid = Number(started.pid);
  endWith(workspace, pid);
  for (let text = ""; !text.startsWith("MAINPID=");) {
    text = new TextDecoder().decode((await manager.receive())[0]);
    if (text.startsWith("MAINPID=")) assert.equal(text, `MAINPID=${pid}\nREADY=1`);
  }
  assert.equal(started.socket, home.socketPath);
  assert.equal(started.log, `${home.dataDir}/node.log`);
  // The one who printed this has ended; the node has a session of its own and no terminal.
  const { session, terminal, parent } = await processFacts(pid);
  assert.deepEqual([session, terminal], [pid, 0]);
  assert.notEqual(parent, Deno.pid);
  assert.equal(
    (await rpcRequest({ socketPath: home.socketPath }, "health.readiness")).error,
    undefined,
  );
  const mode = (await Deno.stat(`${home.dataDir}/node.log`)).mode ?? 0;
  assert.equal(mode & 0o777, 0o600);

  const second = await home.net(["node", "start", "--detach"]);
  assert.equal(second.code, 3, describe(second));
  assert.match(second.stderr, new RegExp(`process ${pid}\\b`));

  // A tool that rotates logs moves the file away and tells the node.
  await Deno.rename(`${home.dataDir}/node.log`, `${home.dataDir}/node.log.1`);
  Deno.kill(pid, "SIGHUP");
  await waitFor(
    "the log is there again",
    () => readIfThere(`${home.dataDir}/node.log`).includes("log_reopened"),
  );
  const stopped = await home.net(["node", "stop"]);
  assert.equal(stopped.code, 0, describe(stopped));
  assert.equal(await isAlive(pid), false, "net node stop waits for the process");
  assert.match(readIfThere(`${home.dataDir}/node.log`), /node_stopping/);
});

Deno.test("background: a node in the foreground ends in order with its terminal", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  if (!(await run(home, "sh", ["-c", "command -v script"])).stdout.startsWith("/")) {
    console.log("without script: no terminal can be made and closed");
    return;
  }
  const command = [...programWords(), "node", "start", "--udp", "127.0.0.1:0"].join(" ");
  const terminal = new Deno.Command("script", {
    args: ["-qfec", command, "/dev/null"],
    cwd: `${home.dir}/cwd`,
    clearEnv: true,
    env: { ...runtimeEnv(), ...home.env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const pidFile = `${home.dir}/run/biomeos/net.pid`;
  const pid = await waitFor("the node is up", () => Number(readIfThere(pidFile)) || undefined);
  endWith(workspace, pid);
  await waitFor(
    "the node answers",
    () =>
      rpcRequest({ socketPath: home.socketPath }, "health.liveness").then(() => true, () => false),
  );
  assert.notEqual((await processFacts(pid)).terminal, 0);
  terminal.kill("SIGKILL");
  await terminal.status;
  await waitFor("the node ended", async () => !await isAlive(pid));
  const left = [...Deno.readDirSync(`${home.dir}/run/biomeos`)].map(({ name }) => name);
  assert.deepEqual(left, [], "it stopped in order, though nobody reads what it says");
});

Deno.test("background: --detach ends as a child that cannot start, and shows its words", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const failed = await home.net(["node", "start", "--detach", "--port", String(port)]);
  assert.equal(failed.code, 3, describe(failed));
  assert.match(failed.stderr, /^net: Cannot listen on 127\.0\.0\.1:\d+: the port is in use/m);
  assert.match(failed.stderr, /^next: /m);
});

Deno.test("background: the start script of an orchestrator finds a node that answers", async () => {
  await using workspace = await makeWorkspace();
  const [first, third] = [freePort(), freePort()];
  const socketPath = `${workspace.dir}/own.sock`;
  const second = freePort();
  // In the order of the ways in which members are started.
  const cases: readonly (readonly [string[], Record<string, string>, RpcAddress[]])[] = [
    [["server", "--port", String(first)], {}, [{ host: "127.0.0.1", port: first }]],
    [["server", "--socket", socketPath, "--port", String(second)], {}, [
      { socketPath },
      { host: "127.0.0.1", port: second },
    ]],
    [["server"], { NET_PORT: String(third) }, [{ host: "127.0.0.1", port: third }]],
  ];
  await Promise.all(cases.map(async ([args, env, addresses]) => {
    const home = workspace.makeHome();
    const log = `${home.dir}/member.log`;
    const { code, stdout, stderr } = await run(home, "sh", [
      START_MEMBER,
      log,
      `${home.dir}/member.pid`,
      ...programWords(),
      ...args,
    ], env);
    const pid = Number(readIfThere(`${home.dir}/member.pid`));
    endWith(workspace, pid);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `started ${pid}\n`);
    for (const address of addresses) {
      // The script waited for two seconds, which is enough unless the machine is busy with other tests.
      const isLive = async () => {
        try {
          const { result } = await rpcRequest(address, "health.liveness");
          return (result as Record<string, unknown>).status === "healthy";
        } catch {
          return false;
        }
      };
      await waitFor("the member answers", isLive).catch((error) => {
        throw new Error(`${error.message}\n${readIfThere(log)}`);
      });
    }
    // The script's terminal is closed; nohup promised that the node stays.
    Deno.kill(pid, "SIGHUP");
    const again = await rpcRequest(addresses[0] ?? assert.fail(), "health.liveness");
    assert.equal(again.error, undefined);
    Deno.kill(pid, "SIGTERM");
    await waitFor("the node ended", async () => !await isAlive(pid));
  }));
});

Deno.test("background: the start script sees a member that ends at once", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const words = [`${home.dir}/member.log`, `${home.dir}/member.pid`, ...programWords()];
  const { code, stderr } = await run(home, "sh", [START_MEMBER, ...words, "server", "--port", "x"]);
  assert.equal(code, 1);
  assert.match(stderr, /the member ended at its start\n(.*\n)*net: Cannot use --port/);
});

Deno.test("background: the init script starts, tells and stops with the codes of the LSB", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const defaults = `${home.dir}/default`;
  const settings = [
    `NET_PROGRAM="${programWords().join(" ")}"`,
    "NET_USER=",
    `BIOMEOS_SOCKET_DIR=${home.dir}/run/net`,
    `NET_DATA_DIR=${home.dir}/data/net`,
    "NET_UDP=127.0.0.1:0",
    "NET_FAMILY_ID=lab",
  ];
  await Deno.writeTextFile(defaults, `${settings.join("\n")}\n`);
  const init = async (word: string) => {
    const { code, stdout, stderr } = await run(home, INIT, [word], { NET_DEFAULTS: defaults });
    return { code, text: `${stdout}${stderr}` };
  };
  const pidFile = `${home.dir}/run/net/net-lab.pid`;
  const expect = async (word: string, code: number, text = /^/) => {
    const result = await init(word);
    assert.equal(result.code, code, `${word}: ${result.text}`);
    assert.match(result.text, text, word);
  };
  await expect("status", 3, /is not running/);
  await expect("stop", 0);
  await expect("start", 0, /started/);
  const pid = Number(readIfThere(pidFile));
  endWith(workspace, pid);
  await expect("status", 0, /is running/);
  await expect("start", 0, /is running already/);
  assert.equal(Number(readIfThere(pidFile)), pid);
  await expect("rotate", 0);
  Deno.kill(pid, "SIGKILL");
  await waitFor("the node is dead", async () => !await isAlive(pid));
  await expect("status", 1, /is dead/);
  await expect("restart", 0, /started/);
  const next = Number(readIfThere(pidFile));
  endWith(workspace, next);
  assert.notEqual(next, pid);
  await expect("stop", 0, /stopped/);
  assert.equal(await isAlive(next), false);
  await expect("rotate", 7);
  await expect("reload", 3);
  await expect("dance", 2, /usage: /);
  await Deno.writeTextFile(defaults, `${settings.join("\n")}\nNET_PORT=x\n`);
  await expect("start", 6, /NET_PORT/);
});

/** Ends a process of the test's that was started in the background. */
function endWith(workspace: Workspace, pid: number): void {
  workspace.defer(async () => {
    if (pid > 0 && await isAlive(pid)) Deno.kill(pid, "SIGKILL");
  });
}

async function run(
  home: Home,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: `${home.dir}/cwd`,
    clearEnv: true,
    env: { ...runtimeEnv(), ...home.env, ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A process that has ended but was not asked for its code counts as ended. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    return (await processFacts(pid)).state !== "Z";
  } catch {
    return false;
  }
}

async function processFacts(pid: number) {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const [state, parent, , session, terminal] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    state,
    parent: Number(parent),
    session: Number(session),
    terminal: Number(terminal),
  };
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** A port that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
