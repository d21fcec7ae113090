/** `net log read` and `net log tail`: print the events of a log, to its end or as it grows. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode, connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  durationFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { numberOf, recordOf } from "./format.ts";
import {
  fromFlag,
  LOG_ARGUMENT,
  LOGS_FOR_READING,
  sinceFlag,
  untilThere,
  WHERE_FLAG,
} from "./log_common.ts";
import { LogPrinter, PRINT_FLAGS, type PrintFlags } from "./log_printer.ts";
import { wholeFlag } from "./rpc_common.ts";
import { runVerb } from "./verb.ts";

interface ReadFlags extends SharedFlags, PrintFlags {
  readonly from?: string;
  readonly to?: string;
  readonly last?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly where?: string;
  readonly follow?: boolean;
  readonly wait?: string;
}

const PLACE_FLAGS = {
  last: textFlag("N", "Begin so many events before the end"),
  since: textFlag("WHEN", "Begin at this time, or so long ago: 10m, 2026-01-31T12:00:00Z"),
  limit: textFlag("N", "End after so many events"),
  where: WHERE_FLAG,
} as const;

const FORM =
  "Events are printed as lines; one that is no text as base64: and its bytes. With --json " +
  "each is a document with its number, its time, text or base64, and whether it is on the device " +
  "already. What retention or damage took away is told of: on standard error, with --json as a " +
  'document {"kind":"lag",…} with the numbers that are missing.';

/** The verb that reads what is there. */
export const logReadCommand = buildCommand<Omit<ReadFlags, "wait">, [string], NetContext>({
  docs: {
    brief: "Print the events of a log",
    fullDescription: "Prints the events of a channel's log, from the first one kept to the end. " +
      `--follow goes on from there. ${FORM} Without a running node the data folder is read.\n\n` +
      "EXAMPLES\n  net log read app/orders\n  net log read app/orders --last 10 --meta\n" +
      "  net log read app/orders --from 1000 --to 2000 --json\n" +
      "  net log read app/orders --since 10m --where 'total>=100' --follow",
  },
  parameters: {
    flags: bareRecord({
      from: textFlag("SEQ", "Begin at this number, start or end; default: start"),
      to: textFlag("SEQ", "End before this number"),
      ...PLACE_FLAGS,
      follow: switchFlag("Go on with what is appended, until Ctrl-C"),
      ...PRINT_FLAGS,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await readLog(this, flags, channel, { verb: "log.read", isFollowing: flags.follow ?? false });
  },
});

/** The verb that goes on. */
export const logTailCommand = buildCommand<Omit<ReadFlags, "to" | "follow">, [string], NetContext>({
  docs: {
    brief: "Print the events of a log as they are appended",
    fullDescription:
      "Prints what is appended to a channel's log from now on, until it is stopped; " +
      "--from, --last and --since begin earlier, and nothing is missed between history and news. " +
      "Retention, compaction and changed rules do not end it, and a slow reader loses nothing but " +
      `what retention takes. ${FORM}\n\n` +
      "EXAMPLES\n  net log tail app/orders\n  net log tail app/orders --last 10 --meta\n" +
      "  net log tail app/orders --from start --json --limit 100\n" +
      "  net log tail app/orders --wait 30s --where 'kind==order'",
  },
  parameters: {
    flags: bareRecord({
      from: textFlag("SEQ", "Begin at this number, start or end; default: end"),
      ...PLACE_FLAGS,
      wait: textFlag("DURATION", "Wait so long for a log that is not there yet"),
      ...PRINT_FLAGS,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await readLog(this, flags, channel, { verb: "log.tail", isFollowing: true });
  },
});

async function readLog(
  context: NetContext,
  flags: ReadFlags,
  channel: string,
  { verb, isFollowing }: { readonly verb: string; readonly isFollowing: boolean },
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const params = {
      channel,
      from: placeOf(flags, isFollowing && verb === "log.tail" ? "end" : "start"),
      to: wholeFlag("--to", flags.to, { min: 0 }),
      limit: wholeFlag("--limit", flags.limit),
      where: flags.where,
      follow: isFollowing,
    };
    requireOneForm(flags, output.isJson);
    const waitMs = durationFlag("--wait", flags.wait);
    // Nobody appends to a folder that only this process has open.
    const node = isFollowing
      ? await connectNode(context, flags, signal)
      : await connectOrOpen(context, flags, signal, LOGS_FOR_READING);
    try {
      if (waitMs !== undefined) {
        output.note(`waiting for ${channel}`);
        const how = await untilThere(context.io, node, channel, waitMs, signal);
        // What came first is what was waited for.
        if (how === "came" && params.from === "end") params.from = "start";
      }
      const printer = new LogPrinter(context, output, flags, verb, channel);
      const result = recordOf(
        await node.call("log.read", params, {
          signal,
          onProgress: (report) => printer.take(report),
        }),
      );
      const isWhole = numberOf(result.events) === params.limit;
      if (isFollowing && !isWhole && params.to === undefined) {
        output.note(`${channel} was removed`);
      }
    } finally {
      await node.close();
    }
  }, { isEndless: isFollowing });
}

function placeOf(flags: ReadFlags, otherwise: "start" | "end") {
  const { from, last, since } = flags;
  const given = Object.entries({ "--from": from, "--last": last, "--since": since })
    .filter(([, value]) => value !== undefined).map(([name]) => name);
  if (given.length > 1) {
    throw new NetError("usage", `Cannot use ${given.join(" and ")}: each says where to begin`, {
      next: `give ${given[0]} alone`,
    });
  }
  if (last !== undefined) return { last: wholeFlag("--last", last, { min: 0 }) };
  if (since !== undefined) return { since_ms: sinceFlag(since) };
  return fromFlag(from) ?? otherwise;
}

function requireOneForm({ hex, text, raw }: PrintFlags, isJson: boolean): void {
  const forms = Object.entries({ "--hex": hex, "--text": text, "--raw": raw })
    .filter(([, isGiven]) => isGiven).map(([name]) => name);
  if (isJson && raw) forms.push("--json");
  if (forms.length <= 1) return;
  throw new NetError("usage", `Cannot use ${forms.join(" and ")} together`, {
    next: `give ${forms[0]} alone`,
  });
}
