/** `net token verify`: whether a token counts, link by link. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { TokenChain, TokenChainQuestion } from "../src/channel/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, listFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { proposeIdentities } from "./identity_place.ts";
import type { Output } from "./output.ts";
import {
  channelHashOf,
  nowSeconds,
  readEntity,
  readToken,
  revocationPath,
  REVOCATIONS_FLAG,
  skewFlag,
  TOKEN_ARGUMENT,
} from "./token_input.ts";
import { chainText, describeChain } from "./token_view.ts";
import { runVerb } from "./verb.ts";

/** Exit code for a token that does not count. */
const REFUSED = 5;

interface TokenVerifyFlags extends SharedFlags {
  readonly root?: readonly string[];
  readonly presenter?: string;
  readonly channel?: string;
  readonly action?: "publish" | "subscribe" | "admin" | "delegate";
  readonly at?: string;
  readonly skew?: string;
  readonly revocations?: string;
}

/** The verb. */
export const tokenVerifyCommand = buildCommand<TokenVerifyFlags, [string], NetContext>({
  docs: {
    brief: "Check a token link by link",
    fullDescription: "Checks signatures, times, revocations and how the links follow from each " +
      "other; with flags also whether it leads from a root to a presenter, for an action on a " +
      "channel. Exit code 0 when it holds, 5 when it does not.\n\n" +
      "EXAMPLES\n  net token verify @gateway.token\n" +
      "  net token verify @gateway.token --root owner --presenter gateway \\\n" +
      "    --channel lab/x --action subscribe",
  },
  parameters: {
    flags: bareRecord({
      root: {
        ...listFlag("ENTITY", "Trusted first issuer, by entity id or name; repeatable"),
        proposeCompletions: proposeIdentities,
      },
      presenter: {
        ...textFlag("ENTITY", "Who presents it, by entity id or name"),
        proposeCompletions: proposeIdentities,
      },
      channel: textFlag("NAME", "Channel to use it on"),
      action: {
        kind: "enum",
        values: ["publish", "subscribe", "admin", "delegate"],
        optional: true,
        brief: "What to do there",
      },
      at: textFlag("TIME", "When, such as 2030-01-31T12:00:00Z; default: now"),
      skew: textFlag("DURATION", "Clock difference to forgive, at most 5m; default: 0s"),
      revocations: REVOCATIONS_FLAG,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [TOKEN_ARGUMENT] },
  },
  async func(flags, given) {
    await runVerb(this, flags, async ({ output }) => {
      const { findTokenChainFaults, tokenErrorKind } = await import("../src/channel/mod.ts");
      let chain: TokenChain;
      try {
        chain = await readToken(this, given);
      } catch (error) {
        const kind = tokenErrorKind(error);
        if (kind === undefined) throw error;
        const fields = { holds: false, kind, not_asked: [], links: [] };
        output.result("token.verify", fields, () => `refused: token: ${kind}`);
        if (error instanceof NetError) output.note(`${error.message}\nnext: ${error.next}`);
        return REFUSED;
      }
      const question = await readQuestion(this, flags, output);
      const faults = findTokenChainFaults(chain, question);
      const links = await describeChain(chain, faults);
      const kind = faults[0]?.kind ?? null;
      const notAsked = (["roots", "presenter", "channelHash", "action"] as const)
        .filter((name) => question[name] === undefined)
        .map((name) => name === "channelHash" ? "channel" : name === "roots" ? "root" : name);
      const fields = { holds: kind === null, kind, not_asked: notAsked, links };
      output.result("token.verify", fields, () => {
        const verdict = kind === null ? "holds" : `refused: token: ${kind}`;
        return `${chainText(links)}\n${verdict}`;
      });
      if (notAsked.length > 0) output.note(`not asked: ${notAsked.join(", ")}`);
      return kind === null ? 0 : REFUSED;
    });
  },
});

async function readQuestion(
  context: NetContext,
  flags: TokenVerifyFlags,
  output: Output,
): Promise<Partial<TokenChainQuestion> & { nowSeconds: number }> {
  const { readRevocationFile, RevocationRegistry } = await import("../src/channel/mod.ts");
  const revocations = new RevocationRegistry();
  for (
    const { issuer, floor } of await readRevocationFile(revocationPath(context, flags.revocations))
  ) {
    revocations.revokeBelow(issuer, floor);
  }
  const entity = (text: string) => readEntity(context, flags, text, output);
  return {
    roots: flags.root === undefined ? undefined : await Promise.all(flags.root.map(entity)),
    presenter: flags.presenter === undefined ? undefined : await entity(flags.presenter),
    channelHash: flags.channel === undefined ? undefined : await channelHashOf(flags.channel),
    action: flags.action,
    nowSeconds: flags.at === undefined ? nowSeconds() : timeFlag(flags.at),
    skewSeconds: skewFlag(flags.skew),
    revocations,
  };
}

function timeFlag(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (ms >= 0) return Math.floor(ms / 1000);
  throw new NetError("usage", `Cannot use --at: value is "${text}", must be a date and time`, {
    next: "write for example --at 2030-01-31T12:00:00Z",
  });
}
