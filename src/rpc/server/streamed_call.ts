/** Calls with a stream in them: answers, uploads, both (`nrpc.md` 7 to 9). */
import type { FrameLink } from "../link/mod.ts";
import type { CallOutcome } from "../metrics/mod.ts";
import {
  CREDITS_MAX,
  type FrameHead,
  HeaderName,
  headerNumber,
  type RequestBody,
} from "../wire/mod.ts";
import type { CallerSink } from "./caller_sink.ts";
import { ResponsePump } from "./response_pump.ts";
import { ServerCall } from "./server_call.ts";
import { AnsweredCall } from "./unary_call.ts";
import { UploadItems } from "./upload_items.ts";

/** A call that is answered with a stream. */
export abstract class StreamedCall extends ServerCall {
  readonly pump: ResponsePump;

  constructor(
    sink: CallerSink,
    link: FrameLink,
    head: FrameHead,
    request: RequestBody,
    window: number | undefined,
  ) {
    super(sink, link, head, request);
    this.pump = new ResponsePump(this, window);
  }

  override onStreamGrant(credits: number): void {
    this.touch();
    this.pump.onGrant(credits);
  }

  /** The handler gave an item, or could not for want of room. */
  onItem(): void {
    this.touch();
  }

  /** All items have left but the end. */
  finish(): void {
    if (!this.isOver) this.over("ok");
  }

  protected async send(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    await this.pump.run(source);
    this.endHandler();
  }

  protected override get isCallerAwaited(): boolean {
    return this.pump.isWaiting;
  }

  protected override failureItem(): number {
    return this.pump.nextItem;
  }

  protected override over(outcome: CallOutcome, text?: string): void {
    super.over(outcome, text);
    this.pump.wake();
  }
}

/** One body, answered with a stream. */
export class ServerStreamCall extends StreamedCall {
  protected override readonly kind = "handler";

  constructor(sink: CallerSink, link: FrameLink, head: FrameHead, request: RequestBody) {
    super(sink, link, head, request, headerNumber(request.headers, HeaderName.streamWindow));
  }

  override run(body: Uint8Array): void {
    const { handler } = this.sink.service;
    if (handler.shape !== "server_stream") return;
    this.book();
    void this.send(handler.handle(body, this));
  }
}

/** An upload, answered once. */
export class ClientStreamCall extends AnsweredCall {
  protected override readonly upload: UploadItems;

  constructor(sink: CallerSink, link: FrameLink, head: FrameHead, request: RequestBody) {
    super(sink, link, head, request);
    this.upload = uploadOf(this, head, request);
  }

  override run(body: Uint8Array): void {
    const { handler } = this.sink.service;
    if (handler.shape !== "client_stream") return;
    this.book();
    this.upload.onFirst(body);
    if (!this.isOver) this.settle(handler.handle(this.upload, this));
    else this.endHandler();
  }
}

/** Streams both ways. */
export class DuplexCall extends StreamedCall {
  protected override readonly kind = "duplex handler";
  protected override readonly upload: UploadItems;

  constructor(sink: CallerSink, link: FrameLink, head: FrameHead, request: RequestBody) {
    // The Rust core neither minds this window nor grants any (`nrpc.md` 9); peers of ours do both.
    const window = link.isExtended
      ? headerNumber(request.headers, HeaderName.streamWindow)
      : undefined;
    super(sink, link, head, request, window);
    this.upload = uploadOf(this, head, request);
  }

  override run(body: Uint8Array): void {
    const { handler } = this.sink.service;
    if (handler.shape !== "duplex") return;
    this.book();
    this.upload.onFirst(body);
    if (!this.isOver) void this.send(handler.handle(this.upload, this));
    else this.endHandler();
  }
}

function uploadOf(call: ServerCall, head: FrameHead, request: RequestBody): UploadItems {
  const said = headerNumber(request.headers, HeaderName.requestWindow);
  const window = said === undefined ? undefined : Math.max(1, Math.min(CREDITS_MAX, said));
  const { requestWindow } = call.sink.service;
  const first = { item: head.item, flags: request.flags };
  return new UploadItems(call, first, window, requestWindow);
}
