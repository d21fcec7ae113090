/** Which node a call by name goes to, and which after it (`nrpc.md` 11). Pure. */
import { xxh3 } from "../../core/crypto/mod.ts";
import type { RoutingPolicy } from "../types.ts";

/**
 * Nodes in the order in which they are asked: the one that the policy picks, then the others in turn.
 *
 * @param nodes By ascending id, at least one.
 * @param counter Picks made before this one.
 * @param roundTripMs Of a node; `undefined` while it is not known. Asked by `lowest_latency` only.
 */
export function callOrder(
  nodes: readonly bigint[],
  policy: RoutingPolicy,
  counter: number,
  roundTripMs: (node: bigint) => number | undefined,
): readonly bigint[] {
  if (nodes.length <= 1) return nodes;
  if (policy.kind === "lowest_latency") return byLatency(nodes, roundTripMs);
  const first = pickIndex(nodes.length, policy, counter);
  return first === 0 ? nodes : [...nodes.slice(first), ...nodes.slice(0, first)];
}

type IndexPolicy = Exclude<RoutingPolicy, { readonly kind: "lowest_latency" }>;

/** Position of the node that is picked among so many. */
export function pickIndex(count: number, policy: IndexPolicy, counter: number): number {
  switch (policy.kind) {
    case "round_robin":
      return counter % count;
    case "random":
      return hashIndex(BigInt(counter), count);
    case "sticky":
      return hashIndex(policy.key, count);
  }
}

/** Those that are known first, the nearest of them in front; a stable sort keeps the others in order. */
function byLatency(
  nodes: readonly bigint[],
  roundTripMs: (node: bigint) => number | undefined,
): readonly bigint[] {
  return nodes.map((node) => ({ node, ms: roundTripMs(node) ?? Infinity }))
    .sort((a, b) => a.ms === b.ms ? 0 : a.ms - b.ms)
    .map(({ node }) => node);
}

/** Hashes the eight little-endian bytes of a number. */
function hashIndex(value: bigint, count: number): number {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return Number(xxh3(bytes) % BigInt(count));
}
