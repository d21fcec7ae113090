/** What the channel verbs share: the argument that is a channel, its completion, tokens to show. */
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { textFlag } from "./flags.ts";
import { listOf, recordOf, textOf } from "./format.ts";
import { readToken, tokenText } from "./token_input.ts";

/** Time a running node has to answer. */
export const CHANNEL_ANSWER_MS = 10_000;

/** Time a node has to answer while somebody waits for a completion. */
const PROPOSE_MS = 500;

/** Names of the running node's channels that begin with `partial`; none when no node answers. */
async function proposeChannels(this: NetContext, partial: string): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(PROPOSE_MS);
  try {
    const node = await connectNode(this, this.typed ?? {}, signal);
    try {
      const { channels } = recordOf(await node.call("channel.ls", {}, { signal }));
      const names = listOf(channels).map((channel) => textOf(recordOf(channel).name));
      return names.filter((name) => name.startsWith(partial));
    } finally {
      await node.close();
    }
  } catch {
    // Whoever presses Tab wants proposals or nothing.
    return [];
  }
}

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
