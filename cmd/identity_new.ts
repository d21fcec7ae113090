/** `net identity new`: makes an identity, named or the node's own. */
import { buildCommand } from "@stricli/core";
import { NetError, systemRandom } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import {
  describeIdentity,
  identityPlace,
  identityText,
  NAME_ARGUMENT,
  whileIdle,
} from "./identity_place.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const identityNewCommand = buildCommand<SharedFlags, [string?], NetContext>({
  docs: {
    brief: "Make an identity: a named one, or the node's own",
    fullDescription:
      "Makes an identity and keeps it in a file that only you can read. A named one " +
      "lies among your configuration and serves to issue tokens; without a name the node's own is " +
      "made. The secret is not shown.\n\n" +
      "EXAMPLES\n  net identity new\n  net identity new owner",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [NAME_ARGUMENT] },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output }) => {
      const place = identityPlace(this, flags, name);
      const { createIdentityFile, generateSeed } = await import("../src/core/crypto/mod.ts");
      const state = { seed: generateSeed(systemRandom), issuerGeneration: 0 };
      await whileIdle(this, flags, place, async () => {
        if (await createIdentityFile(place.path, state)) return;
        throw new NetError("conflict", `Cannot make identity: "${place.path}" exists`, {
          next: name === undefined
            ? "see it with net identity show, or give a name to make another one"
            : "see it with net identity show, or choose another name",
        });
      });
      const fields = await describeIdentity({ ...place, state });
      output.result("identity.new", fields, () => identityText(fields));
      output.note("whoever has the file is this identity: keep a copy with net identity export");
    });
  },
});
