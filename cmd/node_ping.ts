/** `net node ping`: round trips to a peer, like `ping`. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { numberOf, recordOf, textOf } from "./format.ts";
import { PEER_ARGUMENT } from "./peer_argument.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

interface PingFlags extends SharedFlags {
  readonly count?: string;
  readonly interval?: string;
  readonly wait?: string;
}

const COUNT_MAX = 1_000_000;
const DEFAULTS = { count: 5, intervalMs: 1_000, waitMs: 1_000 } as const;
const BOUNDS = { "--interval": [10, 3_600_000], "--wait": [10, 60_000] } as const;

/** The verb. */
export const nodePingCommand = buildCommand<PingFlags, [string], NetContext>({
  docs: {
    brief: "Round trips to a peer",
    fullDescription:
      "Sends probes to a node, one after the other, and prints each round trip and the sums at the " +
      "end. Where there is no session with it, one is made. Ctrl-C ends it early and prints the sums " +
      "so far. The exit code is 6 when nothing came back.\n\n" +
      "EXAMPLES\n  net node ping 31a56ab7724a0b59\n  net node ping 31a5 -c 20 -i 200ms\n" +
      "  net node ping 31a5 -c 0",
  },
  parameters: {
    flags: bareRecord({
      count: textFlag("N", "Number of probes, 0 for until Ctrl-C; default: 5"),
      interval: textFlag("DURATION", "Time from one probe to the next; default: 1s"),
      wait: textFlag("DURATION", "Time an answer has; default: 1s"),
      ...SHARED_FLAGS,
    }),
    aliases: bareRecord({ c: "count" as const, i: "interval" as const, W: "wait" as const }),
    positional: { kind: "tuple", parameters: [PEER_ARGUMENT] },
  },
  async func(flags, peer) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = {
        peer,
        count: parseCount(flags.count),
        interval_ms: boundedMs("--interval", flags.interval, DEFAULTS.intervalMs),
        timeout_ms: boundedMs("--wait", flags.wait, DEFAULTS.waitMs),
      };
      const node = await connectNode(this, flags, signal);
      let last: Answer | undefined;
      const onProgress = (report: unknown) => {
        const progress = recordOf(report);
        const { seq: _seq, this_ms: _ms, ...sums } = progress;
        last = sums;
        if (!output.isJson && !output.isQuiet) this.io.writeOut(`${probeText(progress)}\n`);
      };
      const finish = (result: Answer): number => {
        output.result("node.ping", result, () => pingText(result));
        return numberOf(result.received) === 0 ? 6 : 0;
      };
      try {
        return finish(recordOf(await node.call("node.ping", params, { signal, onProgress })));
      } catch (error) {
        // Ctrl-C, or the time was up: what was measured so far is the result.
        if (!signal.aborted || last === undefined) throw error;
        return finish(last);
      } finally {
        await node.close();
      }
    });
  },
});

function probeText({ node_id, seq, this_ms, relay, relayed, address }: Answer): string {
  const way = relayed === true ? `through ${textOf(relay) || "a relay"}` : textOf(address);
  const rttMs = numberOf(this_ms);
  const answer = rttMs === undefined ? "no answer" : `time=${rttMs.toFixed(3)} ms`;
  return `${textOf(node_id)} ${way} seq=${textOf(seq)} ${answer}`;
}

/** Human text of the sums. */
export function pingText(result: Answer): string {
  const loss = (numberOf(result.loss) ?? 0) * 100;
  const sums = `${textOf(result.sent)} sent, ${textOf(result.received)} answered, ${
    loss.toFixed(0)
  } % lost`;
  const { min, avg, max, mdev } = recordOf(result.rtt_ms);
  const times = [min, avg, max, mdev].map((ms) => (numberOf(ms) ?? 0).toFixed(3)).join("/");
  return min === undefined ? sums : `${sums}\nrtt min/avg/max/mdev = ${times} ms`;
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return DEFAULTS.count;
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && count <= COUNT_MAX) return count;
  throw new NetError("usage", `Cannot use --count: value is "${text}", must be 0 to ${COUNT_MAX}`, {
    next: "write for example --count 20, or 0 for until Ctrl-C",
  });
}

function boundedMs(name: keyof typeof BOUNDS, text: string | undefined, otherwise: number): number {
  const [min, max] = BOUNDS[name];
  const ms = Math.round(durationFlag(name, text) ?? otherwise);
  if (ms >= min && ms <= max) return ms;
  throw new NetError(
    "usage",
    `Cannot use ${name}: value is "${text}", must be ${min} ms to ${max / 1000} s`,
    { next: `write for example ${name} 500ms` },
  );
}
