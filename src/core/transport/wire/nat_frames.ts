/**
 * Payloads that help peers find each other behind NATs: reflex, rendezvous and the keep-alive datagram
 * (`wire.md` 13). Decoders give `undefined` for anything malformed.
 */
import { ADDRESS_BYTES, decodeAddress, encodeAddress } from "../address.ts";
import { KEEP_ALIVE_BYTES, KEEP_ALIVE_MAGIC } from "./classify.ts";
import type { SocketAddress } from "../types.ts";

/** Hole-punch coordination (0x0D01). */
export type Rendezvous =
  | {
    readonly kind: "request";
    readonly target: bigint;
    readonly punchId: number;
    readonly selfReflex: SocketAddress;
  }
  | {
    readonly kind: "introduce";
    readonly peer: bigint;
    readonly peerReflex: SocketAddress;
    /** Milliseconds since the Unix epoch. */
    readonly fireAtMs: bigint;
  }
  | {
    readonly kind: "ack";
    readonly fromPeer: bigint;
    readonly toPeer: bigint;
    readonly punchId: number;
  }
  | {
    readonly kind: "reject";
    readonly target: bigint;
    readonly punchId: number;
    /** 1 rate-limited, 2 unknown reflex, 3 no session with target, 4 reflex mismatch, 255 other. */
    readonly reason: number;
  };

/** The datagram that opens a hole in a NAT. */
export interface KeepAlive {
  readonly senderNodeId: bigint;
  readonly punchId: number;
}

/**
 * The 19 bytes of a reflex response (0x0D00); the request is an empty event.
 *
 * @throws RangeError when the address is no IP address and port.
 */
export function encodeReflexResponse(address: SocketAddress): Uint8Array<ArrayBuffer> {
  return encodeAddress(address);
}

/** Reads a reflex response. */
export function decodeReflexResponse(bytes: Uint8Array): SocketAddress | undefined {
  return bytes.length === ADDRESS_BYTES ? decodeAddress(bytes) : undefined;
}

/** First byte and exact length of each rendezvous message (`wire.md` 13.2). */
const RENDEZVOUS_KINDS = {
  request: { code: 1, length: 32 },
  introduce: { code: 2, length: 36 },
  ack: { code: 3, length: 21 },
  reject: { code: 4, length: 14 },
} as const;

/**
 * The bytes of a rendezvous message; its integers are big-endian.
 *
 * @throws RangeError when an address is no IP address and port.
 */
export function encodeRendezvous(message: Rendezvous): Uint8Array<ArrayBuffer> {
  const { code, length } = RENDEZVOUS_KINDS[message.kind];
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  bytes[0] = code;
  switch (message.kind) {
    case "request":
      view.setBigUint64(1, message.target);
      view.setUint32(9, message.punchId);
      bytes.set(encodeAddress(message.selfReflex), 13);
      break;
    case "introduce":
      view.setBigUint64(1, message.peer);
      bytes.set(encodeAddress(message.peerReflex), 9);
      view.setBigUint64(28, message.fireAtMs);
      break;
    case "ack":
      view.setBigUint64(1, message.fromPeer);
      view.setBigUint64(9, message.toPeer);
      view.setUint32(17, message.punchId);
      break;
    case "reject":
      view.setBigUint64(1, message.target);
      view.setUint32(9, message.punchId);
      view.setUint8(13, message.reason);
      break;
  }
  return bytes;
}

/** Reads a rendezvous message. */
export function decodeRendezvous(bytes: Uint8Array): Rendezvous | undefined {
  const { request, introduce, ack, reject } = RENDEZVOUS_KINDS;
  const view = viewOf(bytes);
  if (isKind(bytes, request)) {
    const selfReflex = decodeAddress(bytes, 13);
    if (selfReflex === undefined) return undefined;
    const [target, punchId] = [view.getBigUint64(1), view.getUint32(9)];
    return { kind: "request", target, punchId, selfReflex };
  }
  if (isKind(bytes, introduce)) {
    const peerReflex = decodeAddress(bytes, 9);
    if (peerReflex === undefined) return undefined;
    const [peer, fireAtMs] = [view.getBigUint64(1), view.getBigUint64(28)];
    return { kind: "introduce", peer, peerReflex, fireAtMs };
  }
  if (isKind(bytes, ack)) {
    const [fromPeer, toPeer] = [view.getBigUint64(1), view.getBigUint64(9)];
    return { kind: "ack", fromPeer, toPeer, punchId: view.getUint32(17) };
  }
  if (isKind(bytes, reject)) {
    const [target, punchId] = [view.getBigUint64(1), view.getUint32(9)];
    return { kind: "reject", target, punchId, reason: view.getUint8(13) };
  }
  return undefined;
}

/** The 14 bytes of a keep-alive datagram; its integers are little-endian. */
export function encodeKeepAlive(keepAlive: KeepAlive): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(KEEP_ALIVE_BYTES);
  const view = viewOf(bytes);
  view.setUint16(0, KEEP_ALIVE_MAGIC, true);
  view.setBigUint64(2, keepAlive.senderNodeId, true);
  view.setUint32(10, keepAlive.punchId, true);
  return bytes;
}

/** Reads a keep-alive datagram. */
export function decodeKeepAlive(bytes: Uint8Array): KeepAlive | undefined {
  if (bytes.length !== KEEP_ALIVE_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint16(0, true) !== KEEP_ALIVE_MAGIC) return undefined;
  return { senderNodeId: view.getBigUint64(2, true), punchId: view.getUint32(10, true) };
}

function isKind(
  bytes: Uint8Array,
  kind: { readonly code: number; readonly length: number },
): boolean {
  return bytes.length === kind.length && bytes[0] === kind.code;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
