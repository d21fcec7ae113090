/** Headers of requests, chunks and responses (`nrpc.md` 3). */
import { HEADER_NAME_BYTES_MAX, HEADER_VALUE_BYTES_MAX, HEADERS_MAX } from "./limits.ts";

/** One header. */
export interface RpcHeader {
  readonly name: string;
  readonly value: Uint8Array;
}

/** No headers at all. */
export const NO_HEADERS: readonly RpcHeader[] = Object.freeze([]);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const textDecoder = new TextDecoder();

/** A header with a text as its value. */
export function textHeader(name: string, value: string): RpcHeader {
  return { name, value: encoder.encode(value) };
}

/** Value of the first header of this name, in whatever case; `undefined` without one. */
export function headerValue(headers: readonly RpcHeader[], name: string): Uint8Array | undefined {
  if (headers.length === 0) return undefined;
  const wanted = name.toLowerCase();
  return headers.find((header) => header.name.toLowerCase() === wanted)?.value;
}

/** The same as text. */
export function headerText(headers: readonly RpcHeader[], name: string): string | undefined {
  const value = headerValue(headers, name);
  return value === undefined ? undefined : textDecoder.decode(value);
}

/** Number in a header of ASCII digits; `undefined` without one, or when it is no 32-bit number. */
export function headerNumber(headers: readonly RpcHeader[], name: string): number | undefined {
  const text = headerText(headers, name);
  if (text === undefined || !/^[0-9]+$/.test(text)) return undefined;
  return Math.min(0xffff_ffff, Number(text));
}

/** Bytes that headers take, their count included. */
export function headersLength(headers: readonly RpcHeader[]): number {
  let length = 1;
  for (const { name, value } of headers) length += 3 + utf8Length(name) + value.length;
  return length;
}

/**
 * Writes headers.
 *
 * @returns Where they end.
 * @throws RangeError when there are too many, or a name or value is too long.
 */
export function writeHeaders(
  target: Uint8Array,
  start: number,
  headers: readonly RpcHeader[],
): number {
  if (headers.length > HEADERS_MAX) {
    throw new RangeError(
      `Cannot send headers: there are ${headers.length}, at most ${HEADERS_MAX}`,
    );
  }
  let at = start;
  target[at++] = headers.length;
  for (const { name, value } of headers) {
    const { written } = encoder.encodeInto(name, target.subarray(at + 1));
    if (written < 1 || written > HEADER_NAME_BYTES_MAX) {
      throw new RangeError(
        `Cannot send header: its name has ${written} bytes, must be 1 to ${HEADER_NAME_BYTES_MAX}`,
      );
    }
    if (value.length > HEADER_VALUE_BYTES_MAX) {
      throw new RangeError(
        `Cannot send header ${name}: its value has ${value.length} bytes, at most ` +
          HEADER_VALUE_BYTES_MAX,
      );
    }
    target[at++] = written;
    at += written;
    target[at++] = value.length & 0xff;
    target[at++] = value.length >>> 8;
    target.set(value, at);
    at += value.length;
  }
  return at;
}

/** Headers as read; `undefined` when they cannot be. */
export interface HeadersRead {
  readonly headers: readonly RpcHeader[];
  readonly end: number;
}

/** Reads headers; values are copies. */
export function readHeaders(bytes: Uint8Array, start: number): HeadersRead | undefined {
  const count = bytes[start];
  if (count === undefined || count > HEADERS_MAX) return undefined;
  let at = start + 1;
  if (count === 0) return { headers: NO_HEADERS, end: at };
  const headers: RpcHeader[] = [];
  for (let index = 0; index < count; index++) {
    const nameLength = bytes[at] ?? 0;
    if (nameLength < 1 || nameLength > HEADER_NAME_BYTES_MAX) return undefined;
    const valueAt = at + 1 + nameLength + 2;
    if (valueAt > bytes.length) return undefined;
    const name = readText(bytes, at + 1, at + 1 + nameLength);
    const valueLength = (bytes[valueAt - 2] as number) | ((bytes[valueAt - 1] as number) << 8);
    if (name === undefined || valueLength > HEADER_VALUE_BYTES_MAX) return undefined;
    if (valueAt + valueLength > bytes.length) return undefined;
    headers.push({ name, value: bytes.slice(valueAt, valueAt + valueLength) });
    at = valueAt + valueLength;
  }
  return { headers, end: at };
}

/** UTF-8 text; `undefined` when it is none. */
export function readText(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0x7f) return encoder.encode(text).length;
  }
  return text.length;
}
