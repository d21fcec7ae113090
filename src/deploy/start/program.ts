/** Which file a member's program is: named, in the toolkit, or this very program for `net`. */
import { NetError } from "../../base/mod.ts";
import { absolutePath, PROGRAM_NAME } from "../../config/mod.ts";
import { isMemberName, quote, requireMemberName } from "../names.ts";
import { thisPlatform } from "../platform.ts";
import { executablePaths, findExecutable, readMetadata } from "../toolkit.ts";
import type { StartProgram } from "./plan.ts";

/** What {@linkcode findProgram} looks at. */
export interface FindProgramOptions {
  /** Folder of the toolkit; it need not exist. */
  readonly toolkit: string | undefined;
  /** `--bin`. */
  readonly bin?: string;
  readonly cwd: string;
  /** Command that runs this program, without arguments of its own. */
  readonly own: readonly [string, ...string[]];
}

/**
 * The program of a member with its metadata.
 *
 * @throws NetError `usage` when the name or the metadata is wrong, `not_found` when there is no
 * executable, `not_allowed` when it may not be executed.
 */
export async function findProgram(
  member: string,
  { toolkit, bin, cwd, own }: FindProgramOptions,
): Promise<StartProgram> {
  requireMemberName(member, "MEMBER");
  const metadata = toolkit === undefined ? undefined : await readMetadata(toolkit, member);
  if (bin !== undefined) {
    const path = absolutePath(bin, cwd);
    await requireExecutable(path);
    return { member, program: [path], metadata, isOwn: false };
  }
  const platform = thisPlatform();
  const binary = metadata?.builds.get(platform.key)?.binary;
  const found = toolkit === undefined
    ? undefined
    : await findExecutable(toolkit, member, platform, binary);
  if (found !== undefined) {
    await requireExecutable(found);
    return { member, program: [found], metadata, isOwn: member === PROGRAM_NAME };
  }
  if (member === PROGRAM_NAME) return { member, program: own, metadata, isOwn: true };
  const looked = toolkit === undefined ? [] : executablePaths(toolkit, member, platform, binary);
  throw new NetError("not_found", `Cannot find the executable of ${quote(member)}`, {
    next: toolkit === undefined
      ? "name the file with --bin, or the toolkit with --toolkit DIR"
      : `bring it with net fetch --primal ${member}, or name the file with --bin`,
    data: { looked },
  });
}

async function requireExecutable(path: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch {
    throw new NetError("not_found", `Cannot find executable ${quote(path)}`, {
      next: "check the path behind --bin",
    });
  }
  if (info.isFile && ((info.mode ?? 0o111) & 0o111) !== 0) return;
  const reason = info.isFile ? "it may not be executed" : "it is no file";
  throw new NetError("not_allowed", `Cannot start ${quote(path)}: ${reason}`, {
    next: info.isFile ? "chmod +x it" : "check the path",
  });
}

/**
 * Name under which a started member is known: its own, and its family's behind it.
 *
 * @throws NetError `usage` when the two together are too long.
 */
export function instanceName(member: string, family: string | undefined): string {
  const name = family === undefined ? member : `${member}-${family}`;
  if (isMemberName(name)) return name;
  throw new NetError("usage", `Cannot start ${quote(name)}: the name is too long`, {
    next: "choose a shorter --family",
  });
}
