/** Where a node says it is, so that copies do not fail together. */
import type { DataPlace } from "../../blob/mod.ts";

const REGIONS = ["scope:region:", "region:"] as const;
const ZONE = "zone:";

/** Region and zone of a node by its tags; of several the first counts. */
export function placeOfNode(tags: readonly string[]): DataPlace {
  const behind = (prefix: string) =>
    tags.find((tag) => tag.length > prefix.length && tag.startsWith(prefix))?.slice(prefix.length);
  return { region: behind(REGIONS[0]) ?? behind(REGIONS[1]), zone: behind(ZONE) };
}
