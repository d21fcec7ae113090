/** `net token show`: what a token says. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { readToken, TOKEN_ARGUMENT, tokenText } from "./token_input.ts";
import { chainText, describeChain } from "./token_view.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const tokenShowCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Show what a token says",
    fullDescription: "Shows every link of a token, from the root on. Nothing is verified.\n\n" +
      "EXAMPLES\n  net token show @gateway.token\n  net token show - < gateway.token",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [TOKEN_ARGUMENT] },
  },
  async func(flags, given) {
    await runVerb(this, flags, async ({ output }) => {
      const chain = await readToken(this, given);
      const links = await describeChain(chain);
      output.result("token.show", { token: await tokenText(chain), links }, () => chainText(links));
      output.note("nothing was verified: net token verify does that");
    });
  },
});
