/**
 * A raw connection of the validator: it trusts nothing that comes back and waits for nothing without
 * a limit (`validation.md` 5.3).
 */
import { NetError } from "../base/mod.ts";
import { type ByteStream, deriveHandshakeKey, LineBuffer, openBtsp } from "../control/mod.ts";
import { Budget } from "./budget.ts";
import { type ConnectFailure, connectTo, type Resolver } from "./connect.ts";
import type { Endpoint } from "./endpoint.ts";
import { LATE, within } from "./within.ts";

/** Why no reply came. */
export type LinkFailureOutcome =
  | ConnectFailure["outcome"]
  | "response_timeout"
  | "closed"
  | "oversized"
  | "btsp_required";

/** A failure below the message. */
export interface LinkFailure {
  readonly outcome: LinkFailureOutcome;
  readonly message: string;
  /** Bytes after the last newline of a connection that was closed. */
  readonly rest?: Uint8Array<ArrayBuffer>;
}

/** Options of {@linkcode openProbeLink}. */
export interface OpenProbeLinkOptions {
  readonly connectTimeoutMs: number;
  /** Longest reply line in bytes. */
  readonly lineBytesMax: number;
  /** True to take an empty line for a reply instead of passing over it. */
  readonly isKeepingBlankLines?: boolean;
  /** Seed of a family, to speak BTSP; clear text is spoken without it. */
  readonly familySeed?: Uint8Array;
  readonly resolve?: Resolver;
  readonly signal?: AbortSignal;
}

/** An open connection. */
export interface ProbeLink {
  /** Sends text as it is; false when the other side has gone or does not read in time. */
  send(text: string, timeoutMs: number): Promise<boolean>;
  /** The next line. */
  readLine(timeoutMs: number): Promise<Uint8Array<ArrayBuffer> | LinkFailure>;
  /** What comes within so long, besides the lines that were read. */
  listen(durationMs: number): Promise<"nothing" | "bytes" | "end">;
  close(): void;
}

/** True for a failure, false for a line or a link. */
export function isLinkFailure(value: ProbeLink | Uint8Array | LinkFailure): value is LinkFailure {
  return !(value instanceof Uint8Array) && "outcome" in value;
}

/**
 * Connects.
 *
 * @throws The signal's reason when it aborts.
 */
export async function openProbeLink(
  endpoint: Endpoint,
  options: OpenProbeLinkOptions,
): Promise<ProbeLink | LinkFailure> {
  const { connectTimeoutMs: timeoutMs, signal, resolve } = options;
  const budget = new Budget(timeoutMs, () => performance.now());
  const result = await connectTo(endpoint, { timeoutMs, signal, resolve });
  if ("outcome" in result) return result;
  const { familySeed } = options;
  return familySeed === undefined
    ? new Link(result, result, options)
    : await openSession(result, familySeed, budget.remainingMs, options);
}

/** Speaks BTSP: what is sent and read is wrapped from here on (`validation.md` 8). */
async function openSession(
  conn: Deno.Conn,
  familySeed: Uint8Array,
  timeoutMs: number,
  options: OpenProbeLinkOptions,
): Promise<ProbeLink | LinkFailure> {
  const { lineBytesMax, signal } = options;
  try {
    const opening = openBtsp(conn, deriveHandshakeKey(familySeed), lineBytesMax);
    const stream = await within(opening, timeoutMs, signal);
    if (stream !== LATE) return new Link(conn, stream, options);
    conn.close();
    const message = `no BTSP handshake within ${Math.round(timeoutMs)} ms`;
    return { outcome: "response_timeout", message };
  } catch (error) {
    conn.close();
    signal?.throwIfAborted();
    // What a member without BTSP sends is no frame either.
    const isRefused = error instanceof NetError && error.code === "handshake_refused";
    const reason = isRefused
      ? error.message
      : "Cannot open BTSP session: the member does not speak it";
    return { outcome: "btsp_required", message: reason };
  }
}

class Link implements ProbeLink {
  readonly #conn: Deno.Conn;
  /** The connection, or the session over it. */
  readonly #stream: ByteStream;
  readonly #lines: LineBuffer;
  readonly #options: OpenProbeLinkOptions;
  #reading: Promise<number | null> | undefined;
  #isClosed = false;

  constructor(conn: Deno.Conn, stream: ByteStream, options: OpenProbeLinkOptions) {
    this.#conn = conn;
    this.#stream = stream;
    this.#lines = new LineBuffer(options.lineBytesMax);
    this.#options = options;
  }

  async send(text: string, timeoutMs: number): Promise<boolean> {
    const { signal } = this.#options;
    try {
      return await within(this.#writeAll(text), timeoutMs, signal) !== LATE;
    } catch {
      signal?.throwIfAborted();
      return false;
    }
  }

  async #writeAll(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#stream.write(bytes.subarray(offset));
    }
  }

  async readLine(timeoutMs: number): Promise<Uint8Array<ArrayBuffer> | LinkFailure> {
    const { lineBytesMax, isKeepingBlankLines } = this.#options;
    const endMs = performance.now() + timeoutMs;
    let blankLines = 0;
    while (true) {
      const line = this.#lines.next();
      if (line !== undefined && line.length === 0 && !isKeepingBlankLines) {
        blankLines += 1;
        // A flood of empty lines never waits, so the timer alone would not end it.
        if (performance.now() > endMs) return this.#late(timeoutMs, blankLines);
        continue;
      }
      if (line !== undefined) return line.length > lineBytesMax ? this.#oversized() : line.slice();
      if (this.#lines.isOversized) return this.#oversized();
      const length = await this.#read(endMs - performance.now());
      if (length === LATE) return this.#late(timeoutMs, blankLines);
      if (length === null) return this.#ended();
    }
  }

  async listen(durationMs: number): Promise<"nothing" | "bytes" | "end"> {
    if (this.#lines.pendingBytes > 0) return "bytes";
    const length = await this.#read(durationMs);
    return length === LATE ? "nothing" : length === null ? "end" : "bytes";
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  /** A read that was not finished in time goes on and serves the next caller. */
  async #read(timeoutMs: number): Promise<number | null | typeof LATE> {
    this.#reading ??= this.#stream.read(this.#lines.space()).catch(() => null);
    const { signal } = this.#options;
    let length = await within(this.#reading, timeoutMs, signal);
    // After a busy moment of this process the time may be up before what came is looked at.
    if (length === LATE && timeoutMs > 0) length = await within(this.#reading, 0, signal);
    if (length === LATE) return LATE;
    this.#reading = undefined;
    if (length !== null) this.#lines.commit(length);
    return length;
  }

  #late(timeoutMs: number, blankLines: number): LinkFailure {
    const pending = this.#lines.pendingBytes;
    const what = blankLines > 0
      ? "nothing but empty lines"
      : pending === 0
      ? "no reply"
      : `${pending} bytes without a newline`;
    return { outcome: "response_timeout", message: `${what} within ${Math.round(timeoutMs)} ms` };
  }

  #ended(): LinkFailure {
    const length = this.#lines.pendingBytes;
    if (length === 0) return { outcome: "closed", message: "closed without a reply" };
    const rest = this.#lines.takeRest().slice();
    // An alert of TLS 1.0 to 1.3 starts like this, whatever it says.
    const hint = rest[0] === 0x15 && rest[1] === 3 ? ", which look like TLS" : "";
    return {
      outcome: "closed",
      message: `closed after ${length} bytes of a line${hint}`,
      rest,
    };
  }

  #oversized(): LinkFailure {
    const { lineBytesMax } = this.#options;
    return { outcome: "oversized", message: `reply line is longer than ${lineBytesMax} bytes` };
  }
}
