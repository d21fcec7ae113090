/** `net token issue`: allows somebody something on a channel. */
import { buildCommand } from "@stricli/core";
import { NetError, systemRandom } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { openIdentity } from "./identity_place.ts";
import {
  channelHashOf,
  IDENTITY_FLAG,
  lifeFlag,
  nowSeconds,
  readEntity,
  scopeFlag,
  skewFlag,
  SUBJECT_ARGUMENT,
  tokenText,
} from "./token_input.ts";
import { describeChain } from "./token_view.ts";
import { runVerb } from "./verb.ts";

interface TokenIssueFlags extends SharedFlags {
  readonly identity?: string;
  readonly channel?: string;
  readonly anyChannel?: boolean;
  readonly allow?: string;
  readonly for?: string;
  readonly depth?: string;
  readonly skew?: string;
}

/** The verb. */
export const tokenIssueCommand = buildCommand<TokenIssueFlags, [string], NetContext>({
  docs: {
    brief: "Allow somebody something on a channel",
    fullDescription: "Prints a token, signed by one of your identities: whoever trusts that " +
      "identity lets the subject do what it says. Only the subject can use it.\n\n" +
      "EXAMPLES\n  net token issue friend --channel lab/x --allow subscribe > friend.token\n" +
      "  net token issue gateway --identity owner --channel lab/x \\\n" +
      "    --allow subscribe,delegate --depth 2 > gateway.token",
  },
  parameters: {
    flags: bareRecord({
      channel: textFlag("NAME", "Channel it is for"),
      anyChannel: switchFlag("Make it count for every channel"),
      allow: textFlag("WORDS", "publish, subscribe, admin, delegate; joined by commas"),
      for: textFlag("DURATION", "Time it counts, at most 365d; default: 1h"),
      depth: textFlag("N", "How often it may be passed on, 0 to 255; default: 0"),
      skew: textFlag(
        "DURATION",
        "End earlier by the clock difference that readers forgive, at most 5m",
      ),
      identity: IDENTITY_FLAG,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [SUBJECT_ARGUMENT] },
  },
  async func(flags, subjectText) {
    await runVerb(this, flags, async ({ output }) => {
      const { issueToken, TOKEN_SCOPES } = await import("../src/channel/mod.ts");
      const { createIdentity } = await import("../src/core/crypto/mod.ts");
      const isAny = flags.anyChannel ?? false;
      if (isAny === (flags.channel !== undefined)) {
        throw new NetError("usage", "Cannot issue: give one of --channel and --any-channel", {
          next: "name the channel with --channel lab/x",
        });
      }
      const scope = await scopeFlag(flags.allow) | (isAny ? TOKEN_SCOPES.wildcard : 0);
      const channelHash = flags.channel === undefined ? 0n : await channelHashOf(flags.channel);
      const subject = await readEntity(this, flags, subjectText, output);
      const { state } = await openIdentity(this, flags, flags.identity, output);
      const token = issueToken(createIdentity(state.seed, state.issuerGeneration), {
        subject,
        scope,
        channelHash,
        ttlSeconds: lifeFlag("--for", flags.for ?? "1h"),
        depth: depthFlag(flags.depth),
        skewSeconds: skewFlag(flags.skew),
      }, { nowSeconds: nowSeconds(), random: systemRandom });
      const text = await tokenText([token]);
      const links = await describeChain([token]);
      output.result("token.issue", { token: text, links }, () => text);
      if (token.depth === 0 && (scope & TOKEN_SCOPES.delegate) !== 0) {
        output.warn("it allows delegate and cannot be passed on: give it a --depth of 1 or more");
      }
    });
  },
});

function depthFlag(text = "0"): number {
  const depth = /^[0-9]{1,3}$/.test(text) ? Number(text) : NaN;
  if (depth <= 255) return depth;
  throw new NetError("usage", `Cannot use --depth: value is "${text}", must be 0..255`, {
    next: "write for example --depth 2",
  });
}
