/** A call with one body each way, or with an upload that is answered once: one answer (`nrpc.md` 6, 8). */
import { BODY_BYTES_MAX, NO_HEADERS, Status } from "../wire/mod.ts";
import { failure, sendFailure, tooLargeFailure } from "./failure.ts";
import { retryHeader } from "./overload.ts";
import { isLargeResponse, sendResponse } from "./reply_writer.ts";
import { ServerCall } from "./server_call.ts";

/** What a caller is told to wait when too many long answers are under way. */
const LARGE_RETRY_MS = 1_000;

/** A call that is answered once. */
export abstract class AnsweredCall extends ServerCall {
  protected override readonly kind = "handler";

  /** Takes what the handler returned. */
  protected settle(answer: Uint8Array | Promise<Uint8Array>): void {
    if (answer instanceof Uint8Array) {
      this.endHandler();
      return this.answer(answer);
    }
    if (!this.isBooked) this.book();
    Promise.resolve(answer).then((body) => {
      this.endHandler();
      this.answer(body);
    }, (error) => {
      this.endHandler();
      this.failWith(error);
    });
  }

  /** Answers, if the call has not ended. */
  protected answer(body: Uint8Array): void {
    if (this.isOver) return;
    const { link } = this;
    if (!(body instanceof Uint8Array)) {
      return this.failWith(new TypeError(`answer is ${typeof body}, must be Uint8Array`));
    }
    if (isLargeResponse(link, NO_HEADERS, body)) return void this.#answerLarge(body);
    this.responseBytes = body.length;
    this.over("ok");
    this.reply(0, Status.ok, NO_HEADERS, body);
  }

  async #answerLarge(body: Uint8Array): Promise<void> {
    const { link, callLow, callHigh } = this;
    const { share } = this.sink;
    const bytesMax = link.isExtended ? BODY_BYTES_MAX : link.frameBytesMax;
    if (!link.isExtended || body.length > bytesMax) {
      return this.fail(tooLargeFailure(body.length, bytesMax));
    }
    if (!this.isBooked) this.book();
    this.responseBytes = body.length;
    if (!await this.#takeRoom(body.length)) return;
    try {
      // A cancel, the deadline and the end of the caller stop it.
      await sendResponse(link, callLow, callHigh, 0, Status.ok, NO_HEADERS, body, this.signal);
      if (!this.isOver) this.over("ok");
    } catch (error) {
      this.fail(sendFailure(error));
    } finally {
      share.releaseReply(body.length);
    }
  }

  /**
   * Takes room for a long answer, behind those in front of it; false when the call has ended. A handler has run:
   * that there is no room is no reason to ask another node (status 4 would say so).
   */
  async #takeRoom(bytes: number): Promise<boolean> {
    const { share } = this.sink;
    if (share.takeReply(bytes)) return true;
    if (!share.hold(bytes)) {
      const text = "the answer was dropped: too many long ones wait to leave";
      this.fail(failure(Status.internal, text, [retryHeader(LARGE_RETRY_MS)]));
      return false;
    }
    await share.awaitReply(bytes);
    share.release(bytes);
    if (!this.isOver) return true;
    share.releaseReply(bytes);
    return false;
  }
}

/** A unary call. */
export class UnaryCall extends AnsweredCall {
  override run(body: Uint8Array): void {
    const { handler } = this.sink.service;
    if (handler.shape === "unary") this.settle(handler.handle(body, this));
  }
}
