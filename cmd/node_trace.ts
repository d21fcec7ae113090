/** `net node trace`: the way to a peer, its round-trip time and loss. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface TraceFlags extends SharedFlags {
  readonly count?: string;
}

const COUNT_MAX = 1000;

/** The verb. */
export const nodeTraceCommand = buildCommand<TraceFlags, [string], NetContext>({
  docs: {
    brief: "Probe a peer: way, round-trip time, loss",
    fullDescription: "Probes a peer of the running node some times.\n\n" +
      "EXAMPLES\n  net node trace 31a56ab7724a0b59\n  net node trace 31a56ab7724a0b59 --count 20",
  },
  parameters: {
    flags: bareRecord({
      count: {
        kind: "parsed" as const,
        parse: String,
        brief: "Number of probes; default: 5",
        placeholder: "N",
        optional: true as const,
      },
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{ brief: "Node id of the peer", parse: String, placeholder: "PEER" }],
    },
  },
  async func(flags, peer) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const count = parseCount(flags.count);
      const node = await connectNode(this, flags, signal);
      const onProgress = (report: unknown) => {
        const { probe, rtt_ms } = recordOf(report);
        const rttMs = numberOf(rtt_ms);
        const answer = rttMs === undefined ? "no answer" : `${rttMs.toFixed(2)} ms`;
        output.note(`${textOf(probe)}  ${answer}`);
      };
      try {
        const result = recordOf(
          await node.call("node.trace", { peer, count }, { signal, onProgress }),
        );
        output.result("node.trace", result, () => traceText(result));
        return numberOf(result.received) === 0 ? 6 : 0;
      } finally {
        await node.close();
      }
    });
  },
});

function parseCount(text: string | undefined): number {
  if (text === undefined) return 5;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= COUNT_MAX) return count;
  throw new NetError("usage", `Cannot use --count "${text}": must be 1 to ${COUNT_MAX}`);
}

function traceText(result: Readonly<Record<string, unknown>>): string {
  const hops = listOf(result.hops).map(recordOf).map((hop) =>
    [textOf(hop.node_id), textOf(hop.address)].filter((text) => text !== "").join(" at ")
  );
  const rtt = recordOf(result.rtt_ms ?? {});
  const times = result.rtt_ms === null
    ? "no answer"
    : `round trip ${textOf(rtt.min)} / ${textOf(rtt.avg)} / ${textOf(rtt.max)} ms`;
  const loss = (numberOf(result.loss) ?? 0) * 100;
  return `via ${hops.join(" -> ")}\n${textOf(result.received)} of ${
    textOf(result.sent)
  } answered, ` +
    `${loss.toFixed(0)} % lost, ${times}`;
}
