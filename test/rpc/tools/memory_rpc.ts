/** Calls of one node to itself that stay inside of the process, as far as tools make them. */
import {
  type CallShape,
  type Rpc,
  type RpcContext,
  RpcError,
  type RpcResponses,
  RpcStatusError,
  type ServeHandle,
  Status,
  type StreamHandler,
  type UnaryHandler,
} from "../../../src/rpc/mod.ts";

/** Node that serves and calls. */
const NODE = 7n;
/** Needs all 64 bits, as ids of calls do. */
export const CALL_ID = (1n << 63n) + 1n;

/** The calls. */
export class MemoryRpc implements Pick<Rpc, "serve" | "serveStream" | "call" | "callStream"> {
  readonly #handlers = new Map<string, UnaryHandler>();
  readonly #streams = new Map<string, StreamHandler>();

  /** Names that are served. */
  get services(): readonly string[] {
    return [...this.#handlers.keys(), ...this.#streams.keys()].sort();
  }

  serve(service: string, handler: UnaryHandler): ServeHandle {
    return this.#add(this.#handlers, service, handler, "unary");
  }

  serveStream(service: string, handler: StreamHandler): ServeHandle {
    return this.#add(this.#streams, service, handler, "server_stream");
  }

  async call(service: string, body: Uint8Array): Promise<Uint8Array> {
    try {
      return await find(this.#handlers, service)(body, context(service));
    } catch (error) {
      throw toRpcError(error);
    }
  }

  callStream(service: string, body: Uint8Array): Promise<RpcResponses> {
    const items = find(this.#streams, service)(body, context(service));
    return Promise.resolve(new MemoryResponses(items));
  }

  #add<T>(table: Map<string, T>, service: string, handler: T, shape: CallShape): ServeHandle {
    if (this.services.includes(service)) {
      throw new RpcError("serve_failed", `Cannot serve "${service}": it is served already`);
    }
    table.set(service, handler);
    const close = () => {
      table.delete(service);
      return Promise.resolve();
    };
    return { service, shape, running: 0, close, [Symbol.asyncDispose]: close };
  }
}

class MemoryResponses implements RpcResponses {
  readonly target = NODE;
  readonly callId = CALL_ID;
  readonly #items: AsyncGenerator<Uint8Array>;

  constructor(items: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#items = (async function* () {
      yield* items;
    })();
  }

  async read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#items.next();
    return done === true ? undefined : value;
  }

  grant(): void {}

  cancel(): void {
    void this.#items.return(undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#items.return(undefined);
  }
}

function find<T>(table: Map<string, T>, service: string): T {
  const handler = table.get(service);
  if (handler === undefined) throw new RpcError("no_route", `Nobody serves "${service}"`);
  return handler;
}

function context(service: string): RpcContext {
  return {
    service,
    caller: NODE,
    origin: NODE,
    callId: CALL_ID,
    headers: [],
    deadlineMs: undefined,
    trace: undefined,
    signal: new AbortController().signal,
  };
}

/** As the caller of another node sees what a handler threw. */
function toRpcError(error: unknown): RpcError {
  const status = error instanceof RpcStatusError ? error.status : Status.internal;
  const message = error instanceof Error ? error.message : String(error);
  return new RpcError("server_error", message, { status, target: NODE });
}
