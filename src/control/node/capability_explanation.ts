/** Why a node does or does not satisfy a question, as `cap.explain` tells it. */
import { idToHex, NetError } from "../../base/mod.ts";
import { explainEntries, formatMatchReport } from "../../core/capability/mod.ts";
import type { Node } from "../../node.ts";
import { type QueryParams, readQuery } from "./capability_query.ts";
import { resolvePeer } from "./peer_ref.ts";

/** Parameters of {@linkcode explainQuery}. */
export interface ExplainParams extends QueryParams {
  readonly node: string;
  /** Metadata keys whose values are hidden. */
  readonly redact: readonly string[];
}

/**
 * Puts every condition of a question to one node.
 *
 * @throws NetError `not_found` when nothing is known of the node; otherwise as `readQuery`.
 */
export function explainQuery(node: Node, params: ExplainParams): object {
  const { capabilities } = node;
  const announced = [...capabilities.values()].map(({ nodeId }) => nodeId);
  const nodeId = resolvePeer(node, params.node, "Cannot explain", announced);
  const query = readQuery(node, params);
  const { filter, options } = query;
  const match = { filter, options, predicate: options.where };
  const explained = explainEntries(match, capabilities.index.get(nodeId), {
    redactedKeys: params.redact,
  });
  if (explained === undefined) {
    throw new NetError("not_found", `Cannot explain "${params.node}": it announced nothing`, {
      next: "see net node peers and net cap find for the nodes that are known",
    });
  }
  const { entry, report } = explained;
  // The lines are what people read; programs take the conditions.
  const lines = formatMatchReport(report).split("\n").filter((line) => line !== "");
  return { node_id: idToHex(nodeId), stale: entry.isStale, ...report, lines };
}
