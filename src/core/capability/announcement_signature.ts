/**
 * Signatures of announcements, and the announcement of this node itself (`capabilities.md` 6).
 *
 * The signature binds everything but the hop count to the origin's ed25519 key, and the node id to that
 * key. It says nothing about who sent the copy at hand, and it does not age: freshness is the store's
 * work.
 */
import { deriveNodeId, type Identity, verifySignature } from "../crypto/mod.ts";
import { canonicalReflexAddress } from "./_reflex_address.ts";
import { type Announcement, announcementTranscript, encodeAnnouncement } from "./announcement.ts";
import { createCapabilitySet } from "./capability_set.ts";
import { ALLOWED_MAX, ANNOUNCEMENT_TTL_SECONDS, GROUP_BYTES, SUBNET_BYTES } from "./limits.ts";

const U64_MAX = (1n << 64n) - 1n;
const U32_MAX = 0xffff_ffff;
const NS_PER_MS = 1_000_000n;

/** What is wrong with a signed announcement. */
export type AnnouncementForgery = "unsigned" | "identity" | "signature";

/** Options of {@linkcode localAnnouncement}. */
export interface LocalAnnouncementOptions {
  readonly identity: Identity;
  readonly tags: Iterable<string>;
  readonly metadata?: Iterable<readonly [string, string]>;
  /** See {@linkcode nextAnnouncementVersion}. */
  readonly version: bigint;
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** Seconds; 300 when left out. */
  readonly ttlSeconds?: number;
  /** `ip:port` or `[ipv6]:port` as others see this node. */
  readonly reflexAddress?: string;
  /** Node ids that may call, at most 64. */
  readonly allowedNodes?: readonly bigint[];
  /** Subnets that may call, 16 bytes each, at most 64. */
  readonly allowedSubnets?: readonly Uint8Array[];
  /** Groups that may call, 32 bytes each, at most 64. */
  readonly allowedGroups?: readonly Uint8Array[];
}

/**
 * This node's own announcement, signed.
 *
 * @throws RangeError when an option is out of its range.
 * @throws NetError `limit` when it does not fit in one event.
 *
 * @example
 * ```ts
 * import { createIdentity } from "../crypto/mod.ts";
 * import { localAnnouncement, verifyAnnouncement } from "./announcement_signature.ts";
 * const identity = createIdentity(new Uint8Array(32));
 * const announcement = localAnnouncement({ identity, tags: ["gpu"], version: 1n, wallMs: 0 });
 * console.assert(verifyAnnouncement(announcement) === undefined);
 * ```
 */
export function localAnnouncement(options: LocalAnnouncementOptions): Announcement {
  const { identity, version, wallMs, allowedNodes = [] } = options;
  const ttlSeconds = options.ttlSeconds ?? ANNOUNCEMENT_TTL_SECONDS;
  if (version < 0n || version > U64_MAX) {
    throw new RangeError(`Cannot announce: version is ${version}, must be 0..2^64-1`);
  }
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 0 || ttlSeconds > U32_MAX) {
    throw new RangeError(`Cannot announce: ttlSeconds is ${ttlSeconds}, must be 0..2^32-1`);
  }
  if (!Number.isFinite(wallMs) || wallMs < 0) {
    throw new RangeError(`Cannot announce: wallMs is ${wallMs}, must not be negative`);
  }
  if (allowedNodes.length > ALLOWED_MAX || allowedNodes.some((id) => id < 0n || id > U64_MAX)) {
    throw new RangeError(`Cannot announce: allowedNodes must be at most ${ALLOWED_MAX} node ids`);
  }
  const announcement: Announcement = {
    nodeId: identity.nodeId,
    entityId: identity.entityId,
    version,
    timestampNs: BigInt(Math.floor(wallMs)) * NS_PER_MS,
    ttlSeconds,
    capabilities: createCapabilitySet(options.tags, options.metadata),
    signature: undefined,
    hopCount: 0,
    reflexAddress: requireReflexAddress(options.reflexAddress),
    allowedNodes,
    allowedSubnets: requireList("allowedSubnets", options.allowedSubnets, SUBNET_BYTES),
    allowedGroups: requireList("allowedGroups", options.allowedGroups, GROUP_BYTES),
    ownerCertificate: undefined,
  };
  const signed = signAnnouncement(announcement, identity);
  encodeAnnouncement(signed);
  return signed;
}

/** The announcement with the identity's signature, hop count 0. */
export function signAnnouncement(announcement: Announcement, identity: Identity): Announcement {
  const signature = identity.sign(announcementTranscript(announcement));
  return { ...announcement, signature, hopCount: 0 };
}

/** What is wrong with signature or node id; `undefined` when the origin said exactly this. */
export function verifyAnnouncement(announcement: Announcement): AnnouncementForgery | undefined {
  const { signature, entityId } = announcement;
  if (signature === undefined) return "unsigned";
  if (deriveNodeId(entityId) !== announcement.nodeId) return "identity";
  const isSigned = verifySignature(entityId, announcementTranscript(announcement), signature);
  return isSigned ? undefined : "signature";
}

/**
 * The version of the next announcement: milliseconds since the Unix epoch, so that a restart of the
 * node does not fall behind what peers remember, but always above the previous one.
 *
 * @param previous Version of the last announcement, 0 when there was none.
 */
export function nextAnnouncementVersion(previous: bigint, wallMs: number): bigint {
  const byClock = BigInt(Math.max(0, Math.floor(wallMs)));
  return byClock > previous ? byClock : previous + 1n;
}

function requireReflexAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const address = canonicalReflexAddress(text);
  if (address !== undefined) return address;
  throw new RangeError(`Cannot announce address "${text.slice(0, 64)}": must be IP:PORT`);
}

function requireList(
  name: string,
  list: readonly Uint8Array[] = [],
  length: number,
): readonly Uint8Array[] {
  if (list.length > ALLOWED_MAX || list.some((bytes) => bytes.length !== length)) {
    throw new RangeError(
      `Cannot announce: ${name} must be at most ${ALLOWED_MAX} entries of ${length} bytes`,
    );
  }
  return list;
}
