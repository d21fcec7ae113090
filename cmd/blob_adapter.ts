/** `net blob adapter …`: stores of blobs beside the node's own, such as a bucket or a folder. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { parseTarget, TARGET_ARGUMENT } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { formatTable, listOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

const ANSWER_MS = 30_000;
/** Copying takes as long as it takes. */
const COPY_MS = 24 * 3_600_000;

const ID_ARGUMENT = { parse: String, placeholder: "ID", brief: "Name of the adapter" };
const CHANNEL_ARGUMENT = { parse: String, placeholder: "CHANNEL", brief: "Name of the channel" };

interface AddFlags extends SharedFlags {
  readonly folder?: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly prefix?: string;
  readonly credentials?: string;
  readonly profile?: string;
  readonly pathStyle?: boolean;
  readonly virtualHost?: boolean;
  readonly noop?: boolean;
}

const addCommand = buildCommand<AddFlags, [string], NetContext>({
  docs: {
    brief: "Add a folder or a bucket that blobs can be copied to",
    fullDescription:
      "Adds a store of blobs beside the node's own: a folder with --folder, a bucket of " +
      "an S3-compatible store with --bucket. The credentials of a bucket are those of the node's " +
      "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or of a file of profiles; they are " +
      "read when they are needed and never kept.\n\n" +
      "EXAMPLES\n  net blob adapter add disk --folder /srv/blobs\n" +
      "  net blob adapter add cold --bucket backups --region eu-central-1 --prefix net/\n" +
      "  net blob adapter add nas --bucket blobs --endpoint http://10.0.0.5:9000 \\\n" +
      "    --credentials ~/.aws/credentials --profile nas",
  },
  parameters: {
    flags: bareRecord({
      folder: textFlag("FOLDER", "Folder that holds the blobs"),
      bucket: textFlag("NAME", "Bucket that holds the blobs"),
      region: textFlag("NAME", "Region of the bucket; default: us-east-1"),
      endpoint: textFlag("URL", "Store of the bucket; default: Amazon's of the region"),
      prefix: textFlag("TEXT/", "What the names of objects begin with"),
      credentials: textFlag(
        "FILE",
        "File of profiles; default: the environment, ~/.aws/credentials",
      ),
      profile: textFlag("NAME", "Profile in that file; default: default"),
      pathStyle: switchFlag("Name the bucket in the path; the default with --endpoint"),
      virtualHost: switchFlag("Name the bucket in the host; the default without --endpoint"),
      noop: switchFlag("Keep nothing: others store the blobs of the channel"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [ID_ARGUMENT] },
  },
  async func(flags, id) {
    await call(
      this,
      flags,
      "add",
      "blob.adapter_add",
      () => ({ adapter: specOf(flags, id, this) }),
      (answer) =>
        `added ${textOf(answer.id)}: ${textOf(answer.place)}\ntry it with net blob adapter check ${
          textOf(answer.id)
        }`,
    );
  },
});

function specOf(flags: AddFlags, id: string, { io }: NetContext): Answer {
  const { folder, bucket, region, endpoint, prefix, profile } = flags;
  const kinds = [folder !== undefined, bucket !== undefined, flags.noop === true];
  if (kinds.filter((isGiven) => isGiven).length !== 1) {
    throw new NetError(
      "usage",
      "Cannot add adapter: one of --folder, --bucket, --noop must be given",
    );
  }
  if (flags.noop === true) return { kind: "noop", id };
  if (folder !== undefined) return { kind: "file", id, folder: absolutePath(folder, io.cwd) };
  if (flags.pathStyle === true && flags.virtualHost === true) {
    throw new NetError(
      "usage",
      "Cannot add adapter: --path-style and --virtual-host exclude each other",
    );
  }
  const isPathStyle = flags.pathStyle ?? (flags.virtualHost === true ? false : undefined);
  return {
    kind: "s3",
    id,
    bucket,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint: endpoint.replace(/\/$/, "") }),
    ...(isPathStyle === undefined ? {} : { path_style: isPathStyle }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(profile === undefined ? {} : { profile }),
    ...(flags.credentials === undefined
      ? {}
      : { credentials: absolutePath(flags.credentials, io.cwd) }),
  };
}

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
    await call(this, flags, "ls", "blob.adapter_list", () => ({}), listText);
  },
});

function listText(answer: Answer): string {
  const rows = listOf(answer.adapters).map((item) => {
    const { id, kind, schemes, place, error } = recordOf(item);
    const state = textOf(error) === "" ? "ok" : textOf(error);
    return [textOf(id), textOf(kind), listOf(schemes).map(textOf).join(","), textOf(place), state];
  });
  const channels = Object.entries(recordOf(answer.channels));
  const table = formatTable([["id", "kind", "scheme", "place", "state"], ...rows]);
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
    await call(this, flags, "rm", "blob.adapter_remove", () => ({ id }), () => `removed ${id}`);
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
    await call(
      this,
      flags,
      "check",
      "blob.adapter_check",
      () => ({ id }),
      (answer) =>
        `${id} works: stored, read and removed 64 bytes in ${Number(answer.seconds).toFixed(2)} s`,
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
    await call(
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
    await call(
      this,
      flags,
      "pull",
      "blob.adapter_pull",
      () => ({ id, address }),
      (answer) => `${textOf(answer.address)}, ${textOf(answer.size)} bytes`,
      COPY_MS,
    );
  },
});

interface UseFlags extends SharedFlags {
  readonly none?: boolean;
}

const useCommand = buildCommand<UseFlags, [string, string?], NetContext>({
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
    await call(
      this,
      flags,
      "use",
      "blob.adapter_use",
      params,
      () => id === undefined ? `${channel} publishes with none` : `${channel} publishes with ${id}`,
    );
  },
});

const publishCommand = buildCommand<SharedFlags, [string, string], NetContext>({
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
    await call(
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

const resolveCommand = buildCommand<ResolveFlags, [string, string], NetContext>({
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
    await call(this, flags, "resolve", "blob.resolve", params, (answer) => {
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

/** The verbs about adapters. */
export const blobAdapterRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Copy blobs to and from folders, buckets and other stores" },
  routes: bareRecord({
    ls: lsCommand,
    add: addCommand,
    rm: rmCommand,
    check: checkCommand,
    push: pushCommand,
    pull: pullCommand,
    use: useCommand,
    publish: publishCommand,
    resolve: resolveCommand,
  }),
  aliases: bareRecord({ list: "ls", remove: "rm" }),
});

async function call(
  context: NetContext,
  flags: SharedFlags,
  verb: string,
  method: string,
  params: () => Answer,
  text: (answer: Answer) => string,
  timeoutMs = ANSWER_MS,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const given = params();
    const node = await connectOrOpen(context, flags, signal);
    try {
      const answer = recordOf(await node.call(method, given, { signal }));
      output.result(`blob.adapter.${verb}`, answer, () => text(answer));
    } finally {
      await node.close();
    }
  }, { timeoutMs });
}
