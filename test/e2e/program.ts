/**
 * The program under test as a command line: `NET_BIN`, split on spaces, or the source.
 *
 * Every run gets an environment of its own, so nothing of the person's own node is touched. A Deno
 * program keeps its module cache, because a fresh HOME would send it to the registry.
 */
import { fileURLToPath } from "node:url";

/** Output kept of one process; what comes after is dropped. */
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;
/** Longest run of a verb unless the test says otherwise. */
const RUN_TIMEOUT_MS = 60_000;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What one run of the program gave. */
export interface RunResult {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as bytes. */
  readonly stdoutBytes: Uint8Array;
  /** Wall time of the whole process. */
  readonly durationMs: number;
}

/** Options of {@linkcode runProgram}. */
export interface RunOptions {
  /** The whole environment, apart from what the runtime itself needs. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  /** Longest wait in milliseconds; the process is killed then and the run fails. */
  readonly timeoutMs?: number;
  /** Words before the program's own: a command that becomes it. */
  readonly through?: readonly string[];
}

/** A program that was started, with what it has printed so far. */
export interface RunningProgram {
  readonly pid: number;
  readonly exited: Promise<Deno.CommandStatus>;
  /** True until it has ended. */
  isAlive(): boolean;
  stdout(): string;
  stderr(): string;
  stdoutBytes(): Uint8Array;
  kill(signal: Deno.Signal): void;
  /** Waits until it has ended and all output was read. */
  finished(): Promise<Deno.CommandStatus>;
}

/** The command line of the program under test. */
export function programWords(): readonly [string, ...string[]] {
  const text = Deno.env.get("NET_BIN") ?? "";
  const words = text.split(/\s+/).filter((word) => word !== "");
  const [first, ...rest] = words;
  if (first === undefined) return [Deno.execPath(), "run", "-A", `${ROOT}main.ts`];
  // The child runs in another folder and with another PATH.
  return [first === "deno" ? Deno.execPath() : absoluteFile(first), ...rest.map(absoluteFile)];
}

/** Starts the program with piped output; `stdin` is closed behind the given bytes. */
export function spawnProgram(args: readonly string[], options: RunOptions): RunningProgram {
  const [command = "", ...words] = [...options.through ?? [], ...programWords()];
  const child = new Deno.Command(command, {
    args: [...words, ...args],
    cwd: options.cwd,
    clearEnv: true,
    env: { ...runtimeEnv(), ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.stdin !== undefined) void feed(child.stdin, options.stdin);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  let isAlive = true;
  const exited = child.status.finally(() => isAlive = false);
  return {
    pid: child.pid,
    exited,
    isAlive: () => isAlive,
    stdout: () => new TextDecoder().decode(stdout.bytes()),
    stderr: () => new TextDecoder().decode(stderr.bytes()),
    stdoutBytes: stdout.bytes,
    kill: (signal) => {
      try {
        if (isAlive) child.kill(signal);
      } catch (error) {
        // It ended between the look and the signal.
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
    },
    finished: async () => {
      const status = await exited;
      await Promise.all([stdout.done, stderr.done]);
      return status;
    },
  };
}

/**
 * Runs the program to its end.
 *
 * @throws {Error} With the output so far when it takes longer than `timeoutMs`.
 */
export async function runProgram(args: readonly string[], options: RunOptions): Promise<RunResult> {
  const startMs = performance.now();
  const program = spawnProgram(args, options);
  const timeoutMs = options.timeoutMs ?? RUN_TIMEOUT_MS;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    program.kill("SIGKILL");
  }, timeoutMs);
  const status = await program.finished();
  clearTimeout(timer);
  const result = {
    code: status.code,
    signal: status.signal,
    stdout: program.stdout(),
    stderr: program.stderr(),
    stdoutBytes: program.stdoutBytes(),
    durationMs: performance.now() - startMs,
  };
  if (isLate) {
    throw new Error(
      `net ${args.join(" ")} did not end within ${timeoutMs} ms\n${describe(result)}`,
    );
  }
  return result;
}

/** Output of a run for a failure message. */
export function describe(result: Pick<RunResult, "code" | "stdout" | "stderr">): string {
  return `code ${result.code}\nstdout: ${result.stdout.slice(-2000)}\nstderr: ${
    result.stderr.slice(-4000)
  }`;
}

function absoluteFile(word: string): string {
  if (word.startsWith("-")) return word;
  try {
    return Deno.statSync(word).isFile ? Deno.realPathSync(word) : word;
  } catch {
    return word;
  }
}

let runtimeEnvironment: Record<string, string> | undefined;

/** Variables without which Deno would look for its cache in the test's HOME. */
export function runtimeEnv(): Record<string, string> {
  runtimeEnvironment ??= {
    DENO_DIR: denoDir(),
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
  };
  return runtimeEnvironment;
}

function denoDir(): string {
  const given = Deno.env.get("DENO_DIR");
  if (given !== undefined) return given;
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  const document: unknown = JSON.parse(new TextDecoder().decode(info.stdout));
  const folder = (document as { denoDir?: unknown }).denoDir;
  return typeof folder === "string" ? folder : `${Deno.env.get("HOME") ?? ""}/.cache/deno`;
}

async function feed(
  stream: WritableStream<Uint8Array<ArrayBuffer>>,
  input: string | Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch {
    // The program ended without reading it all, which its exit code tells.
  }
}

function collect(stream: ReadableStream<Uint8Array>) {
  const parts: Uint8Array[] = [];
  let length = 0;
  const done = (async () => {
    for await (const part of stream) {
      if (length + part.length > OUTPUT_BYTES_MAX) continue;
      parts.push(part);
      length += part.length;
    }
  })();
  const bytes = () => {
    const joined = new Uint8Array(length);
    let offset = 0;
    for (const part of parts) {
      joined.set(part, offset);
      offset += part.length;
    }
    return joined;
  };
  return { done, bytes };
}
