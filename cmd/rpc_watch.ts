/** `net rpc watch`: calls from and to this node as they end, and what was counted of them. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, choiceFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatBytes, formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { toDocument } from "./output.ts";
import { optionalService, wholeFlag } from "./rpc_common.ts";
import { runVerb } from "./verb.ts";

const DIRECTIONS = ["inbound", "outbound"] as const;

interface WatchFlags extends SharedFlags {
  readonly direction?: (typeof DIRECTIONS)[number];
  readonly count?: string;
}

type Row = Readonly<Record<string, unknown>>;

/** The verb. */
export const rpcWatchCommand = buildCommand<WatchFlags, [string?], NetContext>({
  docs: {
    brief: "Watch calls from and to this node",
    fullDescription:
      "Prints a line for each call when it is over, until it is stopped: calls of this node (out) " +
      "and calls that it served (in), with the other node, how it ended, how long it took and the " +
      "bytes of request and answer. With --json each line is a document.\n\n" +
      "EXAMPLES\n  net rpc watch\n  net rpc watch upper --direction inbound --json",
  },
  parameters: {
    flags: bareRecord({
      direction: choiceFlag(DIRECTIONS, "Only calls served here, or only calls made here"),
      count: textFlag("N", "End after so many calls"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [optionalService("all of them")] },
  },
  async func(flags, service) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = {
        service,
        direction: flags.direction,
        count: wholeFlag("--count", flags.count),
      };
      const node = await connectNode(this, flags, signal);
      let dropped = 0;
      const onProgress = (report: unknown) => {
        const told = recordOf(report);
        if (told.watching === true) output.note("waiting for calls");
        const lines = listOf(told.events).map(recordOf).map((event) =>
          output.isJson ? `${toDocument("rpc.watch", event)}\n` : `${eventText(event)}\n`
        );
        if (lines.length > 0) this.io.writeOut(lines.join(""));
        const missed = numberOf(told.dropped) ?? 0;
        if (missed > dropped) {
          output.warn(`${formatCount(missed - dropped)} calls were not shown: too slow`);
        }
        dropped = missed;
      };
      try {
        await node.call("nrpc.watch", params, { signal, onProgress });
      } finally {
        await node.close();
      }
    }, { isEndless: true });
  },
});

/** One call as a line. */
export function eventText(event: Row): string {
  const isIn = event.direction === "inbound";
  const time = new Date(numberOf(event.ts_unix_ms) ?? 0).toISOString().slice(11, 23);
  const status = textOf(event.status);
  const message = typeof event.message === "string" ? `: ${textOf(event.message)}` : "";
  const sizes = `${formatBytes(numberOf(event.request_bytes) ?? 0)} > ${
    formatBytes(numberOf(event.response_bytes) ?? 0)
  }`;
  return [
    time,
    isIn ? "in " : "out",
    textOf(isIn ? event.caller : event.callee),
    textOf(event.method),
    `${numberOf(event.latency_ms) ?? 0} ms`,
    sizes,
    `${status}${message}`,
  ].join("  ");
}
