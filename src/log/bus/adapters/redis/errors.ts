/**
 * What an error of Redis means to who wrote: again later, again when there is room, or never.
 *
 * A failover of a cluster, a replica that was not yet promoted and a server that loads its data are all over after a
 * while, so no batch may be given up for them.
 */
import { BusError, type BusErrorKind } from "../../error.ts";
import type { Redact } from "../engine/mod.ts";

/** The first word of what the server says. */
const KIND_BY_WORD: Readonly<Record<string, BusErrorKind>> = {
  ASK: "transient",
  BUSY: "transient",
  CLUSTERDOWN: "transient",
  LOADING: "transient",
  MASTERDOWN: "transient",
  MOVED: "transient",
  NOREPLICAS: "transient",
  READONLY: "transient",
  SHUTDOWN: "transient",
  TRYAGAIN: "transient",
  UNBLOCKED: "transient",
  // Its disk is full or broken, and it refuses writes until a snapshot succeeds.
  MISCONF: "backpressure",
  OOM: "backpressure",
  CROSSSLOT: "fatal",
  ERR: "fatal",
  EXECABORT: "fatal",
  NOAUTH: "fatal",
  NOPERM: "fatal",
  NOPROTO: "fatal",
  WRONGPASS: "fatal",
  WRONGTYPE: "fatal",
};

/** `ERR` says nothing by itself; these are over after a while. */
const TRANSIENT_TEXT = /max number of clients|shutting down|failover|timeout/i;

const NEXT_BY_WORD: Readonly<Record<string, string>> = {
  MISCONF: "look at the disk of the Redis server",
  NOAUTH: "give a user and password in the address of Redis",
  NOPERM: "let the user run XADD, XRANGE, XREVRANGE, EXISTS, MULTI, EXEC and PING on these keys",
  OOM: "raise maxmemory of the Redis server, or set streamEventsMax",
  WRONGPASS: "check the user and password in the address of Redis",
  WRONGTYPE: "choose another prefix: the key holds something that is not a stream",
};

/** Repeating does not make a certificate a better one. */
const CERTIFICATE = /certificate/i;
const WORD = /^([A-Z][A-Z0-9]+)\b/;

/** Errors of sockets and of the library, none of which a server said. */
interface LibraryError {
  readonly message?: unknown;
  readonly name?: unknown;
  readonly previousErrors?: readonly unknown[];
}

/**
 * What an error thrown by the library means.
 *
 * The cause is left out on purpose: the library attaches commands with their arguments to its errors, also those of
 * AUTH.
 *
 * @param action As in `Cannot write to Redis at host:port`.
 */
export function redisError(error: unknown, action: string, redact: Redact): BusError {
  if (error instanceof BusError) return error;
  // A MULTI is refused because of a command in it, and that one says why; it may be the same error.
  const outer = (error ?? {}) as LibraryError;
  const { message, name } = (outer.previousErrors?.[0] ?? outer) as LibraryError;
  const text = typeof message === "string" ? message : "unknown error";
  const word = WORD.exec(text)?.[1];
  const shown = `${action}: ${redact(text)}`;
  if (name === "ReplyError" && word !== undefined) {
    const next = NEXT_BY_WORD[word];
    return new BusError(kindOf(word, text), shown, { next, data: { reply: word } });
  }
  if (CERTIFICATE.test(text)) {
    return new BusError("fatal", shown, { next: "give the certificate of its authority as tlsCa" });
  }
  if (error instanceof TypeError || error instanceof RangeError) {
    return new BusError("fatal", shown);
  }
  // All else is of sockets, and of commands whose connection ended.
  return new BusError("transient", shown, { data: { isConnectionLost: true } });
}

function kindOf(word: string, text: string): BusErrorKind {
  if (word === "ERR" && TRANSIENT_TEXT.test(text)) return "transient";
  return KIND_BY_WORD[word] ?? "fatal";
}
