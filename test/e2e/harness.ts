/**
 * Black-box runs of the program: temporary homes, nodes, verbs, memory; see `program.ts` for what is
 * run.
 *
 * A workspace is one folder under the system's temporary folder. It is disposed of with everything
 * in it: processes are killed, files removed, so a failing test leaves nothing behind.
 */
import assert from "node:assert/strict";
import {
  describe,
  type RunningProgram,
  runProgram,
  type RunResult,
  spawnProgram,
} from "./program.ts";
import { close, connectRaw, type RpcAddress, rpcRequest } from "./rpc.ts";

/** Longest wait for a node to be ready. */
const READY_TIMEOUT_MS = 15_000;
/** Longest wait for a condition unless the test says otherwise. */
const WAIT_TIMEOUT_MS = 15_000;
/** Longest wait for a node that was told to stop. */
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** A temporary home: the folders of one person's account. */
export interface Home {
  readonly dir: string;
  /** XDG folders, HOME and TMPDIR inside `dir`. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the control socket of a node without `--socket` is. */
  readonly socketPath: string;
  /** Where a node without `--data-dir` keeps its files. */
  readonly dataDir: string;
  /** Runs a verb in this home. */
  net(args: readonly string[], options?: NetOptions): Promise<RunResult>;
  /** Runs a verb with `--json` and returns the document; fails unless it exits with 0. */
  json(args: readonly string[], options?: NetOptions): Promise<Record<string, unknown>>;
}

/** Options of a verb run. */
export interface NetOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  readonly timeoutMs?: number;
}

/** Options of {@linkcode Workspace.startNode}. */
export interface StartNodeOptions {
  /** Home to run in; a new one when left out. */
  readonly home?: Home;
  /** Words of the verb; `node start` when left out. */
  readonly verb?: readonly string[];
  /** Flags behind `node start`. */
  readonly flags?: readonly string[];
  /** Variables beside those of the home. */
  readonly env?: Readonly<Record<string, string>>;
  /** True to run with no variables at all but those in `env`. */
  readonly isBare?: boolean;
  readonly stdin?: string;
  /** Control socket to wait for, when the flags name another one. */
  readonly socketPath?: string;
  /** Where to wait for a node that has no socket. */
  readonly tcp?: { readonly host: string; readonly port: number };
  /** A command that becomes the program, such as one that enters a network namespace. */
  readonly through?: readonly string[];
}

/** A node process. */
export interface TestNode {
  readonly home: Home;
  readonly pid: number;
  readonly socketPath: string;
  /** From the start of the process to its first liveness answer. */
  readonly livenessMs: number;
  readonly program: RunningProgram;
  /** Calls a method over the unix socket; fails on an error reply. */
  call(method: string, params?: unknown): Promise<Record<string, unknown>>;
  status(): Promise<Record<string, unknown>>;
  /** Everything the process printed. */
  log(): string;
  /** Sends the signal and waits for the end. */
  kill(signal: Deno.Signal): Promise<Deno.CommandStatus>;
  /** Highest resident memory so far, in bytes. */
  peakRssBytes(): number;
  /** Resident memory now, in bytes. */
  rssBytes(): number;
}

/** Everything one test made. */
export interface Workspace extends AsyncDisposable {
  readonly dir: string;
  makeHome(name?: string): Home;
  /**
   * Starts a node and waits until it is ready.
   *
   * @throws {Error} With its output when it ends before or is not ready in time.
   */
  startNode(options?: StartNodeOptions): Promise<TestNode>;
  /** Disposes of something of the test's own with the workspace, last one first. */
  defer(action: () => void | Promise<void>): void;
}

/** Makes a workspace. */
export async function makeWorkspace(): Promise<Workspace> {
  const dir = await Deno.makeTempDir({ prefix: "net-e2e-" });
  const programs: RunningProgram[] = [];
  const deferred: (() => void | Promise<void>)[] = [];
  let homes = 0;
  const makeHome = (name = `h${++homes}`) => createHome(`${dir}/${name}`);
  return {
    dir,
    makeHome,
    startNode: async (options = {}) => {
      const home = options.home ?? makeHome();
      const program = spawnProgram([
        ...(options.verb ?? ["node", "start"]),
        ...(options.flags ?? []),
      ], {
        env: options.isBare ? { ...options.env } : { ...home.env, ...options.env },
        cwd: `${home.dir}/cwd`,
        stdin: options.stdin,
        through: options.through,
      });
      programs.push(program);
      const startMs = performance.now();
      const socketPath = options.socketPath ?? home.socketPath;
      const livenessMs = await untilReady(program, options.tcp ?? { socketPath }, startMs);
      return createNode(home, program, socketPath, livenessMs);
    },
    defer: (action) => void deferred.push(action),
    [Symbol.asyncDispose]: async () => {
      for (const program of programs) program.kill("SIGKILL");
      for (const program of programs) await program.finished();
      for (const action of deferred.reverse()) await action();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/**
 * Waits until `condition` gives something else than false or undefined.
 *
 * @param what Said in the failure message.
 * @throws {Error} When `timeoutMs` ran out.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = WAIT_TIMEOUT_MS,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Starts two nodes of which the second joined the first, and waits until both see each other. */
export async function startPair(
  workspace: Workspace,
  options: { readonly flags?: readonly string[] } = {},
): Promise<{ readonly first: TestNode; readonly second: TestNode; readonly ticket: string }> {
  const flags = ["--udp", "127.0.0.1:0", ...(options.flags ?? [])];
  const first = await workspace.startNode({ flags });
  const ticket = await ticketOf(first);
  const second = await workspace.startNode({ flags: [...flags, "--join", "-"], stdin: ticket });
  await untilConnected(first, second);
  return { first, second, ticket };
}

/** A fresh ticket of a node. */
export async function ticketOf(node: TestNode, flags: readonly string[] = []): Promise<string> {
  const { ticket } = await node.home.json(["node", "ticket", ...flags]);
  assert.equal(typeof ticket, "string");
  return String(ticket);
}

/** Waits until each node lists the other one as connected. */
export async function untilConnected(left: TestNode, right: TestNode): Promise<void> {
  for (const [node, other] of [[left, right], [right, left]] as const) {
    const { node_id } = await other.status();
    await waitFor(`node ${other.pid} is a peer of ${node.pid}`, async () => {
      const peers = (await node.status()).peers as readonly Record<string, unknown>[];
      return peers.some((peer) => peer.node_id === node_id && peer.state === "connected");
    }).catch((error) => {
      throw new Error(`${error.message}\n${left.log()}\n----\n${right.log()}`);
    });
  }
}

/** Checks a failed run: exit code, stable code and a `next:` line; returns its standard error. */
export function assertFails(result: RunResult, exitCode: number, code: string): string {
  assert.equal(result.code, exitCode, describe(result));
  assert.match(result.stderr, new RegExp(`^code: ${code}$`, "m"));
  assert.match(result.stderr, /^next: \S/m);
  assert.doesNotMatch(result.stderr, /^\s+at .*:\d+:\d+/m, "no stack trace");
  return result.stderr;
}

/** Bytes that depend on `seed` alone. */
export function patternBytes(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  const words = new Uint32Array(bytes.buffer, 0, sizeBytes >>> 2);
  let state = (seed * 0x9e3779b1) | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return bytes;
}

/** True when both files hold the same bytes. */
export async function equalFiles(left: string, right: string): Promise<boolean> {
  const { success } = await new Deno.Command("cmp", { args: ["-s", left, right] }).output();
  return success;
}

function createHome(dir: string): Home {
  const folders = { data: "data", run: "run", config: "config", tmp: "tmp", cwd: "cwd" };
  for (const name of Object.values(folders)) {
    Deno.mkdirSync(`${dir}/${name}`, { recursive: true, mode: 0o700 });
  }
  const env = {
    HOME: dir,
    XDG_DATA_HOME: `${dir}/data`,
    XDG_RUNTIME_DIR: `${dir}/run`,
    XDG_CONFIG_HOME: `${dir}/config`,
    TMPDIR: `${dir}/tmp`,
  };
  const net = (args: readonly string[], options: NetOptions = {}) =>
    runProgram(args, { ...options, env: { ...env, ...options.env }, cwd: `${dir}/cwd` });
  return {
    dir,
    env,
    socketPath: `${dir}/run/biomeos/net.sock`,
    dataDir: `${dir}/data/net`,
    net,
    json: async (args, options) => {
      const result = await net([...args, "--json"], options);
      assert.equal(result.code, 0, `net ${args.join(" ")}: ${describe(result)}`);
      const document: unknown = JSON.parse(result.stdout);
      assert.ok(typeof document === "object" && document !== null);
      const record = document as Record<string, unknown>;
      assert.match(String(record.schema), /^net\.[a-z_.]+\.v\d+$/);
      return record;
    },
  };
}

function createNode(
  home: Home,
  program: RunningProgram,
  socketPath: string,
  livenessMs: number,
): TestNode {
  const call = async (method: string, params: unknown = {}) => {
    const reply = await rpcRequest({ socketPath }, method, params);
    assert.equal(reply.error, undefined, `${method}: ${reply.line}`);
    return reply.result as Record<string, unknown>;
  };
  return {
    home,
    pid: program.pid,
    socketPath,
    livenessMs,
    program,
    call,
    status: () => call("node.status"),
    log: () => `${program.stdout()}\n${program.stderr()}`,
    kill: async (signal) => {
      program.kill(signal);
      const timer = setTimeout(() => program.kill("SIGKILL"), STOP_TIMEOUT_MS);
      const status = await program.finished();
      clearTimeout(timer);
      return status;
    },
    peakRssBytes: () => memoryBytes(program.pid, "VmHWM"),
    rssBytes: () => memoryBytes(program.pid, "VmRSS"),
  };
}

async function untilReady(
  program: RunningProgram,
  address: RpcAddress,
  startMs: number,
): Promise<number> {
  let livenessMs: number | undefined;
  const isReady = async () => {
    if (!program.isAlive()) {
      const { code } = await program.finished();
      const output = { code, stdout: program.stdout(), stderr: program.stderr() };
      throw new Error(`The node ended before it was ready: ${describe(output)}`);
    }
    if (livenessMs === undefined) {
      if (!await answersLiveness(address)) return false;
      livenessMs = performance.now() - startMs;
    }
    const { result } = await rpcRequest(address, "health.readiness");
    return (result as { status?: unknown } | undefined)?.status === "healthy";
  };
  await waitFor("the node is ready", isReady, READY_TIMEOUT_MS).catch((error) => {
    throw new Error(`${error.message}\n${program.stdout()}\n${program.stderr()}`);
  });
  return livenessMs ?? Infinity;
}

async function answersLiveness(address: RpcAddress): Promise<boolean> {
  try {
    close(await connectRaw(address));
  } catch {
    // Not bound yet.
    return false;
  }
  const { result } = await rpcRequest(address, "health.liveness");
  return (result as { status?: unknown } | undefined)?.status === "healthy";
}

/** A line of `/proc/PID/status` that is in kB; 0 where there is no /proc. */
function memoryBytes(pid: number, name: string): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
