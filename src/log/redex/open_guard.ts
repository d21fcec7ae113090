/** Who may open a channel's file (`storage.md` 4): the exact name in the access list of the node's guard. */
import { highHalf, lowHalf } from "../../base/mod.ts";
import type { AuthDomain, AuthGuard } from "../../channel/mod.ts";

/** Whether this manager's user may open the channel of that name. */
export type OpenGuard = (name: string) => boolean;

/**
 * A guard that asks the access list of channels for one principal, by exact name; a channel that is not in
 * it is refused.
 *
 * @example
 * ```ts
 * import { AuthDomain, AuthGuard } from "../../channel/mod.ts";
 * import { createOpenGuard } from "./open_guard.ts";
 * const list = new AuthGuard();
 * list.allow(AuthDomain.OriginHash, 7n, { name: "lab/x", hash: 0x6d5b83d90de02ee8n });
 * const mayOpen = createOpenGuard(list, AuthDomain.OriginHash, 7n);
 * console.assert(mayOpen("lab/x") && !mayOpen("lab/y"));
 * ```
 */
export function createOpenGuard(
  list: Pick<AuthGuard, "isAllowed">,
  domain: AuthDomain,
  principal: bigint,
): OpenGuard {
  const [low, high] = [lowHalf(principal), highHalf(principal)];
  return (name) => list.isAllowed(domain, low, high, name);
}
