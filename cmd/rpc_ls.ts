/** `net rpc ls`: services that nodes of the mesh offer. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatTable, formatTimeMs, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { optionalService, RPC_ANSWER_MS } from "./rpc_common.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const rpcLsCommand = buildCommand<SharedFlags, [string?], NetContext>({
  docs: {
    brief: "List the services that nodes offer",
    fullDescription:
      "Lists services and the nodes that say they offer them, as this node has heard of it; with " +
      "SERVICE only that one, and exit code 4 when nobody offers it. Whom a service lets in shows " +
      "when it is called. The shape is known of services that a program of this node serves.\n\n" +
      "EXAMPLES\n  net rpc ls\n  net rpc ls upper --json",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [optionalService("all of them")] },
  },
  async func(flags, service) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const params = service === undefined ? {} : { service };
        const result = recordOf(await node.call("nrpc.ls", params, { signal }));
        const services = listOf(result.services).map(recordOf);
        if (service !== undefined && services.length === 0) {
          throw new NetError(
            "not_found",
            `Cannot find service "${service}": no known node offers it`,
            {
              next: `serve it on a node with net rpc serve ${service} -- COMMAND`,
            },
          );
        }
        output.result("rpc.ls", result, () => servicesText(services));
        const omitted = numberOf(result.omitted) ?? 0;
        if (omitted > 0) output.warn(`and ${omitted} more services`);
      } finally {
        await node.close();
      }
    }, { timeoutMs: RPC_ANSWER_MS });
  },
});

/** The list for people: a line for each node of each service. */
export function servicesText(services: readonly Readonly<Record<string, unknown>>[]): string {
  if (services.length === 0) return "no services";
  const rows = services.flatMap((row) => {
    const nodes = listOf(row.nodes).map(recordOf);
    const shown = nodes.map((node, i) => [
      i === 0 ? textOf(row.service) : "",
      i === 0 ? shapeText(row.shape) : "",
      textOf(node.node_id),
      wayText(node),
      timeText(numberOf(node.rtt_ms)),
    ]);
    const more = (numberOf(row.node_count) ?? nodes.length) - nodes.length;
    return more > 0 ? [...shown, ["", "", `and ${more} more`, "", ""]] : shown;
  });
  return formatTable([["SERVICE", "SHAPE", "NODE", "REACHED", "RTT"], ...rows]);
}

function shapeText(shape: unknown): string {
  return shape === null || shape === undefined ? "-" : textOf(shape).replaceAll("_", "-");
}

function wayText({ own, state, relayed }: Readonly<Record<string, unknown>>): string {
  if (own === true) return "this node";
  if (typeof state !== "string") return "no session";
  if (state !== "connected") return textOf(state);
  return relayed === true ? "relayed" : "direct";
}

function timeText(ms: number | undefined): string {
  return ms === undefined ? "-" : formatTimeMs(ms);
}
