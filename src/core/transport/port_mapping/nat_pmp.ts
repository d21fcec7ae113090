/** NAT-PMP packets (RFC 6886): the external address, and mappings of UDP ports. Integers big-endian. */
import { formatIpAddress } from "../../../base/mod.ts";

const VERSION = 0;
const OP_EXTERNAL_ADDRESS = 0;
const OP_MAP_UDP = 1;
const ANSWER = 128;
const ERROR_BYTES = 8;
const EXTERNAL_ANSWER_BYTES = 12;
const MAP_ANSWER_BYTES = 16;

/** Result codes (RFC 6886, 3.5). */
export const NAT_PMP_UNSUPPORTED_VERSION = 1;

const RESULTS: readonly string[] = [
  "success",
  "unsupported version",
  "not authorized",
  "network failure",
  "out of resources",
  "unsupported opcode",
];

/** An answer that carries an error; `result` is never 0. */
export interface NatPmpFailure {
  readonly kind: "failure";
  readonly op: number;
  readonly result: number;
}

/** Any answer of a gateway. */
export type NatPmpAnswer =
  | NatPmpFailure
  | { readonly kind: "external-address"; readonly epochSeconds: number; readonly host: string }
  | {
    readonly kind: "mapping";
    readonly epochSeconds: number;
    readonly internalPort: number;
    readonly externalPort: number;
    readonly leaseSeconds: number;
  };

/** Asks for the address that the gateway has outside. */
export function encodeExternalAddressRequest(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(VERSION, OP_EXTERNAL_ADDRESS);
}

/** Fields of a request for a mapping. */
export interface NatPmpMapRequest {
  readonly internalPort: number;
  /** Wanted outside; 0 with a lease of 0. */
  readonly externalPort: number;
  /** 0 takes the mapping back. */
  readonly leaseSeconds: number;
}

/** Asks for a mapping of a UDP port. */
export function encodeMapRequest(request: NatPmpMapRequest): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes[1] = OP_MAP_UDP;
  view.setUint16(4, request.internalPort);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.leaseSeconds);
  return bytes;
}

/**
 * Reads an answer; `undefined` for what is none. Bytes behind it are ignored.
 *
 * @example
 * ```ts
 * import { decodeNatPmpAnswer } from "./nat_pmp.ts";
 * const answer = decodeNatPmpAnswer(Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 9, 192, 0, 2, 7));
 * console.assert(answer?.kind === "external-address" && answer.host === "192.0.2.7");
 * ```
 */
export function decodeNatPmpAnswer(bytes: Uint8Array): NatPmpAnswer | undefined {
  if (bytes.length < ERROR_BYTES || bytes[0] !== VERSION) return undefined;
  const op = (bytes[1] ?? 0) - ANSWER;
  if (op !== OP_EXTERNAL_ADDRESS && op !== OP_MAP_UDP) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const result = view.getUint16(2);
  if (result !== 0) return { kind: "failure", op, result };
  const epochSeconds = view.getUint32(4);
  if (op === OP_EXTERNAL_ADDRESS) {
    if (bytes.length < EXTERNAL_ANSWER_BYTES) return undefined;
    return {
      kind: "external-address",
      epochSeconds,
      host: formatIpAddress(bytes.slice(8, EXTERNAL_ANSWER_BYTES)),
    };
  }
  if (bytes.length < MAP_ANSWER_BYTES) return undefined;
  return {
    kind: "mapping",
    epochSeconds,
    internalPort: view.getUint16(8),
    externalPort: view.getUint16(10),
    leaseSeconds: view.getUint32(12),
  };
}

/** A result code in words. */
export function describeNatPmpResult(result: number): string {
  return RESULTS[result] ?? `result ${result}`;
}
