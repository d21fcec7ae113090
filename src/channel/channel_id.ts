/**
 * A channel's name with the numbers made of it, worked out once (`identity-and-channels.md` 8, features
 * CH-01 and CH-02). What a name may look like, and its hash, are `core/crypto`.
 */
import { NetError } from "../base/mod.ts";
import {
  CHANNEL_NAME_BYTES_MAX,
  channelPublishStreamId,
  deriveChannelHash,
  isValidChannelName,
  xxh3,
} from "../core/crypto/mod.ts";

/** A channel by name. */
export interface ChannelId {
  readonly name: string;
  /** Canonical hash of the name; what access is decided by. */
  readonly hash: bigint;
  /** Its low 16 bits, as packet headers carry them: shared by names at random. */
  readonly wireHash: number;
  /** Stream that events are published on. */
  readonly streamId: bigint;
}

/**
 * The channel of a name; `undefined` when it is none.
 *
 * @example
 * ```ts
 * import { channelId } from "./channel_id.ts";
 * console.assert(channelId("lab/x")?.wireHash === 0x2ee8);
 * console.assert(channelId("Lab/x") === undefined);
 * ```
 */
export function channelId(name: string): ChannelId | undefined {
  if (!isValidChannelName(name)) return undefined;
  const hash = deriveChannelHash(name);
  return {
    name,
    hash,
    wireHash: Number(hash & 0xffffn),
    streamId: channelPublishStreamId(hash),
  };
}

/**
 * The channel of a name that a person gave.
 *
 * @throws NetError `usage` when it is none.
 */
export function requireChannelId(name: string): ChannelId {
  const id = channelId(name);
  if (id !== undefined) return id;
  throw new NetError("usage", `Cannot use channel "${name.slice(0, 80)}": ${faultOf(name)}`, {
    next: "write names as room/lobby: a-z 0-9 - _ . in segments between single slashes",
  });
}

/** What a token for one queue group of a channel names instead of the channel's hash. */
export function queueGroupHash(name: string, group: string): bigint {
  return xxh3(`${name}#${group}`);
}

/** What is wrong with a text as the name of a channel. */
function faultOf(name: string): string {
  const { length } = name;
  if (length < 1 || length > CHANNEL_NAME_BYTES_MAX) {
    return `its length is ${length}, must be 1 to ${CHANNEL_NAME_BYTES_MAX}`;
  }
  if (/[A-Z]/.test(name)) return "it has upper-case letters, must be lower case";
  if (/[^a-z0-9\-_./]/.test(name)) return "it has other characters than a-z 0-9 - _ . /";
  return "it has an empty segment, or one that is . or ..";
}
