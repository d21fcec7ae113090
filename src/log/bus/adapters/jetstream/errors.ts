/**
 * What an error of NATS or JetStream means to who wrote: again later, again when there is room, or never.
 *
 * Names of the library's errors and numbers of JetStream's are looked up in tables; what stands in neither is over
 * after a while only if its status says so.
 */
import { BusError, type BusErrorKind } from "../../error.ts";
import type { Redact } from "../engine/mod.ts";

/** By the number that JetStream gives (`err_code`). */
const KIND_BY_NUMBER: Readonly<Record<number, BusErrorKind>> = {
  // A cluster without leader, without quorum, or without some of its servers.
  10004: "transient",
  10005: "transient",
  10008: "transient",
  10009: "transient",
  10041: "transient",
  10118: "transient",
  10194: "transient",
  // The same event is being stored at this moment; the server is not ready to compare.
  10158: "transient",
  10163: "transient",
  // No room: the account's share, resources, memory, disk, or what the stream may hold.
  10002: "backpressure",
  10023: "backpressure",
  10028: "backpressure",
  10047: "backpressure",
  10077: "backpressure",
  10167: "backpressure",
  // JetStream is off: it ran when the adapter started, and does again when the server is started anew.
  10076: "transient",
  // It is not for this account, which has status 503 too.
  10039: "fatal",
  10120: "fatal",
  // The message or its headers are larger than the stream takes.
  10054: "fatal",
  10097: "fatal",
  // The stream has other settings, is missing, is another one, or is sealed.
  10058: "fatal",
  10059: "fatal",
  10060: "fatal",
  10109: "fatal",
  // Last id or last sequence is not what was expected.
  10070: "fatal",
  10071: "fatal",
  10164: "fatal",
};

/** By the status of a reply (`code`). */
const KIND_BY_STATUS: Readonly<Record<number, BusErrorKind>> = {
  408: "transient",
  429: "backpressure",
  503: "transient",
};

/** By the class of the library's error. */
const KIND_BY_NAME: Readonly<Record<string, BusErrorKind>> = {
  TimeoutError: "transient",
  ClosedConnectionError: "transient",
  ConnectionError: "transient",
  DrainingConnectionError: "transient",
  NoRespondersError: "transient",
  RequestError: "transient",
  // Nobody answers for JetStream: it is off, or has not come up again after a restart.
  JetStreamNotEnabled: "transient",
  AuthorizationError: "fatal",
  InvalidArgumentError: "fatal",
  InvalidOperationError: "fatal",
  InvalidSubjectError: "fatal",
  PermissionViolationError: "fatal",
  ProtocolError: "fatal",
  UserAuthenticationExpiredError: "fatal",
};

const NEXT_BY_NAME: Readonly<Record<string, string>> = {
  AuthorizationError: "check the user, password or token in the address of NATS",
  UserAuthenticationExpiredError: "renew the credentials of the NATS user",
  PermissionViolationError: "let the user publish to <prefix>.shard.* and $JS.API.>",
  JetStreamNotEnabled: "start the server with JetStream: nats-server -js",
};

const NEXT_BY_KIND: Partial<Readonly<Record<BusErrorKind, string>>> = {
  backpressure: "give JetStream more storage, or set a bound on the streams",
};

/** The connection is over, and with it the request. */
const LOST_NAMES: ReadonlySet<string> = new Set([
  "ClosedConnectionError",
  "ConnectionError",
  "DrainingConnectionError",
]);

/** Errors that a socket gives; all else without a name that we know is of the library, and unknown. */
const SOCKET =
  /ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|broken pipe|socket|connection (?:closed|disconnected)/i;

const CERTIFICATE = /certificate/i;

interface LibraryError {
  readonly message?: unknown;
  readonly name?: unknown;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly cause?: unknown;
}

/** An error that stands in a reply of JetStream. */
export interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** What an error thrown by the library means; its cause is left out, it may hold secrets. */
export function natsError(error: unknown, action: string, redact: Redact): BusError {
  if (error instanceof BusError) return error;
  const inner = innerError(error);
  const { message, name, code, status, cause } = inner;
  const text = typeof message === "string" ? message : "unknown error";
  if (typeof code === "number" && typeof status === "number") {
    return apiError({ code: status, err_code: code, description: text }, action, redact);
  }
  const known = typeof name === "string" ? name : "";
  // A connection that was refused is an error of a socket inside one of the library.
  const isLost = LOST_NAMES.has(known) || isSocket(text, code, cause);
  const kind = KIND_BY_NAME[known] ?? (isLost ? "transient" : "fatal");
  return new BusError(kind, `${action}: ${redact(text)}`, {
    next: CERTIFICATE.test(text)
      ? "give the certificate of its authority as tlsCa"
      : NEXT_BY_NAME[known],
    data: {
      error: known,
      ...isLost ? { isConnectionLost: true } : {},
      ...isLost || Object.hasOwn(KIND_BY_NAME, known) ? {} : { isUnexplained: true },
    },
  });
}

/** What an error in a reply means. */
export function apiError(
  { code = 0, err_code = 0, description = "no reason given" }: ApiError,
  action: string,
  redact: Redact,
): BusError {
  const kind = KIND_BY_NUMBER[err_code] ?? KIND_BY_STATUS[code] ?? "fatal";
  return new BusError(kind, `${action}: ${redact(description)} (${err_code || code})`, {
    next: NEXT_BY_KIND[kind],
    data: { status: code, number: err_code },
  });
}

/**
 * The same error, or one of a lost connection when nothing explains it but that the connection is over: the library
 * stumbles over its own parts then.
 */
export function explainByEnd(error: BusError, isOver: boolean): BusError {
  if (!isOver || error.data?.["isUnexplained"] !== true) return error;
  return new BusError("transient", error.message, { data: { isConnectionLost: true } });
}

/** True for "no such stream", which is an answer and not a failure. */
export function isNoStream(error: unknown): boolean {
  return error instanceof BusError && error.data?.["number"] === 10059;
}

/** True for "this name is in use": somebody made the stream meanwhile. */
export function isStreamThere(error: BusError): boolean {
  return error.data?.["number"] === 10058;
}

/** Errors of requests are wrapped in one that says nothing of its own. */
function innerError(error: unknown): LibraryError {
  const outer = (error ?? {}) as LibraryError;
  return outer.name === "RequestError" && outer.cause instanceof Error ? outer.cause : outer;
}

function isSocket(text: string, code: unknown, cause: unknown): boolean {
  const inner = (cause ?? {}) as LibraryError;
  return [text, code, inner.code, inner.message].some((each) => SOCKET.test(String(each)));
}
