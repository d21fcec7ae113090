/** `net node trace`: the way to a peer, its round-trip time and loss. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import {
  formatDuration,
  formatTable,
  formatTimeMs,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { PEER_ARGUMENT } from "./peer_argument.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

interface TraceFlags extends SharedFlags {
  readonly count?: string;
}

const COUNT_MAX = 1000;

/** The verb. */
export const nodeTraceCommand = buildCommand<TraceFlags, [string], NetContext>({
  docs: {
    brief: "Probe a peer: way, round-trip time, loss",
    fullDescription: "Probes a node some times: the way there, round-trip times, loss. Where " +
      "there is no session with it, one is made; of a node that only a route leads to the way is " +
      "told. The exit code is 6 when nothing came back.\n\n" +
      "EXAMPLES\n  net node trace 31a56ab7724a0b59\n  net node trace 31a5 --count 20",
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
      parameters: [PEER_ARGUMENT],
    },
  },
  async func(flags, peer) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const count = parseCount(flags.count);
      const node = await connectNode(this, flags, signal);
      const onProgress = (report: unknown) => {
        const { probe, rtt_ms } = recordOf(report);
        const rttMs = numberOf(rtt_ms);
        const answer = rttMs === undefined ? "no answer" : formatTimeMs(rttMs);
        output.note(`${textOf(probe)}  ${answer}`);
      };
      try {
        const result = recordOf(
          await node.call("node.trace", { peer, count }, { signal, onProgress }),
        );
        output.result("node.trace", result, () => traceText(result));
        if (result.session === false) {
          output.note(
            `without a session it can't be probed: net node connect ${
              textOf(result.node_id)
            }, or ` +
              "join it with its ticket",
          );
        }
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
  throw new NetError("usage", `Cannot use --count: value is "${text}", must be 1 to ${COUNT_MAX}`, {
    next: "write for example --count 20",
  });
}

/** Human text of a `node.trace` result. */
export function traceText(result: Answer): string {
  const hops = listOf(result.hops).map(recordOf).map((hop, i) => {
    const rttMs = numberOf(hop.rtt_ms);
    return [
      String(i + 1),
      textOf(hop.node_id) || "not known",
      textOf(hop.address) || "-",
      rttMs === undefined ? "-" : formatTimeMs(rttMs),
    ];
  });
  const table = formatTable([["HOP", "NODE", "ADDRESS", "RTT"], ...hops]);
  if (result.session === false) {
    const ageMs = numberOf(result.age_ms) ?? 0;
    return `${table}\nno session; a route of ${textOf(result.hop_count)} hops, metric ${
      textOf(result.metric)
    }, confirmed ${formatDuration(ageMs)} ago`;
  }
  const relayText = result.relayed === true
    ? `through the relay ${textOf(result.relay) || "that is shown"}\n`
    : "";
  const loss = (numberOf(result.loss) ?? 0) * 100;
  const answered = `${textOf(result.received)} of ${textOf(result.sent)} answered`;
  return `${table}\n${relayText}${answered}, ${loss.toFixed(0)} % lost, ${timesText(result)}`;
}

function timesText(result: Answer): string {
  if (result.rtt_ms === null || result.rtt_ms === undefined) return "no round trip";
  const rtt = recordOf(result.rtt_ms);
  const parts = ["min", "p50", "avg", "max"].map((name) =>
    `${name} ${formatTimeMs(numberOf(rtt[name]) ?? 0)}`
  );
  return parts.join("  ");
}
