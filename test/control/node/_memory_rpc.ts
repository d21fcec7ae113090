/** Calls without a mesh: what is served here is called here, item by item. */
import type {
  CallOptions,
  CallShape,
  ClientStreamCall,
  ClientStreamHandler,
  DuplexCall,
  DuplexHandler,
  Rpc,
  RpcContext,
  RpcResponses,
  ServeHandle,
  ServeOptions,
  StreamHandler,
  UnaryHandler,
} from "../../../src/rpc/mod.ts";
import { CancelTokens, RpcError, RpcMetrics, RpcStatusError } from "../../../src/rpc/mod.ts";
import { ItemQueue } from "../../../src/control/node/rpc_items.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** Id of the only node. */
export const MEMORY_NODE = 0xabcn;

interface Service {
  readonly shape: CallShape;
  readonly options: ServeOptions;
  readonly run: (
    items: ItemQueue,
    context: RpcContext,
  ) => AsyncIterable<Uint8Array>;
}

/** Calls within one process. */
export class MemoryRpc implements Rpc {
  readonly cancelTokens = new CancelTokens(new ManualClock());
  readonly meters = new RpcMetrics({ clock: { soon: (action) => queueMicrotask(action) } });
  readonly services = new Map<string, Service>();
  /** Options of every call so far. */
  readonly options: CallOptions[] = [];
  /** Calls that were cancelled by their caller. */
  cancelled = 0;
  #lastCallId = 0n;
  readonly #running = new Map<string, Set<Promise<unknown>>>();
  /** Ends of the calls that run, with why. */
  readonly #stops = new Map<string, Set<(why: string) => void>>();

  serve(service: string, handler: UnaryHandler, options: ServeOptions = {}): ServeHandle {
    return this.#serve(service, "unary", options, async function* (items, context) {
      yield await handler(await first(items), context);
    });
  }

  serveStream(service: string, handler: StreamHandler, options: ServeOptions = {}): ServeHandle {
    return this.#serve(service, "server_stream", options, async function* (items, context) {
      yield* handler(await first(items), context);
    });
  }

  serveClientStream(
    service: string,
    handler: ClientStreamHandler,
    options: ServeOptions = {},
  ): ServeHandle {
    return this.#serve(service, "client_stream", options, async function* (items, context) {
      yield await handler(items, context);
    });
  }

  serveDuplex(service: string, handler: DuplexHandler, options: ServeOptions = {}): ServeHandle {
    return this.#serve(service, "duplex", options, async function* (items, context) {
      yield* handler(items, context);
    });
  }

  async call(service: string, body: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const call = this.#open(service, options);
    void call.items.push([body]).then(() => call.items.end());
    return await only(call.responses);
  }

  callStream(service: string, body: Uint8Array, options: CallOptions = {}): Promise<RpcResponses> {
    const call = this.#open(service, options);
    void call.items.push([body]).then(() => call.items.end()).catch(() => {});
    return Promise.resolve(call.responses);
  }

  callClientStream(service: string, options: CallOptions = {}): Promise<ClientStreamCall> {
    const { items, responses } = this.#open(service, options);
    return Promise.resolve({
      target: MEMORY_NODE,
      callId: responses.callId,
      credit: undefined,
      cancel: responses.cancel,
      send: (body) => items.push([body]),
      finish: async (last) => {
        if (last !== undefined) await items.push([last]);
        items.end();
        return await only(responses);
      },
      [Symbol.asyncDispose]: () => responses[Symbol.asyncDispose](),
    });
  }

  callDuplex(service: string, options: CallOptions = {}): Promise<DuplexCall> {
    const { items, responses } = this.#open(service, options);
    return Promise.resolve({
      target: MEMORY_NODE,
      callId: responses.callId,
      cancel: responses.cancel,
      requests: {
        credit: undefined,
        send: (body: Uint8Array) => items.push([body]),
        finish: async (last?: Uint8Array) => {
          if (last !== undefined) await items.push([last]);
          items.end();
        },
      },
      responses,
      [Symbol.asyncDispose]: () => responses[Symbol.asyncDispose](),
    });
  }

  findServiceNodes(service: string): readonly bigint[] {
    return this.services.has(service) ? [MEMORY_NODE] : [];
  }

  #serve(
    service: string,
    shape: CallShape,
    options: ServeOptions,
    run: Service["run"],
  ): ServeHandle {
    if (this.services.has(service)) {
      throw new RpcError("serve_failed", `Cannot serve "${service}": it is served already`);
    }
    this.services.set(service, { shape, options, run });
    const running = new Set<Promise<unknown>>();
    this.#running.set(service, running);
    const stops = new Set<(why: string) => void>();
    this.#stops.set(service, stops);
    const close: ServeHandle["close"] = async (
      { isPatient = true, why = "it was closed" } = {},
    ) => {
      this.services.delete(service);
      if (!isPatient) { for (const stop of stops) stop(why); }
      await Promise.allSettled(running);
    };
    return {
      service,
      shape,
      get running() {
        return running.size;
      },
      close,
      [Symbol.asyncDispose]: () => close(),
    };
  }

  #open(service: string, options: CallOptions) {
    this.options.push(options);
    const served = this.services.get(service);
    if (served === undefined) throw new RpcError("no_route", `nobody offers "${service}"`);
    const controller = new AbortController();
    const items = new ItemQueue();
    const callId = ++this.#lastCallId;
    const iterator = served.run(items, {
      service,
      caller: MEMORY_NODE,
      origin: 0x1234n,
      callId,
      headers: options.headers ?? [],
      deadlineMs: options.timeoutMs,
      trace: options.trace,
      signal: controller.signal,
    })[Symbol.asyncIterator]();
    const ended = Promise.withResolvers<void>();
    const running = this.#running.get(service);
    running?.add(ended.promise);
    ended.promise.then(() => running?.delete(ended.promise));
    let isOver = false;
    const stops = this.#stops.get(service);
    const stop = (why: string) => {
      const error = new RpcError("cancelled", why);
      controller.abort(error);
      items.fail(error);
    };
    stops?.add(stop);
    const end = () => {
      isOver = true;
      stops?.delete(stop);
      ended.resolve();
    };
    const cancel = () => {
      if (isOver) return;
      this.cancelled += 1;
      stop("the call was cancelled");
    };
    options.signal?.addEventListener("abort", cancel, { once: true });
    if (options.signal?.aborted) cancel();
    // The handler begins at once, and makes one item ahead.
    let ahead: Promise<IteratorResult<Uint8Array>> | undefined = iterator.next();
    ahead.catch(() => {});
    const read = async () => {
      try {
        const next = await (ahead ?? iterator.next());
        ahead = undefined;
        if (!next.done) return next.value;
        end();
        return undefined;
      } catch (error) {
        end();
        if (!(error instanceof RpcStatusError)) throw error;
        throw new RpcError("server_error", error.message, {
          status: error.status,
          body: error.body,
        });
      }
    };
    const responses: RpcResponses = {
      target: MEMORY_NODE,
      callId,
      cancel,
      read,
      grant: () => {},
      async *[Symbol.asyncIterator]() {
        for (let item = await read(); item !== undefined; item = await read()) yield item;
      },
      [Symbol.asyncDispose]: async () => {
        if (isOver) return;
        cancel();
        await iterator.return?.().catch(() => {});
        end();
      },
    };
    return { items, responses };
  }
}

async function first(items: ItemQueue): Promise<Uint8Array> {
  const item = await items.next();
  await items.next();
  return item ?? new Uint8Array(0);
}

async function only(responses: RpcResponses): Promise<Uint8Array> {
  const item = await responses.read();
  await responses.read();
  return item ?? new Uint8Array(0);
}
