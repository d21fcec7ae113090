/** What the options of a transport must be; faults in them are the programmer's. */
import { idToHex } from "../../base/mod.ts";
import { deriveNodeId } from "../crypto/mod.ts";
import { INTERVAL_MS_MAX, INTERVAL_MS_MIN } from "./limits.ts";

/**
 * Refuses intervals that would have a node do nothing else, or never do it.
 *
 * @throws RangeError below 10 ms and above a day.
 */
export function requireInterval(name: string, ms: number): void {
  if (ms >= INTERVAL_MS_MIN && ms <= INTERVAL_MS_MAX) return;
  throw new RangeError(
    `Cannot start transport: ${name} is ${ms} ms, must be ${INTERVAL_MS_MIN} to ${INTERVAL_MS_MAX}`,
  );
}

/**
 * Refuses a node that would be two.
 *
 * @throws TypeError when the entity id gives another node id.
 */
export function requireOneIdentity(nodeId: bigint, entityId: Uint8Array | undefined): void {
  if (entityId === undefined || deriveNodeId(entityId) === nodeId) return;
  throw new TypeError(
    `Cannot start transport: the identity gives node id ${idToHex(deriveNodeId(entityId))}, ` +
      `must be ${idToHex(nodeId)}`,
  );
}
