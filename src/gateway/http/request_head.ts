/**
 * The head of an HTTP/1.1 request (RFC 9112), read strictly: what two readers could understand differently is
 * refused, not mended.
 *
 * Pure; where the bytes come from and what follows them is the connection's business.
 */
import { HEADERS_MAX, TARGET_BYTES_MAX } from "./limits.ts";

/** How long the body of a request is. */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

/** A request without its body. */
export interface RequestHead {
  readonly method: string;
  /** Path and query, beginning with `/`; or `*`. */
  readonly target: string;
  /** What the client calls this server, from the target or the Host header. */
  readonly host: string;
  /** Names in lower case, in their order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: BodyFraming;
  /** The client would send another request on this connection. */
  readonly keepsAlive: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** HTTP/1.0: it reads no chunks. */
  readonly isOld: boolean;
}

/** Why a head is refused, with the status to say so. */
export interface HeadFault {
  readonly status: number;
  readonly message: string;
}

/** What {@linkcode parseRequestHead} gives. */
export type ParsedHead =
  | { readonly ok: true; readonly head: RequestHead }
  | { readonly ok: false; readonly fault: HeadFault };

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const VISIBLE = /^[\x21-\x7e]+$/;
/** A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. */
const HOST = /^(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/;
/** 2^53 has 16 digits; more than a petabyte is no body. */
const LENGTH = /^[0-9]{1,15}$/;
/** Methods that `Request` does not take; nothing here serves them. */
const METHODS_REFUSED = new Set(["CONNECT", "TRACE", "TRACK"]);

/** True for a byte that a method may begin with, or an empty line before it. */
export function beginsMethod(byte: number): boolean {
  return byte === 0x0d || byte === 0x0a || TOKEN.test(String.fromCharCode(byte));
}

/**
 * Where the head of a request ends, behind its empty line; `undefined` while it is not all there.
 *
 * @param from Bytes before it were looked at before.
 */
export function findHeadEnd(bytes: Uint8Array, from = 0): number | undefined {
  for (let at = Math.max(3, from); at < bytes.length; at++) {
    at = bytes.indexOf(0x0a, at);
    if (at < 0) return undefined;
    if (bytes[at - 1] === 0x0d && bytes[at - 2] === 0x0a && bytes[at - 3] === 0x0d) return at + 1;
  }
  return undefined;
}

/**
 * Reads a head.
 *
 * @param bytes From the request line to the end of the empty line behind the headers.
 *
 * @example
 * ```ts
 * import { parseRequestHead } from "./request_head.ts";
 * const bytes = new TextEncoder().encode("GET /o HTTP/1.1\r\nHost: localhost\r\n\r\n");
 * const parsed = parseRequestHead(bytes);
 * console.assert(parsed.ok && parsed.head.target === "/o");
 * ```
 */
export function parseRequestHead(bytes: Uint8Array): ParsedHead {
  // One character for each byte: nothing of it is text before it was looked at.
  const text = latin1(bytes.subarray(0, Math.max(0, bytes.length - 4)));
  const lines = text.split("\r\n");
  const line = readRequestLine(lines[0] ?? "");
  if ("status" in line) return { ok: false, fault: line };
  if (lines.length - 1 > HEADERS_MAX) return refuse(431, `more than ${HEADERS_MAX} headers`);
  const headers: [string, string][] = [];
  for (const field of lines.slice(1)) {
    const colon = field.indexOf(":");
    const name = field.slice(0, Math.max(0, colon));
    const value = field.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, "");
    if (!TOKEN.test(name)) return refuse(400, "a header without a name");
    if (!FIELD_VALUE.test(value)) return refuse(400, "a header with a control character");
    headers.push([name.toLowerCase(), value]);
  }
  return readFields(line, headers);
}

interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** Of a target in absolute form. */
  readonly authority: string | undefined;
  readonly isOld: boolean;
}

function readRequestLine(text: string): RequestLine | HeadFault {
  const [method = "", target = "", version = "", ...more] = text.split(" ");
  if (!TOKEN.test(method) || method.length > 32 || more.length > 0) {
    return { status: 400, message: "the request line is none of HTTP" };
  }
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) {
    return { status: 400, message: "the request line names no version of HTTP" };
  }
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    return { status: 505, message: "only HTTP/1.1 and HTTP/1.0 are spoken" };
  }
  if (METHODS_REFUSED.has(method)) return { status: 501, message: `${method} is not served` };
  if (target.length > TARGET_BYTES_MAX) {
    return { status: 414, message: `the target is longer than ${TARGET_BYTES_MAX} bytes` };
  }
  const isOld = version === "HTTP/1.0";
  const absolute = /^http:\/\/([^/?#]*)([/?].*)?$/i.exec(target);
  const path = absolute === null ? target : absolute[2] ?? "/";
  if (!VISIBLE.test(target) || target.includes("#") || !/^(?:[/?]|\*$)/.test(path)) {
    return { status: 400, message: "the target is no path" };
  }
  const withSlash = path.startsWith("?") ? `/${path}` : path;
  return { method, target: withSlash, authority: absolute?.[1], isOld };
}

function readFields(
  line: RequestLine,
  headers: readonly (readonly [string, string])[],
): ParsedHead {
  const all = (name: string) =>
    headers.filter(([other]) => other === name).map(([, value]) => value);
  const hosts = all("host");
  if (hosts.length > 1) return refuse(400, "more than one Host");
  const [named] = hosts;
  if (named === undefined && !line.isOld) return refuse(400, "no Host");
  const host = line.authority ?? named ?? "";
  if ((named ?? "") !== "" && !HOST.test(named ?? "")) return refuse(400, "Host is no host");
  if (host !== "" && !HOST.test(host)) return refuse(400, "the target names no host");
  const body = readFraming(all("content-length"), all("transfer-encoding"), line.isOld);
  if ("status" in body) return { ok: false, fault: body };
  const expectations = all("expect").map((value) => value.toLowerCase());
  if (expectations.some((value) => value !== "100-continue")) {
    return refuse(417, "only 100-continue can be expected");
  }
  const connection = all("connection").join(",").toLowerCase().split(",").map((word) =>
    word.trim()
  );
  const keepsAlive = line.isOld ? connection.includes("keep-alive") : !connection.includes("close");
  return {
    ok: true,
    head: {
      method: line.method,
      target: line.target,
      host: host === "" ? "localhost" : host,
      headers,
      body,
      keepsAlive,
      expectsContinue: expectations.length > 0 && body.kind !== "none" && !line.isOld,
      isOld: line.isOld,
    },
  };
}

/** Both ways to say a length in one request are how requests are smuggled past somebody: refused. */
function readFraming(
  lengths: readonly string[],
  encodings: readonly string[],
  isOld: boolean,
): BodyFraming | HeadFault {
  if (encodings.length > 0) {
    if (lengths.length > 0 || isOld) {
      return { status: 400, message: "Transfer-Encoding beside Content-Length, or in HTTP/1.0" };
    }
    if (encodings.length > 1 || encodings[0]?.toLowerCase() !== "chunked") {
      return { status: 501, message: "only the transfer encoding chunked is taken" };
    }
    return { kind: "chunked" };
  }
  const [length] = lengths;
  if (length === undefined) return { kind: "none" };
  if (lengths.length > 1 || !LENGTH.test(length)) {
    return { status: 400, message: "Content-Length is no length" };
  }
  return length === "0" ? { kind: "none" } : { kind: "length", bytes: Number(length) };
}

function refuse(status: number, message: string): ParsedHead {
  return { ok: false, fault: { status, message } };
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}
