/** Writes one answer (RFC 9112): its head, and its body no faster than the client takes it. */
import { concatBytes } from "../../base/mod.ts";
import type { RequestHead } from "./request_head.ts";

/** How an answer is written. */
export interface WriteOptions {
  readonly head: Pick<RequestHead, "method" | "isOld">;
  /** Another request may follow on the connection. */
  readonly keepsAlive: boolean;
  readonly nowMs: number;
  /** Writes all bytes, or throws. */
  readonly writeAll: (bytes: Uint8Array) => Promise<void>;
  readonly signal: AbortSignal;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  507: "Insufficient Storage",
};

/** A first piece up to this size goes out with the head. */
const JOINED_BYTES_MAX = 16 * 1024;

/** What is read of a long body at once: large enough for one write to the socket. */
const PIECE_BYTES = 256 * 1024;

const END_OF_CHUNKS = new TextEncoder().encode("0\r\n\r\n");
const LINE_END = new TextEncoder().encode("\r\n");

/**
 * Writes a response; true when the connection can carry another request afterwards.
 *
 * @throws what writing or the body throws; then the client has seen less than was announced.
 */
export async function writeResponse(response: Response, options: WriteOptions): Promise<boolean> {
  const { head, signal, writeAll } = options;
  const { status, body } = response;
  const headers = new Headers(response.headers);
  const hasBody = head.method !== "HEAD" && status !== 204 && status !== 304;
  const lengthText = headers.get("content-length");
  const length = lengthText === null ? undefined : Number(lengthText);
  let isChunked = false;
  let keepsAlive = options.keepsAlive && headers.get("connection") !== "close";
  if (body === null) {
    if (hasBody) headers.set("content-length", "0");
  } else if (hasBody && length === undefined) {
    if (head.isOld) keepsAlive = false;
    else {
      isChunked = true;
      headers.set("transfer-encoding", "chunked");
    }
  }
  if (!keepsAlive) headers.set("connection", "close");
  else if (head.isOld) headers.set("connection", "keep-alive");
  const headBytes = encodeHead(status, headers, options.nowMs);
  if (body === null || !hasBody) {
    // Of an answer to HEAD; nobody reads it, and its end is not waited for.
    body?.cancel().catch(() => {});
    await writeAll(headBytes);
    return keepsAlive;
  }
  const reader = openReader(body, length);
  try {
    let sent = 0;
    let unsent: Uint8Array | undefined = headBytes;
    for (;;) {
      signal.throwIfAborted();
      const value = await reader.read();
      if (value === undefined) break;
      if (value.length === 0) continue;
      sent += value.length;
      if (length !== undefined && sent > length) {
        throw new RangeError(`body is longer than the ${length} bytes announced`);
      }
      const piece = isChunked ? asChunk(value) : value;
      if (unsent !== undefined && piece.length <= JOINED_BYTES_MAX) {
        await writeAll(concatBytes(unsent, piece));
      } else {
        if (unsent !== undefined) await writeAll(unsent);
        await writeAll(piece);
      }
      unsent = undefined;
    }
    if (length !== undefined && sent !== length) {
      throw new RangeError(`body has ${sent} bytes, ${length} were announced`);
    }
    const rest = concatBytes(
      unsent ?? new Uint8Array(0),
      isChunked ? END_OF_CHUNKS : new Uint8Array(0),
    );
    if (rest.length > 0) await writeAll(rest);
    return keepsAlive;
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    reader.releaseLock();
  }
}

/** Reads a body; bytes are valid until the next are asked for. */
interface PieceReader {
  /** `undefined` at the end. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  cancel(reason: unknown): Promise<void>;
  releaseLock(): void;
}

/** A long body is read into room that is used again, where its stream can. */
function openReader(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  length: number | undefined,
): PieceReader {
  const byob = length !== undefined && length > PIECE_BYTES ? tryByobReader(body) : undefined;
  if (byob === undefined) {
    const reader = body.getReader();
    return {
      read: async () => (await reader.read()).value,
      cancel: (reason) => reader.cancel(reason),
      releaseLock: () => reader.releaseLock(),
    };
  }
  let room = new Uint8Array(PIECE_BYTES);
  return {
    read: async () => {
      // The stream takes the memory, and gives it back.
      const { done, value } = await byob.read(room);
      if (value !== undefined) room = new Uint8Array(value.buffer);
      return done ? undefined : value;
    },
    cancel: (reason) => byob.cancel(reason),
    releaseLock: () => byob.releaseLock(),
  };
}

function tryByobReader(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined; // Its stream is one of arrays.
  }
}

/** The first bytes of an answer. */
export function encodeHead(
  status: number,
  headers: Headers,
  nowMs: number,
): Uint8Array<ArrayBuffer> {
  let text = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
  if (!headers.has("date")) text += `date: ${new Date(nowMs).toUTCString()}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  text += "\r\n";
  // Headers hold bytes, one for each character.
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function asChunk(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = new TextEncoder().encode(`${bytes.length.toString(16)}\r\n`);
  return concatBytes(size, bytes, LINE_END);
}
