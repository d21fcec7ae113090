/** What the verbs about adapters share. */
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { SharedFlags } from "./flags.ts";
import { recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

/** Time a store has for something small. */
const ANSWER_MS = 30_000;
/** Copying takes as long as it takes. */
export const COPY_MS = 24 * 3_600_000;

/** The name of an adapter. */
export const ID_ARGUMENT = { parse: String, placeholder: "ID", brief: "Name of the adapter" };
/** The name of a channel. */
export const CHANNEL_ARGUMENT = {
  parse: String,
  placeholder: "CHANNEL",
  brief: "Name of the channel",
};

/** Calls a method of the node, or of the data folder alone, and prints its answer. */
export async function callAdapter(
  context: NetContext,
  flags: SharedFlags,
  verb: string,
  method: string,
  params: () => Answer,
  text: (answer: Answer) => string,
  timeoutMs = ANSWER_MS,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const given = params();
    const node = await connectOrOpen(context, flags, signal);
    try {
      const answer = recordOf(await node.call(method, given, { signal }));
      output.result(`blob.adapter.${verb}`, answer, () => text(answer));
    } finally {
      await node.close();
    }
  }, { timeoutMs });
}
