/**
 * Pingwaves: the 72-byte datagrams that announce a node and how to reach it (`wire.md` 10.1, 10.3).
 *
 * They are neither encrypted nor authenticated. Whom to forward to and which were seen before is
 * decided elsewhere.
 */

/** Exact size of a pingwave. */
export const PINGWAVE_BYTES = 72;
/** Largest hop count that is accepted. */
export const PINGWAVE_HOP_COUNT_MAX = 15;
/** Largest health value: 0 healthy, 1 degraded, 2 unhealthy, 3 unknown. */
export const PINGWAVE_HEALTH_MAX = 3;

const ORIGIN_TAIL_AT = 8;
const ORIGIN_END = 32;
const TTL_AT = 40;
const HOP_COUNT_AT = 41;
const HEALTH_AT = 63;
const GPU_AT = 64;
const ORIGIN_TAIL_BYTES = ORIGIN_END - ORIGIN_TAIL_AT;

/** A decoded pingwave. */
export interface Pingwave {
  /** Node id of the origin: the first 8 bytes of its graph id. */
  readonly originId: bigint;
  /** The other 24 bytes of the graph id; zero in practice. */
  readonly originTail: Uint8Array;
  /** Per origin, from 1. */
  readonly sequence: bigint;
  readonly ttl: number;
  readonly hopCount: number;
  /** When it was sent, in microseconds since the Unix epoch. */
  readonly timestampUs: bigint;
  /** Only ever compared for equality; 0 when there is none. */
  readonly capabilityHash: bigint;
  readonly capabilityVersion: number;
  /** 0 to 255. */
  readonly load: number;
  /** 0 healthy, 1 degraded, 2 unhealthy, 3 unknown. */
  readonly health: number;
  readonly hasGpu: boolean;
  readonly modelSlots: number;
  /** 0 to 7 for at most 1, 2, … 128 GB and above, as in `wire.md` 10.1. */
  readonly memoryTier: number;
  readonly toolsBitmap: number;
  readonly customFlags: number;
}

/** What {@linkcode encodePingwave} needs; everything left out is 0. */
export type PingwaveFields =
  & Pick<Pingwave, "originId" | "sequence" | "ttl" | "timestampUs">
  & Partial<Pingwave>;

/** Why a pingwave is dropped; `None` is 0 and means that it is not. */
export const PingwaveReject = {
  None: 0,
  BadLength: 1,
  TooManyHops: 2,
  BadHealth: 3,
} as const;
/** A value of the table of the same name. */
export type PingwaveReject = (typeof PingwaveReject)[keyof typeof PingwaveReject];

/**
 * Checks what can be checked without knowing the network (`wire.md` 10.2).
 *
 * @param at Start of the pingwave in `bytes`.
 * @param length Bytes of the datagram.
 */
export function validatePingwave(
  bytes: Uint8Array,
  at = 0,
  length = bytes.length - at,
): PingwaveReject {
  if (length !== PINGWAVE_BYTES) return PingwaveReject.BadLength;
  if ((bytes[at + HOP_COUNT_AT] ?? 0) > PINGWAVE_HOP_COUNT_MAX) return PingwaveReject.TooManyHops;
  if ((bytes[at + HEALTH_AT] ?? 0) > PINGWAVE_HEALTH_MAX) return PingwaveReject.BadHealth;
  return PingwaveReject.None;
}

/**
 * Does to a pingwave, in place, what a node does before it passes it on: ttl, hop count and the GPU
 * byte change, everything else stays as it came.
 *
 * @param at Start of the pingwave in `bytes`.
 * @returns False when the time-to-live is used up: nothing was changed.
 */
export function forwardPingwave(bytes: Uint8Array, at = 0): boolean {
  const ttl = bytes[at + TTL_AT] ?? 0;
  if (ttl === 0) return false;
  bytes[at + TTL_AT] = ttl - 1;
  bytes[at + HOP_COUNT_AT] = Math.min((bytes[at + HOP_COUNT_AT] ?? 0) + 1, 255);
  bytes[at + GPU_AT] = bytes[at + GPU_AT] === 0 ? 0 : 1;
  return true;
}

/**
 * Decodes a pingwave; `undefined` when it is invalid.
 *
 * @example
 * ```ts
 * import { decodePingwave, encodePingwave } from "./pingwave.ts";
 * const bytes = encodePingwave({ originId: 7n, sequence: 1n, ttl: 3, timestampUs: 0n });
 * console.assert(decodePingwave(bytes)?.originId === 7n);
 * ```
 */
export function decodePingwave(bytes: Uint8Array): Pingwave | undefined {
  if (validatePingwave(bytes) !== PingwaveReject.None) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, PINGWAVE_BYTES);
  return {
    originId: view.getBigUint64(0, true),
    originTail: bytes.slice(ORIGIN_TAIL_AT, ORIGIN_END),
    sequence: view.getBigUint64(ORIGIN_END, true),
    ttl: view.getUint8(TTL_AT),
    hopCount: view.getUint8(HOP_COUNT_AT),
    timestampUs: view.getBigUint64(42, true),
    capabilityHash: view.getBigUint64(50, true),
    capabilityVersion: view.getUint32(58, true),
    load: view.getUint8(62),
    health: view.getUint8(HEALTH_AT),
    hasGpu: view.getUint8(GPU_AT) !== 0,
    modelSlots: view.getUint8(65),
    memoryTier: view.getUint8(66),
    toolsBitmap: view.getUint8(67),
    customFlags: view.getUint32(68, true),
  };
}

/**
 * Encodes a pingwave.
 *
 * @throws RangeError when the tail is not 24 bytes, or the health or hop count is one nobody accepts.
 */
export function encodePingwave(fields: PingwaveFields): Uint8Array<ArrayBuffer> {
  const { originTail, health = 0, hopCount = 0 } = fields;
  if (originTail !== undefined && originTail.length !== ORIGIN_TAIL_BYTES) {
    throw new RangeError(
      `Cannot encode pingwave: origin tail has ${originTail.length} bytes, must be ${ORIGIN_TAIL_BYTES}`,
    );
  }
  if (health > PINGWAVE_HEALTH_MAX || hopCount > PINGWAVE_HOP_COUNT_MAX) {
    throw new RangeError(
      `Cannot encode pingwave: health is ${health} and hop count ${hopCount}, must be at most 3 and 15`,
    );
  }
  const bytes = new Uint8Array(PINGWAVE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, fields.originId, true);
  if (originTail !== undefined) bytes.set(originTail, ORIGIN_TAIL_AT);
  view.setBigUint64(ORIGIN_END, fields.sequence, true);
  view.setUint8(TTL_AT, fields.ttl);
  view.setUint8(HOP_COUNT_AT, hopCount);
  view.setBigUint64(42, fields.timestampUs, true);
  view.setBigUint64(50, fields.capabilityHash ?? 0n, true);
  view.setUint32(58, fields.capabilityVersion ?? 0, true);
  view.setUint8(62, fields.load ?? 0);
  view.setUint8(HEALTH_AT, health);
  view.setUint8(GPU_AT, fields.hasGpu === true ? 1 : 0);
  view.setUint8(65, fields.modelSlots ?? 0);
  view.setUint8(66, fields.memoryTier ?? 0);
  view.setUint8(67, fields.toolsBitmap ?? 0);
  view.setUint32(68, fields.customFlags ?? 0, true);
  return bytes;
}
