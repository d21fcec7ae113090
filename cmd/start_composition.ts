/** The part of `net start` that starts a whole composition and validates it. */
import { NetError } from "../src/base/mod.ts";
import type { ComposedMember } from "../src/deploy/mod.ts";
import type { NetContext } from "./context.ts";
import { durationFlag } from "./flags.ts";
import { formatTable, textOf } from "./format.ts";
import {
  deployModule,
  memberBind,
  memberPort,
  toolkitFolder,
  warnOfPorts,
} from "./member_common.ts";
import type { Output } from "./output.ts";
import { selfCommand } from "./self_command.ts";
import { validateResolved } from "./validate_composition.ts";
import { familyFlag, portFlag, type StartMemberFlags } from "./start_member_flags.ts";

/** Flags that mean one member, not several. */
const OF_ONE_MEMBER = [
  "socket",
  "unix",
  "udsPath",
  "dataDir",
  "bin",
  "logFile",
  "foreground",
  "abstract",
  "darkForest",
  "beardogSocket",
  "capabilitiesOnly",
] as const;

/**
 * Starts the members, then validates.
 *
 * @returns The exit code of the validation.
 * @throws NetError `usage` for a flag of one member; whatever made a required member fail.
 */
export async function startComposition(
  context: NetContext,
  flags: StartMemberFlags,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const { io } = context;
  const wrong = OF_ONE_MEMBER.find((name) => flags[name] !== undefined);
  if (wrong !== undefined) {
    const flag = `--${wrong.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new NetError("usage", `Cannot use ${flag} with --composition: it is for one member`, {
      next: "start that member alone before; the composition takes it as it runs",
    });
  }
  const port = memberPort(portFlag(flags));
  if (port !== undefined && port !== "default") {
    throw new NetError("usage", "Cannot use one --port for every member of a composition", {
      next: "give --port default for each one's usual port, or leave it out",
    });
  }
  const deploy = await deployModule();
  const { composition, toolkit } = await deploy.resolveComposition(flags.composition ?? "", {
    cwd: io.cwd,
    toolkit: await toolkitFolder(context, flags.toolkit),
  });
  const registry = await deploy.readRegistry(toolkit);
  warnOfPorts(output, registry.ports.warnings);
  if (flags.dryRun) {
    const order = (await deploy.compositionOrder(composition, toolkit)).map(({ name }) => name);
    const fields = { composition: composition.name, dry_run: true, order };
    output.result("start.composition", fields, () => order.join("\n"));
    return 0;
  }
  const family = deploy.familyOf({ env: io.env, family: familyFlag(flags) });
  const members = await deploy.startComposition({
    composition,
    toolkit,
    registry,
    records: await deploy.MemberRecords.open(io.env),
    own: selfCommand([]),
    env: io.env,
    cwd: io.cwd,
    family,
    usesPorts: port === "default",
    bind: memberBind(flags.bind ?? flags.tcpBind),
    waitMs: durationFlag("--wait", flags.wait),
    onMember: ({ name, status, error }) =>
      output.note(`${name}: ${status}${error === undefined ? "" : `, ${textOf(error.message)}`}`),
    onWarning: (text) => output.warn(text),
    signal,
  });
  // A member that was just started may still be about to be ready, which the verdict tells.
  const verdict = await validateResolved(context, { composition, toolkit }, {
    family,
    registry,
    signal,
  });
  const fields = {
    composition: composition.name,
    members: members.map(({ error, pid, ...member }) => ({
      ...member,
      pid: pid ?? null,
      error: error?.message ?? null,
    })),
    validation: verdict.document,
  };
  output.result(
    "start.composition",
    fields,
    () => `${membersText(members)}\n\n${verdict.text}`,
  );
  output.note(`stop it with net stop --composition ${composition.name}`);
  return verdict.exitCode;
}

function membersText(members: readonly ComposedMember[]): string {
  return formatTable(members.map(({ name, status, pid, endpoints }) => [
    name,
    status,
    pid === undefined ? "" : String(pid),
    endpoints.map(textOf).join(", "),
  ]));
}
