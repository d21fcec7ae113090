/** One member: there already, or brought from the first source that has the right file. */
import { NetError, toNetError } from "../../base/mod.ts";
import { isExecutableFor, readExecutableHead } from "../elf.ts";
import { findExecutable } from "../toolkit.ts";
import type { Platform } from "../platform.ts";
import { download } from "./download.ts";
import { type Expected, mismatchOf } from "./expected.ts";
import { digestFile, type Digests, MODE_EXECUTABLE, PartFile } from "./part_file.ts";
import type { RetryPolicy } from "./retry.ts";
import type { FetchSource, RemoteFile, WantedFile } from "./source.ts";

/** What is to be fetched. */
export interface MemberPlan {
  readonly wanted: WantedFile;
  readonly expected: Expected;
  /** Tried in order. */
  readonly sources: readonly FetchSource[];
  /** Why its checksum could not be looked up: no source gave the files that the toolkit lacks. */
  readonly fault?: NetError;
}

/** How it is fetched. */
export interface FetchMemberOptions {
  /** Folder of the toolkit. */
  readonly root: string;
  readonly isForced: boolean;
  readonly isDry: boolean;
  readonly allowUnverified: boolean;
  readonly sizeMax: number;
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  readonly onBytes?: (length: number, size: number | undefined) => void;
}

/** How it went. */
export interface MemberOutcome {
  readonly member: string;
  /**
   * `fetched`; `present`: it was there and right; `planned`: it would be fetched; `skipped`: there is no
   * checksum and nobody named it; `failed`.
   */
  readonly status: "fetched" | "present" | "planned" | "skipped" | "failed";
  /** The executable. */
  readonly path: string;
  /** Where it came from, or would be looked for first. */
  readonly source?: string;
  readonly bytes?: number;
  /** Bytes of those that an earlier run had brought. */
  readonly resumedBytes?: number;
  readonly digests?: Digests;
  /** Checksums that were compared and right. */
  readonly verified: readonly (keyof Digests)[];
  readonly error?: NetError;
}

/** Path that a member is fetched to: `primals/<arch>/N`. */
export function targetPath(root: string, member: string, platform: Platform): string {
  return `${root}/primals/${platform.arch}/${member}`;
}

/**
 * Fetches one member; what fails is in the outcome.
 *
 * @throws Only the reason of an abort.
 */
export async function fetchMember(
  plan: MemberPlan,
  options: FetchMemberOptions,
): Promise<MemberOutcome> {
  const { member, platform } = plan.wanted;
  const path = targetPath(options.root, member, platform);
  try {
    const present = options.isForced ? undefined : await findPresent(plan, options);
    if (present !== undefined) return present;
    if (plan.expected.sums.length === 0 && !options.allowUnverified) {
      throw plan.fault ?? noChecksum(plan.wanted);
    }
    if (options.isDry) {
      const verified = plan.expected.sums.map(({ kind }) => kind);
      return { member, status: "planned", path, source: plan.sources[0]?.name, verified };
    }
    return await fetchFromFirst(plan, path, options);
  } catch (error) {
    options.signal.throwIfAborted();
    const netError = toNetError(error, `Cannot fetch ${member}`);
    return { member, status: "failed", path, verified: [], error: netError };
  }
}

/** The executable that is there already: for this machine, and with all checksums right. */
async function findPresent(
  { wanted, expected }: MemberPlan,
  options: FetchMemberOptions,
): Promise<MemberOutcome | undefined> {
  const { member, platform, binaries } = wanted;
  // What nobody can vouch for counts no more when it is there than when it comes.
  if (expected.sums.length === 0 && !options.allowUnverified) return undefined;
  const path = await findExecutable(options.root, member, platform, binaries[0]);
  if (path === undefined) return undefined;
  const { bytes, head, ...digests } = await digestFile(path, options.signal);
  if (mismatchOf(expected, digests) !== undefined) return undefined;
  if (!isExecutableFor(platform, readExecutableHead(head))) return undefined;
  if (!options.isDry) await makeExecutable(path);
  const verified = verifiedKinds(expected);
  return { member, status: "present", path, bytes, digests, verified };
}

async function fetchFromFirst(
  plan: MemberPlan,
  path: string,
  options: FetchMemberOptions,
): Promise<MemberOutcome> {
  const { wanted, expected, sources } = plan;
  const part = await PartFile.open(path, options.signal);
  try {
    const faults: NetError[] = [];
    // Somebody may have fetched it while we waited for the part.
    const present = options.isForced ? undefined : await findPresent(plan, options);
    if (present !== undefined) {
      await part.discard();
      return present;
    }
    for (const source of sources) {
      try {
        for (const file of await source.candidates(wanted, options.signal)) {
          const done = await fetchFile(file, part, plan, options);
          if (done === undefined) continue;
          await part.commit(path);
          return {
            member: wanted.member,
            status: "fetched",
            path,
            source: file.place,
            bytes: part.length,
            verified: verifiedKinds(expected),
            ...done,
          };
        }
        faults.push(new NetError("not_found", `${source.name} has no ${wanted.member}`));
      } catch (error) {
        options.signal.throwIfAborted();
        faults.push(toNetError(error, `Cannot fetch from ${source.name}`));
      }
    }
    // What did not come to its end stays for the next run, unless nothing came.
    if (part.length === 0) await part.discard();
    throw allFailed(wanted, faults);
  } finally {
    part.close();
  }
}

/** Fetches and verifies; `undefined` when there is no such file. */
async function fetchFile(
  file: RemoteFile,
  part: PartFile,
  { wanted, expected }: MemberPlan,
  options: FetchMemberOptions,
): Promise<{ readonly digests: Digests; readonly resumedBytes: number } | undefined> {
  const downloadOptions = {
    ...options,
    platform: wanted.platform,
    hasChecksum: expected.sums.length > 0,
  };
  for (let isAnew = false;; isAnew = true) {
    try {
      const { resumedBytes, isJoined } = await download(file, part, downloadOptions);
      const digests = part.digest();
      const wrong = mismatchOf(expected, digests);
      if (wrong === undefined) return { digests, resumedBytes };
      await part.restart({ place: file.place });
      // Bytes of one file before bytes of another: the whole anew may be right.
      if (isJoined && !isAnew) continue;
      throw new NetError(
        "integrity",
        `${file.place} has the wrong checksum: ${wrong.kind} is ${digests[wrong.kind]}, must be ` +
          `${wrong.hex} (${wrong.from})`,
        { next: "do not run it; check the source and the toolkit's checksums" },
      );
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      if (error.code === "not_found") return undefined;
      if (error.code === "integrity" || error.code === "limit") {
        await part.restart({ place: file.place });
      }
      throw error;
    }
  }
}

/** Lets a verified file be executed that cannot be: copies from other systems have no such mark. */
async function makeExecutable(path: string): Promise<void> {
  try {
    const { mode } = await Deno.stat(path);
    if (mode !== null && (mode & 0o100) === 0) await Deno.chmod(path, MODE_EXECUTABLE);
  } catch (error) {
    throw toNetError(error, `Cannot make ${path} executable`);
  }
}

function verifiedKinds({ sums }: Expected): readonly (keyof Digests)[] {
  return [...new Set(sums.map(({ kind }) => kind))];
}

function noChecksum({ member, platform }: WantedFile): NetError {
  return new NetError("integrity", `There is no checksum of ${member} for ${platform.key}`, {
    next: `check --source, which brings it where the toolkit has no manifest.lock; add it to ` +
      `${member}/metadata.toml or checksums.toml, or allow it with --allow-unverified`,
  });
}

/** The one error for all sources; its code is that of the worst. */
function allFailed({ member }: WantedFile, faults: readonly NetError[]): NetError {
  const worst = faults.find(({ code }) => code === "integrity") ??
    faults.find(({ code }) => code !== "not_found") ?? faults[0];
  if (worst === undefined) {
    return new NetError("not_found", `There is no source for ${member}`, {
      next: "name one with --source DIR, URL or github:OWNER/NAME",
    });
  }
  const message = faults.map((fault) => fault.message).join("; ");
  return new NetError(worst.code, message, {
    cause: worst,
    next: worst.next ?? "check --source and --arch",
  });
}
