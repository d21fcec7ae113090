/**
 * The folder of a toolkit: where it is, where its files are, and reading them within limits.
 *
 * ```text
 * manifest.lock  ports.env  sources.toml  checksums.toml
 * N/metadata.toml
 * primals/<arch>/N  or  primals/<target>/N  or  primals/N  or  N/N
 * ```
 */
import { isMissing, NetError, toNetError } from "../base/mod.ts";
import {
  absolutePath,
  defaultToolkitDir,
  type Environment,
  TOML_LENGTH_MAX,
} from "../config/mod.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import { type Metadata, parseMetadata } from "./metadata.ts";
import { requireMemberName } from "./names.ts";
import type { Platform } from "./platform.ts";
import { parsePorts, type Ports } from "./ports.ts";

/** Names of the files at the top of a toolkit. */
export const TOOLKIT_FILES = {
  manifest: "manifest.lock",
  ports: "ports.env",
  sources: "sources.toml",
  checksums: "checksums.toml",
} as const;

/** What {@linkcode findToolkit} looks at. */
export interface FindToolkitOptions {
  /** `--toolkit`. */
  readonly flag?: string;
  readonly env: Environment;
  readonly cwd: string;
}

/**
 * Absolute path of the toolkit's folder, which need not exist: the flag, else `NET_TOOLKIT`, else the
 * current folder when it has a `manifest.lock`, else `$XDG_DATA_HOME/net/toolkit`.
 *
 * @throws NetError `usage` when there is nothing to go by.
 */
export async function findToolkit({ flag, env, cwd }: FindToolkitOptions): Promise<string> {
  const named = flag ?? (env.NET_TOOLKIT || undefined);
  if (named === "") {
    throw new NetError("usage", "Cannot use an empty folder for the toolkit", {
      next: "name it with --toolkit DIR",
    });
  }
  if (named !== undefined) return absolutePath(named, cwd);
  if (await isFile(`${cwd}/${TOOLKIT_FILES.manifest}`)) return absolutePath(".", cwd);
  const fallback = defaultToolkitDir(env);
  if (fallback !== undefined) return fallback;
  throw new NetError(
    "usage",
    `Cannot find a toolkit: there is no ${TOOLKIT_FILES.manifest} here and neither HOME nor ` +
      "XDG_DATA_HOME is set",
    { next: "name it with --toolkit DIR" },
  );
}

/** Path of a member's `metadata.toml`. */
export function metadataPath(root: string, member: string): string {
  return `${root}/${requireMemberName(member, "member")}/metadata.toml`;
}

/**
 * Where a member's executable may be, best first.
 *
 * @param binary Its name when it is not the member's; checked by the readers of both files.
 */
export function executablePaths(
  root: string,
  member: string,
  platform: Platform,
  binary = member,
): readonly string[] {
  requireMemberName(member, "member");
  const names = binary === member ? [member] : [binary, member];
  const folders = [platform.arch, platform.key, ...platform.triples]
    .map((folder) => `primals/${folder}`);
  return [...folders, "primals", member]
    .flatMap((folder) => names.map((name) => `${root}/${folder}/${name}`));
}

/** The first of {@linkcode executablePaths} that is a file; `undefined` when none is. */
export async function findExecutable(
  root: string,
  member: string,
  platform: Platform,
  binary?: string,
): Promise<string | undefined> {
  for (const path of executablePaths(root, member, platform, binary)) {
    if (await isFile(path)) return path;
  }
  return undefined;
}

/**
 * The toolkit's manifest; `undefined` when it has none.
 *
 * @throws NetError `usage` when it cannot be understood.
 */
export async function readManifest(root: string): Promise<Manifest | undefined> {
  const path = `${root}/${TOOLKIT_FILES.manifest}`;
  const text = await readTextWithin(path, TOML_LENGTH_MAX);
  return text === undefined ? undefined : parseManifest(text, path);
}

/**
 * A member's metadata; `undefined` when there is none.
 *
 * @throws NetError `usage` when it cannot be understood or belongs to another member.
 */
export async function readMetadata(root: string, member: string): Promise<Metadata | undefined> {
  const path = metadataPath(root, member);
  const text = await readTextWithin(path, TOML_LENGTH_MAX);
  if (text === undefined) return undefined;
  const metadata = parseMetadata(text, path);
  if (metadata.primal.name !== member) {
    throw new NetError(
      "usage",
      `${path}: primal.name is "${metadata.primal.name}", must be "${member}" as its folder`,
      { next: "rename the folder or mend the file" },
    );
  }
  return metadata;
}

/**
 * The toolkit's ports; empty when it has no file of them.
 *
 * @throws NetError `usage` when the file is too long.
 */
export async function readPorts(root: string): Promise<Ports> {
  const text = await readTextWithin(`${root}/${TOOLKIT_FILES.ports}`, TOML_LENGTH_MAX);
  return text === undefined ? { ports: new Map(), warnings: [] } : parsePorts(text);
}

/**
 * A text file of at most `bytesMax` bytes; `undefined` when there is no such file.
 *
 * @throws NetError `usage` when it is larger or is no file, `failed` when it cannot be read.
 */
export async function readTextWithin(path: string, bytesMax: number): Promise<string | undefined> {
  try {
    // A pipe would make the opening wait for whoever writes into it.
    const { isFile: isPlain, isDirectory } = await Deno.stat(path);
    if (!isPlain) {
      throw new NetError(
        "usage",
        `Cannot read ${path}: it is ${isDirectory ? "a folder" : "no file"}`,
        {
          next: "check the path",
        },
      );
    }
    using file = await Deno.open(path);
    // One byte more than allowed tells a file that is too large from one that just fits.
    const bytes = new Uint8Array(bytesMax + 1);
    let length = 0;
    while (length < bytes.length) {
      const count = await file.read(bytes.subarray(length));
      if (count === null) return new TextDecoder().decode(bytes.subarray(0, length));
      length += count;
    }
    throw new NetError("usage", `Cannot read ${path}: it has more than ${bytesMax} bytes`, {
      next: "check that it is the right file",
    });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw toNetError(error, `Cannot read ${path}`);
  }
}

/** True for a plain file, also behind a link. */
async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (isMissing(error)) return false;
    throw toNetError(error, `Cannot look at ${path}`);
  }
}
