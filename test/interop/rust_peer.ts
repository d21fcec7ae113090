/**
 * Client of a Rust peer process: starts `rust_peer_process.ts`, calls its operations, ends it.
 *
 * One process can host several nodes; a test that measures something wants one process per node.
 */
import { isRustPlatform, RUST_PACKAGE } from "./rust_addon.ts";
import {
  decodeLine,
  encodeLine,
  readLines,
  type ReceivedEvent,
  type RustAnswer,
  type RustArguments,
  type RustNodeInfo,
  type RustNodeOptions,
  type RustOperation,
  type RustOperations,
  type RustResult,
} from "./rust_protocol.ts";

/** Longest time one call may take unless it says otherwise. */
const CALL_TIMEOUT_MS = 60_000;
/** Time a process gets to end by itself after its stdin was closed. */
const EXIT_TIMEOUT_MS = 3000;
const POLL_PAUSE_MS = 2;
const POLL_EVENTS_MAX = 4096;

/** Options of {@linkcode startRustPeer}. */
export interface RustPeerOptions {
  /** Longest time a call may take, default 60000. */
  readonly callTimeoutMs?: number;
}

/** Operations that act on one node. */
export type RustNodeOperation = {
  [Name in RustOperation]: RustOperations[Name][0] extends { node: number } ? Name : never;
}[RustOperation];

/** A node inside a Rust peer process. */
export interface RustNode extends RustNodeInfo {
  /** Calls an operation with this node's handle filled in. */
  call<Name extends RustNodeOperation>(
    name: Name,
    args: Omit<RustArguments<Name>, "node">,
  ): Promise<RustResult<Name>>;
  /**
   * Takes events until there are at least `count`, or fewer when `timeoutMs` ran out.
   *
   * @param count Wanted number of events.
   * @param timeoutMs Longest wait, default 5000.
   */
  receive(count: number, timeoutMs?: number): Promise<ReceivedEvent[]>;
}

/** A running Rust peer process. */
export interface RustPeer extends AsyncDisposable {
  readonly pid: number;
  /**
   * Calls one operation.
   *
   * @throws {Error} With the core's own text when it fails, or when the process ended.
   */
  call<Name extends RustOperation>(
    name: Name,
    args: RustArguments<Name>,
  ): Promise<RustResult<Name>>;
  createNode(options: RustNodeOptions): Promise<RustNode>;
  /** Ends the process without a goodbye, as `kill -9` does. */
  kill(): void;
}

interface PendingCall {
  readonly name: string;
  readonly timer: ReturnType<typeof setTimeout>;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Why live peer tests can't run here; `undefined` when they can. */
export function rustPeerSkipReason(): string | undefined {
  if (!isRustPlatform()) {
    return `the Rust peer exists for x86_64-unknown-linux-gnu, this is ${Deno.build.target}`;
  }
  try {
    Deno.statSync(new URL(`../../node_modules/${RUST_PACKAGE}`, import.meta.url));
    return undefined;
  } catch {
    return `${RUST_PACKAGE} is not installed in node_modules`;
  }
}

/**
 * Registers a test that needs a Rust peer; where there is none the test is ignored and says why.
 *
 * @param name Test name, `symbol() behaviour`.
 */
export function rustPeerTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  const reason = rustPeerSkipReason();
  if (reason !== undefined) console.log(`ignored: ${name}: ${reason}`);
  Deno.test({ name, ignore: reason !== undefined, fn });
}

/**
 * Starts a Rust peer process.
 *
 * @throws {Error} When the addon can't run here, with the reason of {@linkcode rustPeerSkipReason}.
 */
export function startRustPeer(options: RustPeerOptions = {}): Promise<RustPeer> {
  const reason = rustPeerSkipReason();
  if (reason !== undefined) return Promise.reject(new Error(`Cannot start Rust peer: ${reason}`));
  const program = new URL("./rust_peer_process.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", program.href],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  return Promise.resolve(createClient(child, options.callTimeoutMs ?? CALL_TIMEOUT_MS));
}

function createClient(child: Deno.ChildProcess, callTimeoutMs: number): RustPeer {
  const pending = new Map<number, PendingCall>();
  const writer = child.stdin.getWriter();
  let lastId = 0;
  let ended: string | undefined;
  let disposal: Promise<void> | undefined;

  const failAll = (why: string) => {
    ended ??= why;
    for (const { timer, name, reject } of pending.values()) {
      clearTimeout(timer);
      reject(new Error(`Cannot finish ${name} on the Rust peer: ${why}`));
    }
    pending.clear();
  };
  const settle = (answer: RustAnswer) => {
    const call = pending.get(answer.id);
    if (call === undefined) return;
    pending.delete(answer.id);
    clearTimeout(call.timer);
    if (answer.error === undefined) call.resolve(answer.result);
    else call.reject(new Error(`${call.name} on the Rust peer: ${answer.error}`));
  };
  const reading = (async () => {
    for await (const line of readLines(child.stdout)) settle(decodeLine(line) as RustAnswer);
    const status = await child.status;
    failAll(`the process ended with ${status.signal ?? `code ${status.code}`}`);
  })();

  const call = <Name extends RustOperation>(name: Name, args: RustArguments<Name>) => {
    if (ended !== undefined) {
      return Promise.reject(new Error(`Cannot call ${name} on the Rust peer: ${ended}`));
    }
    const id = ++lastId;
    const { promise, resolve, reject } = Promise.withResolvers<RustResult<Name>>();
    // A call left over at disposal must not hide the error that led there.
    promise.catch(() => {});
    const timer = setTimeout(() => {
      pending.delete(id);
      reject(new Error(`Cannot finish ${name} on the Rust peer: no answer in ${callTimeoutMs} ms`));
    }, callTimeoutMs);
    pending.set(id, { name, timer, resolve: resolve as (value: unknown) => void, reject });
    // A failed write shows itself as the end of stdout.
    writer.write(encodeLine({ id, op: name, args })).catch(() => {});
    return promise;
  };

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
    call,
    createNode: async (options) => createNode(call, await call("create", options)),
    kill: () => killChild(child),
    [Symbol.asyncDispose]: () => disposal ??= dispose(),
  };
}

function createNode(call: RustPeer["call"], info: RustNodeInfo): RustNode {
  return {
    ...info,
    call: (name, args) => call(name, { ...args, node: info.node } as RustArguments<typeof name>),
    async receive(count, timeoutMs = 5000) {
      const deadlineMs = performance.now() + timeoutMs;
      const events: ReceivedEvent[] = [];
      while (events.length < count) {
        const batch = await call("poll", { node: info.node, limit: POLL_EVENTS_MAX });
        events.push(...batch);
        if (performance.now() > deadlineMs) break;
        if (batch.length === 0) await new Promise((done) => setTimeout(done, POLL_PAUSE_MS));
      }
      return events;
    },
  };
}

function killChild(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}
