/**
 * Answers on their way back: at once where the link has room, else in their order when it has; in fragments
 * where they are too long for one packet (`nrpc.md` 3, docs/rpc-bodies.md).
 */
import { type FrameLink, NO_LINK_ROOM } from "../link/mod.ts";
import {
  BODY_BYTES_MAX,
  Dispatch,
  FRAME_BYTES,
  responseLength,
  type RpcHeader,
  writeFrameHead,
  writeResponse,
} from "../wire/mod.ts";
import { RpcError } from "../error.ts";
import { type Failure, tooLargeFailure } from "./failure.ts";

/** Sends one response if it can leave now. */
export function trySendResponse(
  link: FrameLink,
  callLow: number,
  callHigh: number,
  item: number,
  status: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): boolean {
  const length = FRAME_BYTES + responseLength(headers, body);
  if (length > link.frameBytesMax || !link.isOpen) return false;
  const at = link.reserve(length);
  if (at === NO_LINK_ROOM) return false;
  const { bytes } = link;
  const start = writeFrameHead(bytes, at, Dispatch.response, link.route, callLow, callHigh, item);
  writeResponse(bytes, start, status, headers, body);
  return true;
}

/** True for a response that one packet does not hold. */
export function isLargeResponse(
  link: FrameLink,
  headers: readonly RpcHeader[],
  body: Uint8Array,
): boolean {
  return FRAME_BYTES + responseLength(headers, body) > link.frameBytesMax;
}

/** The failure itself, or where its body is longer than the caller takes, the same status with a word about that. */
export function fittingFailure(link: FrameLink, fault: Failure): Failure {
  if (!isLargeResponse(link, fault.headers, fault.body)) return fault;
  const bytesMax = link.isExtended ? BODY_BYTES_MAX : link.frameBytesMax;
  if (link.isExtended && fault.body.length <= bytesMax) return fault;
  return { ...tooLargeFailure(fault.body.length, bytesMax), status: fault.status };
}

/**
 * Sends one response as soon as it can leave.
 *
 * @throws RpcError `too_large` when the peer takes no such body, what the link throws, the signal's reason.
 */
export async function sendResponse(
  link: FrameLink,
  callLow: number,
  callHigh: number,
  item: number,
  status: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (isLargeResponse(link, headers, body)) {
    const bytesMax = link.isExtended ? BODY_BYTES_MAX : link.frameBytesMax;
    if (!link.isExtended || body.length > BODY_BYTES_MAX) {
      throw new RpcError(
        "too_large",
        `body too large for this peer: it has ${body.length} bytes, and with its headers must be at ` +
          `most ${bytesMax}`,
      );
    }
    const bytes = new Uint8Array(responseLength(headers, body));
    writeResponse(bytes, 0, status, headers, body);
    return await link.sendLarge(Dispatch.response, callLow, callHigh, item, bytes, signal);
  }
  while (!trySendResponse(link, callLow, callHigh, item, status, headers, body)) {
    await link.ready(signal);
  }
}
