/** Calls with a stream in them: which half takes what comes, and what a program holds of them (`nrpc.md` 7 to 9). */
import type { RpcError } from "../error.ts";
import type { ClientStreamCall, DuplexCall } from "../types.ts";
import { type FrameHead, type ResponseBody, Status } from "../wire/mod.ts";
import { statusError } from "./call_errors.ts";
import type { CallTable } from "./call_table.ts";
import { ClientCall } from "./client_call.ts";
import { RequestStream, type RequestStreamOptions } from "./request_stream.ts";
import { ResponseStream, type ResponseStreamOptions } from "./response_stream.ts";
import type { ServiceName } from "./service_names.ts";

const EMPTY = new Uint8Array(0);

/** One body there, many back. */
export class ServerStreamCall extends ClientCall {
  readonly responses: ResponseStream;

  constructor(
    table: CallTable,
    target: bigint,
    service: ServiceName,
    options: ResponseStreamOptions,
  ) {
    super(table, target, service);
    this.responses = new ResponseStream(this, options);
  }

  override onResponse(head: FrameHead, response: ResponseBody, isOwned: boolean): void {
    this.responses.onResponse(head, response, isOwned);
  }

  protected override onOver(error: RpcError | undefined): void {
    this.responses.end(error);
  }
}

/** Many bodies there, one back. */
export class UploadCall extends ClientCall {
  requests: RequestStream | undefined;
  #body: Uint8Array = EMPTY;
  #answer: PromiseWithResolvers<Uint8Array> | undefined;

  /** Opens the sending half; the link is there. */
  start(options: RequestStreamOptions): RequestStream {
    return this.requests = new RequestStream(this, options);
  }

  /** The answer; asked for only when somebody waits for it, so that no failure goes unheard. */
  answer(): Promise<Uint8Array> {
    if (this.#answer === undefined) {
      this.#answer = Promise.withResolvers();
      if (this.isOver) this.#settle(this.outcome);
    }
    return this.#answer.promise;
  }

  override onResponse(_head: FrameHead, response: ResponseBody, isOwned: boolean): void {
    this.responseBytes = response.body.length;
    if (response.status !== Status.ok) {
      this.fail(statusError(this, response), false);
      return;
    }
    this.#body = isOwned ? response.body : this.table.copies.copy(response.body);
    this.succeed();
  }

  override onRequestGrant(credits: number): void {
    this.requests?.onGrant(credits);
  }

  protected override onOver(error: RpcError | undefined): void {
    this.requests?.end();
    this.#settle(error);
  }

  #settle(error: RpcError | undefined): void {
    if (error === undefined) this.#answer?.resolve(this.#body);
    else this.#answer?.reject(error);
  }
}

/** Many bodies both ways. */
export class TwoWayCall extends ServerStreamCall {
  requests: RequestStream | undefined;

  /** Opens the sending half; the link is there. */
  start(options: RequestStreamOptions): RequestStream {
    return this.requests = new RequestStream(this, options);
  }

  override onRequestGrant(credits: number): void {
    this.requests?.onGrant(credits);
  }

  protected override onOver(error: RpcError | undefined): void {
    this.requests?.end();
    super.onOver(error);
  }
}

/** What a program holds of an upload. */
export class Upload implements ClientStreamCall {
  readonly #call: UploadCall;
  readonly #requests: RequestStream;
  #isFinished = false;

  constructor(call: UploadCall, requests: RequestStream) {
    this.#call = call;
    this.#requests = requests;
  }

  get target(): bigint {
    return this.#call.target;
  }

  get callId(): bigint {
    return this.#call.callId;
  }

  get credit(): number | undefined {
    return this.#requests.credit;
  }

  send(body: Uint8Array): Promise<void> {
    return this.#requests.send(body);
  }

  finish(last?: Uint8Array): Promise<Uint8Array> {
    const call = this.#call;
    const answer = call.answer();
    if (!call.isOver && !this.#isFinished) {
      this.#isFinished = true;
      this.#requests.finish(last).catch((error: RpcError) => call.fail(error, true));
    }
    return answer;
  }

  cancel(reason?: unknown): void {
    this.#call.onCancel(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel("it was disposed of");
    return Promise.resolve();
  }
}

/** What a program holds of a call with streams both ways. */
export class Duplex implements DuplexCall {
  readonly requests: RequestStream;
  readonly responses: ResponseStream;
  readonly #call: TwoWayCall;

  constructor(call: TwoWayCall, requests: RequestStream) {
    this.#call = call;
    this.requests = requests;
    this.responses = call.responses;
  }

  get target(): bigint {
    return this.#call.target;
  }

  get callId(): bigint {
    return this.#call.callId;
  }

  cancel(reason?: unknown): void {
    this.#call.onCancel(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cancel("it was disposed of");
    return Promise.resolve();
  }
}
