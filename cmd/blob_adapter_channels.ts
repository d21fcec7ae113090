/** `net blob adapter use`, `publish` and `resolve`: the blobs of channels. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { callAdapter, CHANNEL_ARGUMENT, COPY_MS, ID_ARGUMENT } from "./blob_adapter_common.ts";
import { parseTarget, TARGET_ARGUMENT } from "./blob_common.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { textOf } from "./format.ts";

interface UseFlags extends SharedFlags {
  readonly none?: boolean;
}

/** The verb that chooses. */
export const blobAdapterUseCommand = buildCommand<UseFlags, [string, string?], NetContext>({
  docs: {
    brief: "Choose the store that the blobs of a channel are published with",
    fullDescription:
      "Chooses the adapter that the blobs of a channel are published with. References are " +
      "read with the adapter of their scheme, whatever is chosen here.\n\n" +
      "EXAMPLES\n  net blob adapter use news cold\n  net blob adapter use news --none",
  },
  parameters: {
    flags: bareRecord({ none: switchFlag("Choose none"), ...SHARED_FLAGS }),
    positional: {
      kind: "tuple",
      parameters: [CHANNEL_ARGUMENT, { ...ID_ARGUMENT, optional: true }],
    },
  },
  async func(flags, channel, id) {
    const params = () => {
      if ((id === undefined) === (flags.none === true)) return { channel, id: id ?? null };
      throw new NetError("usage", "Cannot choose adapter: give its name, or --none");
    };
    await callAdapter(
      this,
      flags,
      "use",
      "blob.adapter_use",
      params,
      () => id === undefined ? `${channel} publishes with none` : `${channel} publishes with ${id}`,
    );
  },
});

/** The verb that publishes. */
export const blobAdapterPublishCommand = buildCommand<SharedFlags, [string, string], NetContext>({
  docs: {
    brief: "Copy a blob to the store of a channel, and log its reference",
    fullDescription:
      "Copies a blob to the adapter that was chosen for a channel, and appends the " +
      "reference to the channel's log. When the copy fails nothing is appended.\n\n" +
      "EXAMPLES\n  net blob adapter publish news b3:ADDRESS",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: { kind: "tuple", parameters: [CHANNEL_ARGUMENT, TARGET_ARGUMENT] },
  },
  async func(flags, channel, targetText) {
    const params = () => ({ channel, target: parseTarget(targetText) });
    await callAdapter(
      this,
      flags,
      "publish",
      "blob.adapter_publish",
      params,
      (answer) => `event ${textOf(answer.seq)} of ${channel} is ${textOf(answer.uri)}`,
      COPY_MS,
    );
  },
});

interface ResolveFlags extends SharedFlags {
  readonly output?: string;
}

/** The verb that reads. */
export const blobAdapterResolveCommand = buildCommand<ResolveFlags, [string, string], NetContext>({
  docs: {
    brief: "Show the bytes that an event of a log stands for",
    fullDescription:
      "Gives the payload of an event as it is, or where it is a reference, what it refers " +
      "to: read with the adapter of the reference's scheme, and verified.\n\n" +
      "EXAMPLES\n  net blob adapter resolve news 41 --output photo.jpg",
  },
  parameters: {
    flags: bareRecord({
      output: textFlag("FILE", "File to make; default: standard output, up to 512 KiB"),
      ...SHARED_FLAGS,
    }),
    aliases: bareRecord({ o: "output" } as const),
    positional: {
      kind: "tuple",
      parameters: [CHANNEL_ARGUMENT, {
        parse: String,
        placeholder: "SEQ",
        brief: "Number of the event",
      }],
    },
  },
  async func(flags, channel, seq) {
    const { output } = flags;
    const params = () => ({
      channel,
      seq,
      ...(output === undefined ? {} : { output: absolutePath(output, this.io.cwd) }),
    });
    await callAdapter(this, flags, "resolve", "blob.resolve", params, (answer) => {
      const { data, size, output: path } = answer;
      if (typeof data !== "string") return `${textOf(size)} bytes in ${textOf(path)}`;
      return plainText(Uint8Array.fromBase64(data));
    }, COPY_MS);
  },
});

/** Bytes as text, or what to do where they are none: a terminal would be spoilt by them. */
function plainText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `${bytes.length} bytes that are no text: have them written with --output FILE`;
  }
}
