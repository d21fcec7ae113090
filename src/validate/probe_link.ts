/**
 * A raw connection of the validator: it trusts nothing that comes back and waits for nothing without
 * a limit (`validation.md` 5.3).
 */
import { LineBuffer } from "../control/mod.ts";
import type { Endpoint } from "./endpoint.ts";

/** Why no reply came. */
export type LinkFailureOutcome =
  | "connect_failed"
  | "not_a_socket"
  | "connect_timeout"
  | "response_timeout"
  | "closed"
  | "oversized";

/** A failure below the message. */
export interface LinkFailure {
  readonly outcome: LinkFailureOutcome;
  readonly message: string;
}

/** Options of {@linkcode openProbeLink}. */
export interface OpenProbeLinkOptions {
  readonly connectTimeoutMs: number;
  /** Longest reply line in bytes. */
  readonly lineBytesMax: number;
  readonly signal?: AbortSignal;
}

/** An open connection. */
export interface ProbeLink {
  /** Sends text as it is; false when the other side has gone or does not read in time. */
  send(text: string, timeoutMs: number): Promise<boolean>;
  /** The next line. */
  readLine(timeoutMs: number): Promise<Uint8Array<ArrayBuffer> | LinkFailure>;
  /** True when no byte comes for so long and the connection stays open. */
  isQuiet(durationMs: number): Promise<boolean>;
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
  const { connectTimeoutMs, signal } = options;
  signal?.throwIfAborted();
  if (endpoint.kind === "unix") {
    const problem = await fileProblem(endpoint.path);
    if (problem !== undefined) return problem;
  }
  // The connection is given up with the same signal, so that nothing keeps the process alive.
  const controller = new AbortController();
  const connecting = connect(endpoint, controller.signal);
  const result = await within(connecting, connectTimeoutMs, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    return failure("connect_failed", connectReason(error));
  });
  if (result === LATE) {
    controller.abort();
    connecting.then((conn) => conn.close(), () => {});
    return failure("connect_timeout", `no connection within ${Math.round(connectTimeoutMs)} ms`);
  }
  return "outcome" in result ? result : new Link(result, options);
}

class Link implements ProbeLink {
  readonly #conn: Deno.Conn;
  readonly #lines: LineBuffer;
  readonly #lineBytesMax: number;
  readonly #signal: AbortSignal | undefined;
  #reading: Promise<number | null> | undefined;
  #isClosed = false;

  constructor(conn: Deno.Conn, options: OpenProbeLinkOptions) {
    this.#conn = conn;
    this.#lines = new LineBuffer(options.lineBytesMax);
    this.#lineBytesMax = options.lineBytesMax;
    this.#signal = options.signal;
  }

  async send(text: string, timeoutMs: number): Promise<boolean> {
    try {
      return await within(this.#writeAll(text), timeoutMs, this.#signal) !== LATE;
    } catch {
      this.#signal?.throwIfAborted();
      return false;
    }
  }

  async #writeAll(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#conn.write(bytes.subarray(offset));
    }
  }

  async readLine(timeoutMs: number): Promise<Uint8Array<ArrayBuffer> | LinkFailure> {
    const endMs = performance.now() + timeoutMs;
    while (true) {
      const line = this.#lines.next();
      if (line !== undefined) {
        return line.length > this.#lineBytesMax ? this.#oversized() : line.slice();
      }
      if (this.#lines.isOversized) return this.#oversized();
      const length = await this.#read(endMs - performance.now());
      if (length === LATE) {
        const pending = this.#lines.pendingBytes;
        const what = pending === 0 ? "no reply" : `${pending} bytes without a newline`;
        return failure("response_timeout", `${what} within ${Math.round(timeoutMs)} ms`);
      }
      if (length === null) {
        const pending = this.#lines.pendingBytes;
        if (looksLikeHttp(this.#lines.peek())) return this.#lines.takeRest().slice();
        return failure(
          "closed",
          pending === 0 ? "closed without a reply" : `closed after ${pending} bytes of a line`,
        );
      }
    }
  }

  async isQuiet(durationMs: number): Promise<boolean> {
    if (this.#lines.pendingBytes > 0) return false;
    return await this.#read(durationMs) === LATE;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  /** A read that was not finished in time goes on and serves the next caller. */
  async #read(timeoutMs: number): Promise<number | null | typeof LATE> {
    this.#reading ??= this.#conn.read(this.#lines.space()).catch(() => null);
    const length = await within(this.#reading, timeoutMs, this.#signal);
    if (length === LATE) return LATE;
    this.#reading = undefined;
    if (length !== null) this.#lines.commit(length);
    return length;
  }

  #oversized(): LinkFailure {
    return failure("oversized", `reply line is longer than ${this.#lineBytesMax} bytes`);
  }
}

/** Stands for "not in time". */
const LATE = Symbol("late");

/** Waits at most so long; the work itself goes on. Rejects with the signal's reason. */
async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T | typeof LATE> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => resolve(LATE), Math.max(0, timeoutMs));
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

function connect(endpoint: Endpoint, signal: AbortSignal): Promise<Deno.Conn> {
  switch (endpoint.kind) {
    case "tcp":
      return Deno.connect({ hostname: endpoint.host, port: endpoint.port, signal });
    case "unix":
      return Deno.connect({ transport: "unix", path: endpoint.path });
    case "abstract":
      return Deno.connect({ transport: "unix", path: `\0${endpoint.name}` });
  }
}

async function fileProblem(path: string): Promise<LinkFailure | undefined> {
  try {
    const info = await Deno.stat(path);
    if (info.isSocket) return undefined;
    const kind = info.isFile ? "a regular file" : info.isDirectory ? "a folder" : "no socket";
    return failure("not_a_socket", `"${path}" is ${kind}`);
  } catch (error) {
    return failure("connect_failed", connectReason(error));
  }
}

function connectReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return error instanceof Error ? error.message : String(error);
}

function failure(outcome: LinkFailureOutcome, message: string): LinkFailure {
  return { outcome, message };
}

/** True for the start of an HTTP response. */
export function looksLikeHttp(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return /^(HTTP\/\d|<!doctype|<html)/i.test(start);
}
