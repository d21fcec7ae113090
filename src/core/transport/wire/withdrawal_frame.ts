/** Payload of a route withdrawal (`wire.md` 12). */

/** Exact size of one. */
export const ROUTE_WITHDRAWAL_BYTES = 16;

/** "The destination is unreachable through me" (0x0C01). */
export interface RouteWithdrawal {
  readonly destination: bigint;
  /** Per sender, from 0. */
  readonly sequence: bigint;
}

/** The 16 bytes of a route withdrawal. */
export function encodeRouteWithdrawal(withdrawal: RouteWithdrawal): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ROUTE_WITHDRAWAL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, withdrawal.destination, true);
  view.setBigUint64(8, withdrawal.sequence, true);
  return bytes;
}

/** Reads a route withdrawal; `undefined` when it is malformed. */
export function decodeRouteWithdrawal(bytes: Uint8Array): RouteWithdrawal | undefined {
  if (bytes.length !== ROUTE_WITHDRAWAL_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { destination: view.getBigUint64(0, true), sequence: view.getBigUint64(8, true) };
}
