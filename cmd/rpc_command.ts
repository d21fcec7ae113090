/**
 * Calls answered by a command: it runs once per call with the body on its standard input, and what it prints is
 * the answer.
 */
import { concatBytes, isMissing, NetError } from "../src/base/mod.ts";
import type { Environment } from "../src/config/mod.ts";
import { listOf, recordOf } from "./format.ts";
import { COMMAND_ENDED, STATUS_EXIT_CODE } from "./rpc_common.ts";
import { LineReader } from "./line_reader.ts";
import { CallFailure, type ProgramCall, type ServeHandler } from "./rpc_serving.ts";

/** From the polite signal to the one that can't be ignored. */
const KILL_MS = 2_000;

/** End of the error output that a caller is told. */
const TAIL_BYTES = 2_048;

/** Standard output is read in pieces of this size. */
const CHUNK_BYTES = 65_536;

/** Lines sent as one message, and their bytes. */
const BATCH_LINES = 256;
const BATCH_BYTES = 262_144;

const LINE_FEED = Uint8Array.of(0x0a);

/** Longest value of the variable with headers; more of them are left out. */
const HEADERS_TEXT_MAX = 65_536;

/** What a command is run with. */
export interface CommandOptions {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Environment;
  /** What the caller sends are lines, and so is what is answered. */
  readonly isUpload: boolean;
  readonly isStream: boolean;
  /** Told of what commands print as errors. */
  readonly onErrorText: (text: string) => void;
}

/**
 * Looks whether a command can be run at all.
 *
 * @throws NetError `not_found` or `not_allowed`.
 */
export async function requireCommand(
  word: string,
  { cwd, env }: Pick<CommandOptions, "cwd" | "env">,
): Promise<void> {
  const folders = word.includes("/")
    ? [""]
    : (env.PATH ?? "").split(":").map((folder) => `${folder}/`);
  let isThere = false;
  for (const folder of folders) {
    const path = `${folder}${word}`;
    try {
      const { isFile, mode } = await Deno.stat(path.startsWith("/") ? path : `${cwd}/${path}`);
      if (!isFile) continue;
      isThere = true;
      if (mode === null || (mode & 0o111) !== 0) return;
    } catch (error) {
      if (!isMissing(error) && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    }
  }
  throw isThere
    ? new NetError("not_allowed", `Cannot serve with "${word}": the file is not executable`, {
      next: `make it so with chmod +x ${word}`,
    })
    : new NetError("not_found", `Cannot serve with "${word}": there is no such command`, {
      next: "name a program in PATH, or its path",
    });
}

/** Answers calls by running a command. */
export function commandHandler(options: CommandOptions): ServeHandler {
  return async (call) => {
    const child = spawn(call, options);
    const { pid } = child;
    let killTimer: ReturnType<typeof setTimeout> | undefined;
    const onAbort = () => {
      if (killTimer !== undefined) return;
      killGroup(pid, "SIGTERM");
      killTimer = setTimeout(() => killGroup(pid, "SIGKILL"), KILL_MS);
    };
    call.signal.addEventListener("abort", onAbort, { once: true });
    if (call.signal.aborted) onAbort();
    const tail = readTail(child.stderr, options.onErrorText);
    const feeding = feed(call, child.stdin, options.isUpload);
    try {
      await (options.isStream ? sendLines(call, child.stdout) : sendBytes(call, child.stdout));
      const status = await child.status;
      if (status.code !== 0) throw failureOf(status, await tail);
      await call.end();
    } catch (error) {
      // Its answer can't be told any more: it need not go on either.
      onAbort();
      throw error;
    } finally {
      call.signal.removeEventListener("abort", onAbort);
      await child.status;
      clearTimeout(killTimer);
      // Whoever it had started and who ignored the first signal goes with it.
      if (killTimer !== undefined) killGroup(pid, "SIGKILL");
      call.endInput();
      await Promise.all([feeding, tail]);
    }
  };
}

function spawn(call: ProgramCall, { command, cwd, env }: CommandOptions): Deno.ChildProcess {
  const [program, ...args] = command;
  return new Deno.Command(program, {
    args,
    cwd,
    // A group of its own: a signal to it reaches what the command started, and Ctrl-C does not.
    detached: true,
    clearEnv: true,
    env: {
      ...Object.fromEntries(
        Object.entries(env).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]),
      ),
      NET_RPC_CALLER: call.caller,
      NET_RPC_SERVICE: call.service,
      NET_RPC_CALL_ID: call.callId,
      NET_RPC_DEADLINE: call.deadlineMs === undefined ? "" : String(Math.trunc(call.deadlineMs)),
      NET_RPC_HEADERS: headersText(call),
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Headers as one JSON object; of two with one name the first counts. */
function headersText({ headers }: ProgramCall): string {
  const object: Record<string, unknown> = Object.create(null);
  for (const header of listOf(headers).map(recordOf)) {
    const name = String(header.name).toLowerCase();
    object[name] ??= header.text ?? `base64:${header.base64}`;
  }
  const text = JSON.stringify(object);
  return text.length <= HEADERS_TEXT_MAX ? text : "{}";
}

/** Writes what the caller sends; a command that reads no further is no error. */
async function feed(
  call: ProgramCall,
  stdin: WritableStream<Uint8Array<ArrayBuffer>>,
  isUpload: boolean,
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    for await (const batch of call.batches()) {
      const parts = batch.flatMap(({ piece, isLast }) =>
        isUpload && isLast ? [piece, LINE_FEED] : [piece]
      );
      const [only] = parts;
      const bytes = parts.length === 1 && only !== undefined ? only : concatBytes(...parts);
      await writer.write(bytes as Uint8Array<ArrayBuffer>);
    }
    await writer.close();
  } catch {
    // It reads no further, or the call is over: either way its exit says what became of it.
    await writer.abort().catch(() => {});
  }
}

async function sendBytes(call: ProgramCall, stdout: ReadableStream<Uint8Array>): Promise<void> {
  for await (const piece of stdout) {
    for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
      await call.sendPiece(piece.subarray(at, at + CHUNK_BYTES), false);
    }
  }
  await call.sendPiece(new Uint8Array(0), true);
}

/** Each line is an item; the next ones are read when those before were taken. */
async function sendLines(call: ProgramCall, stdout: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stdout.getReader({ mode: "byob" });
  const lines = new LineReader(async (into) => {
    const { value, done } = await reader.read(new Uint8Array(into.length));
    if (done || value === undefined) return null;
    into.set(value);
    return value.length;
  });
  for (;;) {
    const batch = await lines.next({ linesMax: BATCH_LINES, bytesMax: BATCH_BYTES });
    if (batch === undefined) return;
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) await call.send(only);
    else await call.sendAll(batch);
  }
}

/** Reads error output to its end and keeps the last of it. */
async function readTail(
  stderr: ReadableStream<Uint8Array>,
  onText: (text: string) => void,
): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const chunk of stderr) {
    const text = decoder.decode(chunk, { stream: true });
    onText(text);
    tail = `${tail}${text}`.slice(-TAIL_BYTES);
  }
  return tail.trim();
}

function failureOf({ code, signal }: Deno.CommandStatus, tail: string): CallFailure {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  return new CallFailure(
    STATUS_EXIT_CODE + (code & 0xff),
    tail === "" ? `${COMMAND_ENDED} ${how}` : tail,
  );
}

function killGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // Nobody of it is left.
  }
}
