/** `net token revoke`: takes all tokens of an issuer below a generation back. */
import { buildCommand } from "@stricli/core";
import { fromHex } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { parseGeneration } from "./identity_rotate.ts";
import { openIdentity, proposeIdentities } from "./identity_place.ts";
import { readEntity, revocationPath, REVOCATIONS_FLAG } from "./token_input.ts";
import { runVerb } from "./verb.ts";

/** Time for the lock on the file. */
const LOCK_MS = 15_000;

interface TokenRevokeFlags extends SharedFlags {
  readonly below?: string;
  readonly revocations?: string;
}

/** The verb. */
export const tokenRevokeCommand = buildCommand<TokenRevokeFlags, [string], NetContext>({
  docs: {
    brief: "Take the tokens of an issuer back",
    fullDescription: "Takes back all tokens that an issuer signed below a generation, and every " +
      "chain that rests on one. The list of revocations is yours: it counts for the nodes and " +
      "programs that you run on this machine, for running ones within seconds. Floors only rise." +
      "\n\n" +
      "EXAMPLES\n  net identity rotate owner && net token revoke owner\n  net token revoke owner --below 2",
  },
  parameters: {
    flags: bareRecord({
      below: textFlag(
        "GENERATION",
        "First generation that still counts; default: the identity's own, at least 1",
      ),
      revocations: REVOCATIONS_FLAG,
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        placeholder: "ISSUER",
        brief: "Whose tokens: an entity id of 64 hex digits, or a named identity",
        proposeCompletions: proposeIdentities,
      }],
    },
  },
  async func(flags, given) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const { raiseRevocationFloor } = await import("../src/channel/mod.ts");
      const issuer = await readEntity(this, flags, given, output);
      const own = fromHex(given, 32) === undefined
        ? (await openIdentity(this, flags, given, output)).state.issuerGeneration
        : undefined;
      const asked = flags.below === undefined
        ? Math.max(1, own ?? 0)
        : await parseGeneration("--below", flags.below);
      const file = revocationPath(this, flags.revocations);
      const floor = await raiseRevocationFloor(file, { issuer, floor: asked }, { signal });
      const fields = { issuer: issuer.toHex(), asked, floor, file };
      output.result("token.revoke", fields, () => `generations below ${floor} are taken back`);
      if (floor > asked) output.note(`the floor was ${floor} already; floors never fall`);
      if (own !== undefined && own === floor) {
        output.note(
          `tokens of generation ${own} still count; run net identity rotate ${given} first to take ` +
            "them back too",
        );
      }
      if (own !== undefined && own < floor) {
        output.warn(
          `${given} issues at generation ${own}, which is taken back: ` +
            `run net identity rotate ${given} --to ${floor}`,
        );
      }
    }, { timeoutMs: LOCK_MS });
  },
});
