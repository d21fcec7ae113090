/** One name that is served: its handler, how much of it may run, who calls it. */
import { highHalf, idToHex, lowHalf, utf8 } from "../../base/mod.ts";
import { deriveChannelHash } from "../../core/crypto/mod.ts";
import { Timed } from "../engine/timer_heap.ts";
import type { FrameSink, Listening, ServerPeer, ServerSink } from "../link/mod.ts";
import type { ServiceMeter } from "../metrics/mod.ts";
import type {
  CallShape,
  ClientStreamHandler,
  DuplexHandler,
  ServeHandle,
  ServeOptions,
  StreamHandler,
  UnaryHandler,
} from "../types.ts";
import { requestChannelName } from "../wire/mod.ts";
import { CallerSink } from "./caller_sink.ts";
import {
  CLOSE_GRACE_MS,
  HANDLER_TIMEOUT_MS,
  RUNNING_MAX,
  RUNNING_PER_PEER_MAX,
  UPLOAD_WINDOW,
} from "./limits.ts";
import { ReplyQueue } from "./reply_queue.ts";
import type { ServerEngine } from "./rpc_server.ts";
import type { ServerCall } from "./server_call.ts";

/** A handler and what kind of calls it is for. */
export type ShapedHandler =
  | { readonly shape: "unary"; readonly handle: UnaryHandler }
  | { readonly shape: "server_stream"; readonly handle: StreamHandler }
  | { readonly shape: "client_stream"; readonly handle: ClientStreamHandler }
  | { readonly shape: "duplex"; readonly handle: DuplexHandler };

/** Ends the wait for handlers that do not mind their signal. */
class Grace extends Timed {
  override readonly onDue: () => void;

  constructor(onDue: () => void) {
    super();
    this.onDue = onDue;
  }
}

/** A service, as the program that serves it sees it. */
export class ServedName implements ServerSink, ServeHandle {
  readonly name: string;
  readonly handler: ShapedHandler;
  readonly meter: ServiceMeter;
  readonly replies: ReplyQueue;
  readonly channelLow: number;
  readonly channelHigh: number;
  readonly runningMax: number;
  readonly runningPerPeerMax: number;
  readonly handlerTimeoutMs: number;
  readonly requestWindow: number;
  /** Each item of a request is booked by itself. */
  readonly isUpload: boolean;
  /** Its calls go on until they are ended. */
  readonly isOpenEnded: boolean;
  running = 0;
  /** Calls that are not over: handlers may outlast theirs, and long answers their handler. */
  open = 0;
  /** New calls are refused. */
  isClosing = false;
  readonly #engine: ServerEngine;
  readonly #bytes: Uint8Array;
  readonly #callers = new Set<CallerSink>();
  readonly #onClosed: () => void;
  #listening: Listening | undefined;
  #closed: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #grace: Grace | undefined;
  #isGivenUp = false;

  /** @throws RangeError when an option is no sensible number. */
  constructor(
    engine: ServerEngine,
    name: string,
    handler: ShapedHandler,
    options: ServeOptions,
    onClosed: () => void,
  ) {
    const { runningMax = RUNNING_MAX, handlerTimeoutMs = HANDLER_TIMEOUT_MS } = options;
    const { requestWindow = UPLOAD_WINDOW } = options;
    const perPeerMax = options.runningMax === undefined ? RUNNING_PER_PEER_MAX : runningMax;
    const { runningPerPeerMax = perPeerMax } = options;
    checkCount("runningMax", runningMax, 1);
    checkCount("runningPerPeerMax", runningPerPeerMax, 1);
    checkCount("handlerTimeoutMs", handlerTimeoutMs, 0);
    checkCount("requestWindow", requestWindow, 1);
    this.#engine = engine;
    this.name = name;
    this.handler = handler;
    this.meter = engine.meters.of(name);
    this.isUpload = handler.shape === "client_stream" || handler.shape === "duplex";
    this.replies = new ReplyQueue(this.meter, () => this.#checkIdle());
    const hash = deriveChannelHash(requestChannelName(name));
    this.channelLow = lowHalf(hash);
    this.channelHigh = highHalf(hash);
    this.runningMax = runningMax;
    this.runningPerPeerMax = runningPerPeerMax;
    this.handlerTimeoutMs = handlerTimeoutMs;
    this.requestWindow = requestWindow;
    this.isOpenEnded = options.isOpenEnded ?? false;
    this.#bytes = utf8(name);
    this.#onClosed = onClosed;
  }

  get service(): string {
    return this.name;
  }

  get shape(): CallShape {
    return this.handler.shape;
  }

  /** Begins to take calls. */
  listen(): void {
    this.#listening = this.#engine.links.listen(this.name, this);
    this.meter.holders += 1;
  }

  /** True when the text at this place is the service's name. */
  isNamed(bytes: Uint8Array, at: number, length: number): boolean {
    const name = this.#bytes;
    if (length !== name.length) return false;
    for (let index = 0; index < length; index++) {
      if (bytes[at + index] !== name[index]) return false;
    }
    return true;
  }

  onPeer(peer: ServerPeer): FrameSink {
    const caller = new CallerSink(this.#engine, this, peer);
    this.#callers.add(caller);
    return caller;
  }

  /** A caller is gone. */
  forget(caller: CallerSink): void {
    this.#callers.delete(caller);
  }

  /** Books a handler that begins. */
  onHandlerStart(): void {
    this.open += 1;
    this.running += 1;
    this.meter.handlerInvocations += 1;
    this.meter.handlersRunning += 1;
  }

  /** Books a handler that is through. */
  onHandlerEnd(durationMs: number): void {
    this.running -= 1;
    this.meter.handlersRunning -= 1;
    this.meter.handlerDuration.observe(durationMs);
    this.#checkIdle();
  }

  /** Books a call that is over. */
  onCallEnd(): void {
    this.open -= 1;
    this.#checkIdle();
  }

  /** A handler threw what it should not have. */
  onPanic(call: ServerCall, text: string): void {
    this.meter.handlerPanics += 1;
    this.#engine.log.warn("rpc_handler_failed", {
      service: this.name,
      caller: idToHex(call.caller),
      reason: text,
    });
  }

  close(options: { readonly isPatient?: boolean; readonly why?: string } = {}): Promise<void> {
    const { isPatient = true, why = `service "${this.name}" was closed` } = options;
    this.isClosing = true;
    this.#listening?.withdraw();
    if (!isPatient) {
      this.stop(why);
      this.#beginGrace();
    }
    return this.#closed ??= this.#finish();
  }

  /** Ends what runs: callers are told at once. */
  stop(why: string): void {
    this.isClosing = true;
    for (const caller of this.#callers) caller.stop(why);
  }

  /** Whoever waits for the end of it waits no longer for handlers that go on. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#checkIdle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #isIdle(): boolean {
    return this.#isGivenUp ||
      this.running === 0 && this.open === 0 && this.replies.waiting === 0;
  }

  #checkIdle(): void {
    if (this.#onIdle !== undefined && this.#isIdle) this.#onIdle();
  }

  #beginGrace(): void {
    if (this.#grace !== undefined || this.#isIdle) return;
    const { timers, clock } = this.#engine;
    this.#grace = new Grace(() => this.giveUp());
    timers.add(this.#grace, clock.now() + CLOSE_GRACE_MS);
  }

  /** Waits for what runs and for its answers to leave, then hears nobody any more. */
  async #finish(): Promise<void> {
    if (!this.#isIdle) await new Promise<void>((resolve) => this.#onIdle = resolve);
    if (this.#grace !== undefined) this.#engine.timers.remove(this.#grace);
    this.#listening?.end();
    this.meter.holders -= 1;
    this.#onClosed();
  }
}

function checkCount(name: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new RangeError(`Cannot serve: ${name} is ${value}, must be a whole number from ${min} on`);
}
