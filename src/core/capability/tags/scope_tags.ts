/**
 * Who may discover a node (`capabilities.md` 2, 8): tags that say it, and what they say taken together.
 *
 * They limit who finds a node, not who may call it.
 */
import type { CapabilitySet } from "../capability_set.ts";
import { readTagsBehind } from "./axis_tags.ts";

/** Found by nodes of the same subnet only. */
export const TAG_SUBNET_LOCAL = "scope:subnet-local";

/** Found by everybody, said outright. */
export const TAG_GLOBAL = "scope:global";

const SCOPE = "scope:";
const TENANT = "tenant:";
const REGION = "region:";

/** The scope tags of a set, read. */
export interface ScopeView {
  readonly tenants: readonly string[];
  readonly regions: readonly string[];
  readonly isSubnetLocal: boolean;
  /** Says so itself; a node without tenant and region is global too. */
  readonly isGlobal: boolean;
}

/**
 * The tag of a tenant's nodes.
 *
 * @throws RangeError when the id is empty.
 *
 * @example
 * ```ts
 * import { tenantScopeTag } from "./scope_tags.ts";
 * console.assert(tenantScopeTag("acme") === "scope:tenant:acme");
 * ```
 */
export function tenantScopeTag(tenant: string): string {
  return SCOPE + TENANT + requireName("tenant", tenant);
}

/**
 * The tag of a region's nodes.
 *
 * @throws RangeError when the name is empty.
 */
export function regionScopeTag(region: string): string {
  return SCOPE + REGION + requireName("region", region);
}

/** What the scope tags of a set say; unknown ones say nothing. */
export function readScope(set: CapabilitySet): ScopeView {
  const tenants: string[] = [];
  const regions: string[] = [];
  let isSubnetLocal = false;
  let isGlobal = false;
  readTagsBehind(set.tags, SCOPE, (body) => {
    if (body.length > TENANT.length && body.startsWith(TENANT)) {
      tenants.push(body.slice(TENANT.length));
    } else if (body.length > REGION.length && body.startsWith(REGION)) {
      regions.push(body.slice(REGION.length));
    } else if (body === "subnet-local") isSubnetLocal = true;
    else if (body === "global") isGlobal = true;
  });
  return { tenants, regions, isSubnetLocal, isGlobal };
}

function requireName(what: string, name: string): string {
  if (name !== "" && name.isWellFormed()) return name;
  throw new RangeError(`Cannot make scope: ${what} is ${JSON.stringify(name)}, must be a name`);
}
