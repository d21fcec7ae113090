/**
 * Runs handlers of a module of the user's in a worker: what one of them breaks, or how long it computes, does not
 * reach the verb that answers the node.
 */
import {
  type FromWorker,
  MODULE_WORKER_NAME,
  type ModuleCall,
  type ToWorker,
} from "./rpc_module_protocol.ts";
import { readHandlers } from "./rpc_module_handlers.ts";
import type { ModuleHandler } from "./rpc_module_registrar.ts";

/** What is used of the worker's global object. */
interface WorkerScope {
  readonly name?: string;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

interface RunningCall {
  readonly controller: AbortController;
  /** Waits for an item that was asked for. */
  onItem: ((bytes: Uint8Array | undefined) => void) | undefined;
  /** Waits for room. */
  onTaken: (() => void) | undefined;
}

/** True in a worker that was started to run a module. */
export function isModuleWorker(): boolean {
  const scope: WorkerScope = globalThis as never;
  return scope.name === MODULE_WORKER_NAME && typeof scope.postMessage === "function";
}

/** Waits for the module's name and then for calls. */
export function runModuleWorker(): void {
  const scope: WorkerScope = globalThis as never;
  const running = new Map<number, RunningCall>();
  let handlers: ReadonlyMap<string, ModuleHandler> = new Map();
  scope.onmessage = ({ data }) => {
    switch (data.kind) {
      case "load":
        void load(data.url).then((loaded) => {
          if (typeof loaded === "string") {
            scope.postMessage({ kind: "load_failed", message: loaded });
          } else {
            handlers = loaded;
            const services = [...loaded.values()].map(({ params }) => params);
            scope.postMessage({ kind: "loaded", services });
          }
        });
        return;
      case "call": {
        const call: RunningCall = {
          controller: new AbortController(),
          onItem: undefined,
          onTaken: undefined,
        };
        running.set(data.id, call);
        void run(scope, handlers.get(data.call.service), data.id, data.call, call)
          .finally(() => running.delete(data.id));
        return;
      }
      case "item":
        running.get(data.id)?.onItem?.(data.bytes);
        return;
      case "taken":
        running.get(data.id)?.onTaken?.();
        return;
      case "cancel": {
        const call = running.get(data.id);
        call?.controller.abort(new Error(data.reason));
        call?.onItem?.(undefined);
        call?.onTaken?.();
      }
    }
  };
  scope.postMessage({ kind: "ready" });
}

/** Handlers of a module, or why there are none. */
async function load(url: string): Promise<ReadonlyMap<string, ModuleHandler> | string> {
  try {
    const module: Readonly<Record<string, unknown>> = await import(url);
    return await readHandlers(module);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function run(
  scope: WorkerScope,
  handler: ModuleHandler | undefined,
  id: number,
  told: ModuleCall,
  call: RunningCall,
): Promise<void> {
  const { signal } = call.controller;
  try {
    if (handler === undefined) throw new TypeError(`there is no handler for ${told.service}`);
    for await (const item of handler.run(itemsOf(scope, id, call), told, signal)) {
      signal.throwIfAborted();
      scope.postMessage({ kind: "give", id, bytes: item });
      await new Promise<void>((resolve) => call.onTaken = resolve);
      call.onTaken = undefined;
      signal.throwIfAborted();
    }
    scope.postMessage({ kind: "done", id });
  } catch (error) {
    scope.postMessage({ kind: "failed", id, ...describeFailure(error) });
  }
}

/** What the caller sends; each is asked for when the handler wants it. */
async function* itemsOf(
  scope: WorkerScope,
  id: number,
  call: RunningCall,
): AsyncGenerator<Uint8Array> {
  const { signal } = call.controller;
  for (;;) {
    signal.throwIfAborted();
    const coming = new Promise<Uint8Array | undefined>((resolve) => call.onItem = resolve);
    scope.postMessage({ kind: "take", id });
    const item = await coming;
    call.onItem = undefined;
    signal.throwIfAborted();
    if (item === undefined) return;
    yield item;
  }
}

/** A handler chooses its status by throwing an error with a number `status`, and perhaps a `body`. */
function describeFailure(error: unknown): {
  readonly status: number | undefined;
  readonly message: string;
  readonly body: Uint8Array | undefined;
} {
  const { status, body }: { status?: unknown; body?: unknown } = error instanceof Error
    ? Object.assign(Object.create(null), error)
    : {};
  const isStatus = typeof status === "number" && Number.isInteger(status) && status > 0 &&
    status <= 0xffff;
  return {
    status: isStatus ? status : undefined,
    message: error instanceof Error ? error.message : String(error),
    body: body instanceof Uint8Array ? body : undefined,
  };
}
