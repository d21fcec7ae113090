/** `net bench transport`: measures between the running node and one of its peers. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import {
  formatBytes,
  formatCount,
  formatTable,
  formatTimeMs,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { optionalPeer } from "./peer_argument.ts";
import type { Answer } from "./watch.ts";
import { runVerb } from "./verb.ts";

interface BenchFlags extends SharedFlags {
  readonly seconds?: string;
  readonly size?: string;
  readonly streams?: string;
}

/** Time for a whole run, which the node bounds at 60 s, and its beginning and end. */
const RUN_MS = 90_000;

/** The verb. */
export const benchTransportCommand = buildCommand<BenchFlags, [string?], NetContext>({
  docs: {
    brief: "Measure round trips, event rates and loss between two nodes",
    fullDescription:
      "Measures between the running node and one of its peers, which takes part by " +
      "itself: round trips of 64 bytes, then events of 64 bytes, of 1 KiB and as large as they can " +
      "be, each out (to the peer) and in (from it), on reliable streams. A rate is counted where " +
      "events reach the receiving application. Without PEER the first connected one is taken.\n\n" +
      "LOST are packets that did not arrive, AGAIN packets sent again. A run takes at most a " +
      "minute and loads the link as much as it can.\n\n" +
      "EXAMPLES\n  net bench transport\n  net bench transport 31a5 --seconds 5\n" +
      "  net bench transport 31a5 --size 1024 --streams 16 --json",
  },
  parameters: {
    flags: bareRecord({
      seconds: textFlag("N", "Seconds of each of the seven steps; default: 2"),
      size: textFlag("BYTES", "Only events of this size, 1 to 8086"),
      streams: textFlag("N", "Streams that events are spread over, 1 to 512; default: 1"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [optionalPeer("the first connected one")],
    },
  },
  async func(flags, peer) {
    const { io } = this;
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = {
        ...(peer === undefined ? {} : { peer }),
        ...numberParam("seconds", flags.seconds),
        ...numberParam("size", flags.size),
        ...numberParam("streams", flags.streams),
      };
      const node = await connectNode(this, flags, signal);
      const isScreen = io.isStderrTerminal;
      let shown = "";
      const show = (line: string) => {
        if (output.isQuiet || output.isJson || line === shown) return;
        io.writeErr(isScreen ? `\r\x1b[2K${line}` : `${line}\n`);
        shown = line;
      };
      let step = 0;
      try {
        const onProgress = (told: unknown) => {
          const progress = recordOf(told);
          const now = numberOf(progress.step) ?? 0;
          // Off a terminal one line per step is enough.
          if (isScreen || now !== step) show(progressText(progress));
          step = now;
        };
        const result = recordOf(
          await node.call("bench.transport", params, { signal, onProgress }),
        );
        if (isScreen && shown !== "") io.writeErr("\r\x1b[2K");
        shown = "";
        output.result("bench.transport", result, () => benchText(result));
      } finally {
        if (isScreen && shown !== "") io.writeErr("\n");
        await node.close();
      }
    }, { timeoutMs: RUN_MS });
  },
});

function numberParam(name: string, text: string | undefined): Readonly<Record<string, number>> {
  if (text === undefined) return {};
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return { [name]: value };
  throw new NetError("usage", `Cannot use --${name} "${text}": must be a positive number`, {
    next: "see net bench transport --help",
  });
}

/** One line about a run that is under way. */
export function progressText(progress: Answer): string {
  const { peer, what, size, events, seconds, step, steps } = progress;
  const head = `${textOf(step)}/${textOf(steps)} with ${textOf(peer)}: `;
  if (what === "round_trip") return `${head}round trips`;
  const spent = numberOf(seconds) ?? 0;
  const rate = spent === 0 ? "" : `, ${formatCount((numberOf(events) ?? 0) / spent)}/s`;
  return `${head}events of ${sizeText(size)} ${textOf(what)}${rate}`;
}

/** Human text of a `bench.transport` result. */
export function benchText(result: Answer): string {
  const trip = recordOf(result.round_trip);
  const way = result.relayed === true ? "through a relay at" : "at";
  const p50 = numberOf(trip.p50_ms);
  const times = p50 === undefined ? "no answer" : [
    `p50 ${formatTimeMs(p50)}`,
    `p99 ${formatTimeMs(numberOf(trip.p99_ms) ?? 0)}`,
    `min ${formatTimeMs(numberOf(trip.min_ms) ?? 0)}`,
  ].join("  ");
  const sent = numberOf(trip.sent) ?? 0;
  const lost = sent - (numberOf(trip.received) ?? 0);
  const rows = listOf(result.events).map(recordOf).map((row) => {
    const rate = numberOf(row.events_per_second);
    const mbPerSecond = numberOf(row.mb_per_second);
    return [
      sizeText(row.size),
      row.complete === true ? textOf(row.way) : `${textOf(row.way)} (cut short)`,
      rate === undefined ? "-" : formatCount(rate),
      mbPerSecond === undefined ? "-" : mbPerSecond.toFixed(1),
      formatCount(numberOf(row.packets) ?? 0),
      formatCount(numberOf(row.lost) ?? 0),
      formatCount(numberOf(row.resent) ?? 0),
    ];
  });
  const heading = ["EVENT", "WAY", "EVENTS/S", "MB/S", "PACKETS", "LOST", "AGAIN"];
  return [
    `with ${textOf(result.node_id)} ${way} ${textOf(result.address)}, ${textOf(result.trust)}, ` +
    `${textOf(result.streams)} stream${result.streams === 1 ? "" : "s"}`,
    `round trip ${sizeText(trip.size)}  ${times}  ${formatCount(sent)} sent, ${
      formatCount(lost)
    } lost`,
    "",
    formatTable([heading, ...rows], { right: [2, 3, 4, 5, 6], columnsMax: 80 }),
  ].join("\n");
}

function sizeText(size: unknown): string {
  const bytes = numberOf(size) ?? 0;
  return bytes % 1024 === 0 ? formatBytes(bytes).replace(".0 ", " ") : `${bytes} B`;
}
