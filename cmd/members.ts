/** `net members`: the members that `net start` started, and whether they live. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatTable, textOf } from "./format.ts";
import { deployModule } from "./member_common.ts";
import { runVerb } from "./verb.ts";

/** Time for all of them; each has a second. */
const LIST_MS = 60_000;

/** The verb. */
export const membersCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List the members that net start started",
    fullDescription: "Lists the members that net start started: live, silent when the process " +
      "runs but does not answer, gone when it has ended by itself.\n\n" +
      "EXAMPLES\n  net members\n  net members --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const deploy = await deployModule();
      const records = await deploy.MemberRecords.open(this.io.env);
      const listed = await deploy.listMembers(records, signal);
      const members = listed.map(({ record, state }) => ({
        name: record.name,
        state,
        pid: record.pid,
        member: record.member,
        composition: record.composition,
        started_at: record.startedAt,
        endpoints: record.endpoints,
        log: record.log,
        command: record.command,
      }));
      output.result(
        "members",
        { members },
        () =>
          members.length === 0 ? "no members were started" : formatTable([
            ["NAME", "STATE", "PID", "COMPOSITION", "ENDPOINTS"],
            ...members.map((member) => [
              member.name,
              member.state,
              String(member.pid),
              textOf(member.composition),
              member.endpoints.map(textOf).join(", "),
            ]),
          ]),
      );
    }, { timeoutMs: LIST_MS });
  },
});
