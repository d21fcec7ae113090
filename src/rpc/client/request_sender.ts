/**
 * Frames of a call on their way out: straight into the link where there is room, else when there is, in
 * fragments where they are too long for one packet.
 */
import { type FrameLink, NO_LINK_ROOM } from "../link/link.ts";
import type { RpcHeader } from "../wire/mod.ts";
import {
  BODY_BYTES_MAX,
  chunkLength,
  Dispatch,
  FRAME_BYTES,
  NO_HEADERS,
  requestLength,
  writeChunk,
  writeFrameHead,
  writeRequest,
} from "../wire/mod.ts";
import { linkEndError, tooLargeError } from "./call_errors.ts";
import type { ClientCall } from "./client_call.ts";

/** Sends a request if it can leave now. */
export function trySendRequest(
  call: ClientCall,
  link: FrameLink,
  flags: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
  item: number,
): boolean {
  const { bytes: service } = call.service;
  const length = FRAME_BYTES + requestLength(service, headers, body);
  if (length > link.frameBytesMax || !link.isOpen) return false;
  const at = link.reserve(length);
  if (at === NO_LINK_ROOM) return false;
  const { bytes } = link;
  const { callLow, callHigh } = call;
  const start = writeFrameHead(bytes, at, Dispatch.request, link.route, callLow, callHigh, item);
  writeRequest(bytes, start, service, call.deadlineWallMs, flags, headers, body);
  call.markSent();
  return true;
}

/** Sends a request as soon as it can leave; throws what the link throws, or RpcError `too_large`. */
export function sendRequest(
  call: ClientCall,
  link: FrameLink,
  flags: number,
  headers: readonly RpcHeader[],
  body: Uint8Array,
  item: number,
): Promise<void> {
  const { bytes: service } = call.service;
  return sendFrame(call, link, {
    dispatch: Dispatch.request,
    item,
    bodyBytes: body.length,
    length: requestLength(service, headers, body),
    write: (target, at) =>
      writeRequest(target, at, service, call.deadlineWallMs, flags, headers, body),
  });
}

/** Sends an item of an upload if it can leave now. */
export function trySendChunk(
  call: ClientCall,
  link: FrameLink,
  flags: number,
  body: Uint8Array,
  item: number,
): boolean {
  const length = FRAME_BYTES + chunkLength(NO_HEADERS, body);
  if (length > link.frameBytesMax || !link.isOpen) return false;
  const at = link.reserve(length);
  if (at === NO_LINK_ROOM) return false;
  const { bytes } = link;
  const { callLow: low, callHigh: high } = call;
  const start = writeFrameHead(bytes, at, Dispatch.requestChunk, link.route, low, high, item);
  writeChunk(bytes, start, low, high, flags, NO_HEADERS, body);
  return true;
}

/** Sends an item of an upload as soon as it can leave; throws as {@linkcode sendRequest} does. */
export function sendChunk(
  call: ClientCall,
  link: FrameLink,
  flags: number,
  body: Uint8Array,
  item: number,
): Promise<void> {
  return sendFrame(call, link, {
    dispatch: Dispatch.requestChunk,
    item,
    bodyBytes: body.length,
    length: chunkLength(NO_HEADERS, body),
    write: (target, at) =>
      writeChunk(target, at, call.callLow, call.callHigh, flags, NO_HEADERS, body),
  });
}

interface Frame {
  readonly dispatch: number;
  readonly item: number;
  readonly bodyBytes: number;
  /** Bytes behind the head. */
  readonly length: number;
  write(target: Uint8Array, at: number): number;
}

async function sendFrame(call: ClientCall, link: FrameLink, frame: Frame): Promise<void> {
  const { callLow, callHigh } = call;
  const { dispatch, item, bodyBytes } = frame;
  const length = FRAME_BYTES + frame.length;
  if (bodyBytes > BODY_BYTES_MAX) throw tooLargeError(call, bodyBytes, BODY_BYTES_MAX);
  const signal = call.sendSignal();
  if (length > link.frameBytesMax) {
    if (!link.isExtended) throw tooLargeError(call, bodyBytes, link.frameBytesMax);
    const body = new Uint8Array(frame.length);
    frame.write(body, 0);
    call.markSent();
    return await link.sendLarge(dispatch, callLow, callHigh, item, body, signal);
  }
  for (;;) {
    signal.throwIfAborted();
    if (!link.isOpen) throw linkEndError(call, "closed");
    const at = link.reserve(length);
    if (at !== NO_LINK_ROOM) {
      const start = writeFrameHead(link.bytes, at, dispatch, link.route, callLow, callHigh, item);
      frame.write(link.bytes, start);
      call.markSent();
      return;
    }
    await link.ready(signal);
  }
}
