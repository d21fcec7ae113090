/**
 * One connection of the line server: reads lines, hands them on when it is its turn, writes replies
 * (`validation.md` 2).
 *
 * It stops reading while too many requests or bytes wait for the client, so a client that does not
 * read costs a bounded amount of memory. Accepting and limits over all connections are the server's.
 */
import type { StreamSocket } from "../kernel/mod.ts";
import { NetError, systemRandom } from "../base/mod.ts";
import { acceptBtsp, type BtspStream, type ByteStream } from "./btsp/mod.ts";
import type { ByteBudget } from "./byte_budget.ts";
import type { ControlCounters } from "./counters.ts";
import { type Dispatcher, refuseCleartext, type RpcLink, type RunningCall } from "./dispatcher.ts";
import { foreignProtocol, RPC_INVALID_REQUEST, RPC_OVERLOADED } from "./json_rpc.ts";
import {
  GONE_LOOK_MS,
  HANDSHAKE_MS,
  LINGER_BYTES_MAX,
  LINGER_MS,
  LINGER_READ_BYTES,
  PROGRESS_BYTES_MAX,
  QUEUED_BYTES_MAX,
  QUEUED_REQUESTS_MAX,
  RETRY_AFTER_MS,
  TURN_LINES_MAX,
  URGENT_BYTES_MAX,
} from "./limits.ts";
import { LineBuffer } from "./line_buffer.ts";
import { LineWriter } from "./line_writer.ts";
import type { Turns } from "./turns.ts";

/** Longest start of a connection that decides whether it is HTTP or TLS. */
const SNIFF_BYTES = 10;

const NEWLINE = 0x0a;
const LATIN1 = new TextDecoder("latin1");

/** What all connections of a server share. */
export interface LineConnectionDeps {
  readonly dispatcher: Dispatcher;
  readonly counters: ControlCounters;
  readonly turns: Turns;
  readonly lineBytesMax: number;
  /** True when only a refusal is spoken in clear text. */
  readonly requiresHandshake: boolean;
  /** What members of the family prove themselves with; `undefined` where there is no BTSP. */
  readonly handshakeKey: () => Uint8Array | undefined;
  /** Milliseconds that never go backwards. */
  readonly now: () => number;
  readonly after: (delayMs: number, action: () => void) => () => void;
}

/** Who is at the other end. */
export interface LinePeer {
  readonly transport: "unix" | "tcp";
  /** True when privileged methods may be called. */
  readonly isTrusted: boolean;
  /** User it belongs to, where that is known. */
  readonly uid: number | undefined;
  /** True when it neither sends nor reads any more; false where that is not known. */
  readonly isPeerGone: () => boolean;
  /** Unread input of all connections of its kind. */
  readonly input: ByteBudget;
  /** Unwritten output of all connections of its kind. */
  readonly output: ByteBudget;
}

/** A connection being served. */
export class LineConnection implements RpcLink {
  readonly transport: "unix" | "tcp";
  readonly isTrusted: boolean;
  readonly uid: number | undefined;
  readonly running: Set<RunningCall> = new Set();
  readonly #deps: LineConnectionDeps;
  readonly #conn: StreamSocket;
  /** What lines are read from and written to: the connection, or a session on it. */
  #stream: ByteStream;
  #session: BtspStream | undefined;
  readonly #input: ByteBudget;
  readonly #isPeerGone: () => boolean;
  readonly #output: ByteBudget;
  readonly #lines: LineBuffer;
  readonly #writer: LineWriter;
  /** Requests taken whose replies are not made. */
  #unanswered = 0;
  #isClosed = false;
  #isEnding = false;
  #wake: (() => void) | undefined;
  /** Handlers that wait to say more. */
  #offering: (() => void)[] = [];
  #readMs: number;
  /** Ends the look whether the client is still there. */
  #cancelLook: () => void = () => {};

  constructor(deps: LineConnectionDeps, conn: StreamSocket, peer: LinePeer) {
    this.#deps = deps;
    this.#conn = conn;
    this.#stream = conn;
    this.#input = peer.input;
    this.transport = peer.transport;
    this.isTrusted = peer.isTrusted;
    this.uid = peer.uid;
    this.#isPeerGone = peer.isPeerGone;
    this.#output = peer.output;
    this.#lines = new LineBuffer(deps.lineBytesMax, peer.input);
    this.#writer = new LineWriter({
      write: (bytes) => this.#stream.write(bytes),
      counters: deps.counters,
      budget: peer.output,
      now: deps.now,
      onRoom: () => this.#onRoom(),
      onFailure: (error) => {
        this.#countFailure(error);
        this.close();
      },
    });
    this.#readMs = deps.now();
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
      this.#countFailure(error);
    } finally {
      this.close();
    }
  }

  /** Milliseconds without a byte in either direction; 0 while a call runs and nothing is to be written. */
  idleMs(nowMs: number): number {
    const isBusy = this.running.size > 0 && !this.#writer.isWriting;
    return isBusy ? 0 : nowMs - Math.max(this.#readMs, this.#writer.movedMs);
  }

  /** Milliseconds that the client has taken nothing of what waits for it. */
  stalledMs(nowMs: number): number {
    return this.#writer.stalledMs(nowMs);
  }

  get isOverloaded(): boolean {
    return this.#output.isSpent;
  }

  /** Takes no more requests, and closes as soon as all replies are written. */
  end(): void {
    this.#isEnding = true;
    this.#wake?.();
    if (this.#isDone) this.close();
  }

  /** Closes at once; calls that still run are aborted. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelLook();
    this.#conn.close();
    for (const call of this.running) call.abort();
    this.#writer.close();
    this.#lines.release();
    this.#session?.release();
    this.#wake?.();
    this.#tellRoom();
  }

  offer(line: string): boolean {
    if (this.#isClosed || this.#writer.bytesWaiting > PROGRESS_BYTES_MAX) return false;
    this.#writer.push(line, false);
    return true;
  }

  untilRoom(): Promise<void> {
    if (this.#isClosed || this.#writer.bytesWaiting <= PROGRESS_BYTES_MAX) return Promise.resolve();
    return new Promise((resolve) => void this.#offering.push(resolve));
  }

  callEnded(): void {
    this.#wake?.();
  }

  #tellRoom(): void {
    if (this.#offering.length === 0) return;
    const waiting = this.#offering;
    this.#offering = [];
    for (const resolve of waiting) resolve();
  }

  /** Reads until the end of the stream; returns the reply that ends the connection, if one does. */
  async #readLines(): Promise<string | undefined> {
    const { counters } = this.#deps;
    let isStart = true;
    while (!this.#isEnding) {
      const space = this.#lines.space();
      if (this.#lines.isStarved) return this.#starved();
      const length = await this.#readSome(space);
      if (length === null) return undefined;
      if (length === "too long") return this.#oversized();
      this.#readMs = this.#deps.now();
      counters.received_bytes_total += length;
      this.#lines.commit(length);
      if (isStart) {
        const start = await this.#look();
        if (start === "session") {
          isStart = false;
          continue;
        }
        if (start !== "lines") return start.refusal;
      }
      isStart &&= this.#lines.pendingBytes < SNIFF_BYTES;
      while (!this.#isEnding) {
        const state = await this.#serve();
        if (state === "too long") return this.#oversized();
        if (state === "done") break;
        isStart = false;
        if (this.#isFull) await this.#untilRoom();
      }
    }
    return undefined;
  }

  /** A frame that is too long is to a session what a line that is too long is to others. */
  async #readSome(space: Uint8Array): Promise<number | null | "too long"> {
    try {
      return await this.#stream.read(space);
    } catch (error) {
      if (error instanceof NetError && error.code === "limit") return "too long";
      throw error;
    }
  }

  /** What the first bytes begin: lines, a session that is open then, or something to be refused. */
  async #look(): Promise<"lines" | "session" | { readonly refusal: string | undefined }> {
    const { dispatcher, requiresHandshake, handshakeKey } = this.#deps;
    const key = handshakeKey();
    const foreign = foreignProtocol(this.#lines.peek());
    if (foreign === "BTSP" && key !== undefined) {
      return await this.#shakeHands(key) ? "session" : { refusal: undefined };
    }
    if (requiresHandshake) return { refusal: refuseCleartext(dispatcher) };
    return foreign === undefined ? "lines" : { refusal: this.#foreign(foreign) };
  }

  /** True when the client is of our family; it was told when it is not. */
  async #shakeHands(handshakeKey: Uint8Array): Promise<boolean> {
    const { after, counters, lineBytesMax } = this.#deps;
    const cancel = after(HANDSHAKE_MS, () => this.close());
    try {
      const session = await acceptBtsp(this.#conn, this.#lines.takeRest().slice(), {
        handshakeKey,
        random: systemRandom,
        canBeClear: this.transport === "unix",
        messageBytesMax: lineBytesMax,
        budget: this.#input,
      });
      if (typeof session === "string") {
        counters.connections_btsp_refused_total++;
        return false;
      }
      // It may have been closed for its slowness, which nothing here has noticed.
      if (this.#isClosed) {
        session.release();
        return false;
      }
      counters.connections_btsp_total++;
      this.#session = session;
      this.#stream = session;
      return true;
    } finally {
      cancel();
    }
  }

  #countFailure(error: unknown): void {
    if (this.#isClosed || isGone(error)) return;
    if (error instanceof NetError) this.#deps.counters.connections_btsp_refused_total++;
    else this.#deps.counters.connections_failed_total++;
  }

  /** Waits for a turn and uses it. */
  async #serve(): Promise<"more" | "done" | "too long"> {
    const { turns } = this.#deps;
    let state: "more" | "done" | "too long" | undefined;
    let wake: (() => void) | undefined;
    turns.enter(() => {
      state = "done";
      this.#writer.collect(() => state = this.#useTurn());
      wake?.();
    }, turns.isBusy && isUrgent(this.#lines.peek()));
    // Most turns are used at once, and then there is nothing to wait for.
    if (state === undefined) await new Promise<void>((resolve) => wake = resolve);
    return state ?? "done";
  }

  #useTurn(): "more" | "done" | "too long" {
    for (let lines = 0; lines < TURN_LINES_MAX; lines++) {
      if (this.#isClosed || this.#isEnding) return "done";
      if (this.#isFull) return "more";
      const line = this.#lines.next();
      if (line === undefined) return this.#lines.isOversized ? "too long" : "done";
      if (line.length > this.#deps.lineBytesMax) return "too long";
      this.#take(line);
    }
    return "more";
  }

  #foreign(protocol: "HTTP" | "TLS" | "BTSP"): string {
    const { counters, dispatcher } = this.#deps;
    if (protocol === "HTTP") counters.connections_http_total++;
    else if (protocol === "TLS") counters.connections_tls_total++;
    else counters.connections_btsp_refused_total++;
    return dispatcher.refuse(
      RPC_INVALID_REQUEST,
      `${protocol} is not spoken here: send one JSON-RPC 2.0 object per line`,
    );
  }

  #oversized(): string {
    this.#deps.counters.connections_oversized_total++;
    return this.#deps.dispatcher.refuse(
      RPC_INVALID_REQUEST,
      `Line too long: must be at most ${this.#deps.lineBytesMax} bytes`,
    );
  }

  #starved(): string {
    this.#deps.counters.connections_starved_total++;
    return this.#deps.dispatcher.refuse(
      RPC_OVERLOADED,
      "Too much unread input: the lines of all connections together fill the room there is",
      { code: "backpressure", retry_after_ms: RETRY_AFTER_MS },
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
    if (typeof reply === "string") {
      this.#writer.push(reply, true);
      return;
    }
    this.#unanswered++;
    reply.then((text) => {
      this.#unanswered--;
      if (text !== undefined) this.#writer.push(text, true);
      else this.#onRoom();
    });
  }

  #takeLastLine(): void {
    const rest = this.#isEnding ? new Uint8Array() : this.#lines.takeRest();
    if (rest.length > 0) this.#take(rest);
  }

  #onRoom(): void {
    this.#wake?.();
    this.#tellRoom();
    if (this.#isEnding && this.#isDone) this.close();
  }

  /** Requests whose replies are not written. */
  get #queued(): number {
    return this.#unanswered + this.#writer.repliesWaiting;
  }

  get #isDone(): boolean {
    return this.#unanswered === 0 && !this.#writer.isWriting;
  }

  get #isFull(): boolean {
    return this.#queued >= QUEUED_REQUESTS_MAX || this.running.size >= QUEUED_REQUESTS_MAX ||
      this.#writer.bytesWaiting >= QUEUED_BYTES_MAX;
  }

  async #untilRoom(): Promise<void> {
    while (this.#isFull && !this.#isClosed && !this.#isEnding) await this.#nextWake();
  }

  async #untilWritten(): Promise<void> {
    while (!this.#isDone && !this.#isClosed) await this.#nextWake();
  }

  /** A client that sends no more may still wait for replies; of one that is gone all calls end. */
  #lookForPeer(): void {
    if (this.#isClosed || this.#isDone) return;
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
    this.#writer.push(line, true);
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

/**
 * True for one short line that asks about health. It is only looked for where somebody has to wait, and what
 * it says is checked like any other line's.
 */
function isUrgent(input: Uint8Array): boolean {
  if (input.length > URGENT_BYTES_MAX || input[input.length - 1] !== NEWLINE) return false;
  return LATIN1.decode(input).includes('"health.');
}

/** Errors that only say that the client has left. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.NotConnected;
}
