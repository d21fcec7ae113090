/**
 * From one line to its reply: looks the method up, checks access, runs it, answers (`validation.md` 2,
 * `decisions.md` 1).
 *
 * Knows connections only as a {@linkcode RpcLink}. Handlers that answer at once are answered in the
 * same turn of the loop, so that liveness stays quick under load.
 */
import { NetError, toNetError } from "../base/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { AuditRecord } from "./audit_log.ts";
import { BTSP_VERSION } from "./btsp/mod.ts";
import { type ControlCounters, countError } from "./counters.ts";
import {
  errorAnswer,
  errorReply,
  progressLine,
  readRpcLine,
  resultReply,
  RPC_INVALID_PARAMS,
  RPC_INVALID_REQUEST,
  RPC_UNKNOWN_METHOD,
  type RpcReject,
  type RpcRequest,
} from "./json_rpc.ts";
import { BATCH_REPLY_BYTES_MAX } from "./limits.ts";
import type { CallContext, Method, MethodTable } from "./method.ts";

import { decodeParams } from "./param_encoding.ts";

/** What is answered under any load. */
const HEALTH_METHOD = /^health\./;

/** Notification with which a client gives a request up: `{"id": <its id>}`. */
export const CANCEL_METHOD = "$/cancel";

const DRAIN_NEXT =
  "ask another node, wait until this one is back, or run net node drain --cancel where it is to stay";

/** The connection a line came from, as far as calls see it. */
export interface RpcLink {
  readonly transport: "unix" | "tcp";
  /** True when privileged methods may be called. */
  readonly isTrusted: boolean;
  /** User at the other end where it is known. */
  readonly uid: number | undefined;
  /** Calls that did not finish at once. */
  readonly running: Set<RunningCall>;
  /** Queues a line that may be lost; false when it was. */
  offer(line: string): boolean;
  /** Resolves when a line is worth offering again, or the connection is closed. */
  untilRoom(): Promise<void>;
  /** True while too many replies to connections of its kind wait. */
  readonly isOverloaded: boolean;
  /** One of `running` was taken out. */
  callEnded(): void;
}

/** Runs requests against a method table. */
export interface Dispatcher {
  /** The reply to one line, `undefined` for none. Never throws or rejects. */
  dispatch(line: Uint8Array, link: RpcLink): string | undefined | Promise<string | undefined>;
  /** Counts and writes a refusal that no request asked for. */
  refuse(code: number, message: string, data?: object): string;
  /** From now on new work is answered with −32000; public methods go on. */
  beginDrain(): void;
  /** Takes new work again. */
  endDrain(): void;
  readonly isDraining: boolean;
  /** Calls running now, without those that also answer while draining, or go on until they are ended. */
  readonly inFlight: number;
}

/** What {@linkcode createDispatcher} needs. */
export interface DispatcherDeps {
  readonly table: MethodTable;
  readonly log: Log;
  readonly counters: ControlCounters;
  /** Milliseconds that never go backwards. */
  readonly now: () => number;
  /** Told of every call that may have changed something. */
  readonly onChange?: (record: AuditRecord) => void;
}

/** Creates a dispatcher. */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { table, log, counters } = deps;
  let isDraining = false;
  let inFlight = 0;

  const fail = (request: RpcRequest | RpcReject, code: number, message: string, data?: object) => {
    if (request.id === undefined) return undefined;
    countError(counters, code);
    return errorReply(request.id, code, message, data);
  };

  const failWith = (request: RpcRequest, error: unknown): string | undefined => {
    const answer = errorAnswer(error);
    if (answer.isInternal) {
      log.error("method_failed", {
        method: request.method,
        reason: toNetError(error, "Handler threw").message,
      });
    }
    return fail(request, answer.code, answer.message, answer.data);
  };

  const succeed = (request: RpcRequest, result: unknown): string | undefined => {
    if (request.id === undefined) return undefined;
    try {
      const reply = resultReply(request.id, result);
      counters.results_total++;
      return reply;
    } catch (error) {
      return failWith(request, error);
    }
  };

  const runLater = async (
    request: RpcRequest,
    isAwaited: boolean,
    call: RunningCall,
    result: Promise<unknown>,
    link: RpcLink,
  ): Promise<string | undefined> => {
    link.running.add(call);
    const weight = request.id === undefined ? 0 : 1; // Notifications are counted as such already.
    counters.requests_in_flight += weight;
    if (isAwaited) inFlight++;
    try {
      const value = await result;
      counters.requests_in_flight -= weight;
      return succeed(request, value);
    } catch (error) {
      counters.requests_in_flight -= weight;
      return failWith(request, error);
    } finally {
      link.running.delete(call);
      link.callEnded();
      call.end();
      if (isAwaited) inFlight--;
    }
  };

  /** Records how a call ends that may change something; `undefined` for all others. */
  const recorderOf = (method: Method, link: RpcLink) => {
    const { onChange } = deps;
    if (onChange === undefined || method.isReadOnly || method.access === "public") return undefined;
    const { transport, uid } = link;
    const startMs = deps.now();
    const record = (outcome: string) =>
      onChange({ method: method.name, transport, uid, outcome, durationMs: deps.now() - startMs });
    return (result: unknown): void => {
      if (!(result instanceof Promise)) return record("ok");
      result.then(() => record("ok"), (error) => record(String(errorAnswer(error).data.code)));
    };
  };

  const run = (request: RpcRequest, link: RpcLink) => {
    counters.requests_total++;
    if (request.id === undefined) counters.notifications_total++;
    if (request.id === undefined && request.method === CANCEL_METHOD) {
      cancel(request.params, link, counters);
      return undefined;
    }
    const method = table.lookup(request.method);
    if (method === undefined) {
      return fail(request, RPC_UNKNOWN_METHOD, `Unknown method "${shortened(request.method)}"`);
    }
    if (method.access === "privileged" && !link.isTrusted) {
      return failWith(
        request,
        new NetError("not_allowed", `Method "${method.name}" is not allowed on this connection`, {
          next: "call it over the node's unix socket, as the user the node runs as",
        }),
      );
    }
    if (isDraining && !method.answersWhileDraining) {
      return failWith(request, new NetError("draining", "Service draining", { next: DRAIN_NEXT }));
    }
    if (link.isOverloaded && !HEALTH_METHOD.test(method.name)) {
      return failWith(
        request,
        new NetError("backpressure", "Too many replies wait to be read", {
          next: "read replies sooner, or ask again later",
        }),
      );
    }
    const params = readParams(request.params);
    if (params === undefined) {
      return fail(request, RPC_INVALID_PARAMS, 'Member "params" must be an object', {
        code: "usage",
      });
    }
    const call = new RunningCall(request.id, params.wantsProgress, link, counters);
    const record = recorderOf(method, link);
    try {
      const result = method.call(decodeParams(params.fields), call);
      record?.(result);
      if (!(result instanceof Promise)) return succeed(request, result);
      // What answers for the node's health, and what ends only when it is ended, is not waited for.
      const isWork = !method.answersWhileDraining || method.isContinuation;
      const isAwaited = isWork && !method.isOpenEnded(params.fields);
      return runLater(request, isAwaited, call, result, link);
    } catch (error) {
      record?.(Promise.reject(error));
      return failWith(request, error);
    }
  };

  const answer = (reading: RpcRequest | RpcReject, link: RpcLink) => {
    if (reading.kind === "request") return run(reading, link);
    counters.requests_total++;
    return fail(reading, reading.code, reading.message);
  };

  const refuseRest = (member: RpcRequest) => {
    counters.requests_total++;
    if (member.id === undefined) counters.notifications_total++;
    return failWith(member, batchFull());
  };

  /** Replies that are there at once are bounded together; what runs longer is bounded by its number. */
  const answerBatch = (members: readonly (RpcRequest | RpcReject)[], link: RpcLink) => {
    const replies: (string | undefined | Promise<string | undefined>)[] = [];
    let bytes = 0;
    for (const member of members) {
      const isFull = bytes >= BATCH_REPLY_BYTES_MAX && member.kind === "request";
      const reply = isFull ? refuseRest(member) : answer(member, link);
      if (typeof reply === "string") bytes += reply.length;
      replies.push(reply);
    }
    return joinReplies(replies);
  };

  return {
    dispatch(line, link) {
      const reading = readRpcLine(line);
      if (reading.kind !== "batch") return answer(reading, link);
      counters.batches_total++;
      return answerBatch(reading.members, link);
    },
    refuse(code, message, data) {
      counters.requests_total++;
      countError(counters, code);
      return errorReply("null", code, message, data);
    },
    beginDrain() {
      isDraining = true;
    },
    endDrain() {
      isDraining = false;
    },
    get isDraining() {
      return isDraining;
    },
    get inFlight() {
      return inFlight;
    },
  };
}

/** Refusal of a connection that must shake hands first (`validation.md` 8). */
export function refuseCleartext(dispatcher: Dispatcher): string {
  return dispatcher.refuse(RPC_INVALID_REQUEST, "BTSP handshake required", {
    btsp_version: BTSP_VERSION,
    code: "handshake_refused",
    next: "speak BTSP; verbs do with NET_REQUIRE_BTSP=1 and the family's seed",
  });
}

/** One call while it runs: the context its handler sees. */
export class RunningCall implements CallContext {
  readonly #id: string | undefined;
  readonly #link: RpcLink;
  readonly #counters: ControlCounters;
  #wantsProgress: boolean;
  #isAborted = false;
  #controller: AbortController | undefined;

  constructor(
    id: string | undefined,
    wantsProgress: boolean,
    link: RpcLink,
    counters: ControlCounters,
  ) {
    this.#id = id;
    this.#wantsProgress = wantsProgress && id !== undefined;
    this.#link = link;
    this.#counters = counters;
  }

  get transport(): "unix" | "tcp" {
    return this.#link.transport;
  }

  /** Made when first asked for: most calls never look at it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isAborted) this.#controller.abort();
    return this.#controller.signal;
  }

  progress(data: object): void {
    if (!this.#wantsProgress || this.#id === undefined) return;
    if (this.#link.offer(progressLine(this.#id, data))) this.#counters.progress_total++;
    else this.#counters.progress_dropped_total++;
  }

  async send(data: object): Promise<void> {
    if (!this.#wantsProgress || this.#id === undefined) {
      throw new NetError("usage", "Cannot stream the answer: the caller did not ask for progress", {
        next: 'call with "progress": true and an id',
      });
    }
    const line = progressLine(this.#id, data);
    while (!this.#link.offer(line)) {
      this.signal.throwIfAborted();
      await this.#link.untilRoom();
    }
    this.#counters.progress_total++;
  }

  /** Aborts the handler's signal. */
  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }

  /** The reply is made: later progress would come out of order and is dropped. */
  end(): void {
    this.#wantsProgress = false;
  }

  /** True when this call answers the request of that id. */
  answers(id: string): boolean {
    return this.#id === id;
  }
}

interface Params {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly wantsProgress: boolean;
}

/** Absent, null and an empty array count as no parameters; `undefined` when it is no object. */
function readParams(params: unknown): Params | undefined {
  if (params === undefined || params === null) return { fields: {}, wantsProgress: false };
  if (typeof params !== "object") return undefined;
  if (Array.isArray(params)) {
    return params.length === 0 ? { fields: {}, wantsProgress: false } : undefined;
  }
  const { progress, ...fields }: Record<string, unknown> = { ...params };
  if (typeof progress === "boolean") return { fields, wantsProgress: progress };
  return {
    fields: progress === undefined ? fields : { ...fields, progress },
    wantsProgress: false,
  };
}

/** Ids are compared as the text we would write, so a client cancels with the id it called with. */
function cancel(params: unknown, link: RpcLink, counters: ControlCounters): void {
  if (typeof params !== "object" || params === null || !("id" in params)) return;
  const id = JSON.stringify(params.id);
  for (const call of link.running) {
    if (!call.answers(id)) continue;
    counters.cancels_total++;
    call.abort();
  }
}

function batchFull(): NetError {
  return new NetError(
    "backpressure",
    `Too many replies in one batch: they have ${BATCH_REPLY_BYTES_MAX} bytes already`,
    { next: "send the rest in another batch" },
  );
}

function joinReplies(
  replies: readonly (string | undefined | Promise<string | undefined>)[],
): string | undefined | Promise<string | undefined> {
  const ready: (string | undefined)[] = [];
  for (const reply of replies) {
    if (reply instanceof Promise) return Promise.all(replies).then(joinReady);
    ready.push(reply);
  }
  return joinReady(ready);
}

function joinReady(replies: readonly (string | undefined)[]): string | undefined {
  const lines = replies.filter((reply) => reply !== undefined);
  return lines.length === 0 ? undefined : `[${lines.join(",")}]`;
}

function shortened(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64)}…`;
}
