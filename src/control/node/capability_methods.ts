/** Methods about who can do what; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { NetError, utf8 } from "../../base/mod.ts";
import { ANNOUNCEMENT_BYTES_MAX, decodeAnnouncement } from "../../core/capability/mod.ts";
import type { Node } from "../../node.ts";
import {
  changeBaseline,
  policyBaseline,
  readBaselineChange,
  reviewBaseline,
} from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { explainQuery } from "./capability_explanation.ts";
import {
  answerBest,
  answerQuery,
  describeNodes,
  QUERY_PARAMS,
  readQuery,
} from "./capability_query.ts";
import { describeCapabilities, describeOwn } from "./capability_view.ts";
import { resolvePeer } from "./peer_ref.ts";

/** More of a kind than this do not fit in one announcement anyway. */
const GIVEN_MAX = 4_096;
const texts = v.optional(v.pipe(v.array(v.string()), v.maxLength(GIVEN_MAX)), []);
const NODE = v.pipe(v.string(), v.minLength(1), v.maxLength(20));

/** Nodes of one answer: 10,000 with 1.6 KB each would be more than a line of a reply holds. */
const ROWS_MAX = 1_000;
/** A caller that waits asks again after so long at the latest. */
const WAIT_MS_MAX = 30_000;

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
        const change = readBaselineChange(params);
        const { capabilities } = node;
        const baseline = changeBaseline(capabilities.baseline, change);
        const warnings = reviewBaseline(baseline);
        await capabilities.setBaseline(baseline);
        return { ...describeOwn(capabilities), warnings };
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
        const warnings = reviewBaseline(baseline);
        await capabilities.setBaseline(baseline);
        return { ...describeOwn(capabilities), warnings };
      },
    }),
    defineMethod({
      name: "cap.find",
      access: "privileged",
      summary: "Nodes that can do what is asked for, now or after the next change",
      isReadOnly: true,
      isOpenEnded: ({ wait_ms }) => (wait_ms ?? 0) > 0,
      params: v.object({
        ...QUERY_PARAMS,
        best: v.optional(v.boolean(), false),
        limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(ROWS_MAX))),
        after_version: v.optional(v.number()),
        wait_ms: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(WAIT_MS_MAX)), 0),
      }),
      handle: async (params, { signal }) => {
        const { capabilities } = node;
        const query = readQuery(node, params);
        if (params.after_version !== undefined) {
          await capabilities.whenChanged(params.after_version, params.wait_ms, signal);
        }
        const found = params.best ? answerBest(node, query) : answerQuery(node, query);
        const shown = found.slice(0, params.limit ?? ROWS_MAX);
        return {
          nodes: describeNodes(node, shown),
          total: found.length,
          omitted: found.length - shown.length,
          version: capabilities.index.version,
        };
      },
    }),
    defineMethod({
      name: "cap.explain",
      access: "privileged",
      summary: "Why a node does or does not satisfy a question, condition by condition",
      isReadOnly: true,
      params: v.object({
        ...QUERY_PARAMS,
        node: NODE,
        redact: v.optional(v.pipe(v.array(v.string()), v.maxLength(64)), []),
      }),
      handle: (params) => explainQuery(node, params),
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
