/**
 * Bodies of nRPC frames: request, chunk, response, grants (`nrpc.md` 3, 7, 8).
 *
 * Writers put a body where the caller has room for it and return its end; readers fill one object that
 * serves for all frames, and say false to what they cannot read. Bodies read are views.
 */
import { readU32, readU32BigEndian, writeU32, writeU32BigEndian } from "./frame.ts";
import { headersLength, NO_HEADERS, readHeaders, type RpcHeader, writeHeaders } from "./headers.ts";
import { readStreamHeaders, streamHeaderBytes } from "./stream_headers.ts";

const EMPTY = new Uint8Array(0);
const NS_PER_MS = 1_000_000;

/** Bytes of a request. */
export function requestLength(
  service: Uint8Array,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): number {
  return 1 + service.length + 8 + 2 + headersLength(headers) + 4 + body.length;
}

/**
 * Writes a request.
 *
 * @param service Its name in UTF-8.
 * @param deadlineMs Unix milliseconds, 0 for none.
 * @returns Where it ends.
 */
export function writeRequest(
  target: Uint8Array,
  start: number,
  service: Uint8Array,
  deadlineMs: number,
  flags: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): number {
  let at = start;
  target[at++] = service.length;
  target.set(service, at);
  at += service.length;
  writeDeadline(target, at, deadlineMs);
  at += 8;
  target[at++] = flags;
  target[at++] = flags >>> 8;
  return writeTail(target, at, headers, body);
}

/** A request as read. */
export class RequestBody {
  /** Where the service's name lies. */
  serviceAt = 0;
  serviceLength = 0;
  /** Unix milliseconds; 0 for none. */
  deadlineMs = 0;
  flags = 0;
  headers: readonly RpcHeader[] = NO_HEADERS;
  body: Uint8Array = EMPTY;

  /** Reads a request that begins at `start` and reaches to the end of `bytes`. */
  read(bytes: Uint8Array, start: number): boolean {
    const serviceLength = bytes[start];
    if (serviceLength === undefined || start + 1 + serviceLength + 10 > bytes.length) return false;
    const at = start + 1 + serviceLength;
    this.serviceAt = start + 1;
    this.serviceLength = serviceLength;
    this.deadlineMs = readDeadline(bytes, at);
    this.flags = (bytes[at + 8] as number) | ((bytes[at + 9] as number) << 8);
    return readTail(this, bytes, at + 10);
  }
}

/** Bytes of a chunk. */
export function chunkLength(headers: readonly RpcHeader[], body: Uint8Array): number {
  return 8 + 2 + headersLength(headers) + 4 + body.length;
}

/** Writes a chunk; returns where it ends. */
export function writeChunk(
  target: Uint8Array,
  start: number,
  callLow: number,
  callHigh: number,
  flags: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): number {
  writeU32(target, start, callLow);
  writeU32(target, start + 4, callHigh);
  target[start + 8] = flags;
  target[start + 9] = flags >>> 8;
  return writeTail(target, start + 10, headers, body);
}

/** A chunk as read. */
export class ChunkBody {
  callLow = 0;
  callHigh = 0;
  flags = 0;
  headers: readonly RpcHeader[] = NO_HEADERS;
  body: Uint8Array = EMPTY;

  /** Reads a chunk that begins at `start` and reaches to the end of `bytes`. */
  read(bytes: Uint8Array, start: number): boolean {
    if (start + 10 > bytes.length) return false;
    this.callLow = readU32(bytes, start);
    this.callHigh = readU32(bytes, start + 4);
    this.flags = (bytes[start + 8] as number) | ((bytes[start + 9] as number) << 8);
    return readTail(this, bytes, start + 10);
  }
}

/** Bytes of a response. */
export function responseLength(headers: readonly RpcHeader[], body: Uint8Array): number {
  const headerBytes = streamHeaderBytes(headers)?.length ?? headersLength(headers);
  return 2 + headerBytes + 4 + body.length;
}

/** Writes a response; returns where it ends. */
export function writeResponse(
  target: Uint8Array,
  start: number,
  status: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): number {
  target[start] = status;
  target[start + 1] = status >>> 8;
  return writeTail(target, start + 2, headers, body);
}

/** A response as read. */
export class ResponseBody {
  status = 0;
  headers: readonly RpcHeader[] = NO_HEADERS;
  body: Uint8Array = EMPTY;

  /** Reads a response that begins at `start` and reaches to the end of `bytes`. */
  read(bytes: Uint8Array, start: number): boolean {
    if (start + 2 > bytes.length) return false;
    this.status = (bytes[start] as number) | ((bytes[start + 1] as number) << 8);
    return readTail(this, bytes, start + 2);
  }
}

/** Bytes of the body of a STREAM_GRANT. */
export const STREAM_GRANT_BYTES = 4;

/** Writes the body of a STREAM_GRANT. */
export function writeStreamGrant(target: Uint8Array, at: number, credits: number): number {
  writeU32BigEndian(target, at, credits);
  return at + STREAM_GRANT_BYTES;
}

/** Credits of a STREAM_GRANT; `undefined` when it is none. */
export function readStreamGrant(bytes: Uint8Array, at: number): number | undefined {
  return bytes.length === at + STREAM_GRANT_BYTES ? readU32BigEndian(bytes, at) : undefined;
}

/** Bytes of the body of a REQUEST_GRANT. */
export const REQUEST_GRANT_BYTES = 12;

/** Writes the body of a REQUEST_GRANT. */
export function writeRequestGrant(
  target: Uint8Array,
  at: number,
  callLow: number,
  callHigh: number,
  credits: number,
): number {
  writeU32(target, at, callLow);
  writeU32(target, at + 4, callHigh);
  writeU32BigEndian(target, at + 8, credits);
  return at + REQUEST_GRANT_BYTES;
}

/** Credits of a REQUEST_GRANT for this call; `undefined` when it is none. */
export function readRequestGrant(
  bytes: Uint8Array,
  at: number,
  callLow: number,
  callHigh: number,
): number | undefined {
  if (bytes.length !== at + REQUEST_GRANT_BYTES) return undefined;
  if (readU32(bytes, at) !== callLow || readU32(bytes, at + 4) !== callHigh) return undefined;
  return readU32BigEndian(bytes, at + 8);
}

function writeTail(
  target: Uint8Array,
  start: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): number {
  let at = start;
  const known = streamHeaderBytes(headers);
  if (headers.length === 0) target[at++] = 0;
  else if (known === undefined) at = writeHeaders(target, at, headers);
  else {
    target.set(known, at);
    at += known.length;
  }
  writeU32(target, at, body.length);
  target.set(body, at + 4);
  return at + 4 + body.length;
}

function readTail(
  into: { headers: readonly RpcHeader[]; body: Uint8Array },
  bytes: Uint8Array,
  start: number,
): boolean {
  let at = start + 1;
  into.headers = NO_HEADERS;
  if (bytes[start] !== 0) {
    const known = readStreamHeaders(bytes, start);
    const read = known === undefined
      ? readHeaders(bytes, start)
      : { headers: known, end: start + (streamHeaderBytes(known) as Uint8Array).length };
    if (read === undefined) return false;
    into.headers = read.headers;
    at = read.end;
  }
  if (at + 4 > bytes.length || readU32(bytes, at) !== bytes.length - at - 4) return false;
  into.body = bytes.subarray(at + 4);
  return true;
}

/** Unix nanoseconds, to the microsecond: in halves, as doubles do not hold them. */
function writeDeadline(target: Uint8Array, at: number, ms: number): void {
  const us = Math.round(ms * 1000);
  const low = (us % 0x1_0000_0000) * 1000;
  writeU32(target, at, low % 0x1_0000_0000);
  const high = Math.floor(us / 0x1_0000_0000) * 1000;
  writeU32(target, at + 4, high + Math.floor(low / 0x1_0000_0000));
}

function readDeadline(bytes: Uint8Array, at: number): number {
  return (readU32(bytes, at + 4) * 0x1_0000_0000 + readU32(bytes, at)) / NS_PER_MS;
}
