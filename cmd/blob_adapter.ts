/** `net blob adapter …`: stores of blobs beside the node's own, such as a bucket or a folder. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { blobAdapterAddCommand } from "./blob_adapter_add.ts";
import {
  blobAdapterPublishCommand,
  blobAdapterResolveCommand,
  blobAdapterUseCommand,
} from "./blob_adapter_channels.ts";
import { callAdapter, COPY_MS, ID_ARGUMENT } from "./blob_adapter_common.ts";
import { parseTarget, TARGET_ARGUMENT } from "./blob_common.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import {
  formatBytes,
  formatDuration,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import type { Answer } from "./watch.ts";

const lsCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List the stores of blobs beside the node's own",
    fullDescription:
      "Lists adapters: where they keep blobs, the scheme whose references they read, what " +
      "is wrong with those that do not work, and which channel publishes with which.\n\n" +
      "EXAMPLES\n  net blob adapter ls\n  net blob adapter ls --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await callAdapter(this, flags, "ls", "blob.adapter_list", () => ({}), listText);
  },
});

function listText(answer: Answer): string {
  const rows = listOf(answer.adapters).map((item) => {
    const { id, kind, schemes, place, error } = recordOf(item);
    const state = textOf(error) === "" ? "ok" : textOf(error);
    return [
      textOf(id),
      textOf(kind),
      listOf(schemes).map(textOf).join(","),
      textOf(place) || "-",
      state,
    ];
  });
  const channels = Object.entries(recordOf(answer.channels));
  const table = formatTable([["ID", "KIND", "SCHEME", "PLACE", "STATE"], ...rows]);
  const uses = channels.map(([channel, id]) => `${channel} publishes with ${textOf(id)}`);
  return [table, ...uses].join("\n");
}

const rmCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Forget a store; the blobs in it stay there",
    fullDescription: "Forgets an adapter. What its store holds stays.\n\n" +
      "EXAMPLES\n  net blob adapter rm cold",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [ID_ARGUMENT] },
  },
  async func(flags, id) {
    await callAdapter(
      this,
      flags,
      "rm",
      "blob.adapter_remove",
      () => ({ id }),
      () => `removed ${id}`,
    );
  },
});

const checkCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "See whether a store works",
    fullDescription: "Stores a few bytes, reads them back and removes them.\n\n" +
      "EXAMPLES\n  net blob adapter check cold",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [ID_ARGUMENT] },
  },
  async func(flags, id) {
    await callAdapter(
      this,
      flags,
      "check",
      "blob.adapter_check",
      () => ({ id }),
      (answer) =>
        `${id} works: stored, read and removed 64 bytes in ${
          formatDuration((numberOf(answer.seconds) ?? 0) * 1000)
        }`,
    );
  },
});

const pushCommand = buildCommand<SharedFlags, [string, string], NetContext>({
  docs: {
    brief: "Copy a blob to a store",
    fullDescription:
      "Copies a blob of this node or of the mesh to a store, as one object whose name is " +
      "its hash. What is there already is not sent again.\n\n" +
      "EXAMPLES\n  net blob adapter push cold b3:ADDRESS",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [ID_ARGUMENT, TARGET_ARGUMENT] },
  },
  async func(flags, id, targetText) {
    const params = () => ({ id, target: parseTarget(targetText) });
    await callAdapter(
      this,
      flags,
      "push",
      "blob.adapter_push",
      params,
      (answer) => `${textOf(answer.address)}\nis ${textOf(answer.uri)}`,
      COPY_MS,
    );
  },
});

const pullCommand = buildCommand<SharedFlags, [string, string], NetContext>({
  docs: {
    brief: "Copy a blob from a store into this node",
    fullDescription:
      "Copies a blob from a store into this node's own, verified by its address. Nothing " +
      "is kept of what has another hash.\n\n" +
      "EXAMPLES\n  net blob adapter pull cold b3:ADDRESS",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [ID_ARGUMENT, {
        parse: String,
        placeholder: "ADDRESS",
        brief: "b3: and 64 hex digits",
      }],
    },
  },
  async func(flags, id, address) {
    await callAdapter(
      this,
      flags,
      "pull",
      "blob.adapter_pull",
      () => ({ id, address }),
      (answer) => `${textOf(answer.address)}, ${formatBytes(numberOf(answer.size) ?? 0)}`,
      COPY_MS,
    );
  },
});

/** The verbs about adapters. */
export const blobAdapterRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Copy blobs to and from folders, buckets and other stores" },
  routes: bareRecord({
    ls: lsCommand,
    add: blobAdapterAddCommand,
    rm: rmCommand,
    check: checkCommand,
    push: pushCommand,
    pull: pullCommand,
    use: blobAdapterUseCommand,
    publish: blobAdapterPublishCommand,
    resolve: blobAdapterResolveCommand,
  }),
  aliases: bareRecord({ list: "ls", remove: "rm" }),
});
