/**
 * `net node start --detach`: starts the program again in the background and waits until it answers.
 *
 * The child's output goes to `node.log` in its data folder. The ticket travels through standard input,
 * a secret address in the environment; neither is an argument.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { isErrorCode, NetError, pause, spawnable } from "../src/base/mod.ts";
import { type Environment, type NodeConfig, prepareDataDir } from "../src/config/mod.ts";
import { createLog } from "../src/observe/mod.ts";
import type { NetContext } from "./context.ts";
import { recordOf, textOf } from "./format.ts";
import { startText } from "./node_start.ts";
import { type Output, redactSecrets } from "./output.ts";
import { selfCommand } from "./self_command.ts";
import { isSecretUrl, type StartFlags, toStartArguments } from "./start_flags.ts";

/** Time until the child must answer; ten times what a start takes on a slow machine. */
const READY_MS = 20_000;

/** Pause between two looks at the child's log. */
const POLL_MS = 25;

/** A log larger than this is set aside before the next start. */
const LOG_BYTES_MAX = 8 * 1024 * 1024;

/** Part of the log that is looked at while the child starts. */
const WATCHED_BYTES_MAX = 1024 * 1024;

/** Log lines shown when the child does not come up. */
const TAIL_LINES = 20;

/** What a service manager said that holds for the child too; the rest was for this process alone. */
const PASSED_ON = ["NOTIFY_SOCKET", "WATCHDOG_USEC"];

/** What {@linkcode startDetached} needs. */
export interface StartDetachedOptions {
  readonly flags: StartFlags;
  readonly config: NodeConfig;
  readonly ticket: string | undefined;
  readonly output: Output;
  readonly timeoutMs: number | undefined;
}

/**
 * Starts a node in the background.
 *
 * @returns Exit code: 0 when the node answers, the child's own when it ended.
 * @throws NetError With the child's own error, or `timeout`.
 */
export async function startDetached(
  context: NetContext,
  options: StartDetachedOptions,
): Promise<number> {
  const { config } = options;
  const log = createLog({
    level: "warn",
    format: config.logFormat,
    write: (line) => context.io.writeErr(`${line}\n`),
  });
  const manager = await context.doors.openManager(context.io.env, log);
  try {
    if (manager.sockets.length > 0) {
      throw new NetError("usage", "Cannot detach: sockets were opened for this process alone", {
        next: "start it with --foreground where a service manager opens its sockets",
      });
    }
    const pid = await startChild(context, options);
    if (typeof pid === "object") return pid.exitCode;
    manager.handOver(pid);
    return 0;
  } finally {
    await manager.close();
  }
}

/** Starts the child and tells of it; its pid once it is ready, or what it ended with. */
async function startChild(
  context: NetContext,
  options: StartDetachedOptions,
): Promise<number | { readonly exitCode: number }> {
  const { flags, config, ticket, output } = options;
  const { dataDir, warning } = await prepareDataDir(config);
  if (warning !== undefined) output.warn(warning);
  const logPath = await openLogPath(dataDir);
  const logStart = (await Deno.stat(logPath)).size;

  const isUrlSecret = isSecretUrl(flags.busUrl);
  const args = toStartArguments({
    ...flags,
    busUrl: isUrlSecret ? undefined : flags.busUrl,
    join: ticket === undefined ? undefined : "-",
    detach: undefined,
    showTicket: undefined,
    quiet: undefined,
    timeout: undefined,
    json: true,
  });
  const variables = {
    ...definedOf(context.io.env, PASSED_ON),
    ...(isUrlSecret && flags.busUrl !== undefined ? { NET_BUS_URL: flags.busUrl } : {}),
  };
  const child = spawnChild(args, logPath, ticket, variables);
  const readyMs = options.timeoutMs ?? READY_MS;
  const deadlineMs = context.io.now() + readyMs;
  for (;;) {
    const text = await readFrom(logPath, logStart);
    const ready = findDocument(text, "net.node.start.v1");
    if (ready !== undefined) {
      child.forget();
      await report(context, ready, { ...options, logPath });
      return Number(ready.pid);
    }
    const ended = child.exitCode();
    if (ended !== undefined) {
      return { exitCode: fail(context, output, await readFrom(logPath, logStart), ended) };
    }
    if (context.io.now() > deadlineMs) {
      child.kill();
      showTail(context, text);
      throw new NetError("timeout", `Cannot start node: not ready within ${readyMs} ms`, {
        next: `read ${logPath}, or repeat with a longer --timeout`,
      });
    }
    await pause(POLL_MS);
  }
}

interface Child {
  exitCode(): number | undefined;
  kill(): void;
  forget(): void;
}

function spawnChild(
  args: readonly string[],
  logPath: string,
  ticket: string | undefined,
  variables: Readonly<Record<string, string>>,
): Child {
  const [program, ...rest] = selfCommand(args);
  const log = openSync(logPath, "a", 0o600);
  try {
    const child = spawn(spawnable(program), rest, {
      detached: true,
      stdio: ["pipe", log, log],
      env: { ...Deno.env.toObject(), ...variables },
    });
    let exitCode: number | undefined;
    child.on("exit", (code, signal) => {
      exitCode = code ?? (signal === null ? 1 : 128 + constants.signals[signal]);
    });
    child.on("error", () => {
      exitCode = 1;
    });
    // A child that ended early does not read its input; its exit code says why.
    child.stdin?.on("error", () => {});
    child.stdin?.end(ticket ?? "");
    return {
      exitCode: () => exitCode,
      kill: () => void child.kill("SIGKILL"),
      forget: () => child.unref(),
    };
  } finally {
    closeSync(log);
  }
}

function definedOf(env: Environment, names: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of names) {
    const text = env[name];
    if (text !== undefined) variables[name] = text;
  }
  return variables;
}

async function openLogPath(dataDir: string | undefined): Promise<string> {
  if (dataDir === undefined) return await Deno.makeTempFile({ prefix: "net-", suffix: ".log" });
  const path = `${dataDir}/node.log`;
  const file = await Deno.open(path, { create: true, append: true, mode: 0o600 });
  const { size } = await file.stat();
  file.close();
  if (size <= LOG_BYTES_MAX) return path;
  await Deno.rename(path, `${path}.1`);
  (await Deno.open(path, { create: true, append: true, mode: 0o600 })).close();
  return path;
}

async function readFrom(path: string, offset: number): Promise<string> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(WATCHED_BYTES_MAX);
  let length = 0;
  for (;;) {
    const count = await file.read(bytes.subarray(length));
    if (count === null || count === 0) break;
    length += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

/** The last complete line of `text` that is a document of this schema. */
function findDocument(
  text: string,
  schema: string,
): Readonly<Record<string, unknown>> | undefined {
  const lines = text.split("\n").slice(0, -1);
  for (const line of lines.reverse()) {
    if (!line.startsWith(`{"schema":"${schema}"`)) continue;
    try {
      return recordOf(JSON.parse(line));
    } catch {
      // Half a line of somebody else's; the one looked for may still come.
      continue;
    }
  }
  return undefined;
}

async function report(
  context: NetContext,
  ready: Readonly<Record<string, unknown>>,
  options: StartDetachedOptions & { readonly logPath: string },
): Promise<void> {
  const { output, flags, logPath } = options;
  // A node without a socket has said itself that it is ready, and tells nobody its ticket.
  const socket = textOf(ready.socket);
  const isTicketWanted = flags.showTicket || (context.io.isStdoutTerminal && !output.isJson);
  const ticket = socket === "" ? undefined : await askNode(context, socket, isTicketWanted);
  const fields = { ...ready, log: logPath, ...(ticket === undefined ? {} : { ticket }) };
  const { schema: _, ...rest } = recordOf(fields);
  output.result("node.start", rest, () => startText(rest, ticket, flags));
}

/** Makes sure that the node answers; its ticket if that is wanted. */
async function askNode(
  context: NetContext,
  socket: string,
  isTicketWanted: boolean,
): Promise<string | undefined> {
  const signal = AbortSignal.timeout(READY_MS);
  const node = await context.doors.connect(socket, signal);
  try {
    await node.call("health.liveness", {}, { signal });
    if (!isTicketWanted) return undefined;
    return textOf(recordOf(await node.call("node.ticket", {}, { signal })).ticket);
  } finally {
    await node.close();
  }
}

function fail(context: NetContext, output: Output, text: string, exitCode: number): number {
  const { error } = findDocument(text, "net.error.v1") ?? {};
  const { code, message, next } = recordOf(error);
  if (isErrorCode(code)) {
    throw new NetError(code, textOf(message), { next: textOf(next) || undefined });
  }
  showTail(context, text);
  output.note(`node ended with exit code ${exitCode}`);
  return exitCode === 0 ? 1 : exitCode;
}

function showTail(context: NetContext, text: string): void {
  const lines = text.split("\n").filter((line) => line !== "").slice(-TAIL_LINES);
  if (lines.length > 0) context.io.writeErr(`${redactSecrets(lines.join("\n"))}\n`);
}
