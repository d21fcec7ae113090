/**
 * Processes that outlive the command that started them: their own session, their output in a file,
 * and a mark by which they are known again (`/proc`).
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { kill } from "node:process";
import { NetError, pause, spawnable, toNetError } from "../../base/mod.ts";
import { quote } from "../names.ts";

/** Pause between two looks whether a process is gone. */
const POLL_MS = 20;

/** Time after SIGKILL in which the system takes a process away. */
const KILLED_MS = 2000;

/** What tells one process from a later one with the same number. */
export interface ProcessMark {
  readonly pid: number;
  /** Ticks between the machine's start and the process's; `undefined` where there is no `/proc`. */
  readonly startTicks: string | undefined;
  /** The machine's start. */
  readonly bootId: string | undefined;
}

/** A process that was just started. */
export interface StartedProcess {
  readonly pid: number;
  /** Exit code, or what `signal` it died of, once it has ended. */
  ended(): { readonly code: number | undefined; readonly signal: string | undefined } | undefined;
  /** Lets this program end while the process goes on. */
  forget(): void;
}

/** Options of {@linkcode startProcess}. */
export interface StartProcessOptions {
  readonly command: readonly [string, ...string[]];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** File that standard output and error are appended to. */
  readonly logPath: string;
}

/**
 * Starts a process in a session of its own.
 *
 * @throws NetError `failed` when it cannot be executed.
 */
export async function startProcess(options: StartProcessOptions): Promise<StartedProcess> {
  const [program, ...args] = options.command;
  const log = openSync(options.logPath, "a", 0o600);
  try {
    const child = spawn(spawnable(program), args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...options.env },
    });
    let ended: { code: number | undefined; signal: string | undefined } | undefined;
    const failure = Promise.withResolvers<never>();
    const started = Promise.withResolvers<void>();
    child.on("exit", (code, signal) => {
      ended = { code: code ?? undefined, signal: signal ?? undefined };
    });
    child.on("error", (error) => failure.reject(error));
    child.on("spawn", () => started.resolve());
    await Promise.race([started.promise, failure.promise]);
    if (child.pid === undefined) throw new Error("it has no process");
    return { pid: child.pid, ended: () => ended, forget: () => child.unref() };
  } catch (error) {
    // The file itself was looked at before, so what is not there is what it needs.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new NetError(
        "failed",
        `Cannot execute ${quote(program)}: its interpreter or loader is missing`,
        { cause: error, next: "net validate binary FILE says which it needs" },
      );
    }
    throw toNetError(error, `Cannot execute ${quote(program)}`);
  } finally {
    closeSync(log);
  }
}

/** The mark of a running process. */
export function markProcess(pid: number): ProcessMark {
  return { pid, startTicks: startTicksOf(pid), bootId: bootId() };
}

/** True while the very process of the mark runs. */
export function isRunning(mark: ProcessMark): boolean {
  if (mark.bootId !== undefined && mark.bootId !== bootId()) return false;
  const ticks = startTicksOf(mark.pid);
  if (mark.startTicks !== undefined) return ticks === mark.startTicks;
  return isThere(mark.pid);
}

/** Options of {@linkcode stopProcess}. */
export interface StopProcessOptions {
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly waitMs: number;
  /** True for a process started just now, whose group is ours even when it has ended itself. */
  readonly isOwnChild?: boolean;
}

/**
 * Ends a process and what it started: SIGTERM to its group, and SIGKILL when it takes too long.
 *
 * @returns How it ended; `gone` when the process of the mark did not run any more.
 * @throws NetError `not_allowed` when it is another user's, `failed` when it does not go away.
 */
export async function stopProcess(
  mark: ProcessMark,
  { waitMs, isOwnChild = false }: StopProcessOptions,
): Promise<"stopped" | "killed" | "gone"> {
  // Without its first process the number may be another group's by now.
  if (!isOwnChild && !isRunning(mark)) return "gone";
  signalGroup(mark.pid, "SIGTERM");
  if (await untilGone(mark, waitMs)) return "stopped";
  signalGroup(mark.pid, "SIGKILL");
  if (await untilGone(mark, KILLED_MS)) return "killed";
  throw new NetError("failed", `Cannot stop process ${mark.pid}: it is still there after SIGKILL`, {
    next: "look what it waits for with ps",
  });
}

async function untilGone(mark: ProcessMark, waitMs: number): Promise<boolean> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    if (!isRunning(mark) && !isGroupThere(mark.pid)) return true;
    if (performance.now() >= endMs) return false;
    await pause(POLL_MS);
  }
}

/** Sends a signal to a whole group; one that is gone needs none. */
export function signalGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) return;
    throw new NetError("not_allowed", `Cannot stop process ${pid}: it is another user's`, {
      cause: error,
      next: "stop it as the user that started it",
    });
  }
}

/** Any process of the group that is more than a remainder its parent has not asked about. */
function isGroupThere(group: number): boolean {
  try {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^[0-9]+$/.test(name)) continue;
      const fields = statFields(Number(name));
      if (fields !== undefined && fields[2] === String(group) && !isEnded(fields)) return true;
    }
    return false;
  } catch {
    return isThere(-group);
  }
}

/** @param pid Number of a process, or of a group below 0. */
function isThere(pid: number): boolean {
  try {
    return kill(pid, 0);
  } catch {
    return false;
  }
}

function startTicksOf(pid: number): string | undefined {
  const fields = statFields(pid);
  return fields === undefined || isEnded(fields) ? undefined : fields[19];
}

/** The fields of `/proc/PID/stat` from the state on; the name before may hold anything. */
function statFields(pid: number): readonly string[] | undefined {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function isEnded([state]: readonly string[]): boolean {
  return state === "Z" || state === "X";
}

function bootId(): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return undefined;
  }
}
