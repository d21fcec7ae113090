/** `net subnet policy`: the rules by which the running node makes subnets of tags. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatTable, listOf, recordOf, textOf } from "./format.ts";
import { type Look, runWatch } from "./watch.ts";

/** The verb. */
export const subnetPolicyCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show the rules that make subnets of tags",
    fullDescription:
      "Shows the rules that the running node was started with. Each reads one level, 0 " +
      "to 3, from the tags with its prefix; of several tags the first in byte order that has a " +
      "number decides.\n\nEXAMPLES\n  net subnet policy\n" +
      "  net node start --subnet-rule region:=0:eu=1,us=2 --tag region:eu",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runWatch(this, flags, { method: "subnet.policy", text: policyText });
  },
});

function policyText({ answer }: Look): string {
  const rules = listOf(answer.rules).map(recordOf);
  if (rules.length === 0) return "no rules: every node is in the global subnet";
  const rows = rules.map((rule) => [
    textOf(rule.level),
    textOf(rule.tag_prefix),
    Object.entries(recordOf(rule.values)).map(([name, value]) => `${name}=${textOf(value)}`)
      .join(" "),
  ]);
  return formatTable([["LEVEL", "PREFIX", "VALUES"], ...rows]);
}
