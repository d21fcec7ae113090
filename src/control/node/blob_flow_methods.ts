/** Methods about how blobs flow: the policy of a node, and what moves by it; all of them privileged. */
import * as v from "../../schema/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";

/** More settings than there are. */
const SETTINGS_MAX = 256;
const KEY = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const VALUE = v.pipe(v.string(), v.maxLength(16_384));

/** The methods about the policy of blobs. */
export function blobFlowMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.policy_show",
      access: "privileged",
      summary: "Every setting of the policy of blobs",
      isReadOnly: true,
      params: v.object({}),
      handle: () => ({ settings: describeSettings(node) }),
    }),
    defineMethod({
      name: "blob.policy_set",
      access: "privileged",
      summary: "Change settings of the policy of blobs, now and over restarts",
      isReadOnly: false,
      params: v.object({
        settings: v.pipe(v.array(v.tuple([KEY, VALUE])), v.minLength(1), v.maxLength(SETTINGS_MAX)),
      }),
      handle: async ({ settings }) => {
        const changed = await node.policy.set(settings);
        return { changed, settings: describeSettings(node) };
      },
    }),
    defineMethod({
      name: "blob.policy_reset",
      access: "privileged",
      summary: "Give settings of the policy of blobs back their defaults; all of them without keys",
      isReadOnly: false,
      params: v.object({ keys: v.optional(v.pipe(v.array(KEY), v.maxLength(SETTINGS_MAX)), []) }),
      handle: async ({ keys }) => {
        const changed = await node.policy.reset(keys);
        return { changed, settings: describeSettings(node) };
      },
    }),
    defineMethod({
      name: "blob.flow_status",
      access: "privileged",
      summary: "What moves by itself: overflow, gravity, caches, heat",
      isReadOnly: true,
      params: v.object({}),
      handle: () => node.flow.status(),
    }),
    defineMethod({
      name: "blob.overflow_status",
      access: "privileged",
      summary: "Overflow alone: adapter, config, active, counters",
      isReadOnly: true,
      params: v.object({}),
      handle: async () => (await node.flow.status()).overflow,
    }),
  ];
}

function describeSettings(node: Node): readonly object[] {
  return node.policy.show().map(({ key, value, isDefault, about }) => ({
    key,
    value,
    is_default: isDefault,
    about,
  }));
}
