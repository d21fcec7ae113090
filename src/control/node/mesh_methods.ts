/** Methods about the mesh as this node sees it; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError, parseId } from "../../base/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import { benchTransport } from "./bench.ts";
import { resolvePeer } from "./peer_ref.ts";
import { describeRoutes } from "./routes.ts";
import { describeStreamList } from "./streams.ts";
import { tracePeer } from "./trace.ts";

const PEER = v.pipe(v.string(), v.minLength(1), v.maxLength(20));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const whole = v.pipe(v.number(), v.integer(), v.minValue(1));

/** The methods about peers, streams, routes and measurements. */
export function meshMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "node.peers",
      access: "privileged",
      summary: "Peers with a session and peers being dialled",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({}),
      handle: () => ({ peers: node.peers() }),
    }),
    defineMethod({
      name: "node.streams",
      access: "privileged",
      summary: "Streams of all peers or of one, with what each of them did",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({ peer: v.optional(PEER) }),
      handle: ({ peer }) => {
        const action = "Cannot list streams of";
        const nodeId = peer === undefined ? undefined : resolvePeer(node, peer, action);
        if (nodeId !== undefined && node.mesh.transport.peer(nodeId) === undefined) {
          throw new NetError("not_found", `${action} ${idToHex(nodeId)}: no session with it`, {
            next: "see net node peers for the nodes that are connected",
          });
        }
        return describeStreamList(node, nodeId);
      },
    }),
    defineMethod({
      name: "node.routes",
      access: "privileged",
      summary: "Ways to other nodes",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({}),
      handle: () => describeRoutes(node),
    }),
    defineMethod({
      name: "node.trace",
      access: "privileged",
      summary: "Way, round-trip time and loss to a node",
      // It makes a session where there is none.
      isReadOnly: false,
      params: v.object({
        peer: PEER,
        count: v.optional(v.pipe(whole, v.maxValue(1_000)), 5),
      }),
      handle: ({ peer, count }, context) => tracePeer(node, peer, count, context),
    }),
    defineMethod({
      name: "node.forget",
      access: "privileged",
      summary: "Forget a peer: its pin, its addresses, the wish to stay connected",
      isReadOnly: false,
      params: v.object({ peer: PEER }),
      handle: async ({ peer }) => {
        // By the whole id only: what is forgotten is not meant by accident.
        const nodeId = parseId(peer);
        if (nodeId === undefined) {
          throw new NetError(
            "usage",
            `Cannot forget "${peer}": must be a node id of 16 hex digits`,
            { next: "see net node peers for node ids" },
          );
        }
        if (await node.mesh.forget(nodeId)) return { forgotten: idToHex(nodeId) };
        throw new NetError("not_found", `Cannot forget ${idToHex(nodeId)}: it is not known`, {
          next: "see net node peers for the nodes that are",
        });
      },
    }),
    defineMethod({
      name: "bench.transport",
      access: "privileged",
      summary: "Measure round trips, event rates and loss with a peer",
      // It changes nothing, but nobody should load a link just to see whether it answers.
      isReadOnly: false,
      params: v.object({
        peer: v.optional(PEER),
        seconds: v.optional(positive),
        size: v.optional(whole),
        streams: v.optional(whole),
      }),
      handle: (params, context) => benchTransport(node, params, context),
    }),
  ];
}
