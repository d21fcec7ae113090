/** What a handler threw, as its caller is told (`nrpc.md` 6, 12). */
import { utf8 } from "../../base/mod.ts";
import { RpcError, RpcStatusError } from "../error.ts";
import { NO_HEADERS, type RpcHeader, Status } from "../wire/mod.ts";
import { FAILURE_TEXT_BYTES_MAX } from "./limits.ts";

/** An answer that is no success. */
export interface Failure {
  readonly status: number;
  readonly headers: readonly RpcHeader[];
  readonly body: Uint8Array;
  /** What observers are told. */
  readonly text: string;
  /** It is a fault of the handler, not what it meant to say. */
  readonly isPanic: boolean;
}

/** Handlers of other languages choose their status by a text like this. */
const APP_ERROR = /^nrpc:app_error:0x([0-9a-f]{1,4}):([\s\S]*)$/i;

/** A failure of this engine. */
export function failure(
  status: number,
  text: string,
  headers: readonly RpcHeader[] = NO_HEADERS,
): Failure {
  return { status, headers, body: textBody(text), text, isPanic: false };
}

/** The failure that something thrown stands for. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RpcStatusError) {
    const { status, message } = error;
    const body = error.body ?? textBody(message);
    return { status, headers: NO_HEADERS, body, text: message, isPanic: false };
  }
  const text = textOf(error);
  const [, digits, rest] = APP_ERROR.exec(text) ?? [];
  const status = digits === undefined ? 0 : Number.parseInt(digits, 16);
  if (status !== 0) return failure(status, rest ?? "");
  return { ...failure(Status.internal, `handler panicked: ${text}`), isPanic: true };
}

/** An item or answer that the caller cannot be sent. */
export function tooLargeFailure(bytes: number, bytesMax: number): Failure {
  return failure(
    Status.internal,
    `body too large for this peer: the answer has ${bytes} bytes, and with its headers must be at ` +
      `most ${bytesMax}`,
  );
}

/** The failure of a link or engine error while an answer was on its way. */
export function sendFailure(error: unknown): Failure {
  const text = textOf(error);
  const isTooLarge = error instanceof RpcError && error.kind === "too_large";
  return failure(Status.internal, isTooLarge ? text : `answer could not be sent: ${text}`);
}

/** Whatever was thrown, in words: getters and conversions of a handler's own may throw as well. */
function textOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "something that has no text";
  }
}

function textBody(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length <= FAILURE_TEXT_BYTES_MAX) return bytes;
  let end = FAILURE_TEXT_BYTES_MAX;
  // Not in the middle of a character.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
