/**
 * What a node is described with beyond its capabilities: where it stands, how it is reached, how it is
 * (`capabilities.md` 18). Plain data, checked once; finding nodes by it is `metadata_store.ts`.
 */
import {
  METADATA_ADDRESSES_MAX,
  METADATA_CUSTOM_MAX,
  METADATA_DISTANCES_MAX,
  METADATA_PEERS_MAX,
  METADATA_TAGS_MAX,
  METADATA_TEXT_BYTES_MAX,
} from "./limits.ts";

/** Whether a node takes work. */
export const NODE_STATUSES = [
  "online",
  "degraded",
  "draining",
  "maintenance",
  "offline",
  "unknown",
] as const;

/** How close to the network's core a node stands. */
export const NETWORK_TIERS = ["core", "regional", "edge", "home", "mobile", "unknown"] as const;

/** How the way in is blocked; as the tags `nat:` say it. */
export const NAT_TYPES = ["open", "cone", "symmetric", "unknown"] as const;

/** Continents. */
export const CONTINENTS = [
  "africa",
  "antarctica",
  "asia",
  "europe",
  "north_america",
  "oceania",
  "south_america",
] as const;

export type NodeStatus = (typeof NODE_STATUSES)[number];
export type NetworkTier = (typeof NETWORK_TIERS)[number];
export type NatType = (typeof NAT_TYPES)[number];
export type Continent = (typeof CONTINENTS)[number];

/** Where a node stands; everything may be unknown. */
export interface NodeLocation {
  readonly continent?: Continent;
  readonly country?: string;
  readonly region?: string;
  readonly city?: string;
  /** Degrees, north and east positive. */
  readonly latitude?: number;
  readonly longitude?: number;
}

/** The description of one node. */
export interface NodeMetadata {
  readonly nodeId: bigint;
  readonly name: string;
  readonly status: NodeStatus;
  readonly tier: NetworkTier;
  readonly natType: NatType;
  readonly location: NodeLocation;
  readonly addresses: readonly string[];
  readonly tags: readonly string[];
  readonly custom: ReadonlyMap<string, string>;
  /** Nodes it would rather work with. */
  readonly preferredPeers: readonly bigint[];
  /** Hops to other nodes, as it knows them. */
  readonly hopDistances: ReadonlyMap<bigint, number>;
}

/** A description to make; what is left out is empty or unknown. */
export type NodeMetadataOptions = Pick<NodeMetadata, "nodeId"> & Partial<NodeMetadata>;

const U64_MAX = (1n << 64n) - 1n;
const HOPS_MAX = 255;

/**
 * Checks a description and copies it.
 *
 * @throws RangeError when something is longer than its bound, is no number of its range, or is no word of
 * its list.
 *
 * @example
 * ```ts
 * import { createNodeMetadata } from "./node_metadata.ts";
 * const node = createNodeMetadata({ nodeId: 7n, location: { continent: "europe" } });
 * console.assert(node.status === "unknown" && node.tags.length === 0);
 * ```
 */
export function createNodeMetadata(options: NodeMetadataOptions): NodeMetadata {
  const { status = "unknown", tier = "unknown", natType = "unknown", location = {} } = options;
  const metadata: NodeMetadata = {
    nodeId: options.nodeId,
    name: options.name ?? "",
    status,
    tier,
    natType,
    location: { ...location },
    addresses: [...options.addresses ?? []],
    tags: [...new Set(options.tags ?? [])],
    custom: new Map(options.custom),
    preferredPeers: [...new Set(options.preferredPeers ?? [])],
    hopDistances: new Map(options.hopDistances),
  };
  requireWord("status", status, NODE_STATUSES);
  requireWord("tier", tier, NETWORK_TIERS);
  requireWord("NAT type", natType, NAT_TYPES);
  if (location.continent !== undefined) requireWord("continent", location.continent, CONTINENTS);
  requireDegrees("latitude", location.latitude, 90);
  requireDegrees("longitude", location.longitude, 180);
  requireCount("addresses", metadata.addresses.length, METADATA_ADDRESSES_MAX);
  requireCount("tags", metadata.tags.length, METADATA_TAGS_MAX);
  requireCount("custom entries", metadata.custom.size, METADATA_CUSTOM_MAX);
  requireCount("preferred peers", metadata.preferredPeers.length, METADATA_PEERS_MAX);
  requireCount("hop distances", metadata.hopDistances.size, METADATA_DISTANCES_MAX);
  for (const text of textsOf(metadata)) requireText(text);
  for (const id of [metadata.nodeId, ...metadata.preferredPeers, ...metadata.hopDistances.keys()]) {
    if (id >= 0n && id <= U64_MAX) continue;
    throw new RangeError(`Cannot describe node: id is ${id}, must be below 2^64`);
  }
  for (const hops of metadata.hopDistances.values()) {
    if (Number.isInteger(hops) && hops >= 0 && hops <= HOPS_MAX) continue;
    throw new RangeError(`Cannot describe node: distance is ${hops}, must be 0..${HOPS_MAX}`);
  }
  return metadata;
}

/** Bytes that a description takes, roughly: two for each letter, and what holds the parts together. */
export function weighNodeMetadata(metadata: NodeMetadata): number {
  let bytes = 512 + 32 * metadata.preferredPeers.length + 48 * metadata.hopDistances.size;
  for (const text of textsOf(metadata)) bytes += 32 + 2 * text.length;
  return bytes;
}

function* textsOf(metadata: NodeMetadata): Generator<string, void, undefined> {
  const { country, region, city } = metadata.location;
  yield metadata.name;
  for (const text of [country, region, city]) if (text !== undefined) yield text;
  yield* metadata.addresses;
  yield* metadata.tags;
  for (const [key, value] of metadata.custom) {
    yield key;
    yield value;
  }
}

function requireText(text: string): void {
  // A letter takes one to three bytes.
  const length = text.length * 3 <= METADATA_TEXT_BYTES_MAX
    ? text.length
    : new TextEncoder().encode(text).length;
  if (length <= METADATA_TEXT_BYTES_MAX) return;
  throw new RangeError(
    `Cannot describe node: a text has ${length} bytes, must have at most ${METADATA_TEXT_BYTES_MAX}`,
  );
}

function requireCount(what: string, count: number, countMax: number): void {
  if (count <= countMax) return;
  throw new RangeError(
    `Cannot describe node: it has ${count} ${what}, must be at most ${countMax}`,
  );
}

function requireWord(what: string, word: string, words: readonly string[]): void {
  if (words.includes(word)) return;
  throw new RangeError(
    `Cannot describe node: ${what} is ${JSON.stringify(word)}, must be one of ${words.join(", ")}`,
  );
}

function requireDegrees(what: string, degrees: number | undefined, degreesMax: number): void {
  if (degrees === undefined || Math.abs(degrees) <= degreesMax) return;
  throw new RangeError(
    `Cannot describe node: ${what} is ${degrees}, must be -${degreesMax}..${degreesMax}`,
  );
}
