/** `net channel ls`: channels that the running node runs. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import { CHANNEL_ANSWER_MS } from "./channel_common.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface LsFlags extends SharedFlags {
  readonly hash?: string;
}

/** The verb. */
export const channelLsCommand = buildCommand<LsFlags, [], NetContext>({
  docs: {
    brief: "List the channels this node runs",
    fullDescription: "Lists the channels and prefixes that this node runs. HASH is what packet " +
      "headers carry of a name; with a + others share it, which does no harm: --hash lists all of " +
      "them. RULES says what is not the default. SUBS counts peers, and this node itself when " +
      "programs of it are subscribed. Channels in brackets were opened by publishing on them and " +
      "are gone after a restart.\n\n" +
      "EXAMPLES\n  net channel ls\n  net channel ls --hash 2ee8\n  net channel ls --json",
  },
  parameters: {
    flags: bareRecord({
      hash: textFlag("HASH", "Only those with these four digits in packet headers"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = flags.hash === undefined ? {} : { wire_hash: parseHash(flags.hash) };
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(await node.call("channel.ls", params, { signal }));
        output.result("channel.ls", result, () => channelTable(listOf(result.channels)));
        const omitted = numberOf(result.omitted) ?? 0;
        if (omitted > 0) output.note(`and ${omitted} more`);
      } finally {
        await node.close();
      }
    }, { timeoutMs: CHANNEL_ANSWER_MS });
  },
});

/** Channels as rows. */
export function channelTable(channels: readonly unknown[]): string {
  if (channels.length === 0) return "no channels";
  const rows = channels.map(recordOf).map((channel) => {
    const name = `${textOf(channel.name)}${channel.prefix === true ? "*" : ""}`;
    const isShared = listOf(channel.shares_wire_hash_with).length > 0;
    return [
      channel.kept === true ? name : `[${name}]`,
      `${textOf(channel.wire_hash) || "-"}${isShared ? "+" : ""}`,
      textOf(channel.visibility),
      rulesText(channel),
      textOf(channel.subscribers) || "-",
    ];
  });
  return formatTable([["CHANNEL", "HASH", "VISIBILITY", "RULES", "SUBS"], ...rows], { right: [4] });
}

function rulesText(channel: Readonly<Record<string, unknown>>): string {
  const rate = numberOf(channel.rate);
  const priority = numberOf(channel.priority) ?? 0;
  const groups = textOf(channel.queue_groups);
  const words = [
    channel.require_token === true ? "token" : "",
    channel.reliable === true ? "reliable" : "",
    listOf(channel.publish_tags).length + listOf(channel.subscribe_tags).length > 0 ? "tags" : "",
    channel.bind_origin === true ? "own-name" : "",
    rate === undefined ? "" : `${rate}/s`,
    priority === 0 ? "" : `priority=${priority}`,
    groups === "unrestricted" ? "" : `groups=${groups}`,
  ];
  return words.filter((word) => word !== "").join(",") || "-";
}

function parseHash(text: string): string {
  const digits = text.toLowerCase().replace(/^0x/, "");
  if (/^[0-9a-f]{4}$/.test(digits)) return digits;
  throw new NetError("usage", `Cannot use --hash: value is "${text}", must be four hex digits`, {
    next: "see the HASH column of net channel ls",
  });
}
