/** Methods about subnets and the gateway between them; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { formatSubnetId, fromHex, idToHex, NetError, parseSubnetId } from "../../base/mod.ts";
import { EXPORT_TARGETS_MAX } from "../../channel/mod.ts";
import {
  CHANNEL_NAME_BYTES_MAX,
  deriveChannelHash,
  isValidChannelName,
} from "../../core/crypto/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import {
  describeExports,
  describeGateway,
  describePolicy,
  describeSubnet,
  describeSubnets,
  describeSubnetTree,
} from "./subnet_view.ts";

const NOTHING = v.object({});
/** How a hash is given in place of a name: no name has a colon in it. */
const HASH_PREFIX = "hash:";
const CHANNEL = v.pipe(v.string(), v.minLength(1), v.maxLength(CHANNEL_NAME_BYTES_MAX));
const SUBNET = v.pipe(v.string(), v.minLength(1), v.maxLength(16));

/** The methods about subnets. */
export function subnetMethods(node: Pick<Node, "subnets">): readonly Method[] {
  return [
    defineMethod({
      name: "subnet.show",
      access: "privileged",
      summary: "The subnet of this node",
      isReadOnly: true,
      params: NOTHING,
      handle: () => describeSubnet(node.subnets),
    }),
    defineMethod({
      name: "subnet.ls",
      access: "privileged",
      summary: "Subnets that somebody is in, and who",
      isReadOnly: true,
      params: NOTHING,
      handle: () => ({ subnets: describeSubnets(node.subnets) }),
    }),
    defineMethod({
      name: "subnet.tree",
      access: "privileged",
      summary: "Subnets by the ones they lie in",
      isReadOnly: true,
      params: NOTHING,
      handle: () => ({ subnets: describeSubnetTree(node.subnets) }),
    }),
    defineMethod({
      name: "subnet.policy",
      access: "privileged",
      summary: "Rules that make subnets of tags",
      isReadOnly: true,
      params: NOTHING,
      handle: () => ({ rules: describePolicy(node.subnets) }),
    }),
    defineMethod({
      name: "gateway.stats",
      access: "privileged",
      summary: "What the gateway passed on and kept in, by reason",
      isReadOnly: true,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => describeGateway(node.subnets),
    }),
    defineMethod({
      name: "gateway.exports",
      access: "privileged",
      summary: "Channels and the subnets they are exported to",
      isReadOnly: true,
      params: NOTHING,
      handle: () => ({ exports: describeExports(node.subnets) }),
    }),
    defineMethod({
      name: "gateway.export",
      access: "privileged",
      summary: "Export a channel to subnets, from now on and over restarts",
      isReadOnly: false,
      params: v.object({
        channel: CHANNEL,
        targets: v.pipe(v.array(SUBNET), v.minLength(1), v.maxLength(EXPORT_TARGETS_MAX)),
      }),
      handle: async ({ channel, targets }) => {
        const { hash, name } = readChannel(channel, "export");
        const { subnets } = node;
        let added = 0;
        for (const target of targets.map(readTarget)) {
          if (await subnets.addExport({ hash, name, target })) added += 1;
        }
        return {
          channel_hash: idToHex(hash),
          channel: name,
          added,
          targets: targetsOf(node, hash),
          visibility: subnets.visibilityOf(hash) ?? null,
          gateway_installed: subnets.gateway !== undefined,
        };
      },
    }),
    defineMethod({
      name: "gateway.unexport",
      access: "privileged",
      summary: "End the export of a channel, to all subnets or to some",
      isReadOnly: false,
      params: v.object({
        channel: CHANNEL,
        targets: v.optional(v.pipe(v.array(SUBNET), v.maxLength(EXPORT_TARGETS_MAX)), []),
      }),
      handle: async ({ channel, targets }) => {
        const { hash, name } = readChannel(channel, "unexport");
        let removed = 0;
        const numbers = targets.length === 0 ? [undefined] : targets.map(readTarget);
        for (const target of numbers) {
          if (await node.subnets.removeExport(hash, target)) removed += 1;
        }
        if (removed === 0) {
          throw new NetError(
            "not_found",
            `Cannot unexport channel "${channel}": it is not exported ${
              targets.length === 0 ? "at all" : `to ${targets.join(", ")}`
            }`,
            { next: "see net gateway exports for what is" },
          );
        }
        return {
          channel_hash: idToHex(hash),
          channel: name,
          targets: targetsOf(node, hash),
        };
      },
    }),
  ];
}

function targetsOf(node: Pick<Node, "subnets">, hash: bigint): readonly string[] {
  const entry = node.subnets.exports().find((one) => one.hash === hash);
  return (entry?.targets ?? []).map(formatSubnetId);
}

/** A channel by name, or by `hash:` and the 16 hex digits of its hash. */
function readChannel(text: string, verb: string): { readonly hash: bigint; readonly name: string } {
  if (text.startsWith(HASH_PREFIX)) {
    const digits = text.slice(HASH_PREFIX.length);
    if (fromHex(digits, 8) !== undefined) return { hash: BigInt(`0x${digits}`), name: "" };
  } else if (isValidChannelName(text)) return { hash: deriveChannelHash(text), name: text };
  throw new NetError(
    "usage",
    `Cannot ${verb} channel "${text}": name is not of a-z 0-9 - _ . / in segments, or of the form ` +
      "hash: and 16 hex digits",
    { next: "see net channel ls for channels" },
  );
}

function readTarget(text: string): number {
  const target = parseSubnetId(text);
  if (target !== undefined) return target;
  throw new NetError(
    "usage",
    `Cannot use subnet "${text}": must be global, or up to four numbers such as 1.2`,
    { next: "see net subnet ls for subnets that nodes are in" },
  );
}
