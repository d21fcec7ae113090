/**
 * Where the credentials of an S3-compatible store come from: the environment, or a file of profiles as other
 * programs keep it. They are read when they are needed, are never kept in the node's records, and enter no message.
 */
import { BlobAdapterError } from "../adapter.ts";
import type { S3Credentials } from "./sigv4.ts";

/** Longest file of profiles that is read. */
const FILE_CHARACTERS_MAX = 256 * 1024;

/** Options of {@linkcode readS3Credentials}. */
export interface S3CredentialsOptions {
  /** File of profiles; when left out the environment comes first. */
  readonly file?: string;
  /** Name in the file; `AWS_PROFILE`, then `default` when left out. */
  readonly profile?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<string>;
}

/**
 * Reads them.
 *
 * @throws BlobAdapterError `unauthorized` when there are none; without any part of one.
 */
export async function readS3Credentials(options: S3CredentialsOptions): Promise<S3Credentials> {
  const { env, file } = options;
  if (file === undefined) {
    const own = toCredentials({
      aws_access_key_id: env.AWS_ACCESS_KEY_ID,
      aws_secret_access_key: env.AWS_SECRET_ACCESS_KEY,
      aws_session_token: env.AWS_SESSION_TOKEN,
    });
    if (own !== undefined) return own;
  }
  const home = env.HOME === undefined ? undefined : `${env.HOME}/.aws/credentials`;
  const path = file ?? env.AWS_SHARED_CREDENTIALS_FILE ?? home;
  const profile = options.profile ?? env.AWS_PROFILE ?? "default";
  let text = "";
  try {
    if (path !== undefined) text = await options.readFile(path);
  } catch (error) {
    // A file that nobody named need not be there.
    if (file !== undefined) throw missing(`"${path}" cannot be read`, error);
  }
  const found = toCredentials(readProfile(text, profile) ?? {});
  if (found !== undefined) return found;
  throw missing(
    file === undefined
      ? "neither the environment nor a file has any"
      : `"${file}" has no profile "${profile.slice(0, 64)}" with both keys`,
  );
}

/** The settings of one profile of a file in the form of INI; `undefined` when it has none of this name. */
export function readProfile(
  text: string,
  profile: string,
): Readonly<Record<string, string>> | undefined {
  let settings: Record<string, string> | undefined;
  let isWanted = false;
  for (const raw of text.slice(0, FILE_CHARACTERS_MAX).split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const section = /^\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line);
    if (section !== null) {
      isWanted = section[1] === profile;
      if (isWanted) settings ??= Object.create(null) as Record<string, string>;
      continue;
    }
    const at = line.indexOf("=");
    if (!isWanted || settings === undefined || at < 0) continue;
    settings[line.slice(0, at).trim().toLowerCase()] = line.slice(at + 1).trim();
  }
  return settings;
}

function toCredentials(
  settings: Readonly<Record<string, string | undefined>>,
): S3Credentials | undefined {
  const accessKeyId = settings.aws_access_key_id ?? "";
  const secretAccessKey = settings.aws_secret_access_key ?? "";
  const sessionToken = settings.aws_session_token ?? "";
  if (accessKeyId === "" || secretAccessKey === "") return undefined;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === "" ? {} : { sessionToken }),
    // Inspected by accident it shows nothing.
    ...{ toJSON: () => "[credentials]", [Symbol.for("Deno.customInspect")]: () => "[credentials]" },
  };
}

function missing(reason: string, cause?: unknown): BlobAdapterError {
  return new BlobAdapterError("unauthorized", `Cannot find credentials: ${reason}`, {
    cause,
    next: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --credentials",
  });
}
