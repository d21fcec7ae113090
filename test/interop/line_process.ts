/** Client of a helper process that answers JSON lines (`rust_protocol.ts`) on its stdin and stdout. */
import { decodeLine, encodeLine, readLines, type RustAnswer } from "./rust_protocol.ts";

/** Longest time one call may take unless the options say otherwise. */
const CALL_TIMEOUT_MS = 60_000;
/** Time a process gets to end by itself after its stdin was closed. */
const EXIT_TIMEOUT_MS = 3000;

/** Operations by name: arguments and result. */
export type OperationMap<Operations> = {
  readonly [Name in keyof Operations]: readonly [args: unknown, result: unknown];
};

/** A running helper process. */
export interface LineProcess<Operations extends OperationMap<Operations>> extends AsyncDisposable {
  readonly pid: number;
  /**
   * Calls one operation.
   *
   * @throws {Error} With the process's own text when it fails, or when the process ended.
   */
  call<Name extends keyof Operations & string>(
    name: Name,
    args: Operations[Name][0],
  ): Promise<Operations[Name][1]>;
  /** Ends the process without a goodbye, as `kill -9` does. */
  kill(): void;
}

/** Options of {@linkcode startLineProcess}. */
export interface LineProcessOptions {
  /** What the process is called in errors. */
  readonly name: string;
  /** Longest time a call may take, default 60000. */
  readonly callTimeoutMs?: number;
  /** Options of the engine, as `--v8-flags` takes them. */
  readonly v8Flags?: readonly string[];
}

interface PendingCall {
  readonly operation: string;
  readonly timer: ReturnType<typeof setTimeout>;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Starts `program` with Deno and all permissions. */
export function startLineProcess<Operations extends OperationMap<Operations>>(
  program: URL,
  options: LineProcessOptions,
): LineProcess<Operations> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", "--quiet", ...engineFlags(options), program.href],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const { name } = options;
  const callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  const pending = new Map<number, PendingCall>();
  const writer = child.stdin.getWriter();
  let lastId = 0;
  let ended: string | undefined;
  let disposal: Promise<void> | undefined;

  const failAll = (why: string) => {
    ended ??= why;
    for (const { timer, operation, reject } of pending.values()) {
      clearTimeout(timer);
      reject(new Error(`Cannot finish ${operation} on the ${name}: ${why}`));
    }
    pending.clear();
  };
  const settle = (answer: RustAnswer) => {
    const call = pending.get(answer.id);
    if (call === undefined) return;
    pending.delete(answer.id);
    clearTimeout(call.timer);
    if (answer.error === undefined) call.resolve(answer.result);
    else call.reject(new Error(`${call.operation} on the ${name}: ${answer.error}`));
  };
  const reading = (async () => {
    for await (const line of readLines(child.stdout)) settle(decodeLine(line) as RustAnswer);
    const status = await child.status;
    failAll(`the process ended with ${status.signal ?? `code ${status.code}`}`);
  })();

  const dispose = async () => {
    failAll("it was disposed of");
    await writer.close().catch(() => {});
    const timer = setTimeout(() => killChild(child), EXIT_TIMEOUT_MS);
    await child.status;
    clearTimeout(timer);
    await reading;
  };

  return {
    pid: child.pid,
    call: (operation, args) => {
      if (ended !== undefined) {
        return Promise.reject(new Error(`Cannot call ${operation} on the ${name}: ${ended}`));
      }
      const id = ++lastId;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      // A call left over at disposal must not hide the error that led there.
      promise.catch(() => {});
      const timer = setTimeout(() => {
        pending.delete(id);
        const late = `no answer in ${callTimeoutMs} ms`;
        reject(new Error(`Cannot finish ${operation} on the ${name}: ${late}`));
      }, callTimeoutMs);
      pending.set(id, { operation, timer, resolve, reject });
      // A failed write shows itself as the end of stdout.
      writer.write(encodeLine({ id, op: operation, args })).catch(() => {});
      return promise;
    },
    kill: () => killChild(child),
    [Symbol.asyncDispose]: () => disposal ??= dispose(),
  };
}

function killChild(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function engineFlags({ v8Flags = [] }: LineProcessOptions): string[] {
  return v8Flags.length === 0 ? [] : [`--v8-flags=${v8Flags.join(",")}`];
}
