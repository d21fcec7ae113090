/**
 * A client of a node's control surface: many calls over one connection (`validation.md` 2).
 *
 * Errors of the node come back as the {@linkcode NetError} they were, with code and next step.
 */
import { isErrorCode, NetError, toNetError } from "../base/mod.ts";
import { type ByteStream, deriveHandshakeKey, openBtsp } from "./btsp/mod.ts";
import { CANCEL_METHOD } from "./dispatcher.ts";
import { CLIENT_CALLS_MAX, HANDSHAKE_MS, LINE_BYTES_MAX, REPLY_LINE_BYTES_MAX } from "./limits.ts";
import { LineBuffer } from "./line_buffer.ts";

/** Longest wait for the last words of a connection that is closed. */
const CLOSE_FLUSH_MS = 100;

/** Options of one call. */
export interface ControlCallOptions {
  /** Gives the call up and tells the node so. */
  readonly signal?: AbortSignal;
  /**
   * Asks for progress and takes it; when it throws, the call fails with that. Nothing more is read from the
   * connection until a promise that it returns has settled, so that a slow reader slows the node.
   */
  readonly onProgress?: (progress: Readonly<Record<string, unknown>>) => void | Promise<void>;
}

/** A connection to a node. */
export interface ControlClient extends AsyncDisposable {
  /**
   * Calls a method.
   *
   * @throws NetError with the node's code, `unreachable` when the connection is lost, `limit` when
   * too many calls wait; the signal's reason when it aborts.
   */
  call(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    options?: ControlCallOptions,
  ): Promise<unknown>;
  /** Closes the connection; waiting calls fail. Settles when the connection is gone. Idempotent. */
  close(): Promise<void>;
}

/** Options of {@linkcode connectControl}; exactly one of `socketPath` and `tcp`. */
export interface ConnectControlOptions {
  /** Absolute path of a control socket. */
  readonly socketPath?: string;
  /** Address of JSON-RPC lines over TCP. */
  readonly tcp?: { readonly host: string; readonly port: number };
  /** Seed of the family, to speak BTSP; clear text is spoken without it. */
  readonly familySeed?: Uint8Array;
  readonly signal?: AbortSignal;
}

/**
 * Connects to a node.
 *
 * @throws NetError `not_running` when nobody listens, `not_allowed` when the socket is another user's,
 * `handshake_refused` when the node is of another family, `unreachable` when the connection fails otherwise.
 *
 * @example
 * ```ts ignore
 * import { connectControl } from "./client.ts";
 * await using client = await connectControl({ socketPath: "/run/user/1000/biomeos/net.sock" });
 * console.log(await client.call("health.liveness"));
 * ```
 */
export async function connectControl(options: ConnectControlOptions): Promise<ControlClient> {
  const { socketPath, tcp, signal } = options;
  if ((socketPath === undefined) === (tcp === undefined)) {
    throw new TypeError("Cannot connect: exactly one of socketPath and tcp must be given");
  }
  signal?.throwIfAborted();
  const where = tcp === undefined ? `socket "${socketPath}"` : `${tcp.host}:${tcp.port}`;
  const connecting: Promise<Deno.Conn> = tcp === undefined
    ? Deno.connect({ transport: "unix", path: socketPath ?? "" })
    : Deno.connect({ hostname: tcp.host, port: tcp.port, signal });
  let conn: Deno.Conn;
  try {
    conn = await orAborted(connecting, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw connectError(error, where);
  }
  const { familySeed } = options;
  if (familySeed === undefined) return new Client(conn, conn);
  return new Client(conn, await openSession(conn, familySeed, signal));
}

async function openSession(
  conn: Deno.Conn,
  familySeed: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<ByteStream> {
  const abort = () => closeQuietly(conn);
  signal?.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(abort, HANDSHAKE_MS);
  try {
    return await openBtsp(conn, deriveHandshakeKey(familySeed), REPLY_LINE_BYTES_MAX);
  } catch (error) {
    closeQuietly(conn);
    signal?.throwIfAborted();
    if (error instanceof NetError && error.code === "handshake_refused") throw error;
    // A node without a seed answers with a line, which as a frame is far too long.
    throw new NetError(
      "handshake_refused",
      "Cannot open BTSP session: the node does not speak it",
      {
        cause: error,
        next: "start the node with the family's seed, or connect without one",
      },
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Fails the call and tells the node that nobody waits for it. */
  readonly giveUp: (reason: unknown) => void;
  readonly onProgress: ControlCallOptions["onProgress"];
}

class Client implements ControlClient {
  readonly #conn: Deno.Conn;
  /** What lines are read from and written to. */
  readonly #stream: ByteStream;
  readonly #waiting = new Map<number, Waiting>();
  readonly #lines = new LineBuffer(REPLY_LINE_BYTES_MAX);
  readonly #reading: Promise<void>;
  #writing: Promise<void> = Promise.resolve();
  #out = "";
  #lastId = 0;
  #isClosed = false;
  /** Ends the wait for a reader of progress. */
  readonly #closed = Promise.withResolvers<void>();

  constructor(conn: Deno.Conn, stream: ByteStream) {
    this.#conn = conn;
    this.#stream = stream;
    this.#reading = this.#readReplies();
  }

  call(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    options: ControlCallOptions = {},
  ): Promise<unknown> {
    const { signal, onProgress } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#isClosed) return Promise.reject(connectionLost("it was closed"));
    if (this.#waiting.size >= CLIENT_CALLS_MAX) {
      return Promise.reject(
        new NetError("limit", `Cannot call "${method}": ${CLIENT_CALLS_MAX} calls wait already`),
      );
    }
    const id = ++this.#lastId;
    const sent = onProgress === undefined ? params : { ...params, progress: true };
    let line: string;
    try {
      line = JSON.stringify({ jsonrpc: "2.0", method, params: sent, id });
    } catch (error) {
      return Promise.reject(toNetError(error, `Cannot call "${method}"`));
    }
    // The node would end the connection, and with it the other calls.
    const lineBytes = utf8Length(line);
    if (lineBytes > LINE_BYTES_MAX) {
      return Promise.reject(
        new NetError(
          "limit",
          `Cannot call "${method}": the request has ${lineBytes} bytes, at most ${LINE_BYTES_MAX}`,
          { next: "send less at once" },
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => giveUp(signal?.reason);
      const finish = () => {
        this.#waiting.delete(id);
        signal?.removeEventListener("abort", onAbort);
      };
      const giveUp = (reason: unknown) => {
        finish();
        this.#send(JSON.stringify({ jsonrpc: "2.0", method: CANCEL_METHOD, params: { id } }));
        reject(reason);
      };
      this.#waiting.set(id, {
        resolve: (result) => (finish(), resolve(result)),
        reject: (error) => (finish(), reject(error)),
        giveUp,
        onProgress,
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#send(line);
    });
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#closed.resolve();
      this.#rejectAll(connectionLost("it was closed"));
      // What was said last may be a cancellation, which the node should hear.
      const closeConn = () => closeQuietly(this.#conn);
      const timer = setTimeout(closeConn, CLOSE_FLUSH_MS);
      await this.#writing;
      clearTimeout(timer);
      closeConn();
    }
    await Promise.all([this.#reading, this.#writing]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Lines of one turn go out in one write. */
  #send(line: string): void {
    if (this.#isClosed) return;
    const isFirst = this.#out === "";
    this.#out += `${line}\n`;
    if (isFirst) this.#writing = this.#writing.then(() => this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    const bytes = new TextEncoder().encode(this.#out);
    this.#out = "";
    try {
      let offset = 0;
      while (offset < bytes.length) {
        offset += await this.#stream.write(bytes.subarray(offset));
      }
    } catch {
      // The node has closed its end. Why may stand in a line not read yet, so reading finds the end.
    }
  }

  async #readReplies(): Promise<void> {
    try {
      while (!this.#isClosed) {
        const length = await this.#stream.read(this.#lines.space());
        if (length === null) break;
        this.#lines.commit(length);
        for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
          const taking = this.#take(line);
          if (taking !== undefined) await Promise.race([taking, this.#closed.promise]);
        }
        if (this.#lines.isOversized) {
          this.#end(connectionLost(`a reply is longer than ${REPLY_LINE_BYTES_MAX} bytes`));
        }
      }
      this.#end(connectionLost("the node closed it"));
    } catch (error) {
      this.#end(connectionLost("the node closed it", error));
    }
  }

  /** @returns What has to be waited for before the next line. */
  #take(line: Uint8Array): Promise<void> | undefined {
    const message = parseObject(line);
    if (message === undefined) {
      this.#end(connectionLost("a reply is not JSON-RPC"));
      return undefined;
    }
    if (message.method === "$/progress") {
      const { id, ...progress } = asRecord(message.params) ?? {};
      return typeof id === "number" ? report(this.#waiting.get(id), progress) : undefined;
    }
    const error = asRecord(message.error);
    if (typeof message.id === "number") {
      // A call that was given up is not waited for any more; its reply is dropped.
      const waiting = this.#waiting.get(message.id);
      if (error !== undefined) waiting?.reject(rebuildError(error));
      else waiting?.resolve(message.result);
    } else if (error !== undefined) this.#end(rebuildError(error));
    return undefined;
  }

  #end(error: NetError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed.resolve();
    this.#conn.close();
    this.#rejectAll(error);
  }

  #rejectAll(error: NetError): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}

/** Hands progress on; a caller that fails over it has had enough of the call, not of the connection. */
function report(
  waiting: Waiting | undefined,
  progress: Readonly<Record<string, unknown>>,
): Promise<void> | undefined {
  try {
    const taking = waiting?.onProgress?.(progress);
    return taking instanceof Promise ? taking.catch((error) => waiting?.giveUp(error)) : undefined;
  } catch (error) {
    waiting?.giveUp(error);
    return undefined;
  }
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before, when its last write took too long.
  }
}

/** The error a reply's `error` member stands for. */
function rebuildError(error: Readonly<Record<string, unknown>>): NetError {
  const { code, next, ...data } = asRecord(error.data) ?? {};
  const message = typeof error.message === "string" ? error.message : "The node failed";
  return new NetError(isErrorCode(code) ? code : codeOf(error.code), message, {
    ...(typeof next === "string" ? { next } : {}),
    data: { ...data, rpc_code: error.code },
  });
}

function codeOf(number: unknown): "usage" | "limit" | "draining" | "failed" {
  switch (number) {
    case -32602:
    case -32601:
      return "usage";
    case -32001:
      return "limit";
    case -32000:
      return "draining";
    default:
      return "failed";
  }
}

function connectError(error: unknown, where: string): NetError {
  if (error instanceof Deno.errors.PermissionDenied) {
    return new NetError("not_allowed", `Cannot connect to ${where}: it belongs to another user`, {
      cause: error,
      next: "run the command as the user the node runs as",
    });
  }
  const isAbsent = error instanceof Deno.errors.NotFound;
  if (!isAbsent && !(error instanceof Deno.errors.ConnectionRefused)) {
    const reason = error instanceof Error ? error.message : String(error);
    return new NetError("unreachable", `Cannot connect to ${where}: ${reason}`, {
      cause: error,
      next: "look whether the node still runs with net node status, then repeat the command",
    });
  }
  const reason = isAbsent ? "there is no such socket" : "nobody listens there";
  return new NetError("not_running", `Cannot connect to ${where}: ${reason}`, {
    cause: error,
    next: "net node start",
  });
}

function connectionLost(reason: string, cause?: unknown): NetError {
  return new NetError("unreachable", `Connection to the node is lost: ${reason}`, {
    cause,
    next: "look whether it still runs with net node status",
  });
}

/** A connection that comes after the signal aborted is closed. */
function orAborted(connecting: Promise<Deno.Conn>, signal?: AbortSignal): Promise<Deno.Conn> {
  if (signal === undefined) return connecting;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    connecting.then((conn) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) conn.close();
      else resolve(conn);
    }, (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
  });
}

function parseObject(line: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(line));
    return asRecord(value);
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? { ...value } : undefined;
}

function utf8Length(text: string): number {
  // A unit of a text takes three bytes at most.
  return text.length * 3 <= LINE_BYTES_MAX ? text.length : new TextEncoder().encode(text).length;
}
