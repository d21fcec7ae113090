/**
 * The one header that every response of a stream carries (`nrpc.md` 7). It is the same each time, so it is
 * written and recognised as a whole: reading it as text costs more than the rest of an item.
 */
import { HeaderName } from "./dispatch.ts";
import { headersLength, type RpcHeader, textHeader, writeHeaders } from "./headers.ts";

/** Headers of an item, others follow; {@linkcode ResponseBody} gives these very ones for it. */
export const CONTINUE_HEADERS: readonly RpcHeader[] = Object.freeze([
  textHeader(HeaderName.streaming, "continue"),
]);

/** Headers of the end of a stream; {@linkcode ResponseBody} gives these very ones for it. */
export const END_HEADERS: readonly RpcHeader[] = Object.freeze([
  textHeader(HeaderName.streaming, "end"),
]);

const CONTINUE_BYTES = encode(CONTINUE_HEADERS);
const END_BYTES = encode(END_HEADERS);

/** The encoded form of these headers, their count included, if they are one of the two. */
export function streamHeaderBytes(headers: readonly RpcHeader[]): Uint8Array | undefined {
  if (headers === CONTINUE_HEADERS) return CONTINUE_BYTES;
  return headers === END_HEADERS ? END_BYTES : undefined;
}

/** Which of the two begins here; `undefined` when it is neither. */
export function readStreamHeaders(
  bytes: Uint8Array,
  at: number,
): readonly RpcHeader[] | undefined {
  if (startsWith(bytes, at, CONTINUE_BYTES)) return CONTINUE_HEADERS;
  return startsWith(bytes, at, END_BYTES) ? END_HEADERS : undefined;
}

function startsWith(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  if (at + wanted.length > bytes.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

function encode(headers: readonly RpcHeader[]): Uint8Array {
  const bytes = new Uint8Array(headersLength(headers));
  writeHeaders(bytes, 0, headers);
  return bytes;
}
