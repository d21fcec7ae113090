/** `net log create` and `net log rm`: logs and the rules they are kept by. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseFsync, parseRetention } from "../src/config/mod.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { LOG_ANSWER_MS, LOG_ARGUMENT, LOGS_FOR_READING } from "./log_common.ts";
import { statText } from "./log_ls.ts";
import { runVerb } from "./verb.ts";

interface CreateFlags extends SharedFlags {
  readonly fsync?: string;
  readonly keep?: string;
  readonly memory?: boolean;
}

/** The verb that makes a log, or changes its rules. */
export const logCreateCommand = buildCommand<CreateFlags, [string], NetContext>({
  docs: {
    brief: "Make a log, or change how it is kept",
    fullDescription:
      "Makes the log of a channel with rules of its own, or changes them; what is left " +
      "out stays, or follows the flags --log-fsync and --log-keep of net node start. Readers go on. " +
      "Appending makes a log too, so this is for those who want other rules.\n\n" +
      "--keep says what may be forgotten, oldest first: by number of events, size or age, or by " +
      "several of them; all keeps everything. --fsync says when what was appended goes to the " +
      "device: never (the system decides), every:N events, interval:TIME, or interval:TIME,bytes:SIZE. " +
      "The word default takes a rule of its own back.\n\n" +
      "EXAMPLES\n  net log create app/orders --fsync every:100\n" +
      "  net log create logs/app --keep events:1000000,bytes:1G,age:7d\n" +
      "  net log create scratch --memory",
  },
  parameters: {
    flags: bareRecord({
      fsync: textFlag("WHEN", "never, every:N, interval:TIME, or interval:TIME,bytes:SIZE"),
      keep: textFlag("WHAT", "all, or events:N, bytes:SIZE, age:TIME with commas between"),
      memory: switchFlag("Keep it in memory only"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const retention = read("--keep", flags.keep, parseRetention, "all, default or events:1000");
      const params = {
        channel,
        fsync: read("--fsync", flags.fsync, parseFsync, "never, default, every:100 or interval:1s"),
        retention: retention === undefined || retention === null ? retention : {
          events_max: retention.eventsMax,
          bytes_max: retention.bytesMax,
          age_max_ms: retention.ageMaxMs,
        },
        volatile: flags.memory,
      };
      const node = await connectOrOpen(this, flags, signal);
      try {
        const log = recordOf(await node.call("log.create", params, { signal }));
        output.result("log.create", log, () => statText(log));
      } finally {
        await node.close();
      }
    }, { timeoutMs: LOG_ANSWER_MS });
  },
});

/** The verb that removes one. */
export const logRmCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Remove a log and all that is in it",
    fullDescription:
      "Removes the log of a channel with all its events and rules. Nothing brings them " +
      "back; readers end.\n\n" +
      "EXAMPLES\n  net log rm scratch",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [LOG_ARGUMENT] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal, LOGS_FOR_READING);
      try {
        const result = recordOf(await node.call("log.remove", { channel }, { signal }));
        output.result("log.rm", result, () => `removed ${textOf(result.removed)}`);
      } finally {
        await node.close();
      }
    }, { timeoutMs: LOG_ANSWER_MS });
  },
});

function read<T>(
  flag: string,
  text: string | undefined,
  parse: (text: string) => T | undefined,
  example: string,
): T | null | undefined {
  if (text === undefined) return undefined;
  if (text === "default") return null;
  const value = parse(text);
  if (value !== undefined) return value;
  throw new NetError("usage", `Cannot use ${flag}: value is "${text}", must be ${example}`, {
    next: "see net log create --help",
  });
}
