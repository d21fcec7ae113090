/** Methods about ways to other nodes; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError } from "../../base/mod.ts";
import { parsePeer } from "../../config/mod.ts";
import type { ConnectDirectOptions, PathReport } from "../../core/transport/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { describePaths } from "./path_view.ts";
import { resolvePeer } from "./peer_ref.ts";
import { pingPeer } from "./ping.ts";
import { reachPeer, type ReachView } from "./reach.ts";

const PEER = v.pipe(v.string(), v.minLength(1), v.maxLength(20));
/** Also `ADDR#NODEID#NOISEKEY`. */
const PEER_OR_SPEC = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const whole = v.pipe(v.number(), v.integer());
const TIMEOUT_MS = v.optional(v.pipe(whole, v.minValue(100), v.maxValue(60_000)), 20_000);

/** The methods. */
export function natMethods(node: ReachView): readonly Method[] {
  return [
    defineMethod({
      name: "node.connect",
      access: "privileged",
      summary: "Find a way to a node, without a relay where that is possible",
      isReadOnly: false,
      params: v.object({ peer: PEER_OR_SPEC, timeout_ms: TIMEOUT_MS }),
      handle: async ({ peer, timeout_ms: timeoutMs }, { signal }) => {
        const target = readTarget(node, peer);
        return describeReport(
          await node.nat.connectDirect(target.nodeId, { ...target.options, signal, timeoutMs }),
        );
      },
    }),
    defineMethod({
      name: "node.ping",
      access: "privileged",
      summary: "Round trips to a node",
      // It makes a session where there is none.
      isReadOnly: false,
      params: v.object({
        peer: PEER,
        /** 0 for as long as the caller waits. */
        count: v.optional(v.pipe(whole, v.minValue(0), v.maxValue(1_000_000)), 5),
        interval_ms: v.optional(v.pipe(whole, v.minValue(10), v.maxValue(3_600_000)), 1_000),
        timeout_ms: v.optional(v.pipe(whole, v.minValue(10), v.maxValue(60_000)), 1_000),
      }),
      handle: ({ peer, count, interval_ms: intervalMs, timeout_ms: timeoutMs }, context) =>
        pingPeer(node, { peer, count, intervalMs, timeoutMs }, context),
    }),
    defineMethod({
      name: "node.reach",
      access: "privileged",
      summary: "How a node is reached, which ways were tried, and why they did or didn't work",
      // It tries ways unless told not to.
      isReadOnly: false,
      params: v.object({ peer: PEER, try: v.optional(v.boolean(), true), timeout_ms: TIMEOUT_MS }),
      handle: ({ peer, try: isTrying, timeout_ms: timeoutMs }, context) =>
        reachPeer(node, { peer, isTrying, timeoutMs }, context),
    }),
  ];
}

/** Result of `node.connect`. */
function describeReport(report: PathReport): object {
  const { peer, outcome, ownClass, peerClass, action } = report;
  return {
    node_id: idToHex(peer),
    outcome,
    nat: { own: ownClass, peer: peerClass, action },
    paths: describePaths(report),
  };
}

/** A node by id, or with the address and key to reach it by. */
function readTarget(
  node: ReachView,
  text: string,
): { readonly nodeId: bigint; readonly options: ConnectDirectOptions } {
  const action = "Cannot connect to";
  if (!text.includes("#")) return { nodeId: resolvePeer(node, text, action), options: {} };
  const spec = parsePeer(text);
  if (spec === undefined) {
    const form = "ADDR:PORT#NODEID#NOISEKEY with 16 and 64 hex digits";
    throw new NetError("usage", `${action} "${text}": must be ${form}`, {
      next: "see node_id and noise_public_key in net node status --json of that node",
    });
  }
  const { nodeId, address, noisePublicKey } = spec;
  return { nodeId, options: { noisePublicKey, addresses: [address] } };
}
