/** Calls inside one process, with the errors that calls between nodes have; for what stands above calls. */
import {
  type CallOptions,
  CancelTokens,
  type ClientStreamCall,
  type DuplexCall,
  type Rpc,
  type RpcContext,
  RpcError,
  type RpcResponses,
  RpcStatusError,
  type ServeHandle,
  Status,
} from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const NODE = 7n;
const encoder = new TextEncoder();

/** A queue between both sides of a stream. */
class Items {
  readonly #waiting: Uint8Array[] = [];
  #isEnded = false;
  #error: unknown;
  #wake = Promise.withResolvers<void>();

  push(body: Uint8Array): void {
    this.#waiting.push(body);
    this.#wake.resolve();
  }

  end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#wake.resolve();
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) return next;
      if (this.#isEnded && this.#error !== undefined) throw this.#error;
      if (this.#isEnded) return undefined;
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let body = await this.read(); body !== undefined; body = await this.read()) yield body;
  }
}

/** What a server answered with, as its caller is told. */
function callerError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const status = error instanceof RpcStatusError ? error.status : Status.internal;
  const text = error instanceof RpcStatusError
    ? error.message
    : `handler panicked: ${error instanceof Error ? error.message : error}`;
  const body = error instanceof RpcStatusError && error.body !== undefined
    ? error.body
    : encoder.encode(text);
  const said = new TextDecoder().decode(body);
  return new RpcError("server_error", said, { status, body, target: NODE });
}

interface Running {
  readonly call: { readonly target: bigint; readonly callId: bigint; cancel(): void };
  readonly context: RpcContext;
}

/** Serves and calls. */
export class MemoryRpc implements Rpc {
  readonly cancelTokens = new CancelTokens(new ManualClock());
  readonly #handlers = new Map<string, unknown>();
  #callIds = 0n;
  /** Bodies of unary requests, in order. */
  readonly requests: Uint8Array[] = [];
  readonly options: CallOptions[] = [];
  /** Contexts of all calls so far. */
  readonly contexts: RpcContext[] = [];

  /** Names that are served. */
  get names(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  serve: Rpc["serve"] = (service, handler) => this.#serve(service, handler, "unary");
  serveStream: Rpc["serveStream"] = (service, handler) =>
    this.#serve(service, handler, "server_stream");
  serveClientStream: Rpc["serveClientStream"] = (service, handler) =>
    this.#serve(service, handler, "client_stream");
  serveDuplex: Rpc["serveDuplex"] = (service, handler) => this.#serve(service, handler, "duplex");

  async call(service: string, body: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    this.requests.push(body);
    const { context } = this.#begin(service, options);
    const handler = this.#handler<Parameters<Rpc["serve"]>[1]>(service);
    try {
      return await handler(body, context);
    } catch (error) {
      throw callerError(error);
    }
  }

  callStream(
    service: string,
    body: Uint8Array,
    options: CallOptions = {},
  ): Promise<RpcResponses> {
    const running = this.#begin(service, options);
    const handler = this.#handler<Parameters<Rpc["serveStream"]>[1]>(service);
    return Promise.resolve(this.#pump(running, () => handler(body, running.context)));
  }

  callClientStream(service: string, options: CallOptions = {}): Promise<ClientStreamCall> {
    const { call, context } = this.#begin(service, options);
    const handler = this.#handler<Parameters<Rpc["serveClientStream"]>[1]>(service);
    const items = new Items();
    const answer = (async () => await handler(items, context))().catch((error) => {
      throw callerError(error);
    });
    answer.catch(() => {});
    return Promise.resolve({
      ...call,
      credit: undefined,
      send: (body) => Promise.resolve(items.push(body)),
      finish: (last) => {
        if (last !== undefined) items.push(last);
        items.end();
        return answer;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(call.cancel()),
    });
  }

  callDuplex(service: string, options: CallOptions = {}): Promise<DuplexCall> {
    const running = this.#begin(service, options);
    const handler = this.#handler<Parameters<Rpc["serveDuplex"]>[1]>(service);
    const items = new Items();
    const responses = this.#pump(running, () => handler(items, running.context));
    return Promise.resolve({
      ...running.call,
      requests: {
        credit: undefined,
        send: (body) => Promise.resolve(items.push(body)),
        finish: (last) => {
          if (last !== undefined) items.push(last);
          items.end();
          return Promise.resolve();
        },
      },
      responses,
      [Symbol.asyncDispose]: () => Promise.resolve(running.call.cancel()),
    });
  }

  findServiceNodes(service: string): readonly bigint[] {
    return this.#handlers.has(service) ? [NODE] : [];
  }

  #serve(service: string, handler: unknown, shape: ServeHandle["shape"]): ServeHandle {
    if (this.#handlers.has(service)) {
      throw new RpcError("serve_failed", `Cannot serve ${service}: it is served already`);
    }
    this.#handlers.set(service, handler);
    const close = () => {
      this.#handlers.delete(service);
      return Promise.resolve();
    };
    return { service, shape, running: 0, close, [Symbol.asyncDispose]: close };
  }

  #handler<Handler>(service: string): Handler {
    const handler = this.#handlers.get(service);
    if (handler === undefined) throw new RpcError("no_route", `nobody serves ${service}`);
    return handler as Handler;
  }

  #begin(service: string, options: CallOptions): Running {
    this.options.push(options);
    const aborter = new AbortController();
    const callId = ++this.#callIds;
    const context: RpcContext = {
      service,
      caller: NODE,
      origin: 1n,
      callId,
      headers: options.headers ?? [],
      deadlineMs: undefined,
      trace: undefined,
      signal: aborter.signal,
    };
    this.contexts.push(context);
    return { call: { target: NODE, callId, cancel: () => aborter.abort() }, context };
  }

  #pump({ call, context }: Running, run: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    const items = new Items();
    const pump = async () => {
      try {
        for await (const body of run()) items.push(body);
        items.end();
      } catch (error) {
        items.end(callerError(error));
      }
    };
    void pump();
    context.signal.addEventListener("abort", () => items.end(new RpcError("cancelled", "gone")));
    return {
      ...call,
      read: () => items.read(),
      grant: () => {},
      [Symbol.asyncIterator]: () => items[Symbol.asyncIterator](),
      [Symbol.asyncDispose]: () => Promise.resolve(call.cancel()),
    };
  }
}
