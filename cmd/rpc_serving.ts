/**
 * A name that this program serves through a running node: calls come as progress of one request, bodies are
 * taken and answers pushed by further ones.
 */
import { concatBytes, NetError, toNetError } from "../src/base/mod.ts";
import type { NodeCaller } from "./doors.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { PIECE_BYTES } from "./rpc_input.ts";

/** How many messages each side sends. */
export type ServeShape = "unary" | "server_stream" | "client_stream" | "duplex";

/** What is served, as `nrpc.serve` takes it. */
export interface ServeParams {
  readonly service: string;
  readonly shape: ServeShape;
  readonly running_max?: number;
  readonly handler_timeout_ms?: number;
  /** JSON text of a descriptor, when the name is offered as a tool. */
  readonly tool?: string;
  readonly running_per_peer_max?: number;
  readonly request_window?: number;
}

/** Answers one call: with the methods of the call, or by throwing. */
export type ServeHandler = (call: ProgramCall) => Promise<void>;

/** One answered call, for whoever keeps a record. */
export interface CallRecord {
  readonly service: string;
  readonly caller: string;
  readonly call_id: string;
  readonly ms: number;
  readonly outcome: "ok" | "error" | "cancelled";
  readonly message: string | null;
}

/** What a handler throws to choose the status of its answer (`nrpc.md` 4). */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  constructor(readonly status: number, message: string, readonly body?: Uint8Array) {
    super(message);
  }
}

/** Status of a handler that failed without choosing one. */
const STATUS_INTERNAL = 6;

/** Longest text of a failure that goes to the caller. */
const MESSAGE_MAX = 4_096;

/** What serving needs beside the node. */
export interface ServingDeps {
  readonly node: NodeCaller;
  readonly handler: ServeHandler;
  /** Milliseconds that never go backwards. */
  readonly now: () => number;
  readonly onRecord: (record: CallRecord) => void;
}

/** One name while it is served. */
export class ProgramServing {
  /** Settles when the service has ended: by {@linkcode close}, or because the node is gone. */
  readonly ended: Promise<Readonly<Record<string, unknown>>>;
  /** Settles when calls may come. */
  readonly ready: Promise<void>;
  readonly #deps: ServingDeps;
  readonly #calls = new Map<number, ProgramCall>();
  #id = "";
  #onIdle: (() => void) | undefined;

  constructor(params: ServeParams, deps: ServingDeps, signal: AbortSignal) {
    this.#deps = deps;
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => {});
    const onProgress = (report: unknown) => {
      const told = recordOf(report);
      if (typeof told.serving === "string") {
        this.#id = told.serving;
        ready.resolve();
      } else if (typeof told.cancelled === "number") {
        this.#calls.get(told.cancelled)?.cancel(textOf(told.reason));
      } else if (typeof told.call === "number") void this.#serve(told, told.call);
    };
    this.ended = deps.node.call("nrpc.serve", { ...params }, { signal, onProgress })
      .then(recordOf)
      .finally(() => this.#cancelAll("the service has ended"));
    this.ended.catch(ready.reject);
  }

  /** Takes no more calls; `ended` settles when those that run have answered. */
  async close(): Promise<void> {
    await this.#deps.node.call("nrpc.unserve", { serving: this.#id });
  }

  /** Resolves when no call runs. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await new Promise<void>((resolve) => this.#onIdle = resolve);
  }

  #cancelAll(reason: string): void {
    for (const call of this.#calls.values()) call.cancel(reason);
  }

  async #serve(told: Readonly<Record<string, unknown>>, number: number): Promise<void> {
    const { node, handler, now, onRecord } = this.#deps;
    const call = new ProgramCall(node, this.#id, number, told);
    this.#calls.set(number, call);
    const startMs = now();
    let failure: unknown;
    try {
      await handler(call);
    } catch (error) {
      failure = error;
      // A call that is cancelled has its answer already; a node that is gone shows in `ended`.
      if (!call.signal.aborted) await call.fail(error).catch(() => {});
    } finally {
      call.endInput();
      this.#calls.delete(number);
      if (this.#calls.size === 0) this.#onIdle?.();
    }
    const isCancelled = call.signal.aborted;
    onRecord({
      service: call.service,
      caller: call.caller,
      call_id: call.callId,
      ms: Math.round((now() - startMs) * 1_000) / 1_000,
      outcome: isCancelled ? "cancelled" : failure === undefined ? "ok" : "error",
      message: isCancelled ? call.cancelReason : failure === undefined ? null : messageOf(failure),
    });
  }
}

/** A piece of an item that a caller sent. */
export interface SentPiece {
  readonly piece: Uint8Array;
  readonly isLast: boolean;
}

/** One call to answer. */
export class ProgramCall {
  readonly service: string;
  readonly shape: string;
  /** Node id of the caller. */
  readonly caller: string;
  readonly callId: string;
  /** Unix milliseconds after which nobody waits for the answer. */
  readonly deadlineMs: number | undefined;
  /** Origin hash of the caller, 16 hex digits. */
  readonly origin: string;
  /** As the node tells it; empty without one. */
  readonly trace: Readonly<Record<string, unknown>>;
  /** Name, and text or base64. */
  readonly headers: readonly Readonly<Record<string, unknown>>[];
  /** Why it was cancelled. */
  cancelReason = "";
  readonly #controller = new AbortController();
  /** Ends requests for what nobody wants any more. */
  readonly #input = new AbortController();
  readonly #node: NodeCaller;
  readonly #ref: { readonly serving: string; readonly call: number };
  /** Body that came with the call; taken otherwise. */
  readonly #inline: Uint8Array | undefined;

  constructor(
    node: NodeCaller,
    serving: string,
    number: number,
    told: Readonly<Record<string, unknown>>,
  ) {
    this.#node = node;
    this.#ref = { serving, call: number };
    this.service = textOf(told.service);
    this.shape = textOf(told.shape);
    this.caller = textOf(told.caller);
    this.callId = textOf(told.call_id);
    this.deadlineMs = numberOf(told.deadline_ms);
    this.origin = textOf(told.origin);
    this.trace = recordOf(told.trace);
    this.headers = listOf(told.headers).map(recordOf);
    this.#inline = typeof told.body === "string" ? Uint8Array.fromBase64(told.body) : undefined;
  }

  /** Aborted when the caller cancels or vanishes, the deadline passes, or the service ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the work on it. */
  cancel(reason: string): void {
    if (this.signal.aborted) return;
    this.cancelReason = reason;
    this.#controller.abort(new NetError("failed", `The call was cancelled: ${reason}`));
    this.endInput();
  }

  /** Nothing more of what the caller sends is wanted. */
  endInput(): void {
    this.#input.abort(new NetError("failed", "Nobody reads what the caller sends"));
  }

  /** What the caller sends, as many pieces at a time as have come; the last piece of an item says so. */
  async *batches(): AsyncGenerator<readonly SentPiece[]> {
    if (this.#inline !== undefined) {
      yield [{ piece: this.#inline, isLast: true }];
      return;
    }
    for (;;) {
      const taken = recordOf(await this.#ask("nrpc.take", {}, this.#input.signal));
      if (taken.over === true) this.cancel("it is over");
      this.signal.throwIfAborted();
      yield listOf(taken.items).map((text) => ({
        piece: Uint8Array.fromBase64(typeof text === "string" ? text : ""),
        isLast: taken.more !== true,
      }));
      if (taken.end === true) return;
    }
  }

  /** What the caller sends, item by item; for a call with one body, that. */
  async *items(): AsyncGenerator<Uint8Array> {
    let pieces: Uint8Array[] = [];
    for await (const batch of this.batches()) {
      for (const { piece, isLast } of batch) {
        pieces.push(piece);
        if (!isLast) continue;
        const [only] = pieces;
        yield pieces.length === 1 && only !== undefined ? only : concatBytes(...pieces);
        pieces = [];
      }
    }
  }

  /** Sends a piece of an item; resolves when there is room for the next. */
  async sendPiece(piece: Uint8Array, isLast: boolean): Promise<void> {
    await this.#answer({ items: [piece.toBase64()], more: !isLast });
  }

  /** Sends an item. */
  async send(item: Uint8Array): Promise<void> {
    let at = 0;
    do {
      const piece = item.subarray(at, at + PIECE_BYTES);
      at += piece.length;
      await this.sendPiece(piece, at >= item.length);
    } while (at < item.length);
  }

  /** Sends short items together. */
  async sendAll(items: readonly Uint8Array[]): Promise<void> {
    await this.#answer({ items: items.map((item) => item.toBase64()) });
  }

  /** Says that this was the whole answer. */
  async end(): Promise<void> {
    await this.#answer({ end: true });
  }

  /** Answers with an error instead. */
  async fail(error: unknown): Promise<void> {
    const isChosen = error instanceof CallFailure;
    await this.#ask("nrpc.answer", {
      error: {
        status: isChosen ? error.status : STATUS_INTERNAL,
        message: messageOf(error).slice(0, MESSAGE_MAX),
        ...(isChosen && error.body !== undefined ? { body: error.body.toBase64() } : {}),
      },
    });
  }

  async #answer(params: object): Promise<void> {
    this.signal.throwIfAborted();
    const { over } = recordOf(await this.#ask("nrpc.answer", params));
    if (over === true) this.cancel("it is over");
    this.signal.throwIfAborted();
  }

  #ask(method: string, params: object, signal = this.signal): Promise<unknown> {
    return this.#node.call(method, { ...this.#ref, ...params }, { signal });
  }
}

function messageOf(error: unknown): string {
  return error instanceof CallFailure
    ? error.message
    : toNetError(error, "The handler failed").message;
}
