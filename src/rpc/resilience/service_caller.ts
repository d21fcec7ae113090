/**
 * Calls by the name of a service (RP-11, RP-12, RP-17 to RP-19): which nodes, in which order, and again when that
 * helps. From the outside in: retry, circuit breaker, then one of hedging, asking in turn, and a given target. Each
 * attempt finds the nodes afresh (promise 63), and all of them share the caller's deadline.
 */
import type { Clock } from "../../base/mod.ts";
import { type Cancellable, type CancelTokens, UNARY_TIMEOUT_MS } from "../client/mod.ts";
import type { ServiceDirectory } from "../discovery/mod.ts";
import { RpcError } from "../error.ts";
import type { RpcMeters } from "../metrics/mod.ts";
import type { CallOptions, ClientStreamCall, DuplexCall, Rpc, RpcResponses } from "../types.ts";
import { askInTurn, type NodeAttempt } from "./failover.ts";
import { hedge as raceTargets } from "./hedge.ts";
import { CANDIDATES_ASKED_MAX } from "./limits.ts";
import { retry as makeAgain } from "./retry.ts";
import { ServiceResponses } from "./service_responses.ts";
import type { TargetCaller } from "./target_caller.ts";

/** What {@linkcode ServiceCaller} works with. */
export interface ServiceCallerDeps {
  readonly clock: Pick<Clock, "now" | "wallMs" | "after">;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
  readonly targets: TargetCaller;
  readonly directory: ServiceDirectory;
  /** Those that calls of `targets` mind: a call that is made again minds them between its attempts as well. */
  readonly tokens: Pick<CancelTokens, "register" | "release">;
  /** Calls that found no node are counted here; all others where they are made. */
  readonly meters: RpcMeters;
  /** This node, as observers are told. */
  readonly nodeId: bigint;
}

/** The calling half of `Rpc`. */
export type ServiceCalls = Pick<
  Rpc,
  "call" | "callStream" | "callClientStream" | "callDuplex" | "findServiceNodes"
>;

const NO_OPTIONS: CallOptions = Object.freeze({});

/** Calls services. */
export class ServiceCaller implements ServiceCalls {
  readonly #deps: ServiceCallerDeps;

  constructor(deps: ServiceCallerDeps) {
    this.#deps = deps;
  }

  call(
    service: string,
    body: Uint8Array,
    options: CallOptions = NO_OPTIONS,
  ): Promise<Uint8Array> {
    const { targets, clock } = this.#deps;
    const deadlineMs = clock.now() + (options.timeoutMs ?? UNARY_TIMEOUT_MS);
    const attemptsUntil = (endMs: number): NodeAttempt<Uint8Array> => (node, signal, onSent) =>
      targets.call(node, service, body, this.#optionsFor(options, endMs, signal, onSent));
    if (isPlain(options)) {
      const nodes = this.#nodesOrError(service, options);
      if (nodes instanceof RpcError) return Promise.reject(nodes);
      const [node] = nodes;
      if (nodes.length === 1 && node !== undefined) {
        return targets.call(node, service, body, options);
      }
      return this.#ask(nodes, attemptsUntil(deadlineMs), options, deadlineMs);
    }
    return this.#again(
      options,
      deadlineMs,
      (endMs) =>
        options.hedge === undefined
          ? this.#ask(this.#nodesFor(service, options), attemptsUntil(endMs), options, endMs)
          : this.#hedge(service, attemptsUntil(endMs), options),
    );
  }

  callStream(
    service: string,
    body: Uint8Array,
    options: CallOptions = NO_OPTIONS,
  ): Promise<RpcResponses> {
    const { targets } = this.#deps;
    if (options.target !== undefined && isPlain(options)) {
      return targets.callStream(options.target, service, body, options);
    }
    return this.#open(options, async (endMs) => {
      const nodes = this.#nodesFor(service, options);
      const at: NodeAttempt<RpcResponses> = (node, signal, onSent) => {
        const own = this.#optionsFor(options, endMs, joined(options.signal, signal), onSent);
        return targets.callStream(node, service, body, own);
      };
      const first = await this.#ask(nodes, at, options, endMs);
      if (nodes.length === 1) return first;
      return new ServiceResponses(first, (failed) => {
        const rest = nodes.slice(nodes.indexOf(failed) + 1);
        return rest.length === 0 ? undefined : this.#ask(rest, at, options, endMs);
      });
    });
  }

  callClientStream(
    service: string,
    options: CallOptions = NO_OPTIONS,
  ): Promise<ClientStreamCall> {
    const { targets } = this.#deps;
    return this.#open(options, (endMs) => {
      const at: NodeAttempt<ClientStreamCall> = (node, signal, onSent) => {
        const own = this.#optionsFor(options, endMs, joined(options.signal, signal), onSent);
        return targets.callClientStream(node, service, own);
      };
      return this.#ask(this.#nodesFor(service, options), at, options, endMs);
    });
  }

  callDuplex(service: string, options: CallOptions = NO_OPTIONS): Promise<DuplexCall> {
    const { targets } = this.#deps;
    return this.#open(options, (endMs) => {
      const at: NodeAttempt<DuplexCall> = (node, signal, onSent) => {
        const own = this.#optionsFor(options, endMs, joined(options.signal, signal), onSent);
        return targets.callDuplex(node, service, own);
      };
      return this.#ask(this.#nodesFor(service, options), at, options, endMs);
    });
  }

  findServiceNodes(service: string): readonly bigint[] {
    return this.#deps.directory.nodesOf(service);
  }

  /** Opens a call with a stream in it. */
  async #open<T>(options: CallOptions, run: (endMs: number) => Promise<T>): Promise<T> {
    if (options.hedge !== undefined) {
      throw new TypeError("Cannot hedge a stream: only unary calls can be hedged");
    }
    return await this.#again(
      options,
      this.#deps.clock.now() + (options.timeoutMs ?? Infinity),
      run,
    );
  }

  /** Retry around the breaker around one attempt. */
  #again<T>(
    options: CallOptions,
    deadlineMs: number,
    run: (endMs: number) => Promise<T>,
  ): Promise<T> {
    const { retry, breaker } = options;
    const once = async () => {
      const { attemptTimeoutMs = Infinity } = retry ?? {};
      return await run(Math.min(deadlineMs, this.#deps.clock.now() + attemptTimeoutMs));
    };
    const guarded = breaker === undefined ? once : () => breaker.run(once);
    if (retry === undefined) return guarded();
    return this.#covered(
      options,
      (signal) => makeAgain(guarded, retry, this.#deps, { deadlineMs, signal }),
    );
  }

  /** Runs something that a call's token ends, too, while none of its attempts runs. */
  async #covered<T>(
    { cancelToken, signal }: CallOptions,
    run: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    if (cancelToken === undefined) return await run(signal);
    const { tokens } = this.#deps;
    const aborter = new AbortController();
    const cover: Cancellable = { onCancel: (reason) => aborter.abort(reason) };
    tokens.register(cancelToken, cover);
    try {
      return await run(joined(signal, aborter.signal));
    } finally {
      tokens.release(cancelToken, cover);
    }
  }

  #nodesFor(service: string, options: CallOptions): readonly bigint[] {
    const nodes = this.#nodesOrError(service, options);
    if (nodes instanceof RpcError) throw nodes;
    return nodes;
  }

  #nodesOrError(service: string, options: CallOptions): readonly bigint[] | RpcError {
    if (options.target !== undefined) return [options.target];
    try {
      const nodes = this.#deps.directory.candidates(service, options);
      return nodes.length > CANDIDATES_ASKED_MAX ? nodes.slice(0, CANDIDATES_ASKED_MAX) : nodes;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#count(service, error);
      return error;
    }
  }

  #ask<T extends Uint8Array | { cancel(): void }>(
    nodes: readonly bigint[],
    at: NodeAttempt<T>,
    { isIdempotent = false, signal }: CallOptions,
    deadlineMs: number,
  ): Promise<T> {
    return askInTurn(nodes, at, { isIdempotent, deadlineMs, signal, release }, this.#deps.clock);
  }

  #hedge(
    service: string,
    at: NodeAttempt<Uint8Array>,
    options: CallOptions,
  ): Promise<Uint8Array> {
    const { hedge = {}, signal } = options;
    const nodes = hedge.targets ?? this.#nodesFor(service, options);
    return raceTargets(
      nodes,
      (node, own) => at(node, own, () => {}),
      hedge,
      this.#deps.clock,
      signal,
    );
  }

  #optionsFor(
    options: CallOptions,
    endMs: number,
    signal: AbortSignal,
    onSent: () => void,
  ): CallOptions {
    const msLeft = Math.max(0, endMs - this.#deps.clock.now());
    return {
      ...options,
      signal,
      onSent: options.onSent === undefined ? onSent : () => {
        onSent();
        options.onSent?.();
      },
      ...(msLeft === Infinity ? {} : { timeoutMs: msLeft }),
    };
  }

  /** A call that found nobody to call. */
  #count(service: string, error: RpcError): void {
    const { meters, clock, nodeId } = this.#deps;
    const meter = meters.of(service);
    meter.calls += 1;
    meter.latency.observe(0);
    if (error.kind === "no_route") meter.errorsNoRoute += 1;
    else meter.callsDenied += 1;
    if (!meters.isObserved) return;
    meters.tell({
      caller: nodeId,
      callee: error.target ?? 0n,
      method: service,
      latencyMs: 0,
      outcome: "error",
      error: error.message,
      requestBytes: 0,
      responseBytes: 0,
      direction: "outbound",
      unixMs: clock.wallMs(),
    });
  }
}

/** Nothing but the engine is needed. */
function isPlain({ retry, hedge, breaker }: CallOptions): boolean {
  return retry === undefined && hedge === undefined && breaker === undefined;
}

/** Streams hear their caller for as long as they live, also when nobody else is asked any more. */
function joined(own: AbortSignal | undefined, attempt: AbortSignal): AbortSignal {
  return own === undefined ? attempt : AbortSignal.any([own, attempt]);
}

function release(value: Uint8Array | { cancel(): void }): void {
  if (!(value instanceof Uint8Array)) value.cancel();
}
