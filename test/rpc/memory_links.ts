/** Links in memory that a test scripts: how much room there is, what is said back, when they end. */
import {
  ChunkBody,
  type ClientLinks,
  type ClientSink,
  CONTINUE_HEADERS,
  Dispatch,
  END_HEADERS,
  FRAME_BYTES,
  FrameHead,
  type FrameLink,
  type FrameRoute,
  type LinkEnd,
  NO_LINK_ROOM,
  readStreamGrant,
  RequestBody,
  RpcError,
  type RpcHeader,
  writeFrameHead,
  writeRequestGrant,
  writeResponse,
} from "../../src/rpc/mod.ts";
import { responseLength } from "../../src/rpc/wire/mod.ts";

/** What a link has sent: one whole frame. */
export interface SentFrame {
  readonly dispatch: number;
  readonly callLow: number;
  readonly callHigh: number;
  readonly item: number;
  /** Head and body. */
  readonly bytes: Uint8Array;
  /** It was too long for one packet. */
  readonly isLarge: boolean;
}

/** Facts of a {@linkcode MemoryLink}. */
export interface MemoryLinkOptions {
  readonly peer?: bigint;
  readonly isExtended?: boolean;
  readonly frameBytesMax?: number;
  readonly route?: FrameRoute;
}

const ROUTE: FrameRoute = { originLow: 1, originHigh: 2, channelLow: 3, channelHigh: 4 };

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** A link whose other end is the test. */
export class MemoryLink implements FrameLink {
  readonly peer: bigint;
  readonly route: FrameRoute;
  readonly frameBytesMax: number;
  readonly isExtended: boolean;
  isOpen = true;
  bytes = new Uint8Array(0);
  /** Frames that it takes before it has no more room. */
  room = Infinity;
  /** While true, long frames stay under way. */
  holdsLarge = false;
  readonly #frames: { bytes: Uint8Array; isLarge: boolean }[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #large = new Set<Waiter>();

  constructor(options: MemoryLinkOptions = {}) {
    this.peer = options.peer ?? 7n;
    this.isExtended = options.isExtended ?? true;
    this.frameBytesMax = options.frameBytesMax ?? 8_108;
    this.route = options.route ?? ROUTE;
  }

  reserve(length: number): number {
    if (length > this.frameBytesMax) throw new RangeError(`frame of ${length} bytes`);
    if (this.room <= 0) return NO_LINK_ROOM;
    this.room -= 1;
    // Some distance from 0, and an array of its own, so that a writer who assumes either is found out.
    this.bytes = new Uint8Array(16 + length);
    this.#frames.push({ bytes: this.bytes.subarray(16), isLarge: false });
    return 16;
  }

  async sendLarge(
    dispatch: number,
    callLow: number,
    callHigh: number,
    item: number,
    body: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    if (!this.isOpen) throw new RpcError("transport", "link has ended");
    if (!this.isExtended) throw new RpcError("too_large", "body too large for this peer");
    if (this.holdsLarge) await this.#wait(this.#large, signal);
    const bytes = new Uint8Array(FRAME_BYTES + body.length);
    writeFrameHead(bytes, 0, dispatch, this.route, callLow, callHigh, item);
    bytes.set(body, FRAME_BYTES);
    this.#frames.push({ bytes, isLarge: true });
  }

  ready(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (!this.isOpen) return Promise.reject(new RpcError("transport", "link has ended"));
    if (this.room > 0) return Promise.resolve();
    return this.#wait(this.#waiters, signal);
  }

  /** Makes room for so many more frames. */
  addRoom(frames: number): void {
    this.room += frames;
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /** Lets long frames through. */
  releaseLarge(): void {
    this.holdsLarge = false;
    for (const waiter of [...this.#large]) waiter.resolve();
  }

  /** Ends it; the sink is told by who holds the links. */
  close(): void {
    this.isOpen = false;
    const error = new RpcError("transport", "link has ended");
    for (const waiter of [...this.#waiters, ...this.#large]) waiter.reject(error);
  }

  /** What was sent since the last time, in order. */
  take(): SentFrame[] {
    const head = new FrameHead();
    return this.#frames.splice(0).map(({ bytes, isLarge }) => {
      if (!head.read(bytes)) throw new Error("what was sent is no frame");
      const { dispatch, callLow, callHigh, item } = head;
      return { dispatch, callLow, callHigh, item, bytes, isLarge };
    });
  }

  #wait(waiters: Set<Waiter>, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        waiters.delete(waiter);
        signal?.removeEventListener("abort", onAbort);
        action();
      };
      const onAbort = () => settle(() => reject(signal?.reason));
      const waiter: Waiter = {
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      };
      waiters.add(waiter);
      signal?.addEventListener("abort", onAbort);
    });
  }
}

/** Ways to servers that a test opens and closes. */
export class MemoryClientLinks implements ClientLinks {
  /** Takes what the test answers; the engine under test. */
  sink: ClientSink | undefined;
  readonly #ready = new Map<string, MemoryLink>();
  readonly #opening = new Map<string, Set<(link: MemoryLink | RpcError) => void>>();

  ready(target: bigint, service: string): FrameLink | undefined {
    const link = this.#ready.get(`${target} ${service}`);
    return link?.isOpen ? link : undefined;
  }

  open(target: bigint, service: string, signal?: AbortSignal): Promise<FrameLink> {
    const ready = this.ready(target, service);
    if (ready !== undefined) return Promise.resolve(ready);
    const key = `${target} ${service}`;
    const waiting = this.#opening.get(key) ?? new Set();
    this.#opening.set(key, waiting);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        waiting.delete(settle);
        reject(signal?.reason);
      };
      const settle = (outcome: MemoryLink | RpcError) => {
        signal?.removeEventListener("abort", onAbort);
        if (outcome instanceof MemoryLink) resolve(outcome);
        else reject(outcome);
      };
      waiting.add(settle);
      signal?.addEventListener("abort", onAbort);
    });
  }

  /** Calls that wait for this link. */
  opening(target: bigint, service: string): number {
    return this.#opening.get(`${target} ${service}`)?.size ?? 0;
  }

  /** A link is there now. */
  set(target: bigint, service: string, link: MemoryLink): MemoryLink {
    const key = `${target} ${service}`;
    this.#ready.set(key, link);
    for (const settle of this.#opening.get(key) ?? []) settle(link);
    this.#opening.delete(key);
    return link;
  }

  /** It cannot be opened. */
  refuse(target: bigint, service: string, error: RpcError): void {
    const key = `${target} ${service}`;
    for (const settle of this.#opening.get(key) ?? []) settle(error);
    this.#opening.delete(key);
  }

  /** A link ends, and the engine hears of it. */
  end(link: MemoryLink, reason: LinkEnd): void {
    link.close();
    this.sink?.onEnd(link, reason);
  }

  /** Hands a frame to the engine as one that is valid during the call only. */
  deliver(link: MemoryLink, bytes: Uint8Array): void {
    const lent = bytes.slice();
    this.sink?.onFrame(link, lent, false);
    lent.fill(0xee);
  }

  /** Answers a call. */
  respond(link: MemoryLink, to: SentFrame, answer: Answer = {}): void {
    this.deliver(link, encodeAnswer(to, answer));
  }

  /** Lets a call send so many more items. */
  grantRequests(link: MemoryLink, to: SentFrame, credits: number): void {
    const bytes = new Uint8Array(FRAME_BYTES + 12);
    const at = writeFrameHead(
      bytes,
      0,
      Dispatch.requestGrant,
      ROUTE,
      to.callLow,
      to.callHigh,
      0,
    );
    writeRequestGrant(bytes, at, to.callLow, to.callHigh, credits);
    this.deliver(link, bytes);
  }
}

/** A response, as far as it differs from an empty good one. */
export interface Answer {
  readonly status?: number;
  readonly headers?: readonly RpcHeader[];
  readonly body?: Uint8Array;
  readonly item?: number;
}

/** A response to a call. */
export function encodeAnswer(to: SentFrame, answer: Answer): Uint8Array<ArrayBuffer> {
  const { status = 0, headers = [], body = new Uint8Array(0), item = 0 } = answer;
  const bytes = new Uint8Array(FRAME_BYTES + responseLength(headers, body));
  const at = writeFrameHead(bytes, 0, Dispatch.response, ROUTE, to.callLow, to.callHigh, item);
  writeResponse(bytes, at, status, headers, body);
  return bytes;
}

/** Answers of a stream, numbered from `first`; 0 for no numbers. */
export function streamAnswers(bodies: readonly Uint8Array[], first: number): Answer[] {
  const answers: Answer[] = bodies.map((body, at) => ({
    headers: CONTINUE_HEADERS,
    body,
    item: first === 0 ? 0 : first + at,
  }));
  answers.push({ headers: END_HEADERS, item: first === 0 ? 0 : first + bodies.length });
  return answers;
}

/** The chunk in a frame that a link has sent. */
export function chunkOf(frame: SentFrame): ChunkBody {
  const chunk = new ChunkBody();
  if (frame.dispatch !== Dispatch.requestChunk || !chunk.read(frame.bytes, FRAME_BYTES)) {
    throw new Error("it is no chunk");
  }
  return chunk;
}

/** Credits of the stream grants among frames. */
export function streamGrants(frames: readonly SentFrame[]): number[] {
  return frames.filter(({ dispatch }) => dispatch === Dispatch.streamGrant)
    .map(({ bytes }) => readStreamGrant(bytes, FRAME_BYTES) ?? NaN);
}

/** The request in a frame that a link has sent. */
export function requestOf(frame: SentFrame): RequestBody {
  const request = new RequestBody();
  if (frame.dispatch !== Dispatch.request || !request.read(frame.bytes, FRAME_BYTES)) {
    throw new Error("it is no request");
  }
  return request;
}
