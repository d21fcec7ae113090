/** What the channel verbs share: the argument that is a channel, its completion, tokens to show. */
import type { NetContext } from "./context.ts";
import { textFlag } from "./flags.ts";
import { proposeFrom } from "./proposals.ts";
import { readToken, tokenText } from "./token_input.ts";

/** Time a running node has to answer. */
export const CHANNEL_ANSWER_MS = 10_000;

/** Names of the running node's channels. */
const proposeChannels = proposeFrom({ method: "channel.ls", list: "channels", field: "name" });

/** A channel that must be named. */
export const CHANNEL_ARGUMENT = {
  parse: String,
  placeholder: "CHANNEL",
  brief: "Name of the channel, such as room/lobby",
  proposeCompletions: proposeChannels,
} as const;

/** A token chain to show to others. */
export const TOKEN_FLAG = textFlag("TOKEN", "Token chain to show: hex, @FILE, or -");

/** The token as the node takes it. */
export async function chainParam(
  context: NetContext,
  given: string | undefined,
): Promise<{ readonly chain?: string }> {
  if (given === undefined) return {};
  return { chain: await tokenText(await readToken(context, given)) };
}
