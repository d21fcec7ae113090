/**
 * JSON-RPC 2.0 messages of the control surface: what a line means and how a reply is written
 * (`validation.md` 2).
 *
 * Pure: bytes in, a reading or a reply's text out. It knows neither methods nor sockets. Ids are
 * echoed by their source text, because a double cannot hold every number a client may send.
 */
import { ERROR_FACES, isNoSpace, NetError } from "../base/mod.ts";
import { type IdSources, readIdSources } from "./id_source.ts";
import { BATCH_MEMBERS_MAX, JSON_DEPTH_MAX, RETRY_AFTER_MS } from "./limits.ts";

/** Error numbers that no {@linkcode NetError} code stands for. */
export const RPC_PARSE_ERROR = -32700;
/** The message is not a request. */
export const RPC_INVALID_REQUEST = -32600;
/** No such method. */
export const RPC_UNKNOWN_METHOD = -32601;
/** Parameters are wrong. */
export const RPC_INVALID_PARAMS = -32602;
/** The handler failed. */
export const RPC_INTERNAL = -32603;

/** The node has too much to do now. */
export const RPC_OVERLOADED = ERROR_FACES.backpressure.rpc;

/** Id of a reply whose request had none that can be echoed. */
export const NULL_ID = "null";

/** A well-formed request. */
export interface RpcRequest {
  readonly kind: "request";
  /** JSON text of the id, as it came; `undefined` for a notification. */
  readonly id: string | undefined;
  readonly method: string;
  /** As it came; checked only after the method was found. */
  readonly params: unknown;
}

/** Something that gets an error instead of a call. */
export interface RpcReject {
  readonly kind: "reject";
  readonly id: string;
  readonly code: number;
  readonly message: string;
}

/** What one line holds. */
export type RpcReading = RpcRequest | RpcReject | {
  readonly kind: "batch";
  readonly members: readonly (RpcRequest | RpcReject)[];
};

/** First byte of a TLS ClientHello's record; as a character it can start no JSON. */
const TLS_HANDSHAKE = 0x16;

/** First byte of the length of any BTSP frame below 16 MiB. */
const BTSP_LENGTH = 0;

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Shorter messages cannot hold that many opening and closing brackets. */
const DEPTH_CHECK_BYTES = 2 * JSON_DEPTH_MAX;

/** Reads one line without its newline. Never throws. */
export function readRpcLine(line: Uint8Array): RpcReading {
  if (line.length > DEPTH_CHECK_BYTES && isTooDeep(line)) {
    return reject(NULL_ID, RPC_PARSE_ERROR, `Parse error: nested deeper than ${JSON_DEPTH_MAX}`);
  }
  let text: string;
  let value: unknown;
  try {
    text = DECODER.decode(line);
  } catch {
    return reject(NULL_ID, RPC_PARSE_ERROR, "Parse error: not valid UTF-8");
  }
  try {
    value = JSON.parse(text);
  } catch {
    return reject(NULL_ID, RPC_PARSE_ERROR, "Parse error: not valid JSON");
  }
  const ids = new Ids(text);
  if (!Array.isArray(value)) return readMember(value, ids, 0);
  if (value.length === 0) return reject(NULL_ID, RPC_INVALID_REQUEST, "Batch is empty");
  if (value.length > BATCH_MEMBERS_MAX) {
    return reject(
      NULL_ID,
      RPC_INVALID_REQUEST,
      `Batch has ${value.length} members, must be at most ${BATCH_MEMBERS_MAX}`,
    );
  }
  return {
    kind: "batch",
    members: value.map((member, index) => readMember(member, ids, index)),
  };
}

/** Reply that carries a result; `undefined` becomes null. Throws when the value is not JSON. */
export function resultReply(id: string, result: unknown): string {
  return `{"jsonrpc":"2.0","result":${JSON.stringify(result) ?? "null"},"id":${id}}`;
}

/** Reply that carries an error. */
export function errorReply(id: string, code: number, message: string, data?: object): string {
  const error = data === undefined ? { code, message } : { code, message, data };
  return `{"jsonrpc":"2.0","error":${JSON.stringify(error)},"id":${id}}`;
}

/** What an error shows to a caller: nothing of the inside unless it was written for users. */
export interface ErrorAnswer {
  readonly code: number;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** True when the error was none that a user can act on, so that it belongs into the log. */
  readonly isInternal: boolean;
}

/** Turns what a handler threw into an answer. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const known = knownError(error);
  if (known === undefined) {
    return {
      code: RPC_INTERNAL,
      message: "Internal error",
      data: { code: "internal" },
      isInternal: true,
    };
  }
  const code = ERROR_FACES[known.code].rpc;
  return {
    code,
    message: known.message,
    data: {
      // Other limits stay where they are, however often one tries.
      ...(known.code === "backpressure" ? { retry_after_ms: RETRY_AFTER_MS } : {}),
      ...known.data,
      code: known.code,
      ...(known.next === undefined ? {} : { next: known.next }),
    },
    isInternal: false,
  };
}

/** Notification that tells the caller of request `id` how far it is. */
export function progressLine(id: string, data: object): string {
  const body = JSON.stringify({ ...data, id: undefined });
  const rest = body === "{}" ? "}" : `,${body.slice(1)}`;
  return `{"jsonrpc":"2.0","method":"$/progress","params":{"id":${id}${rest}}`;
}

/**
 * The protocol that a connection's first bytes belong to, when it is one whose clients would wait for an
 * answer that cannot come: HTTP in any version, TLS, or BTSP.
 */
export function foreignProtocol(bytes: Uint8Array): "HTTP" | "TLS" | "BTSP" | undefined {
  const first = bytes[0];
  if (first === undefined) return undefined;
  if (first === TLS_HANDSHAKE) return "TLS";
  if (first === BTSP_LENGTH) return "BTSP";
  if (first < 0x41 || first > 0x5a) return undefined; // Every HTTP method starts with a capital letter.
  const start = String.fromCharCode(...bytes.subarray(0, 10));
  const isHttp = /^(GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) |^PRI \* HTTP/.test(
    start,
  );
  return isHttp ? "HTTP" : undefined;
}

function knownError(error: unknown): NetError | undefined {
  if (error instanceof NetError) return error.code === "internal" ? undefined : error;
  if (isNoSpace(error)) return new NetError("no_space", "No space left on the device");
  if (!(error instanceof DOMException)) return undefined;
  if (error.name === "TimeoutError") return new NetError("timeout", "The call timed out");
  return error.name === "AbortError" ? new NetError("failed", "The call was cancelled") : undefined;
}

function reject(id: string, code: number, message: string): RpcReject {
  return { kind: "reject", id, code, message };
}

/** Ids of one line as they came; the text is looked through only when one is a number. */
class Ids {
  readonly #text: string;
  #sources: IdSources | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * JSON text of an id exactly as the client wrote its value; `undefined` when it is no valid id.
   *
   * @param index Place in the batch, 0 for a message of its own.
   */
  of(id: unknown, index: number): string | undefined {
    if (id === null) return NULL_ID;
    if (typeof id === "string") return JSON.stringify(id);
    if (typeof id !== "number") return undefined;
    this.#sources ??= readIdSources(this.#text);
    return this.#sources[index] ?? JSON.stringify(id);
  }
}

/** @param index Place in the batch, 0 for a message of its own. */
function readMember(value: unknown, ids: Ids, index: number): RpcRequest | RpcReject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return reject(NULL_ID, RPC_INVALID_REQUEST, "Request is not an object");
  }
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const hasId = Object.hasOwn(fields, "id");
  const id = hasId ? ids.of(fields.id, index) : undefined;
  if (hasId && id === undefined) {
    return reject(NULL_ID, RPC_INVALID_REQUEST, "Id must be a string, a number or null");
  }
  if (fields.jsonrpc !== "2.0") {
    return reject(id ?? NULL_ID, RPC_INVALID_REQUEST, 'Member "jsonrpc" must be "2.0"');
  }
  if (typeof fields.method !== "string") {
    return reject(id ?? NULL_ID, RPC_INVALID_REQUEST, 'Member "method" must be a string');
  }
  return { kind: "request", id, method: fields.method, params: fields.params };
}

/** True when brackets outside strings nest deeper than the limit; on broken JSON any answer is right. */
function isTooDeep(line: Uint8Array): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < line.length; i++) {
    const byte = line[i];
    if (isInString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) isInString = false;
    } else if (byte === 0x22) isInString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth > JSON_DEPTH_MAX) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return false;
}
