/** A caller of services over nodes that a test scripts: every call to a node waits until the test answers it. */
import {
  type CallOptions,
  CancelTokens,
  type ClientStreamCall,
  type DuplexCall,
  RpcError,
  RpcMetrics,
  type RpcResponses,
  ServiceCaller,
  ServiceDirectory,
  type TargetCaller,
} from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

export const SERVICE = "acme.search";
export const BODY = new Uint8Array([1, 2, 3]);

/** One call that reached a node. */
export interface ScriptedCall {
  readonly target: bigint;
  readonly shape: keyof TargetCaller;
  readonly options: CallOptions;
  readonly body: Uint8Array | undefined;
  /** When it was made. */
  readonly at: number;
  isCancelled: boolean;
  answer(...bytes: number[]): void;
  fail(error: RpcError): void;
  /** Opens a stream. */
  open(): ScriptedStream;
}

/** A stream of responses whose items a test gives. */
export class ScriptedStream implements RpcResponses {
  readonly callId = 5n;
  readonly target: bigint;
  granted = 0;
  isCancelled = false;
  #reads: PromiseWithResolvers<Uint8Array | undefined>[] = [];

  constructor(target: bigint) {
    this.target = target;
  }

  read(): Promise<Uint8Array | undefined> {
    const reading = Promise.withResolvers<Uint8Array | undefined>();
    this.#reads.push(reading);
    return reading.promise;
  }

  give(...bytes: number[]): void {
    this.#reads.shift()?.resolve(Uint8Array.from(bytes));
  }

  end(): void {
    this.#reads.shift()?.resolve(undefined);
  }

  fail(error: RpcError): void {
    this.#reads.shift()?.reject(error);
  }

  grant(credits: number): void {
    this.granted += credits;
  }

  cancel(): void {
    this.isCancelled = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let body = await this.read(); body !== undefined; body = await this.read()) yield body;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    return Promise.resolve();
  }
}

/** Nodes that a test scripts. */
export class ScriptedTargets implements TargetCaller {
  readonly calls: ScriptedCall[] = [];
  /** Nodes to which no way opens: nothing leaves. */
  readonly closed = new Set<bigint>();
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** Nodes that were called, in order. */
  get asked(): readonly bigint[] {
    return this.calls.map(({ target }) => target);
  }

  call(target: bigint, _service: string, body: Uint8Array, options: CallOptions = {}) {
    return this.#begin<Uint8Array>(target, "call", options, body);
  }

  callStream(target: bigint, _service: string, body: Uint8Array, options: CallOptions = {}) {
    return this.#begin<RpcResponses>(target, "callStream", options, body);
  }

  callClientStream(target: bigint, _service: string, options: CallOptions = {}) {
    return this.#begin<ClientStreamCall>(target, "callClientStream", options);
  }

  callDuplex(target: bigint, _service: string, options: CallOptions = {}) {
    return this.#begin<DuplexCall>(target, "callDuplex", options);
  }

  #begin<T>(
    target: bigint,
    shape: keyof TargetCaller,
    options: CallOptions,
    body?: Uint8Array,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const call: ScriptedCall = {
      target,
      shape,
      options,
      body,
      at: this.#clock.now(),
      isCancelled: false,
      answer: (...bytes) => resolve(Uint8Array.from(bytes)),
      fail: reject,
      open: () => {
        const stream = new ScriptedStream(target);
        resolve(stream);
        return stream;
      },
    };
    this.calls.push(call);
    const cancel = () => {
      call.isCancelled = true;
      reject(new RpcError("cancelled", "cancelled"));
    };
    if (options.signal?.aborted) cancel();
    options.signal?.addEventListener("abort", cancel);
    if (options.timeoutMs !== undefined) {
      this.#clock.after(options.timeoutMs, () => reject(new RpcError("timeout", "no answer")));
    }
    if (!this.closed.has(target)) options.onSent?.();
    return promise as Promise<T>;
  }
}

/** Parts of a test. */
export function createServiceKit(nodes: readonly bigint[] = [1n, 2n, 3n]) {
  const clock = new ManualClock();
  const targets = new ScriptedTargets(clock);
  const mesh = {
    nodes: [...nodes],
    version: 0,
    lookups: 0,
    denying: new Set<bigint>(),
    failed: new Set<bigint>(),
    rtt: new Map<bigint, number>(),
  };
  const directory = new ServiceDirectory({
    nodesOffering: () => {
      mesh.lookups += 1;
      return mesh.nodes;
    },
    mayExecute: (node) => !mesh.denying.has(node),
    version: () => mesh.version,
    isHealthy: (node) => !mesh.failed.has(node),
    roundTripMs: (node) => mesh.rtt.get(node),
  });
  const metrics = new RpcMetrics({ clock });
  const caller = new ServiceCaller({
    clock,
    random: () => 0.5,
    targets,
    directory,
    tokens: new CancelTokens(clock),
    meters: metrics,
    nodeId: 9n,
  });
  return { clock, targets, mesh, directory, metrics, caller };
}

/** What a promise came to so far. */
export class Settled<T> {
  value: T | undefined;
  error: unknown;
  count = 0;

  constructor(promise: Promise<T>) {
    promise.then((value) => {
      this.value = value;
      this.count += 1;
    }, (error) => {
      this.error = error;
      this.count += 1;
    });
  }

  get kind(): string | undefined {
    return this.error instanceof RpcError ? this.error.kind : undefined;
  }
}

export const busy = (retryAfterMs?: number) =>
  new RpcError("backpressure", "busy", {
    status: 4,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
export const internal = () => new RpcError("server_error", "failed", { status: 6 });
export const broken = () => new RpcError("transport", "the node is gone");
