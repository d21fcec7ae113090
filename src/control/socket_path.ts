/**
 * Where the control socket lies: folder, file name and the names beside it (`validation.md` 3.1, 3.2).
 *
 * Choosing is pure; only {@linkcode prepareSocketPlace} makes folders and only
 * {@linkcode resolveSocketPath} looks for sockets. Abstract names are left to the validator.
 */
import { NetError, utf8 } from "../base/mod.ts";
import { type Environment, parseFamily } from "../config/mod.ts";
import { SOCKET_PATH_BYTES_MAX } from "./limits.ts";

/** Folder of all members' sockets below a runtime folder. */
const FOLDER = "biomeos";

/** Name of this member. */
export const MEMBER = "net";

/** One place where a socket may lie. */
export interface SocketPlace {
  /** Absolute folder. */
  readonly directory: string;
  /** Absolute path of the socket. */
  readonly path: string;
  /** Family the name stands for; `undefined` for none. */
  readonly family: string | undefined;
  /** True when the path was given exactly: then no other names are made beside it. */
  readonly isExact: boolean;
  /** True below a folder that everybody may write to: owner and mode must be checked. */
  readonly isShared: boolean;
  /** Folder that must exist already for this place to be considered. */
  readonly requires: string | undefined;
}

/** What the choice of a place depends on. */
export interface SocketPlaceOptions {
  readonly env: Environment;
  /** Exact path of the socket; absolute. */
  readonly socketPath?: string;
  /** Family; empty, `default` and `standalone` mean none. */
  readonly family?: string;
  /** User id; the process's own when left out. */
  readonly uid?: number;
  /** Member whose socket is meant; `net` when left out. */
  readonly member?: string;
}

/**
 * All places to consider, best first.
 *
 * @throws NetError `config_invalid` when the family is none.
 */
export function socketPlaces(options: SocketPlaceOptions): readonly SocketPlace[] {
  const family = readFamily(options.family);
  const { env, socketPath } = options;
  if (socketPath !== undefined) {
    const directory = socketPath.slice(0, socketPath.lastIndexOf("/")) || "/";
    return [{
      directory,
      path: socketPath,
      family,
      isExact: true,
      isShared: false,
      requires: undefined,
    }];
  }
  const uid = options.uid ?? Deno.uid();
  const name = socketName(options.member ?? MEMBER, family);
  const places: SocketPlace[] = [];
  const add = (directory: string | undefined, isShared: boolean, requires?: string) => {
    if (directory === undefined || !directory.startsWith("/")) return;
    const path = `${directory === "/" ? "" : directory}/${name}`;
    places.push({ directory, path, family, isExact: false, isShared, requires });
  };
  const below = (base: string | undefined) =>
    base === undefined || base === "" ? undefined : `${trimSlash(base)}/${FOLDER}`;
  // An empty text means "not set" here as everywhere, not the root folder.
  const own = env.BIOMEOS_SOCKET_DIR ?? "";
  if (own !== "") add(trimSlash(own) || "/", false);
  add(below(env.XDG_RUNTIME_DIR), false);
  if (uid !== null) add(`/run/user/${uid}/${FOLDER}`, false, `/run/user/${uid}`);
  add(below(env.TMPDIR), true);
  add(`/tmp/${FOLDER}`, true);
  return places;
}

/** `net.sock`, or `net-F.sock` for family F. */
export function socketName(member: string, family: string | undefined): string {
  return family === undefined ? `${member}.sock` : `${member}-${family}.sock`;
}

/** Path of the pid file beside a socket, or of the same name in `pidDir`. */
export function pidPath(socketPath: string, pidDir?: string): string {
  const path = `${socketPath.replace(/\.sock$/, "")}.pid`;
  return pidDir === undefined
    ? path
    : `${trimSlash(pidDir)}/${path.slice(path.lastIndexOf("/") + 1)}`;
}

/** `@net`, or `@net-F` for family F, as the kernel has it: with a zero in front. */
export function abstractName(family: string | undefined): string {
  return `\0${family === undefined ? MEMBER : `${MEMBER}-${family}`}`;
}

/** What {@linkcode prepareSocketPlace} found. */
export interface PreparedSocketPlace {
  readonly place: SocketPlace;
  /** Sentences for the user about places that were passed over or are second best. */
  readonly warnings: readonly string[];
}

/**
 * Makes the folder (0700) of the first usable place.
 *
 * @throws NetError `config_invalid` when a path is too long, the exact folder cannot be made, or no
 * place is usable.
 */
export function prepareSocketPlace(options: SocketPlaceOptions): PreparedSocketPlace {
  const warnings: string[] = [];
  const own = options.env.BIOMEOS_SOCKET_DIR ?? "";
  if (own !== "" && !own.startsWith("/") && options.socketPath === undefined) {
    warnings.push(
      `socket folder ${
        JSON.stringify(own.slice(0, 64))
      } (BIOMEOS_SOCKET_DIR) is passed over: it must be absolute`,
    );
  }
  for (const place of socketPlaces(options)) {
    const problem = makeFolder(place, options.uid ?? Deno.uid());
    if (problem === "skip") continue;
    if (problem === undefined) {
      checkLength(place.path);
      const risk = folderRisk(place.directory);
      if (risk !== undefined) {
        warnings.push(
          `socket folder "${place.directory}" ${risk}: they may put another socket in our place`,
        );
      }
      if (place.isShared) {
        warnings.push(
          `no runtime folder: the control socket is in "${place.directory}", set XDG_RUNTIME_DIR`,
        );
      }
      return { place, warnings };
    }
    if (place.isExact) {
      throw new NetError("config_invalid", `Cannot use socket path "${place.path}": ${problem}`, {
        next: "choose a path in a writable folder with --socket",
      });
    }
    warnings.push(`socket folder "${place.directory}" cannot be used: ${problem}`);
  }
  throw new NetError(
    "config_invalid",
    `Cannot find a place for the control socket: ${warnings.join("; ")}`,
    { next: "name a socket with --socket PATH" },
  );
}

/**
 * Path of the socket a client should try: the first that exists in a folder nobody else controls, or
 * else the first place a node would choose.
 *
 * @throws NetError `config_invalid` when the family is none.
 */
export async function resolveSocketPath(options: SocketPlaceOptions): Promise<string> {
  const places = socketPlaces(options);
  let first: string | undefined;
  for (const place of places) {
    if (place.requires !== undefined && !await exists(place.requires)) continue;
    first ??= place.path;
    if (place.isExact) break;
    if (place.isShared && folderProblem(place.directory, options.uid ?? Deno.uid())) continue;
    if (await exists(place.path)) return place.path;
  }
  return first ?? `/tmp/${FOLDER}/${MEMBER}.sock`;
}

/**
 * Mode of the socket file from `NET_SOCKET_MODE`, an octal text; 0600 when absent or unreadable.
 */
export function socketMode(env: Environment): number {
  const text = env.NET_SOCKET_MODE ?? "";
  return /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : 0o600;
}

function readFamily(text: string | undefined): string | undefined {
  const family = parseFamily(text ?? "");
  if (family === undefined) {
    throw new NetError(
      "config_invalid",
      `Cannot use family ${JSON.stringify(text?.slice(0, 64))}: must be 1 to 32 letters, digits, ` +
        "dashes or underscores",
    );
  }
  return family === "" ? undefined : family;
}

/** `undefined` when the folder is ready, `skip` when the place does not apply here, or a reason. */
function makeFolder(place: SocketPlace, uid: number | null): string | undefined {
  const { directory, requires, isShared } = place;
  if (requires !== undefined && statOf(requires) === undefined) return "skip";
  try {
    const isThere = statOf(directory) !== undefined;
    if (!isThere) Deno.mkdirSync(directory, { recursive: !isShared, mode: 0o700 });
    if (isShared) {
      const problem = folderProblem(directory, uid);
      if (problem !== undefined) return problem;
    }
    return writeProblem(directory);
  } catch (error) {
    return reasonOf(error);
  }
}

/** Why a folder below a shared one cannot be trusted; `undefined` when it can. */
export function folderProblem(directory: string, uid: number | null): string | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(directory);
  } catch (error) {
    return reasonOf(error);
  }
  if (info.isSymlink) return "it is a symbolic link";
  if (!info.isDirectory) return "it is not a folder";
  if (uid !== null && info.uid !== uid) return `it belongs to user ${info.uid}`;
  const mode = (info.mode ?? 0o700) & 0o777;
  return mode === 0o700 ? undefined : `its mode is 0${mode.toString(8)}, must be 0700`;
}

/**
 * What is worth a warning about a folder that the user chose: `NET_SOCKET_MODE` may share it on purpose. The
 * sticky bit keeps others from what is not theirs.
 */
function folderRisk(directory: string): string | undefined {
  const mode = statOf(directory)?.mode ?? 0;
  return (mode & 0o022) !== 0 && (mode & 0o1000) === 0
    ? `may be written to by others (mode 0${(mode & 0o7777).toString(8)})`
    : undefined;
}

/** Binding needs a folder we may write to; a probe file tells better than modes do. */
function writeProblem(directory: string): string | undefined {
  const probe = `${trimSlash(directory)}/.net-probe-${crypto.randomUUID()}`;
  try {
    Deno.openSync(probe, { createNew: true, write: true, mode: 0o600 }).close();
    Deno.removeSync(probe);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function checkLength(path: string): void {
  const length = utf8(path).length;
  if (length <= SOCKET_PATH_BYTES_MAX) return;
  throw new NetError(
    "config_invalid",
    `Cannot use socket path "${path}": it is ${length} bytes long, must be at most ` +
      `${SOCKET_PATH_BYTES_MAX}`,
    { next: "choose a shorter path with --socket" },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotFound) return "its parent does not exist";
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
    return "it is not a folder";
  }
  return error instanceof Error ? error.message : String(error);
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined; // Absent and unreadable places are equally unusable.
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

function trimSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
