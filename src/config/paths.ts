/**
 * Where the node keeps its files: the XDG data folder and the way down to RAM (`decisions.md` 6).
 *
 * The runtime socket's folder belongs to `control`.
 */
import { isNoSpace, NetError } from "../base/mod.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The default data folder: `net`, or `net-F` for family F, under `$XDG_DATA_HOME` or
 * `$HOME/.local/share`; `undefined` when the environment names neither.
 */
export function defaultDataDir(env: Environment, family: string | undefined): string | undefined {
  return inBase(env, "data", family === undefined ? "net" : `net-${family}`);
}

/**
 * The file in which the user's revocations are kept (`identity-and-channels.md` 7), under
 * `$XDG_DATA_HOME` or `$HOME/.local/share`; `undefined` when the environment names neither.
 */
export function defaultRevocationFile(env: Environment): string | undefined {
  return inBase(env, "data", "net-mesh/delegation-revocations.json");
}

/** The default folder of the toolkit of members; `undefined` when the environment names no place. */
export function defaultToolkitDir(env: Environment): string | undefined {
  return inBase(env, "data", "net/toolkit");
}

/**
 * The folder of the user's named identities, under `$XDG_CONFIG_HOME` or `$HOME/.config`; `undefined`
 * when the environment names neither.
 */
export function namedIdentityFolder(env: Environment): string | undefined {
  return inBase(env, "config", "net/identities");
}

/**
 * The folder in which the members that `net start` started are recorded, with their logs, under
 * `$XDG_STATE_HOME` or `$HOME/.local/state`; `undefined` when the environment names neither.
 */
export function memberStateFolder(env: Environment): string | undefined {
  return inBase(env, "state", "net/members");
}

const IDENTITY_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
const IDENTITY_SUFFIX = ".key";

/**
 * Absolute path of an identity that the user named: by its name, or by a path with a slash in it.
 *
 * @throws NetError `usage` when it is neither, `not_found` when the environment names no folder.
 */
export function identityPath(text: string, env: Environment, cwd: string): string {
  if (text.includes("/")) return absolutePath(text, cwd);
  if (IDENTITY_NAME.test(text)) {
    return `${requireIdentityFolder(env)}/${text}${IDENTITY_SUFFIX}`;
  }
  // What is longer than any name is not shown: it may be a secret in the wrong place.
  const shown = text.length <= 63 ? `"${text}"` : `of ${text.length} characters`;
  throw new NetError(
    "usage",
    `Cannot use identity name ${shown}: must be 1 to 63 letters, digits, - or _`,
    { next: "list the names with net identity ls" },
  );
}

/** The name of the identity that a file in the folder of named identities holds, if it is one. */
export function identityNameOf(fileName: string): string | undefined {
  if (!fileName.endsWith(IDENTITY_SUFFIX)) return undefined;
  const name = fileName.slice(0, -IDENTITY_SUFFIX.length);
  return IDENTITY_NAME.test(name) ? name : undefined;
}

/**
 * The folder of the user's named identities.
 *
 * @throws NetError `not_found` when the environment names none.
 */
export function requireIdentityFolder(env: Environment): string {
  const folder = namedIdentityFolder(env);
  if (folder !== undefined) return folder;
  throw new NetError(
    "not_found",
    "Cannot find identities: neither HOME nor XDG_CONFIG_HOME is set",
    { next: "set one of them, or give a path with a slash" },
  );
}

/** `path` made absolute against `cwd`, without `.`, `..` and double slashes. */
export function absolutePath(path: string, cwd: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** What {@linkcode prepareDataDir} needs to know. */
export interface DataDirChoice {
  /** Absolute path; `undefined` for RAM. */
  readonly dataDir: string | undefined;
  /** True when the user named the folder. */
  readonly isDataDirExplicit: boolean;
  /** True when the user asked for RAM. */
  readonly isAmnesia: boolean;
}

/** What {@linkcode prepareDataDir} found. */
export interface PreparedDataDir {
  /** The usable folder; `undefined` for RAM. */
  readonly dataDir: string | undefined;
  /** One sentence for the user when the default folder could not be used. */
  readonly warning: string | undefined;
}

/**
 * Makes the data folder (mode 0700) and proves that files can be written there.
 *
 * @throws NetError `data_dir_unusable` (or `no_space`) for a folder the user named.
 */
export async function prepareDataDir(choice: DataDirChoice): Promise<PreparedDataDir> {
  const { dataDir, isDataDirExplicit, isAmnesia } = choice;
  if (isAmnesia) return { dataDir: undefined, warning: undefined };
  if (dataDir === undefined) {
    return {
      dataDir: undefined,
      warning: "no data folder: neither HOME nor XDG_DATA_HOME is set; this identity lives in " +
        "memory and ends with the process",
    };
  }
  try {
    await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
    const probe = `${trimSlash(dataDir)}/.probe-${crypto.randomUUID()}`;
    const file = await Deno.open(probe, { createNew: true, write: true, mode: 0o600 });
    file.close();
    await Deno.remove(probe);
    return { dataDir, warning: undefined };
  } catch (error) {
    const reason = reasonOf(error);
    if (isDataDirExplicit) {
      throw new NetError(
        isNoSpace(error) ? "no_space" : "data_dir_unusable",
        `Cannot use data folder "${dataDir}": ${reason}`,
        { cause: error, next: "choose a writable folder with --data-dir, or start with --amnesia" },
      );
    }
    return {
      dataDir: undefined,
      warning: `data folder "${dataDir}" cannot be used (${reason}); this identity lives in ` +
        "memory and ends with the process",
    };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is not a folder";
  if (error instanceof Deno.errors.AlreadyExists) return "it is not a folder";
  if (isNoSpace(error)) return "no space left on the device";
  const message = error instanceof Error ? error.message : String(error);
  return /os error 30\b/.test(message) ? "the file system is read-only" : message;
}

const BASES = {
  data: ["XDG_DATA_HOME", ".local/share"],
  config: ["XDG_CONFIG_HOME", ".config"],
  state: ["XDG_STATE_HOME", ".local/state"],
} as const;

/** A path in one of the user's base folders; what is not absolute does not count. */
function inBase(env: Environment, kind: keyof typeof BASES, path: string): string | undefined {
  const [variable, folder] = BASES[kind];
  const base = absoluteOrNothing(env[variable]);
  if (base !== undefined) return `${trimSlash(base)}/${path}`;
  const home = absoluteOrNothing(env.HOME);
  return home === undefined ? undefined : `${trimSlash(home)}/${folder}/${path}`;
}

function absoluteOrNothing(path: string | undefined): string | undefined {
  return path !== undefined && path.startsWith("/") ? path : undefined;
}

function trimSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
