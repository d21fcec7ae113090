/**
 * One connection of the line server: reads lines, hands them on, writes replies (`validation.md` 2).
 *
 * It stops reading while too many requests or bytes wait for the client, so a client that does not
 * read costs a bounded amount of memory. Accepting and limits over all connections are the server's.
 */
import type { ControlCounters } from "./counters.ts";
import { type Dispatcher, refuseCleartext, type RpcLink, type RunningCall } from "./dispatcher.ts";
import { foreignProtocol, RPC_INVALID_REQUEST } from "./json_rpc.ts";
import {
  GONE_LOOK_MS,
  LINGER_BYTES_MAX,
  LINGER_MS,
  LINGER_READ_BYTES,
  PROGRESS_BYTES_MAX,
  QUEUED_BYTES_MAX,
  QUEUED_REQUESTS_MAX,
} from "./limits.ts";
import { LineBuffer } from "./line_buffer.ts";

/** Longest start of a connection that decides whether it is HTTP or TLS. */
const HTTP_SNIFF_BYTES = 10;

const ENCODER = new TextEncoder();

/** What all connections of a server share. */
export interface LineConnectionDeps {
  readonly dispatcher: Dispatcher;
  readonly counters: ControlCounters;
  readonly lineBytesMax: number;
  /** True when only a refusal is spoken in clear text. */
  readonly requiresHandshake: boolean;
  /** Milliseconds that never go backwards. */
  readonly now: () => number;
  readonly after: (delayMs: number, action: () => void) => () => void;
}

/** Who is at the other end. */
export interface LinePeer {
  readonly transport: "unix" | "tcp";
  /** True when privileged methods may be called. */
  readonly isTrusted: boolean;
  /** True when it neither sends nor reads any more; false where that is not known. */
  readonly isPeerGone: () => boolean;
}

/** A connection being served. */
export class LineConnection implements RpcLink {
  readonly transport: "unix" | "tcp";
  readonly isTrusted: boolean;
  readonly running: Set<RunningCall> = new Set();
  readonly #deps: LineConnectionDeps;
  readonly #conn: Deno.Conn;
  readonly #isPeerGone: () => boolean;
  #lines: LineBuffer;
  #out: string[] = [];
  #outBytes = 0;
  /** How many of `#out` are replies. */
  #outReplies = 0;
  /** Requests taken whose replies are not written. */
  #queued = 0;
  #isWriting = false;
  #isClosed = false;
  #isEnding = false;
  #wake: (() => void) | undefined;
  /** Handlers that wait to say more. */
  #offering: (() => void)[] = [];
  #lastActiveMs: number;
  /** Ends the look whether the client is still there. */
  #cancelLook: () => void = () => {};

  constructor(deps: LineConnectionDeps, conn: Deno.Conn, peer: LinePeer) {
    this.#deps = deps;
    this.#conn = conn;
    this.transport = peer.transport;
    this.isTrusted = peer.isTrusted;
    this.#isPeerGone = peer.isPeerGone;
    this.#lines = new LineBuffer(deps.lineBytesMax);
    this.#lastActiveMs = deps.now();
  }

  /** Serves until the connection is closed. Never rejects. */
  async run(): Promise<void> {
    try {
      const refusal = await this.#readLines();
      if (refusal === undefined) {
        this.#takeLastLine();
        this.#lookForPeer();
        await this.#untilWritten();
      } else await this.#refuse(refusal);
    } catch (error) {
      if (!this.#isClosed && !isGone(error)) this.#deps.counters.connections_failed_total++;
    } finally {
      this.close();
    }
  }

  /** Milliseconds without a byte in either direction; 0 while a call runs and writing goes on. */
  idleMs(nowMs: number): number {
    const isBusy = this.running.size > 0 && !this.#isWriting;
    return isBusy ? 0 : nowMs - this.#lastActiveMs;
  }

  /** Takes no more requests, and closes as soon as all replies are written. */
  end(): void {
    this.#isEnding = true;
    this.#wake?.();
    if (this.#queued === 0 && !this.#isWriting) this.close();
  }

  /** Closes at once; calls that still run are aborted. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelLook();
    this.#conn.close();
    for (const call of this.running) call.abort();
    this.#deps.counters.replies_dropped_total += this.#outReplies;
    this.#out = [];
    this.#wake?.();
    this.#tellRoom();
  }

  offer(line: string): boolean {
    if (this.#isClosed || this.#outBytes > PROGRESS_BYTES_MAX) return false;
    this.#push(line);
    return true;
  }

  untilRoom(): Promise<void> {
    if (this.#isClosed || this.#outBytes <= PROGRESS_BYTES_MAX) return Promise.resolve();
    return new Promise((resolve) => void this.#offering.push(resolve));
  }

  #tellRoom(): void {
    if (this.#offering.length === 0) return;
    const waiting = this.#offering;
    this.#offering = [];
    for (const resolve of waiting) resolve();
  }

  /** Reads until the end of the stream; returns the reply that ends the connection, if one does. */
  async #readLines(): Promise<string | undefined> {
    const { counters, dispatcher, requiresHandshake } = this.#deps;
    let isStart = true;
    while (!this.#isEnding) {
      const length = await this.#conn.read(this.#lines.space());
      if (length === null) return undefined;
      this.#lastActiveMs = this.#deps.now();
      counters.received_bytes_total += length;
      this.#lines.commit(length);
      if (isStart && requiresHandshake) return refuseCleartext(dispatcher);
      const foreign = isStart ? foreignProtocol(this.#lines.peek()) : undefined;
      if (foreign !== undefined) {
        if (foreign === "HTTP") counters.connections_http_total++;
        else counters.connections_tls_total++;
        return dispatcher.refuse(
          RPC_INVALID_REQUEST,
          `${foreign} is not spoken here: send one JSON-RPC 2.0 object per line`,
        );
      }
      isStart &&= this.#lines.pendingBytes < HTTP_SNIFF_BYTES;
      for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
        isStart = false;
        if (line.length > this.#deps.lineBytesMax) return this.#oversized();
        this.#take(line);
        if (this.#isFull) await this.#untilRoom();
        if (this.#isEnding) return undefined;
      }
      if (this.#lines.isOversized) return this.#oversized();
    }
    return undefined;
  }

  #oversized(): string {
    this.#deps.counters.connections_oversized_total++;
    return this.#deps.dispatcher.refuse(
      RPC_INVALID_REQUEST,
      `Line too long: must be at most ${this.#deps.lineBytesMax} bytes`,
    );
  }

  #take(line: Uint8Array): void {
    this.#deps.counters.lines_total++;
    if (isBlank(line)) {
      this.#deps.counters.lines_blank_total++;
      return;
    }
    const reply = this.#deps.dispatcher.dispatch(line, this);
    if (reply === undefined) return;
    this.#queued++;
    if (typeof reply === "string") this.#reply(reply);
    else reply.then((text) => this.#reply(text));
  }

  #takeLastLine(): void {
    const rest = this.#isEnding ? new Uint8Array() : this.#lines.takeRest();
    if (rest.length > 0) this.#take(rest);
  }

  #reply(text: string | undefined): void {
    if (text === undefined) {
      this.#queued--;
      this.#afterWrite();
    } else if (this.#isClosed) {
      this.#queued--;
      this.#deps.counters.replies_dropped_total++;
    } else {
      this.#outReplies++;
      this.#push(text);
    }
  }

  /** Lines pushed in one turn go out in one write. */
  #push(line: string): void {
    this.#out.push(line);
    this.#outBytes += line.length + 1;
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => void this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#out.length > 0 && !this.#isClosed) {
        const bytes = ENCODER.encode(`${this.#out.join("\n")}\n`);
        const [replies, size] = [this.#outReplies, this.#outBytes];
        this.#out = [];
        this.#outReplies = 0;
        let offset = 0;
        while (offset < bytes.length) {
          const written = await this.#conn.write(bytes.subarray(offset));
          offset += written;
          this.#deps.counters.sent_bytes_total += written;
          this.#lastActiveMs = this.#deps.now();
        }
        this.#outBytes -= size;
        this.#queued -= replies;
        this.#wake?.();
        this.#tellRoom();
      }
    } catch (error) {
      if (!this.#isClosed && !isGone(error)) this.#deps.counters.connections_failed_total++;
      this.close();
    } finally {
      this.#isWriting = false;
      this.#afterWrite();
    }
  }

  #afterWrite(): void {
    this.#wake?.();
    if (this.#isEnding && this.#queued === 0 && !this.#isWriting) this.close();
  }

  get #isFull(): boolean {
    return this.#queued >= QUEUED_REQUESTS_MAX || this.#outBytes >= QUEUED_BYTES_MAX;
  }

  async #untilRoom(): Promise<void> {
    while (this.#isFull && !this.#isClosed && !this.#isEnding) await this.#nextWake();
  }

  async #untilWritten(): Promise<void> {
    while ((this.#queued > 0 || this.#isWriting) && !this.#isClosed) await this.#nextWake();
  }

  /** A client that sends no more may still wait for replies; of one that is gone all calls end. */
  #lookForPeer(): void {
    if (this.#isClosed || (this.#queued === 0 && !this.#isWriting)) return;
    if (this.#isPeerGone()) this.close();
    else this.#cancelLook = this.#deps.after(GONE_LOOK_MS, () => this.#lookForPeer());
  }

  async #nextWake(): Promise<void> {
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.#wake = undefined;
  }

  /**
   * Sends the last line, then throws unread input away for a while: closing with unread input would
   * reset the connection and take the line with it.
   */
  async #refuse(line: string): Promise<void> {
    this.#queued++;
    this.#reply(line);
    await this.#untilWritten();
    if (this.#isClosed) return;
    await this.#conn.closeWrite();
    const cancel = this.#deps.after(LINGER_MS, () => this.close());
    try {
      // Not the buffer of lines: a line that is too long has filled it, and no room reads as no wait.
      const waste = new Uint8Array(LINGER_READ_BYTES);
      for (let bytes = 0; bytes < LINGER_BYTES_MAX;) {
        const length = await this.#conn.read(waste);
        if (length === null) break;
        bytes += length;
        this.#deps.counters.received_bytes_total += length;
      }
    } finally {
      cancel();
    }
  }
}

function isBlank(line: Uint8Array): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09) return false;
  return true;
}

/** Errors that only say that the client has left. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.NotConnected;
}
