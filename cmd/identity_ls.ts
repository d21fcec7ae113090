/** `net identity ls`: the named identities of this user. */
import { buildCommand } from "@stricli/core";
import { requireIdentityFolder } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatTable } from "./format.ts";
import { describeIdentity, type IdentityFields, openIdentity } from "./identity_place.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const identityLsCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List your named identities",
    fullDescription: "Lists the identities that were made or imported under a name.\n\n" +
      "EXAMPLES\n  net identity ls\n  net identity ls --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output }) => {
      const { listNamedIdentities } = await import("../src/core/crypto/mod.ts");
      const identities: (IdentityFields & { readonly name: string })[] = [];
      for (const name of await listNamedIdentities(requireIdentityFolder(this.io.env))) {
        const identity = await openIdentity(this, flags, name, output);
        identities.push({ name, ...await describeIdentity(identity) });
      }
      output.result("identity.ls", { identities }, () => {
        if (identities.length === 0) return "no named identities";
        const rows = identities.map((row) => [
          row.name,
          row.entity_id,
          String(row.issuer_generation),
        ]);
        return formatTable([["NAME", "ENTITY", "GENERATION"], ...rows], { right: [2] });
      });
    });
  },
});
