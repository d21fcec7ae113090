/** PCP packets (RFC 6887), as far as mapping a UDP port needs them: opcode MAP. Integers big-endian. */
import { formatIpAddress, parseIpAddress, unmapIpv4 } from "../../../base/mod.ts";
import { PCP_BYTES_MAX } from "./limits.ts";

const VERSION = 2;
const OP_MAP = 1;
const ANSWER = 0x80;
const PROTOCOL_UDP = 17;
const MAP_BYTES = 60;
const HEADER_BYTES = 24;

/** Bytes of the nonce that an answer must repeat. */
export const PCP_NONCE_BYTES = 12;

/** Result codes (RFC 6887, 7.4). */
export const PCP_UNSUPPORTED_VERSION = 1;

const RESULTS: readonly string[] = [
  "success",
  "unsupported version",
  "not authorized",
  "malformed request",
  "unsupported opcode",
  "unsupported option",
  "malformed option",
  "network failure",
  "no resources",
  "unsupported protocol",
  "quota exceeded",
  "no external address",
  "address mismatch",
  "too many remote peers",
];

/** Fields of a MAP request. */
export interface PcpMapRequest {
  /** IPv4 address of this machine as the gateway sees it. */
  readonly clientHost: string;
  /** {@linkcode PCP_NONCE_BYTES} bytes; the same for every request about one mapping. */
  readonly nonce: Uint8Array;
  readonly internalPort: number;
  /** 0 for any, and when the mapping is taken back. */
  readonly externalPort: number;
  /** 0 takes the mapping back. */
  readonly leaseSeconds: number;
}

/** An answer to a MAP request. */
export type PcpAnswer =
  | {
    readonly kind: "failure";
    readonly result: number;
    /** Zeros where the gateway does not even know the version. */
    readonly nonce: Uint8Array;
  }
  | {
    readonly kind: "mapping";
    readonly epochSeconds: number;
    readonly nonce: Uint8Array;
    readonly internalPort: number;
    readonly externalPort: number;
    readonly externalHost: string;
    readonly leaseSeconds: number;
  };

/**
 * Encodes a MAP request for UDP.
 *
 * @throws RangeError when the client's address is not IPv4 or the nonce has another length.
 */
export function encodePcpMap(request: PcpMapRequest): Uint8Array<ArrayBuffer> {
  const client = parseIpAddress(request.clientHost);
  if (client?.length !== 4) {
    throw new RangeError(`Cannot encode PCP request: client is "${request.clientHost}", not IPv4`);
  }
  if (request.nonce.length !== PCP_NONCE_BYTES) {
    throw new RangeError(`Cannot encode PCP request: nonce has ${request.nonce.length} bytes`);
  }
  const bytes = new Uint8Array(MAP_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = OP_MAP;
  view.setUint32(4, request.leaseSeconds);
  view.setUint16(18, 0xffff);
  bytes.set(client, 20);
  bytes.set(request.nonce, HEADER_BYTES);
  bytes[36] = PROTOCOL_UDP;
  view.setUint16(40, request.internalPort);
  view.setUint16(42, request.externalPort);
  // The suggested address: any IPv4 one.
  view.setUint16(54, 0xffff);
  return bytes;
}

/** Reads an answer to a MAP request; `undefined` for what is none. Options behind it are ignored. */
export function decodePcpAnswer(bytes: Uint8Array): PcpAnswer | undefined {
  const { length } = bytes;
  if (length < HEADER_BYTES || length > PCP_BYTES_MAX || length % 4 !== 0) return undefined;
  const result = bytes[3] ?? 0;
  if (bytes[1] !== (ANSWER | OP_MAP)) return undefined;
  if (result === PCP_UNSUPPORTED_VERSION) {
    // A gateway of another version states its own one.
    return { kind: "failure", result, nonce: new Uint8Array(PCP_NONCE_BYTES) };
  }
  if (bytes[0] !== VERSION || length < MAP_BYTES || bytes[36] !== PROTOCOL_UDP) return undefined;
  const nonce = bytes.slice(HEADER_BYTES, HEADER_BYTES + PCP_NONCE_BYTES);
  if (result !== 0) return { kind: "failure", result, nonce };
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  return {
    kind: "mapping",
    epochSeconds: view.getUint32(8),
    nonce,
    internalPort: view.getUint16(40),
    externalPort: view.getUint16(42),
    externalHost: formatIpAddress(unmapIpv4(bytes.slice(44, MAP_BYTES))),
    leaseSeconds: view.getUint32(4),
  };
}

/** A result code in words. */
export function describePcpResult(result: number): string {
  return RESULTS[result] ?? `result ${result}`;
}
