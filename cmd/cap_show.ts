/** `net cap show`: what one node says that it can do. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatDuration, formatFields, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { optionalPeer } from "./peer_argument.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const capShowCommand = buildCommand<SharedFlags, [string | undefined], NetContext>({
  docs: {
    brief: "Show what a node announced",
    fullDescription: "Shows what the running node knows of one node's capabilities, its own when " +
      "none is named.\n\n" +
      "EXAMPLES\n  net cap show\n  net cap show 31a5",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [optionalPeer("the node itself")] },
  },
  async func(flags, peer) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const params = peer === undefined ? {} : { node: peer };
        const result = recordOf(await node.call("cap.show", params, { signal }));
        output.result("cap.show", result, () => capabilityText(result));
      } finally {
        await node.close();
      }
    });
  },
});

/** Human text of one node's capabilities. */
export function capabilityText(result: Readonly<Record<string, unknown>>): string {
  const expiresInMs = numberOf(result.expires_in_ms);
  const metadata = Object.entries(recordOf(result.metadata)).map(([key, value]) =>
    `  ${textOf(key)} = ${textOf(value)}`
  );
  const tags = listOf(result.tags).map((tag) => `  ${textOf(tag)}`);
  const counts = (["allowed_nodes", "allowed_subnets", "allowed_groups"] as const).map((name) => {
    const count = listOf(result[name]).length;
    const kind = name.slice("allowed_".length);
    return count === 0 ? "" : `${count} ${count === 1 ? kind.slice(0, -1) : kind}`;
  }).filter((text) => text !== "");
  return [
    formatFields([
      ["node", `${textOf(result.node_id)}${result.own === true ? " (this one)" : ""}`],
      ["entity", textOf(result.entity_id)],
      ["version", textOf(result.version)],
      ["announced", textOf(result.announced_at)],
      ["known", knownText(result.stale === true, expiresInMs)],
      ["hops", result.own === true ? undefined : textOf(result.hops)],
      ["admits", counts.length === 0 ? "everybody" : counts.join(", ")],
      ["policy", textOf(result.policy_version) === "0" ? "" : textOf(result.policy_version)],
    ]),
    ...(tags.length === 0 ? ["no tags"] : ["tags", ...tags]),
    ...(metadata.length === 0 ? [] : ["metadata", ...metadata]),
  ].join("\n");
}

function knownText(isStale: boolean, expiresInMs: number | undefined): string | undefined {
  if (expiresInMs === undefined) return undefined;
  const left = `for another ${formatDuration(Math.max(0, expiresInMs))}`;
  return isStale ? `from before the restart, ${left} unless it is confirmed` : left;
}
