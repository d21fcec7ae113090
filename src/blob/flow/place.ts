/**
 * Where a node is: the zone and the region that its operator says it is in, as tags of its announcement.
 *
 * | place | tag | in its stead |
 * | --- | --- | --- |
 * | region | `scope:region:NAME` | `region:NAME`, for a node that everybody may find |
 * | zone | `zone:NAME` | |
 *
 * A zone lies within its region: the same zone name in two regions is two zones. Who says nothing is anywhere.
 */
import type { DataPlace } from "../policy/mod.ts";

const REGIONS = ["scope:region:", "region:"] as const;
const ZONE = "zone:";
/** Shares of one heat, by how near the reader is. */
const NEARNESS = { zone: 1, region: 0.5, elsewhere: 0.25 } as const;

/**
 * The place that tags say; of several of a kind the first in byte order counts.
 *
 * @example
 * ```ts
 * import { placeOf } from "./place.ts";
 * const { region, zone } = placeOf(["zone:a", "region:eu", "gpu"]);
 * console.assert(region === "eu" && zone === "a");
 * ```
 */
export function placeOf(tags: Iterable<string>): DataPlace {
  const regions: (string | undefined)[] = [undefined, undefined];
  let zone: string | undefined;
  const first = (known: string | undefined, name: string) =>
    name === "" || (known !== undefined && known <= name) ? known : name;
  for (const tag of tags) {
    REGIONS.forEach((prefix, i) => {
      if (tag.startsWith(prefix)) regions[i] = first(regions[i], tag.slice(prefix.length));
    });
    if (tag.startsWith(ZONE)) zone = first(zone, tag.slice(ZONE.length));
  }
  return { region: regions[0] ?? regions[1], zone };
}

/**
 * How near a peer is, above 0 to 1: by place, then by round trip.
 *
 * @param rttMs `undefined` when it was not measured: then as near as can be.
 */
export function nearnessOf(
  mine: DataPlace,
  theirs: DataPlace,
  rttMs: number | undefined,
  rttMaxMs: number,
): number {
  const isSame = (a?: string, b?: string) => a !== undefined && a === b;
  const isSameRegion = isSame(mine.region, theirs.region) ||
    (mine.region === undefined && theirs.region === undefined);
  const share = isSameRegion && isSame(mine.zone, theirs.zone)
    ? NEARNESS.zone
    : isSameRegion
    ? NEARNESS.region
    : NEARNESS.elsewhere;
  return share / (1 + (rttMs ?? 0) / rttMaxMs);
}
