/**
 * What a node says of its store, its caching and its pulling (`dataforts.md` 15), as tags and as a record.
 * Tags of others are read so that nothing in them is believed beyond its form: a bad number is 0, a bad scope
 * is `mesh` and counted.
 */
import { GIB } from "./limits.ts";
import { TAG_STORAGE_UNHEALTHY } from "./health_gate.ts";
import { type DataScope, parseDataScope } from "./scope.ts";

/** One of the two ways to take data that others have. */
export interface PullClaim {
  readonly isEnabled: boolean;
  readonly scope: DataScope;
  /** 0 takes nothing, 255 takes from farthest. */
  readonly proximity: number;
}

/** What a node claims. */
export interface DataClaims {
  readonly hasStorage: boolean;
  readonly isUnhealthy: boolean;
  /** Whole GiB; 0 when it does not say. */
  readonly diskTotalGib: number;
  readonly diskFreeGib: number;
  /** Takes part in overflow, both ways. */
  readonly isOverflowing: boolean;
  readonly greedy: PullClaim;
  readonly gravity: PullClaim;
}

/** Claims as they were read, and how many scopes nobody knows. */
export interface ReadDataClaims extends DataClaims {
  readonly unknownScopes: number;
}

/** What this program can do with blobs, for who looks before it sends (`dataforts.md` 15). */
export const BLOB_FEATURE_TAGS: readonly string[] = [
  "dataforts:blob-tree-supported",
  "dataforts:blob-cdc-supported",
  "dataforts:blob-erasure-supported",
  "dataforts:blob-bandwidth-class-supported",
];

const PREFIX = "dataforts.";
const STORAGE = "dataforts.blob.storage";
const OVERFLOW = "dataforts.blob.overflow";
const DISK_TOTAL = "dataforts.blob.disk_total_gb=";
const DISK_FREE = "dataforts.blob.disk_free_gb=";
const PROXIMITY_MAX = 255;
const GIB_MAX = 2 ** 32 - 1;

/** Nothing claimed. */
export const NO_PULL: PullClaim = { isEnabled: false, scope: "mesh", proximity: 0 };

/**
 * Tags of claims.
 *
 * @example
 * ```ts
 * import { dataClaimTags, NO_PULL } from "./data_claims.ts";
 * const tags = dataClaimTags({
 *   hasStorage: true, isUnhealthy: false, diskTotalGib: 0, diskFreeGib: 7, isOverflowing: false,
 *   greedy: NO_PULL, gravity: NO_PULL,
 * });
 * console.assert(tags.join() === "dataforts.blob.storage,dataforts.blob.disk_free_gb=7");
 * ```
 */
export function dataClaimTags(claims: DataClaims): string[] {
  const tags: string[] = [];
  if (claims.hasStorage) tags.push(STORAGE);
  if (claims.diskTotalGib > 0) tags.push(DISK_TOTAL + claims.diskTotalGib);
  if (claims.diskFreeGib > 0) tags.push(DISK_FREE + claims.diskFreeGib);
  if (claims.isOverflowing) tags.push(OVERFLOW);
  for (const name of ["greedy", "gravity"] as const) {
    const { isEnabled, scope, proximity } = claims[name];
    if (isEnabled) tags.push(`${PREFIX}${name}.enabled`, `${PREFIX}${name}.scope=${scope}`);
    if (proximity > 0) tags.push(`${PREFIX}${name}.proximity=${proximity}`);
  }
  if (claims.isUnhealthy) tags.push(TAG_STORAGE_UNHEALTHY);
  return tags;
}

/** Claims of a set of tags; of several of the same name the first counts. */
export function readDataClaims(tags: Iterable<string>): ReadDataClaims {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  for (const tag of tags) {
    if (tag === TAG_STORAGE_UNHEALTHY) flags.add(tag);
    if (!tag.startsWith(PREFIX)) continue;
    const equals = tag.indexOf("=") + 1;
    if (equals === 0) flags.add(tag);
    else if (!values.has(tag.slice(0, equals))) values.set(tag.slice(0, equals), tag.slice(equals));
  }
  let unknownScopes = 0;
  const pull = (name: "greedy" | "gravity"): PullClaim => {
    const word = values.get(`${PREFIX}${name}.scope=`);
    const scope = word === undefined ? "mesh" : parseDataScope(word);
    if (scope === undefined) unknownScopes += 1;
    return {
      isEnabled: flags.has(`${PREFIX}${name}.enabled`),
      scope: scope ?? "mesh",
      proximity: numberIn(values.get(`${PREFIX}${name}.proximity=`), PROXIMITY_MAX),
    };
  };
  const [greedy, gravity] = [pull("greedy"), pull("gravity")];
  return {
    hasStorage: flags.has(STORAGE),
    isUnhealthy: flags.has(TAG_STORAGE_UNHEALTHY),
    diskTotalGib: numberIn(values.get(DISK_TOTAL), GIB_MAX),
    diskFreeGib: numberIn(values.get(DISK_FREE), GIB_MAX),
    isOverflowing: flags.has(OVERFLOW),
    greedy,
    gravity,
    unknownScopes,
  };
}

/** Whole GiB that so many bytes need. */
export function gibFor(bytes: number): number {
  return Math.ceil(bytes / GIB);
}

function numberIn(text: string | undefined, most: number): number {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return 0;
  const value = Number(text);
  return value <= most ? value : 0;
}
