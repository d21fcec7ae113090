/**
 * `net node start` (also `net server` and `net daemon`): runs a node in the foreground, or with
 * `--detach` in the background.
 */
import { buildCommand } from "@stricli/core";
import { NetError, toNetError } from "../src/base/mod.ts";
import {
  loadNodeConfig,
  type NodeConfig,
  prepareDataDir,
  PROGRAM_NAME,
  PROGRAM_VERSION,
  readSome,
  readTicketText,
  readUpTo,
  withDataDir,
  withOpened,
} from "../src/config/mod.ts";
import { createLog, type Log, type LogLevel } from "../src/observe/mod.ts";
import type { ServiceManager } from "../src/kernel/mod.ts";
import { commandAt } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeHandle } from "./doors.ts";
import { bareRecord, durationFlag, type SharedFlags } from "./flags.ts";
import { errnoOf } from "./errno.ts";
import type { Hangup } from "./hangup.ts";
import { formatFields, listOf, recordOf, textOf } from "./format.ts";
import type { Output } from "./output.ts";
import { ensureMeshSocket } from "./self_command.ts";
import {
  isSecretUrl,
  isTicketVisible,
  START_FLAGS,
  type StartFlags,
  toNodeFlags,
  toStartArguments,
} from "./start_flags.ts";
import { httpText } from "./node_status.ts";
import { runVerb } from "./verb.ts";

/** Longest time a node takes to stop behind its drain: 6 s for its services, and a little for the rest. */
const STOP_MS = 10_000;

/** The verb. */
export const nodeStartCommand = buildCommand<StartFlags, [], NetContext>({
  docs: {
    brief: "Start a node",
    fullDescription: "Starts a node in the foreground; Ctrl-C ends it. On a terminal it prints a " +
      "ticket with which others join.\n\n" +
      "EXAMPLES\n  net node start\n  net node start --join - < ticket.txt\n" +
      "  net node start --detach --port 9900\n" +
      "  net node start --data-dir /srv/net --udp 0.0.0.0:7000\n\n" +
      "ENVIRONMENT\n  NET_TICKET  NET_UDP  NET_PORT  NET_LISTEN  NET_BIND  NET_SOCKET\n" +
      "  NET_SOCKET_MODE  NET_NO_SOCKET  NET_ABSTRACT  NET_NO_PLAIN_LINK  NET_PID_DIR\n" +
      "  NET_MAX_LINE  FAMILY_SEED  NET_FAMILY_SEED_FILE  NET_REQUIRE_BTSP\n" +
      "  NET_AUDIT_DIR  BIOMEOS_SOCKET_DIR  XDG_RUNTIME_DIR\n" +
      "  NET_HTTP  NET_HTTP_WRITE  NET_DRAIN_TIMEOUT\n" +
      "  NET_FAMILY_ID (FAMILY_ID)  NET_NODE_ID (NODE_ID)  NET_DATA_DIR  NET_PROFILE\n" +
      "  NET_PEER  NET_EXPECT  NET_PSK_FILE  NET_LOG_LEVEL  NET_LOG_FORMAT\n" +
      "  NET_SUBNET  NET_SUBNET_RULES (with ; between)  NET_GATEWAY\n" +
      "  NET_LOG_FSYNC  NET_LOG_KEEP  NET_LOG_SEGMENT\n" +
      "  NET_BUS  NET_BUS_URL  NET_BUS_FULL\n" +
      "  NOTIFY_SOCKET  WATCHDOG_USEC  LISTEN_FDS (of a service manager: net node unit)",
  },
  parameters: { flags: bareRecord(START_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, ({ output }) => startNode(this, flags, output), {
      isSelfTimed: true,
    });
  },
});

/** Said by a node that other members will not find (`promises-standards.md` V-j). */
const NO_SOCKET =
  "no socket (--no-socket): this node is outside the socket rule, so members and verbs do " +
  "not find it, and over TCP it answers public methods alone";

async function startNode(context: NetContext, flags: StartFlags, output: Output): Promise<number> {
  const { io, doors } = context;
  const nodeFlags = toNodeFlags(flags);
  const timeoutMs = durationFlag("--timeout", flags.timeout);
  if (flags.foreground && flags.detach) {
    throw new NetError("usage", "Cannot start: --foreground and --detach exclude each other", {
      next: "give one of them",
    });
  }
  const ticket = await readTicket(context, flags);
  // Everything a user can get wrong is found before a process is replaced or made.
  const config = loadNodeConfig({
    flags: { ...nodeFlags, join: ticket },
    env: io.env,
    cwd: io.cwd,
    hostname: io.hostname,
  });
  if (!config.hasSocket) output.warn(NO_SOCKET);
  if (flags.detach) {
    const { startDetached } = await import("./detach.ts");
    return await startDetached(context, { flags, config, ticket, output, timeoutMs });
  }
  const isVisible = isTicketVisible(flags);
  // Standard input was read already, so a ticket from there goes the same way as a visible one.
  const isFromStdin = flags.join === "-";
  const isTicketMoved = isVisible || (isFromStdin && !doors.own.hasMeshSocket);
  const { busUrl } = flags;
  const isUrlMoved = isSecretUrl(busUrl);
  const again = {
    ...flags,
    ...(isVisible || isFromStdin ? { join: undefined } : {}),
    ...(isUrlMoved ? { busUrl: undefined } : {}),
  };
  ensureMeshSocket(doors.own, toStartArguments(again), {
    ...(isTicketMoved && ticket !== undefined ? { NET_TICKET: ticket } : {}),
    ...(isUrlMoved && busUrl !== undefined ? { NET_BUS_URL: busUrl } : {}),
  });

  const prepared = await prepareDataDir(config);
  if (prepared.warning !== undefined) output.warn(prepared.warning);
  return await runForeground(
    context,
    withDataDir(config, prepared.dataDir),
    flags,
    output,
    timeoutMs,
  );
}

async function readTicket(context: NetContext, flags: StartFlags): Promise<string | undefined> {
  if (flags.join === undefined) return undefined;
  return await readTicketText(flags.join, {
    readStdin: (bytesMax) => readSome({ read: (into) => context.io.readStdin(into) }, bytesMax),
    readFile: readUpTo,
  });
}

async function runForeground(
  context: NetContext,
  config: NodeConfig,
  flags: StartFlags,
  output: Output,
  timeoutMs: number | undefined,
): Promise<number> {
  const { io, doors } = context;
  let exitCode = 0;
  let stopping: Promise<void> | undefined;
  let node: NodeHandle | undefined;
  let isReady = false;
  let stopReason = "asked by a program";
  const log = createLog({
    level: output.isQuiet ? atLeastWarn(config.logLevel) : config.logLevel,
    format: config.logFormat,
    write: (line) => io.writeErr(`${line}\n`),
  });
  const onSignal = (reason: string, code: number, forcedCode: number) => {
    // Before the node is up there is nothing to wind down, and a second signal does not wait.
    if (stopping !== undefined || node === undefined) return io.exit(forcedCode);
    exitCode = code;
    stopReason = reason;
    if (isReady) output.note(`stopping (${reason}); once more forces it`);
    stopping = node.stop(reason);
    // Its failure also ends `closed`; this only keeps it from being unhandled until then.
    stopping.catch(() => {});
  };
  // Asked first: the runtime takes SIGHUP for itself as soon as any signal is listened to.
  const hangup = doors.hangup();
  const releases = [
    io.onSignal("SIGTERM", () => onSignal("SIGTERM", 0, 143)),
    io.onSignal("SIGINT", () => onSignal("SIGINT", 130, 130)),
    listenForHangup(context, hangup, log, () => onSignal("SIGHUP", 129, 129)),
  ];
  const manager = await doors.openManager(io.env, log);
  try {
    const sockets = await manager.adopt();
    node = await doors.createNode(
      withOpened(config, {
        socketPath: sockets.control?.path,
        tcp: sockets.port?.address,
        http: sockets.http?.address,
      }),
      { log, env: io.env, sockets },
    );
    report(node, manager, {
      stopReason: () => stopReason,
      stopMs: config.drainTimeoutMs + STOP_MS,
    });
    await startWithin(node, timeoutMs);
    isReady = true;
    manager.look();
    if (stopping === undefined) await announce(context, node, config, flags, output, log);
    await node.closed;
    await stopping;
    return exitCode;
  } catch (error) {
    if (stopping !== undefined && !isReady) {
      // A start that was told to stop fails by being stopped.
      await stopping;
      return exitCode;
    }
    // The first failure says more than one of the clean-up.
    await node?.stop(isReady ? "failed" : "start failed").catch(() => {});
    const failure = toNetError(error, isReady ? "Cannot keep node running" : "Cannot start node");
    manager.failed(failure.message, errnoOf(failure.code));
    throw failure;
  } finally {
    await manager.close();
    for (const release of releases) release();
  }
}

/** Lets the service manager know how the node is doing, until it has stopped. */
function report(
  node: NodeHandle,
  manager: ServiceManager,
  { stopReason, stopMs }: { readonly stopReason: () => string; readonly stopMs: number },
): void {
  manager.follow({
    missing: () => node.health.snapshot().missing,
    health: () => {
      const parts = [...node.health.snapshot().parts];
      return Object.fromEntries(
        parts.map(([name, { state, reason }]) => [name, { state, detail: reason }]),
      );
    },
    summary: () => "ready",
  });
  node.health.onChange(({ phase }) => {
    if (phase === "stopping") manager.stopping(stopReason(), stopMs);
    else manager.look();
  });
}

/** Does on SIGHUP what it means here; the result ends that. */
function listenForHangup(
  { io }: NetContext,
  hangup: Hangup,
  log: Log,
  onStop: () => void,
): () => void {
  return io.onSignal("SIGHUP", () => {
    if (hangup.action === "stop") return onStop();
    // Without this listener the runtime would end the process.
    if (hangup.action === "ignore") return;
    try {
      log.info("log_reopened", { files: hangup.reopen().join(" ") });
    } catch (error) {
      log.warn("log_not_reopened", {
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  });
}

async function startWithin(node: NodeHandle, timeoutMs: number | undefined): Promise<void> {
  if (timeoutMs === undefined) return await node.start();
  const { promise: outOfTime, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new NetError("timeout", `Cannot start node: not ready within ${timeoutMs} ms`, {
        next: "repeat with a longer --timeout",
      }),
    );
  }, timeoutMs);
  try {
    await Promise.race([node.start(), outOfTime]);
  } finally {
    clearTimeout(timer);
  }
}

async function announce(
  context: NetContext,
  node: NodeHandle,
  config: NodeConfig,
  flags: StartFlags,
  output: Output,
  log: Log,
): Promise<void> {
  const status = recordOf(await node.status());
  const isTicketWanted = flags.showTicket ||
    (context.io.isStdoutTerminal && !output.isJson);
  const ticket = isTicketWanted ? textOf(recordOf(await node.ticket()).ticket) : undefined;
  const fields = { ...status, mode: config.profile, ...(ticket === undefined ? {} : { ticket }) };
  try {
    output.result("node.start", fields, () => startText(fields, ticket, flags));
  } catch (error) {
    // A full disk or a closed pipe behind standard output is nothing that a node which serves should end for.
    log.warn("start_not_printed", {
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Human text of a node that is up. */
export function startText(
  status: Readonly<Record<string, unknown>>,
  ticket: string | undefined,
  flags: SharedFlags,
): string {
  const fields = formatFields([
    ["mode", textOf(status.mode)],
    ["node", textOf(status.node_id)],
    ["pid", textOf(status.pid)],
    ["socket", textOf(status.socket)],
    ["udp", listOf(status.udp).map(textOf).join(", ")],
    ["tcp", textOf(status.tcp)],
    ["http", httpText(status.http)],
    ["data", textOf(status.data_dir) || "in memory"],
    ["log", textOf(status.log)],
    ["ticket", ticket ?? `run ${commandAt("net node ticket", flags)} to print one to join with`],
  ]);
  return `${PROGRAM_NAME} ${PROGRAM_VERSION}\n${fields}`;
}

function atLeastWarn(level: LogLevel): LogLevel {
  return level === "debug" || level === "info" ? "warn" : level;
}
