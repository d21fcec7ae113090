/** Calls answered by a module: the worker that runs it, seen from the verb. */
import { NetError } from "../src/base/mod.ts";
import {
  type FromWorker,
  MODULE_WORKER_NAME,
  type ModuleService,
  type ToWorker,
} from "./rpc_module_protocol.ts";
import { CallFailure, type ProgramCall } from "./rpc_serving.ts";

/** Longest wait for a module to be loaded, which may have to fetch what it imports. */
const LOAD_MS = 60_000;

/** A module that answers calls. */
export interface ServedModule {
  readonly services: readonly ModuleService[];
  /** Settles with the reason when the module has failed as a whole. */
  readonly failed: Promise<NetError>;
  /** Answers one call. */
  answer(call: ProgramCall): Promise<void>;
  /** Ends the worker, whatever it does. */
  close(): void;
}

/** Starts workers; a test has its own. */
export type WorkerFactory = () => Worker;

/** The worker is this program again, which knows by its name what it is to be. */
export function startModuleWorker(): Worker {
  return new Worker(Deno.mainModule, { type: "module", name: MODULE_WORKER_NAME });
}

/**
 * Loads a module in a worker.
 *
 * @param url Of the module's file.
 * @throws NetError `usage` when it can't be loaded or exports no handlers, `timeout`.
 */
export async function loadModule(
  url: string,
  startWorker: WorkerFactory = startModuleWorker,
): Promise<ServedModule> {
  const worker = startWorker();
  const calls = new Map<number, ActiveCall>();
  const loaded = Promise.withResolvers<readonly ModuleService[]>();
  const failed = Promise.withResolvers<NetError>();
  let lastId = 0;
  const post = (message: ToWorker) => worker.postMessage(message);
  worker.onerror = (event) => {
    // Else it would end the verb with a trace of its own.
    event.preventDefault();
    const error = new NetError("failed", `The module failed: ${event.message}`, {
      next: "catch what it throws outside of its handlers; calls that ran were answered as failed",
    });
    loaded.reject(error);
    failed.resolve(error);
    for (const { reject } of calls.values()) reject(error);
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === "ready") post({ kind: "load", url });
    else if (data.kind === "loaded") loaded.resolve(data.services);
    else if (data.kind === "load_failed") loaded.reject(loadError(url, data.message));
    else calls.get(data.id)?.take(data);
  };
  const timer = setTimeout(() => {
    loaded.reject(new NetError("timeout", `Cannot load module: not within ${LOAD_MS} ms`));
  }, LOAD_MS);
  const close = () => worker.terminate();
  let services: readonly ModuleService[];
  try {
    services = await loaded.promise;
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const answer = async (call: ProgramCall): Promise<void> => {
    const id = ++lastId;
    const items = call.items();
    const over = Promise.withResolvers<void>();
    const onAbort = () => {
      post({ kind: "cancel", id, reason: call.cancelReason });
      over.reject(call.signal.reason);
    };
    calls.set(id, {
      take: (message) => {
        handle(message, { id, call, items, post }).then((isDone) => {
          if (isDone) over.resolve();
        }, over.reject);
      },
      reject: over.reject,
    });
    call.signal.addEventListener("abort", onAbort, { once: true });
    if (call.signal.aborted) onAbort();
    const { service, caller, origin, callId, deadlineMs, headers, trace } = call;
    const told = { service, caller, origin, callId, deadlineMs, headers, trace };
    post({ kind: "call", id, call: told });
    try {
      await over.promise;
    } finally {
      calls.delete(id);
      call.signal.removeEventListener("abort", onAbort);
    }
  };
  return { services, failed: failed.promise, answer, close };
}

interface ActiveCall {
  readonly take: (message: FromWorker) => void;
  readonly reject: (error: unknown) => void;
}

interface HandleOptions {
  readonly id: number;
  readonly call: ProgramCall;
  readonly items: AsyncGenerator<Uint8Array>;
  readonly post: (message: ToWorker) => void;
}

/** Does what a worker asks of one call; true when it is over. */
async function handle(
  message: FromWorker,
  { id, call, items, post }: HandleOptions,
): Promise<boolean> {
  switch (message.kind) {
    case "take": {
      const { value, done } = await items.next();
      post({ kind: "item", id, bytes: done ? undefined : value });
      return false;
    }
    case "give":
      await call.send(message.bytes);
      post({ kind: "taken", id });
      return false;
    case "done":
      await call.end();
      return true;
    case "failed":
      if (message.status === undefined) throw new Error(message.message);
      throw new CallFailure(message.status, message.message, message.body);
    default:
      return false;
  }
}

function loadError(url: string, message: string): NetError {
  return new NetError("usage", `Cannot load module "${url}": ${message}`, {
    next: "export handlers by default: export default { upper: (body) => … }; see docs/rpc.md",
  });
}
