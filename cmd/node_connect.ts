/** `net node connect`: a way to a peer without a relay, if there is one. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { pathTable } from "./path_table.ts";
import { PEER_ARGUMENT } from "./peer_argument.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

/** Time for all ways together, and for the node to answer beside it. */
const WAYS_MS = 20_000;
const ANSWER_MS = 5_000;
/** What the node takes. */
const WAYS_MS_MIN = 100;
const WAYS_MS_MAX = 60_000;

/** The verb. */
export const nodeConnectCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Connect to a peer, without a relay where that is possible",
    fullDescription:
      "Lets the running node look for a way to a peer: its announced address, a punch through both " +
      "NATs, a relay at last. Each way is listed with what came of it. The peer is an id, its first " +
      "digits, or ADDR:PORT#NODEID#NOISEKEY where this node does not know it yet. The exit code is " +
      "6 when no way leads there.\n\n" +
      "EXAMPLES\n  net node connect 31a56ab7724a0b59\n  net node connect 31a5 --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [PEER_ARGUMENT] },
  },
  async func(flags, peer) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const params = { peer, timeout_ms: waysTimeMs(flags) };
        const result = recordOf(await node.call("node.connect", params, { signal }));
        output.result("node.connect", result, () => connectText(result));
        const id = textOf(result.node_id);
        if (result.outcome === "direct") return 0;
        output.note(`why it is so, and what to do: net doctor --peer ${id}`);
        return result.outcome === "relayed" ? 0 : 6;
      } finally {
        await node.close();
      }
    }, { timeoutMs: WAYS_MS + ANSWER_MS });
  },
});

/**
 * Time the node has for trying ways, in milliseconds: of a given `--timeout` so much less that its report
 * comes in time.
 */
export function waysTimeMs(flags: SharedFlags): number {
  const givenMs = durationFlag("--timeout", flags.timeout);
  if (givenMs === undefined) return WAYS_MS;
  const waysMs = Math.max(givenMs - ANSWER_MS, givenMs / 2);
  return Math.round(Math.min(WAYS_MS_MAX, Math.max(WAYS_MS_MIN, waysMs)));
}

/** Human text of a `node.connect` result. */
export function connectText(result: Answer): string {
  const id = textOf(result.node_id);
  const said = {
    direct: `${id} is connected directly`,
    relayed: `${id} is connected through a relay`,
  }[textOf(result.outcome)] ?? `${id} is not connected: no way leads there`;
  return `${pathTable(result.paths)}\n${said}`;
}
