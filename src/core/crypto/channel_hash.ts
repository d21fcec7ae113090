/**
 * Channel names and the numbers made of them (`wire.md` 1, `identity-and-channels.md` 8).
 *
 * Only the 64-bit hash identifies a channel; its low 16 bits in the packet header are a hint.
 */
import { xxh3 } from "./xxh3.ts";

/** Longest channel name in bytes, which for its alphabet is also characters. */
export const CHANNEL_NAME_BYTES_MAX = 255;

const NAME_ALPHABET = /^[a-z0-9\-_./]+$/;
const PUBLISH_BIT = 1n << 48n;

/**
 * True when `name` is a channel name: 1 to 255 of `a-z 0-9 - _ . /`, no empty, `.` or `..` segment.
 *
 * @example
 * ```ts
 * import { isValidChannelName } from "./channel_hash.ts";
 * console.assert(isValidChannelName("lab/x") && !isValidChannelName("lab//x"));
 * ```
 */
export function isValidChannelName(name: string): boolean {
  if (name.length > CHANNEL_NAME_BYTES_MAX || !NAME_ALPHABET.test(name)) return false;
  return name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The canonical hash of a channel name. */
export function deriveChannelHash(name: string): bigint {
  return xxh3(name);
}

/** Stream id that publishes on the channel with this canonical hash use. */
export function channelPublishStreamId(hash: bigint): bigint {
  return hash | PUBLISH_BIT;
}
