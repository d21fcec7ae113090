/** The state of traversal, as status tells of it. */
import { formatAddress } from "../../core/transport/mod.ts";
import type { NatService } from "./nat_service.ts";

/** What this node is behind, and how finding ways went so far. */
export function describeNat(
  nat: Pick<NatService, "isOn" | "classification" | "reflexAddress" | "reflexOverride" | "stats">,
) {
  const { reflexAddress } = nat;
  return {
    enabled: nat.isOn,
    class: nat.classification,
    reflex: reflexAddress === undefined ? null : formatAddress(reflexAddress),
    /** Who stated that address; `null` when peers see it. */
    stated_by: nat.reflexOverride?.source ?? null,
    ...nat.stats(),
  };
}
