/** `net subnet ls`: subnets that somebody is in, as the running node sees them. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import { formatTable, listOf, recordOf, textOf } from "./format.ts";
import { type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** Members shown of one subnet; the document has all of them. */
const MEMBERS_SHOWN = 3;

/** The verb. */
export const subnetLsCommand = buildCommand<WatchFlags, [], NetContext>({
  docs: {
    brief: "List subnets and who is in them",
    fullDescription:
      "Lists the subnets that this node and its peers are in. A peer is counted once " +
      "it announced itself to this node; the rules that make a subnet of its tags are this node's " +
      "own.\n\nEXAMPLES\n  net subnet ls\n  net subnet ls --json",
  },
  parameters: { flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runWatch(this, flags, { method: "subnet.ls", text: subnetsText });
  },
});

function subnetsText({ answer }: Look): string {
  const rows = listOf(answer.subnets).map(recordOf).map((subnet) => {
    const members = listOf(subnet.members).map(textOf);
    const shown = members.slice(0, MEMBERS_SHOWN).join(" ");
    return [
      textOf(subnet.subnet),
      textOf(subnet.member_count),
      subnet.is_local === true ? "yes" : "no",
      members.length > MEMBERS_SHOWN ? `${shown} …` : shown,
    ];
  });
  return formatTable([["SUBNET", "MEMBERS", "LOCAL", "NODES"], ...rows], { right: [1] });
}
