/** `net token delegate`: passes a token on to somebody else, narrowed. */
import { buildCommand } from "@stricli/core";
import { systemRandom } from "../src/base/mod.ts";
import type { TokenChain } from "../src/channel/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { openIdentity } from "./identity_place.ts";
import {
  IDENTITY_FLAG,
  nowSeconds,
  readEntity,
  readToken,
  scopeFlag,
  skewFlag,
  SUBJECT_ARGUMENT,
  TOKEN_ARGUMENT,
  tokenText,
} from "./token_input.ts";
import { describeChain } from "./token_view.ts";
import { runVerb } from "./verb.ts";

interface TokenDelegateFlags extends SharedFlags {
  readonly identity?: string;
  readonly allow?: string;
  readonly skew?: string;
}

/** The verb. */
export const tokenDelegateCommand = buildCommand<TokenDelegateFlags, [string, string], NetContext>({
  docs: {
    brief: "Pass a token on to somebody else",
    fullDescription:
      "Prints the token with one more link: the same channel and end, no more than it " +
      "allows itself. The identity that signs has to be the token's subject, and the token has to " +
      "allow delegate.\n\n" +
      "EXAMPLES\n  net token delegate @gateway.token agent --allow subscribe --identity gateway",
  },
  parameters: {
    flags: bareRecord({
      allow: textFlag("WORDS", "publish, subscribe, admin, delegate; joined by commas"),
      skew: textFlag("DURATION", "Clock difference to forgive the token; default: 0s"),
      identity: IDENTITY_FLAG,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [TOKEN_ARGUMENT, SUBJECT_ARGUMENT] },
  },
  async func(flags, given, subjectText) {
    await runVerb(this, flags, async ({ output }) => {
      const { extendChain, tokenError, tokenErrorKind, TOKEN_SCOPES } = await import(
        "../src/channel/mod.ts"
      );
      const { createIdentity } = await import("../src/core/crypto/mod.ts");
      const parents = await readToken(this, given);
      // Whether it is for any channel stays as it was; nobody can widen it.
      const scope = await scopeFlag(flags.allow) | TOKEN_SCOPES.wildcard;
      const subject = await readEntity(this, flags, subjectText, output);
      const { state } = await openIdentity(this, flags, flags.identity, output);
      const skewSeconds = skewFlag(flags.skew);
      const signer = createIdentity(state.seed, state.issuerGeneration);
      const link = { subject, scope, skewSeconds };
      const deps = { nowSeconds: nowSeconds(), random: systemRandom };
      let chain: TokenChain;
      try {
        chain = extendChain(parents, signer, link, deps);
      } catch (error) {
        if (tokenErrorKind(error) !== "not_authorized") throw error;
        throw tokenError("not_authorized", {
          action: `Cannot delegate: the token is for ${parents.at(-1)?.subject.toHex()}, ` +
            `the signer is ${signer.entityId.toHex()}`,
          next: "sign with the identity that it is for: --identity NAME",
        });
      }
      const text = await tokenText(chain);
      const links = await describeChain(chain);
      output.result("token.delegate", { token: text, links }, () => text);
      const allowed = links.at(-1)?.allows.filter((name) => name !== "wildcard") ?? [];
      if (allowed.length === 0) {
        output.warn("the new link allows nothing: the token has none of what --allow asks for");
      }
    });
  },
});
