/**
 * Runs a stranger's program with one argument: empty environment, empty folder, no input, and an end
 * to its time and output (`validation.md` 6).
 *
 * It runs in a session of its own, which is killed as a whole; a child that leaves the session on
 * purpose is not followed.
 */
import { LATE, within } from "../within.ts";

/** Output that is read of one run. */
const OUTPUT_BYTES_MAX = 64 * 1024;

/** How long what the program left behind may hold its output open. */
const CLOSING_MS = 250;

/** How a run went. */
export interface ProgramRun {
  readonly outcome: "ok" | "failed" | "timeout" | "too_much_output" | "not_started";
  /** `undefined` when it did not end by itself. */
  readonly exitCode: number | undefined;
  readonly durationMs: number;
  /** Standard output, then standard error; at most 64 KiB. */
  readonly output: string;
  /** Why it was not started. */
  readonly error: string | undefined;
}

/** Options of {@linkcode runProgram}. */
export interface RunProgramOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs a program to its end, or to the end of its time.
 *
 * @throws The signal's reason when it aborts; the program is killed then too.
 */
export async function runProgram(
  path: string,
  argument: string,
  options: RunProgramOptions,
): Promise<ProgramRun> {
  options.signal?.throwIfAborted();
  const cwd = await Deno.makeTempDir({ prefix: "net-validate-" });
  const startMs = performance.now();
  try {
    const child = new Deno.Command(path, {
      args: [argument],
      cwd,
      clearEnv: true,
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return await watch(child, startMs, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    return {
      outcome: "not_started",
      exitCode: undefined,
      durationMs: elapsed(startMs),
      output: "",
      error: startReason(error),
    };
  } finally {
    await Deno.remove(cwd, { recursive: true }).catch(() => {});
  }
}

async function watch(
  child: Deno.ChildProcess,
  startMs: number,
  { timeoutMs, signal }: RunProgramOptions,
): Promise<ProgramRun> {
  const outputs = [child.stdout, child.stderr].map((stream) => new Output(stream));
  const overflow = Promise.race(outputs.map((output) => output.overflowed));
  const ended = child.status.then((status) => status);
  let first: Deno.CommandStatus | "too_much_output" | typeof LATE;
  try {
    first = await within(Promise.race([ended, overflow]), timeoutMs, signal);
    if (typeof first === "object") {
      await within(Promise.all(outputs.map((output) => output.done)), CLOSING_MS, signal);
    }
  } finally {
    killSession(child.pid);
    await ended;
    await Promise.all(outputs.map((output) => output.stop()));
  }
  const facts = {
    durationMs: elapsed(startMs),
    output: outputs.map((output) => output.text()).join(""),
    error: undefined,
  };
  if (first === LATE) return { ...facts, outcome: "timeout", exitCode: undefined };
  if (first === "too_much_output") return { ...facts, outcome: first, exitCode: undefined };
  return { ...facts, outcome: first.success ? "ok" : "failed", exitCode: first.code };
}

/** One stream of a program, read up to its bound. */
class Output {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  readonly #overflow = Promise.withResolvers<"too_much_output">();
  #length = 0;
  /** Settles at the end of the stream, or of the reading. */
  readonly done: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.getReader();
    this.done = this.#read().catch(() => {});
  }

  get overflowed(): Promise<"too_much_output"> {
    return this.#overflow.promise;
  }

  async stop(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.done;
  }

  text(): string {
    const bytes = new Uint8Array(Math.min(this.#length, OUTPUT_BYTES_MAX));
    let offset = 0;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(0, bytes.length - offset);
      bytes.set(part, offset);
      offset += part.length;
    }
    return new TextDecoder().decode(bytes);
  }

  async #read(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      this.#chunks.push(value);
      this.#length += value.length;
      if (this.#length > OUTPUT_BYTES_MAX) return this.#overflow.resolve("too_much_output");
    }
  }
}

/** Kills the program and whatever it started. */
function killSession(pid: number): void {
  try {
    // A negative number is the whole group, which a detached program leads.
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of it is left.
  }
}

function elapsed(startMs: number): number {
  return Math.floor(performance.now() - startMs);
}

function startReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its interpreter or loader is missing";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
