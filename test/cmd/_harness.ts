/** Runs the whole command line in memory: a process, a node and its doors made of plain objects. */
import type { Doors, NodeCaller, NodeHandle } from "../../cmd/doors.ts";
import type { Io } from "../../cmd/io.ts";
import { runNet } from "../../cmd/root.ts";
import { NetError } from "../../src/base/mod.ts";
import type { Environment, NodeConfig } from "../../src/config/mod.ts";
import { openServiceManager } from "../../src/kernel/mod.ts";

/** One call that reached the node. */
export interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Answers of a pretended node by method; a function sees the parameters. */
export type Answers = Readonly<
  Record<
    string,
    | object
    | ((params: Call["params"], report: (progress: object) => void | Promise<void>) => unknown)
  >
>;

/** Options of {@linkcode runInMemory}. */
export interface RunOptions {
  readonly env?: Environment;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  /** Answers of the running node; without them no node runs. */
  readonly node?: Answers;
  /** Answers of the opened data folder. */
  readonly standalone?: Answers;
  readonly handle?: NodeHandle;
  readonly doors?: Partial<Doors>;
  readonly isOutGone?: () => boolean;
  /** What writing to standard output fails with. */
  readonly outFailure?: Error;
  /** Milliseconds that never go backwards; stands still when left out. */
  readonly now?: () => number;
  /** Called with a way to raise signals once the program listens to them. */
  readonly onListening?: (raise: (signal: string) => void) => void;
}

/** What a run left behind. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly Call[];
  /** Sockets that were tried, in order. */
  readonly sockets: readonly string[];
  /** Configurations of nodes that were built or opened. */
  readonly configs: readonly NodeConfig[];
  /** Nodes that were left open. */
  readonly openCount: number;
}

/** Runs `net ...args` to its end. */
export async function runInMemory(
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  let stdout = "";
  let stderr = "";
  let openCount = 0;
  const calls: Call[] = [];
  const sockets: string[] = [];
  const configs: NodeConfig[] = [];
  const handlers = new Map<string, Set<() => void>>();
  const input = new TextEncoder().encode(options.stdin ?? "");
  let offset = 0;
  const isTerminal = options.isTerminal ?? false;

  const callerOf = (answers: Answers): NodeCaller => {
    openCount += 1;
    return {
      call: async (method, params, callOptions) => {
        await Promise.resolve();
        calls.push({ method, params });
        const answer = answers[method];
        if (answer === undefined) throw new NetError("not_found", `no answer for ${method}`);
        return typeof answer === "function"
          ? await answer(params, (progress) => callOptions?.onProgress?.(progress))
          : answer;
      },
      close: () => {
        openCount -= 1;
      },
    };
  };
  const io: Io = {
    env: options.env ?? {},
    cwd: options.cwd ?? "/",
    hostname: "oak",
    isStdinTerminal: isTerminal,
    isStdoutTerminal: isTerminal,
    isStderrTerminal: isTerminal,
    writeOut: (text) => {
      if (options.outFailure !== undefined) throw options.outFailure;
      stdout += text;
    },
    writeOutBytes: (bytes) => {
      stdout += new TextDecoder().decode(bytes);
      return Promise.resolve();
    },
    isOutGone: options.isOutGone ?? (() => false),
    writeErr: (text) => void (stderr += text),
    readStdin: (into) => {
      if (offset >= input.length) return Promise.resolve(null);
      const piece = input.subarray(offset, offset + into.length);
      into.set(piece);
      offset += piece.length;
      return Promise.resolve(piece.length);
    },
    onSignal: (signal, handler) => {
      const set = handlers.get(signal) ?? new Set();
      handlers.set(signal, set.add(handler));
      return () => void set.delete(handler);
    },
    exit: (code) => {
      throw new ProcessExit(code);
    },
    now: options.now ?? (() => 0),
  };
  options.onListening?.((signal) => {
    for (const handler of handlers.get(signal) ?? []) handler();
  });
  const doors: Doors = {
    own: { hasMeshSocket: true, wasReplaced: false, replace: () => {} },
    hangup: () => ({ action: "stop", reopen: () => [] }),
    openManager: (variables, log) =>
      Promise.resolve(openServiceManager({ variables, pid: 1, log, open: noManager })),
    standardSocketPath: (_env, family) =>
      Promise.resolve(`/run/std/net${family === undefined ? "" : `-${family}`}.sock`),
    connect: (socketPath) => {
      sockets.push(socketPath);
      return options.node === undefined
        ? Promise.reject(
          new NetError("not_running", `Cannot reach a node at "${socketPath}"`, {
            next: "start one with net node start",
          }),
        )
        : Promise.resolve(callerOf(options.node));
    },
    openStandalone: (config) => {
      configs.push(config);
      return Promise.resolve(callerOf(options.standalone ?? {}));
    },
    createNode: (config) => {
      configs.push(config);
      return options.handle === undefined
        ? Promise.reject(new NetError("internal", "no node in this test"))
        : Promise.resolve(options.handle);
    },
    checkLogs: () => Promise.reject(new NetError("internal", "no folders in this test")),
    validateIpc: () => Promise.reject(new NetError("internal", "no validator in this test")),
    fetchMembers: () => Promise.reject(new NetError("internal", "nothing to fetch in this test")),
    ...options.doors,
  };
  const code = await runNet(args, io, doors);
  return { code, stdout, stderr, calls, sockets, configs, openCount };
}

function noManager(): never {
  throw new Error("no manager in this test");
}

/** The program asked to end at once. */
export class ProcessExit extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}
