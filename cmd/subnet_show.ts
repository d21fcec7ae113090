/** `net subnet show`: in which subnet the running node is. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatFields, textOf } from "./format.ts";
import { type Look, runWatch } from "./watch.ts";

/** The verb. */
export const subnetShowCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show the subnet of this node",
    fullDescription:
      "Shows in which subnet the running node is, and whether that was given at its " +
      "start or follows from its tags. Others always go by its tags, and by rules of their own.\n\n" +
      "EXAMPLES\n  net subnet show\n  net subnet show --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runWatch(this, flags, {
      method: "subnet.show",
      text: subnetText,
      check: ({ answer }, output) => {
        if (!seenElsewhere(answer)) return;
        output.note(
          `others go by tags and take this node to be in ${
            textOf(answer.by_tags)
          }: give it --tag, ` +
            "and every node the same --subnet-rule",
        );
      },
    });
  },
});

/** True when others look for this node in another subnet than it is in. */
function seenElsewhere({ by_tags, local_subnet }: Look["answer"]): boolean {
  return by_tags !== undefined && by_tags !== local_subnet;
}

function subnetText({ answer }: Look): string {
  return formatFields([
    ["subnet", textOf(answer.local_subnet)],
    ["depth", textOf(answer.depth)],
    ["from", answer.source === "given" ? "the command line" : "its tags"],
    ["others see", seenElsewhere(answer) ? textOf(answer.by_tags) : ""],
    ["peers known", textOf(answer.known_peer_count)],
    ["gateway", answer.is_gateway === true ? "yes" : "no"],
  ]);
}
