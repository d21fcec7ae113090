/** `net identity show`: who this node is, or a named identity. */
import { buildCommand } from "@stricli/core";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatFields, recordOf, textOf } from "./format.ts";
import { describeIdentity, identityText, NAME_ARGUMENT, openIdentity } from "./identity_place.ts";
import { runVerb } from "./verb.ts";

/** Time the node, or the data folder's lock, has to answer. */
const ANSWER_MS = 10_000;

interface IdentityShowFlags extends SharedFlags {
  readonly entity?: boolean;
}

/** The verb. */
export const identityShowCommand = buildCommand<IdentityShowFlags, [string?], NetContext>({
  docs: {
    brief: "Show the public part of an identity",
    fullDescription:
      "Shows the public part of an identity: of this node, running or not, or of a " +
      "named one.\n\n" +
      "EXAMPLES\n  net identity show\n  net identity show owner --json\n" +
      '  net token issue "$(net identity show --family bob --entity)" --channel a/b --allow subscribe',
  },
  parameters: {
    flags: bareRecord({
      entity: switchFlag("Print the entity id alone, as token verbs take it"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [NAME_ARGUMENT] },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output, signal }) => {
      if (name !== undefined) {
        const fields = await describeIdentity(await openIdentity(this, flags, name, output));
        const text = () => flags.entity ? fields.entity_id : identityText(fields);
        output.result("identity.show", fields, text);
        return;
      }
      const node = await connectOrOpen(this, flags, signal, { isForReading: true });
      try {
        const result = recordOf(await node.call("identity.show", {}, { signal }));
        const text = () =>
          flags.entity ? textOf(result.entity_id) : formatFields([
            ["node", textOf(result.node_id)],
            ["entity", textOf(result.entity_id)],
            ["origin", textOf(result.origin_hash)],
            ["routing", textOf(result.routing_id)],
            ["generation", textOf(result.issuer_generation)],
            ["noise key", textOf(result.noise_public_key)],
          ]);
        output.result("identity.show", result, text);
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});
