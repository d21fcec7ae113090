/**
 * How far bytes may travel (`dataforts.md` 15, 17, 18): scopes, widest last, and the two tables of who may
 * exchange with whom.
 *
 * The tables compare how wide each side's scope is. Where nodes also say which zone and region they are in,
 * the scope is a hard border too: nothing of another zone passes a node of scope `zone`.
 */

/** Scopes from the narrowest. */
export const DATA_SCOPES = ["node", "zone", "region", "mesh"] as const;

/** One of them. */
export type DataScope = typeof DATA_SCOPES[number];

/** Where a node is, as far as it is known. */
export interface DataPlace {
  readonly zone?: string;
  readonly region?: string;
}

const INBOUND: Readonly<Record<DataScope, readonly DataScope[]>> = {
  node: ["node", "zone", "region", "mesh"],
  zone: ["zone", "region", "mesh"],
  region: ["region", "mesh"],
  mesh: ["node", "zone", "region", "mesh"],
};
const OUTBOUND: Readonly<Record<DataScope, readonly DataScope[]>> = {
  ...INBOUND,
  node: ["node"],
};

/** The scope of a word, in whatever case; `undefined` for others. */
export function parseDataScope(word: string): DataScope | undefined {
  const lower = word.toLowerCase();
  return DATA_SCOPES.find((scope) => scope === lower);
}

/** May a node of scope `local` take what one of scope `publisher` has? */
export function isInboundAllowed(local: DataScope, publisher: DataScope): boolean {
  return INBOUND[local].includes(publisher);
}

/** May a node of scope `local` give to one of scope `peer`? */
export function isOutboundAllowed(local: DataScope, peer: DataScope): boolean {
  return OUTBOUND[local].includes(peer);
}

/** True unless both are known to be on different sides of the border that `scope` draws. */
export function isInsideBorder(scope: DataScope, mine: DataPlace, theirs: DataPlace): boolean {
  if (scope === "mesh") return true;
  const isSameRegion = isSame(mine.region, theirs.region);
  return scope === "region" ? isSameRegion : isSameRegion && isSame(mine.zone, theirs.zone);
}

/** The narrower of two. */
export function narrowerScope(a: DataScope, b: DataScope): DataScope {
  return DATA_SCOPES.indexOf(a) <= DATA_SCOPES.indexOf(b) ? a : b;
}

function isSame(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
