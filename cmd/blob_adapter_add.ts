/** `net blob adapter add`: a folder or a bucket that blobs can be copied to. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { callAdapter, ID_ARGUMENT } from "./blob_adapter_common.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { textOf } from "./format.ts";
import type { Answer } from "./watch.ts";

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

/** The verb. */
export const blobAdapterAddCommand = buildCommand<AddFlags, [string], NetContext>({
  docs: {
    brief: "Add a folder or a bucket that blobs can be copied to",
    fullDescription:
      "Adds a store of blobs beside the node's own: a folder with --folder, a bucket of " +
      "an S3-compatible store with --bucket. The credentials of a bucket are those of the node's " +
      "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or of a file of profiles; they are " +
      "read when they are needed and never kept.\n\n" +
      "EXAMPLES\n  net blob adapter add disk --folder /srv/blobs\n" +
      "  net blob adapter add cold --bucket backups --region eu-central-1 --prefix net/\n" +
      "  net blob adapter add nas --bucket blobs --endpoint http://192.0.2.5:9000 \\\n" +
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
    await callAdapter(
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
