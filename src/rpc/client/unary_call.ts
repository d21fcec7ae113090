/** A call with one body each way (`nrpc.md` 6). */
import type { RpcError } from "../error.ts";
import type { FrameHead, ResponseBody } from "../wire/mod.ts";
import { CONTINUE_HEADERS, END_HEADERS, Status } from "../wire/mod.ts";
import { shapeError, statusError } from "./call_errors.ts";
import { ClientCall } from "./client_call.ts";
import type { CallTable } from "./call_table.ts";
import type { ServiceName } from "./service_names.ts";

const EMPTY = new Uint8Array(0);

/** A unary call; its promise settles once. */
export class UnaryCall extends ClientCall {
  readonly answer: Promise<Uint8Array>;
  #body: Uint8Array = EMPTY;
  #resolve!: (body: Uint8Array) => void;
  #reject!: (error: RpcError) => void;

  constructor(table: CallTable, target: bigint, service: ServiceName) {
    super(table, target, service);
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  override onResponse(_head: FrameHead, response: ResponseBody, isOwned: boolean): void {
    this.responseBytes = response.body.length;
    if (response.status !== Status.ok) {
      this.fail(statusError(this, response), false);
      return;
    }
    const { headers } = response;
    // The first of many is no answer: whoever took it for one would miss the others.
    if (headers === CONTINUE_HEADERS || headers === END_HEADERS) {
      this.fail(shapeError(this), headers === CONTINUE_HEADERS);
      return;
    }
    this.#body = isOwned ? response.body : this.table.copies.copy(response.body);
    this.succeed();
  }

  protected override onOver(error: RpcError | undefined): void {
    if (error === undefined) this.#resolve(this.#body);
    else this.#reject(error);
  }
}
