/** Methods about the node itself; all of them privileged. */
import * as v from "valibot";
import { idToHex, NetError, parseId, toHex } from "../../base/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import { tracePeer } from "./trace.ts";

const NOTHING = v.object({});
/** Longest life of a ticket: ten years. */
const TICKET_SECONDS_MAX = 10 * 366 * 86_400;

/** The methods of a node. */
export function nodeMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "node.status",
      access: "privileged",
      summary: "Who and where the node is, and its peers",
      isReadOnly: true,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => node.status(),
    }),
    defineMethod({
      name: "node.peers",
      access: "privileged",
      summary: "Peers with a session and peers being dialled",
      isReadOnly: true,
      params: NOTHING,
      handle: () => ({ peers: node.peers() }),
    }),
    defineMethod({
      name: "node.trace",
      access: "privileged",
      summary: "Way, round-trip time and loss to a peer",
      isReadOnly: true,
      params: v.object({
        peer: v.pipe(v.string(), v.maxLength(20)),
        count: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000)), 5),
      }),
      handle: ({ peer, count }, context) => tracePeer(node, peer, count, context),
    }),
    defineMethod({
      name: "node.forget",
      access: "privileged",
      summary: "Forget a peer: its pin, its addresses, the wish to stay connected",
      isReadOnly: false,
      params: v.object({ peer: v.pipe(v.string(), v.maxLength(20)) }),
      handle: async ({ peer }) => {
        const nodeId = parseId(peer);
        if (nodeId === undefined) {
          throw new NetError(
            "usage",
            `Cannot forget "${peer}": must be a node id of 16 hex digits`,
          );
        }
        if (await node.mesh.forget(nodeId)) return { forgotten: idToHex(nodeId) };
        throw new NetError("not_found", `Cannot forget ${idToHex(nodeId)}: it is not known`, {
          next: "see net node peers for the nodes that are",
        });
      },
    }),
    defineMethod({
      name: "node.ticket",
      access: "privileged",
      summary: "A ticket for joining the mesh through this node; secret",
      isReadOnly: true,
      params: v.object({
        expires_secs: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TICKET_SECONDS_MAX)),
        ),
        label: v.optional(v.pipe(v.string(), v.maxLength(64))),
      }),
      handle: ({ expires_secs, label }) => node.ticket({ expiresSeconds: expires_secs, label }),
    }),
    defineMethod({
      name: "node.counters",
      access: "privileged",
      summary: "All counters of the node",
      isReadOnly: true,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => ({ counters: node.counters() }),
    }),
    defineMethod({
      name: "node.stop",
      access: "privileged",
      summary: "Stop the node",
      isReadOnly: false,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => {
        node.stopSoon("asked over the control socket");
        return { status: "stopping", pid: Deno.pid };
      },
    }),
    defineMethod({
      name: "identity.show",
      access: "privileged",
      summary: "Public identity of the node",
      isReadOnly: true,
      params: NOTHING,
      handle: () => {
        const { identity, noise } = node.keys;
        return {
          node_id: idToHex(identity.nodeId),
          entity_id: toHex(identity.entityId),
          origin_hash: idToHex(identity.originHash),
          routing_id: identity.routingId,
          noise_public_key: toHex(noise.publicKey),
        };
      },
    }),
  ];
}
