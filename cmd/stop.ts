/** `net stop MEMBER` and `net stop --composition NAME`: ends what `net start` started. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { MemberRecords, StoppedMember } from "../src/deploy/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatTable } from "./format.ts";
import { deployModule, proposeStarted } from "./member_common.ts";
import type { Output } from "./output.ts";
import { runVerb } from "./verb.ts";

/** Longest --wait, with the time that follows SIGKILL. */
const CLEAN_UP_MS = 30_000;

interface StopFlags extends SharedFlags {
  readonly composition?: string;
  readonly wait?: string;
}

/** The verb. */
export const stopCommand = buildCommand<StopFlags, [string | undefined], NetContext>({
  docs: {
    brief: "Stop a member, or a composition, that net start started",
    fullDescription: "Stops a member with everything it started: SIGTERM, and SIGKILL when it " +
      "takes longer than --wait. With --composition the last one started is stopped first. One " +
      "that has ended by itself counts as stopped.\n\n" +
      "EXAMPLES\n  net stop beardog\n  net stop net --family fam1\n  net stop --composition mesh",
  },
  parameters: {
    flags: bareRecord({
      composition: textFlag("NAME", "Stop every member started with this composition"),
      wait: textFlag("DURATION", "Time until SIGKILL; default: 20s"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        proposeCompletions: proposeStarted,
        optional: true,
        placeholder: "MEMBER",
        brief: "Name as net members shows it",
      }],
    },
  },
  async func(flags, member) {
    await runVerb(this, flags, async ({ output, signal }) => {
      if ((member === undefined) === (flags.composition === undefined)) {
        throw new NetError("usage", "Cannot stop: one of MEMBER and --composition is needed", {
          next: "net members lists what was started",
        });
      }
      const deploy = await deployModule();
      const records = await deploy.MemberRecords.open(this.io.env);
      const waitMs = durationFlag("--wait", flags.wait);
      if (member !== undefined) {
        const family = flags.family === undefined
          ? undefined
          : deploy.familyOf({ env: {}, family: flags.family });
        const name = deploy.instanceName(member, family);
        return report(output, [await deploy.stopMember(records, name, { waitMs })]);
      }
      return report(output, await stopAll(records, flags.composition ?? "", waitMs, signal));
    }, { cleanUpMs: CLEAN_UP_MS });
  },
});

async function stopAll(
  records: MemberRecords,
  composition: string,
  waitMs: number | undefined,
  signal: AbortSignal,
): Promise<readonly StoppedMember[]> {
  const deploy = await deployModule();
  const started = await deploy.startedWith(records, composition);
  if (started.length === 0) {
    throw new NetError(
      "not_found",
      "Cannot stop the composition: none of its members was started",
      {
        next: "net members lists what was started, and with which composition",
      },
    );
  }
  const stopped: StoppedMember[] = [];
  for (const { name } of started) {
    signal.throwIfAborted();
    stopped.push(await deploy.stopMember(records, name, { waitMs }));
  }
  return stopped;
}

function report(output: Output, members: readonly StoppedMember[]): number {
  output.result(
    "stop",
    { members },
    () => formatTable(members.map(({ name, status, pid }) => [name, status, String(pid)])),
  );
  return 0;
}
