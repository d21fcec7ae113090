/**
 * The Noise key that a node announces, so that whoever knows its announcement can begin a sealed session with
 * it (docs/announcements.md). It is signed with the rest of the announcement.
 */
import { deriveNodeId, isUsableNoiseKey } from "../crypto/mod.ts";
import type { Announcement } from "./announcement.ts";

/** Said by nodes that seal their sessions. */
export const TAG_SEALED = "net.sealed@1";
/** The metadata entry with the key: 64 lower-case hex digits. */
export const NOISE_KEY_METADATA = "net.noise-key";

const KEY_TEXT = /^[0-9a-f]{64}$/;

/** The entry that announces a key of 32 bytes. */
export function noiseKeyEntry(noisePublicKey: Uint8Array): readonly [string, string] {
  return [NOISE_KEY_METADATA, noisePublicKey.toHex()];
}

/**
 * The key in a signed announcement: 32 bytes that are not of low order, of a node that seals and whose entity
 * gives its node id; `undefined` where any of this does not hold.
 */
export function announcedNoiseKey(
  { nodeId, entityId, capabilities }: Pick<Announcement, "nodeId" | "entityId" | "capabilities">,
): Uint8Array | undefined {
  const text = capabilities.metadata.get(NOISE_KEY_METADATA);
  if (text === undefined || !KEY_TEXT.test(text)) return undefined;
  if (!capabilities.tags.includes(TAG_SEALED) || deriveNodeId(entityId) !== nodeId) {
    return undefined;
  }
  const key = Uint8Array.fromHex(text);
  return isUsableNoiseKey(key) ? key : undefined;
}
