/** Methods about who can do what; all of them privileged. */
import * as v from "valibot";
import { fromHex, NetError, parseId, utf8 } from "../../base/mod.ts";
import {
  ANNOUNCEMENT_BYTES_MAX,
  decodeAnnouncement,
  GROUP_BYTES,
  SUBNET_BYTES,
} from "../../core/capability/mod.ts";
import type { Node } from "../../node.ts";
import {
  type BaselineChange,
  changeBaseline,
  policyBaseline,
  requireOperatorTag,
} from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { describeCapabilities, describeOwn } from "./capability_view.ts";
import { resolvePeer } from "./peer_ref.ts";

/** More of a kind than this do not fit in one announcement anyway. */
const GIVEN_MAX = 4_096;
const texts = v.optional(v.pipe(v.array(v.string()), v.maxLength(GIVEN_MAX)), []);
const NODE = v.pipe(v.string(), v.minLength(1), v.maxLength(20));

/** The methods about capabilities. */
export function capabilityMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "cap.announce",
      access: "privileged",
      summary: "Change what the operator says of this node, and whom it admits",
      isReadOnly: false,
      params: v.object({
        mode: v.picklist(["replace", "add", "remove"]),
        tags: texts,
        metadata: v.optional(
          v.pipe(v.array(v.tuple([v.string(), v.string()])), v.maxLength(GIVEN_MAX)),
          [],
        ),
        allow_nodes: texts,
        allow_subnets: texts,
        allow_groups: texts,
      }),
      handle: async (params) => {
        const change = toChange(params);
        const { capabilities } = node;
        await capabilities.setBaseline(changeBaseline(capabilities.baseline, change));
        return describeOwn(capabilities);
      },
    }),
    defineMethod({
      name: "cap.apply",
      access: "privileged",
      summary: "Put a signed file of this node's own capabilities into force",
      isReadOnly: false,
      params: v.object({
        announcement: v.pipe(v.string(), v.maxLength(ANNOUNCEMENT_BYTES_MAX)),
      }),
      handle: async ({ announcement }) => {
        const decoded = decodeAnnouncement(utf8(announcement.trim()));
        if (!decoded.ok) {
          throw new NetError(
            "usage",
            `Cannot apply policy: it is no announcement (${decoded.fault})`,
            {
              next: "write one with net cap announce --offline --out FILE",
            },
          );
        }
        const { capabilities } = node;
        const { entityId } = node.keys.identity;
        const baseline = policyBaseline(capabilities.baseline, decoded.announcement, entityId);
        await capabilities.setBaseline(baseline);
        return describeOwn(capabilities);
      },
    }),
    defineMethod({
      name: "cap.show",
      access: "privileged",
      summary: "What one node announced: this one, or another",
      isReadOnly: true,
      params: v.object({ node: v.optional(NODE) }),
      handle: ({ node: text }) => {
        const { capabilities } = node;
        if (text === undefined) return describeOwn(capabilities);
        const announced = [...capabilities.values()].map(({ nodeId }) => nodeId);
        const nodeId = resolvePeer(node, text, "Cannot show capabilities of", announced);
        if (nodeId === capabilities.own.nodeId) return describeOwn(capabilities);
        const known = capabilities.known(nodeId);
        if (known !== undefined) return describeCapabilities(known);
        throw new NetError(
          "not_found",
          `Cannot show capabilities of "${text}": it announced none`,
          {
            next: "see net cap find for the nodes that did",
          },
        );
      },
    }),
  ];
}

/** What `cap.announce` takes, read. */
function toChange(params: {
  readonly mode: BaselineChange["mode"];
  readonly tags: readonly string[];
  readonly metadata: readonly (readonly [string, string])[];
  readonly allow_nodes: readonly string[];
  readonly allow_subnets: readonly string[];
  readonly allow_groups: readonly string[];
}): BaselineChange {
  return {
    mode: params.mode,
    tags: params.tags.map((tag) => params.mode === "remove" ? tag : requireOperatorTag(tag)),
    metadata: params.metadata,
    allowedNodes: params.allow_nodes.map((text) =>
      required(parseId(text), "node", text, "a node id of 16 hex digits")
    ),
    allowedSubnets: params.allow_subnets.map((text) =>
      required(fromHex(text, SUBNET_BYTES), "subnet", text, "32 hex digits")
    ),
    allowedGroups: params.allow_groups.map((text) =>
      required(fromHex(text, GROUP_BYTES), "group", text, "64 hex digits")
    ),
  };
}

function required<T>(value: T | undefined, what: string, text: string, form: string): T {
  if (value !== undefined) return value;
  // A subnet or group id is a secret of sorts: whoever knows it belongs.
  const shown = what === "node" ? ` "${text.slice(0, 40)}"` : "";
  throw new NetError("usage", `Cannot allow ${what}${shown}: must be ${form}`, {
    next: "see net cap announce --help",
  });
}
