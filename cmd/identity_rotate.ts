/** `net identity rotate`: raises the generation that an identity issues tokens at. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { describeIdentity, identityPlace, NAME_ARGUMENT, whileIdle } from "./identity_place.ts";
import { runVerb } from "./verb.ts";

interface IdentityRotateFlags extends SharedFlags {
  readonly to?: string;
}

/** The verb. */
export const identityRotateCommand = buildCommand<IdentityRotateFlags, [string?], NetContext>({
  docs: {
    brief: "Raise the generation that an identity issues tokens at",
    fullDescription:
      "Raises the generation of an identity; its keys and ids stay. Tokens of earlier generations " +
      "count until they are taken back: issue new ones, hand them out, then run net token revoke " +
      "wherever tokens are checked. The node's own identity can only be rotated while the node is " +
      "stopped.\n\n" +
      "EXAMPLES\n  net identity rotate owner\n  net identity rotate owner --to 7",
  },
  parameters: {
    flags: bareRecord({
      to: textFlag("GENERATION", "New generation; default: one more than now"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [NAME_ARGUMENT] },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output }) => {
      const target = flags.to === undefined ? undefined : await parseGeneration("--to", flags.to);
      const place = identityPlace(this, flags, name);
      const { raiseIssuerGeneration } = await import("../src/core/crypto/mod.ts");
      const { before, state } = await whileIdle(
        this,
        flags,
        place,
        () => raiseIssuerGeneration(place.path, target),
      );
      const fields = await describeIdentity({ ...place, state });
      const after = state.issuerGeneration;
      const revoke = `net token revoke ${name ?? fields.entity_id} --below ${after}`;
      output.result(
        "identity.rotate",
        { before, ...fields, revoke },
        () => `generation ${before} -> ${after}`,
      );
      output.note(
        "tokens issued before still count: issue and hand out new ones, then take the old ones " +
          `back with\n  ${revoke}`,
      );
    });
  },
});

/**
 * A generation as it was typed.
 *
 * @throws NetError `usage` when it is none.
 */
export async function parseGeneration(flag: string, text: string): Promise<number> {
  const { isIssuerGeneration } = await import("../src/core/crypto/mod.ts");
  const generation = /^[0-9]{1,10}$/.test(text) ? Number(text) : NaN;
  if (isIssuerGeneration(generation)) return generation;
  throw new NetError("usage", `Cannot use ${flag}: value is "${text}", must be 0..4294967295`, {
    next: `write for example ${flag} 2`,
  });
}
