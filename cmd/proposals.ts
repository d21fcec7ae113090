/** Completions that the running node knows best: its peers, channels, services. */
import type { NetContext } from "./context.ts";
import { connectNode } from "./connect.ts";
import { listOf, recordOf, textOf } from "./format.ts";

/** Time a node has to answer while somebody waits for a completion. */
const PROPOSE_MS = 500;

/** Where proposals are found: a field of each row in a list of a method's result. */
export interface ProposalSource {
  readonly method: string;
  readonly list: string;
  readonly field: string;
}

/** Gives those that begin with what was typed; none when no node answers. */
export function proposeFrom({ method, list, field }: ProposalSource) {
  return async function (this: NetContext, partial: string): Promise<readonly string[]> {
    const signal = AbortSignal.timeout(PROPOSE_MS);
    try {
      const node = await connectNode(this, this.typed ?? {}, signal);
      try {
        const result = recordOf(await node.call(method, {}, { signal }));
        const values = listOf(result[list]).map((row) => textOf(recordOf(row)[field]));
        // Ids and names have lower case only.
        return values.filter((value) => value.startsWith(partial.toLowerCase()));
      } finally {
        await node.close();
      }
    } catch {
      // Whoever presses Tab wants proposals or nothing.
      return [];
    }
  };
}
