/** `net start MEMBER` and `net start --composition NAME`: runs members in the background. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { StartWishes } from "../src/deploy/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, durationFlag, oneSpelling, socketFlag } from "./flags.ts";
import { formatFields, formatTimeMs, textOf } from "./format.ts";
import {
  deployModule,
  memberBind,
  memberPort,
  pathFlag,
  proposeMembers,
  showTail,
  toolkitFolder,
  warnOfPorts,
} from "./member_common.ts";
import type { Output } from "./output.ts";
import { selfCommand } from "./self_command.ts";
import { startComposition } from "./start_composition.ts";
import {
  familyFlag,
  portFlag,
  START_MEMBER_FLAGS,
  type StartMemberFlags,
} from "./start_member_flags.ts";
import { capabilitiesOnly, runInForeground } from "./start_foreground.ts";
import { runVerb } from "./verb.ts";

/** Time in which everything that was started is stopped again. */
const TAKE_BACK_MS = 30_000;

/** The verb. */
export const startCommand = buildCommand<StartMemberFlags, string[], NetContext>({
  docs: {
    brief: "Start a member, or a composition, in the background",
    fullDescription: "Starts a member in the background and waits until it answers. Flags are " +
      "translated into the member's own words by its metadata.toml; arguments behind -- go to it " +
      "as they are. MEMBER net is this program. With --composition members start in the order in " +
      "which they need each other, and the whole is validated.\n\n" +
      "EXAMPLES\n  net start net --port 9900\n" +
      "  net start beardog --toolkit plasmidBin --family fam1\n" +
      "  net start --composition mesh\n  net start net --dry-run\n  net stop net\n\n" +
      "EXIT CODES\n  0 it answers, 1 it does not, 2 usage,\n" +
      "  3 it runs already or the port is in use, 4 no executable",
  },
  parameters: {
    flags: bareRecord(START_MEMBER_FLAGS),
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        proposeCompletions: proposeMembers,
        placeholder: "MEMBER [-- ARG...]",
        brief: "Member, and arguments in its own words",
      },
    },
  },
  async func(flags, ...words) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const [member, ...extra] = words;
      if ((member === undefined) === (flags.composition === undefined)) {
        throw new NetError("usage", "Cannot start: one of MEMBER and --composition is needed", {
          next: "for example net start net, or net start --composition mesh",
        });
      }
      try {
        return member === undefined
          ? await startComposition(this, flags, output, signal)
          : await startOne(this, flags, { member, extra }, output, signal);
      } catch (error) {
        showTail(this, output, error);
        throw error;
      }
    }, { cleanUpMs: TAKE_BACK_MS });
  },
});

async function startOne(
  context: NetContext,
  flags: StartMemberFlags,
  { member, extra }: { readonly member: string; readonly extra: readonly string[] },
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const { io } = context;
  const deploy = await deployModule();
  const toolkit = await toolkitFolder(context, flags.toolkit);
  const program = await deploy.findProgram(member, {
    toolkit,
    bin: flags.bin,
    cwd: io.cwd,
    own: selfCommand([]),
  });
  if (flags.capabilitiesOnly) return await capabilitiesOnly(context, program, output, signal);
  const asked = memberPort(portFlag(flags));
  const registry = asked === "default" ? await deploy.readRegistry(toolkit) : undefined;
  warnOfPorts(output, registry?.ports.warnings ?? []);
  const port = registry === undefined
    ? asked
    : deploy.usualPort(registry, member, program.metadata) ?? noUsualPort(member);
  const family = deploy.familyOf({ env: io.env, family: familyFlag(flags) });
  const wishes: StartWishes = {
    port: port === "default" ? undefined : port,
    bind: memberBind(oneSpelling({ "--bind": flags.bind, "--tcp-bind": flags.tcpBind })),
    socket: pathFlag(context, socketFlag(flags)),
    family,
    isAbstract: flags.abstract ?? false,
    isDarkForest: flags.darkForest ?? false,
    securitySocket: pathFlag(context, flags.beardogSocket),
    dataDir: pathFlag(context, flags.dataDir),
    extra,
  };
  const plan = deploy.planStart(program, wishes);
  const name = deploy.instanceName(member, family);
  if (flags.dryRun) {
    const { command, env } = plan;
    output.result(
      "start",
      { name, member, dry_run: true, command, env },
      () => deploy.planText(plan),
    );
    return 0;
  }
  if (flags.foreground) return await runInForeground(context, member, plan, output);
  const records = await deploy.MemberRecords.open(io.env);
  const { record, livenessMs } = await deploy.startMember({
    program,
    wishes,
    records,
    env: io.env,
    logPath: pathFlag(context, flags.logFile),
    waitMs: durationFlag("--wait", flags.wait),
    signal,
  });
  const fields = {
    name,
    member,
    status: "live",
    pid: record.pid,
    endpoints: record.endpoints,
    liveness_ms: Math.round(livenessMs),
    log: record.log,
    command: record.command,
  };
  output.result("start", fields, () =>
    `${name}\n${
      formatFields([
        ["pid", String(record.pid)],
        ["endpoints", record.endpoints.map(textOf).join(", ")],
        ["status", `live after ${formatTimeMs(livenessMs)}`],
        ["log", textOf(record.log)],
      ])
    }`);
  output.note(`stop it with net stop ${name}`);
  return 0;
}

function noUsualPort(member: string): never {
  throw new NetError(
    "usage",
    `Cannot use --port default: the usual port of ${member} is not known`,
    {
      next: "give a number, or write it into the toolkit's ports.env",
    },
  );
}
