/** `net fetch`: executables of members into a toolkit, verified (`validation.md` 7.2). */
import { inParallel, NetError } from "../../base/mod.ts";
import { quote, requireMemberName } from "../names.ts";
import type { Platform } from "../platform.ts";
import { isTagName } from "../sources.ts";
import { expectedOf } from "./expected.ts";
import {
  fetchMember,
  type FetchMemberOptions,
  type MemberOutcome,
  type MemberPlan,
  targetPath,
} from "./fetch_member.ts";
import { createHttpClient } from "./http_client.ts";
import type { OpenBlob } from "./mesh_source.ts";
import { parseSource } from "./parse_source.ts";
import { RETRY_POLICY, type RetryPolicy } from "./retry.ts";
import type { FetchSource } from "./source.ts";
import { GITHUB_API } from "./github_source.ts";
import { ToolkitFiles } from "./toolkit_files.ts";

/** Members that are fetched at once: more would only share the same line. */
const PARALLEL_MAX = 4;

/** The repository whose releases are looked through when a toolkit names no other source. */
const DISTRIBUTION = "ecoPrimals/plasmidBin";

/** Largest executable unless told otherwise: ten times the largest that is known. */
export const FETCH_SIZE_MAX = 1024 * 1024 * 1024;

/** Which members are fetched. */
export interface FetchChoice {
  readonly members: readonly string[];
  readonly compositions: readonly string[];
  /** Everything in the manifest; what has no checksum for the machine is skipped. */
  readonly isAll: boolean;
}

/** Options of {@linkcode fetchMembers}. */
export interface FetchMembersOptions {
  /** Folder of the toolkit; made when there is none. */
  readonly root: string;
  readonly choice: FetchChoice;
  readonly platform: Platform;
  /** As behind `--source`, tried in order; without any those of `sources.toml`. */
  readonly sources: readonly string[];
  /** Release of repositories. */
  readonly tag?: string;
  readonly cwd: string;
  readonly isForced: boolean;
  readonly isDry: boolean;
  readonly allowUnverified: boolean;
  readonly sizeMax?: number;
  /** Longest time without a byte, in milliseconds; 30 s when left out. */
  readonly stallMs?: number;
  /** Public interface of GitHub. */
  readonly githubApi?: string;
  readonly policy?: RetryPolicy;
  /** Blobs of the running node, for the source `mesh`. */
  readonly openBlob?: OpenBlob;
  readonly signal: AbortSignal;
  /** Told of the bytes of all members together. */
  readonly onBytes?: (length: number, size: number | undefined) => void;
  readonly onOutcome?: (outcome: MemberOutcome) => void;
}

/** What a run did. */
export interface FetchReport {
  readonly root: string;
  readonly platform: Platform;
  /** In the order of the choice. */
  readonly outcomes: readonly MemberOutcome[];
  /** Text files that were taken into a toolkit without manifest; relative paths. */
  readonly files: readonly string[];
}

/**
 * Fetches the chosen members, at most four at once. What fails for one member is in its outcome.
 *
 * @throws NetError `usage` for a choice, a source or a file that cannot be used.
 */
export async function fetchMembers(options: FetchMembersOptions): Promise<FetchReport> {
  const { root, platform, signal, choice } = options;
  if (options.tag !== undefined && !isTagName(options.tag)) {
    throw new NetError("usage", `Cannot use --tag ${quote(options.tag)}: it is no name of a tag`, {
      next: "write it as the release has it, such as v1.2.3",
    });
  }
  const client = createHttpClient({ stallMs: options.stallMs ?? 30_000 });
  const makeSource = (text: string) =>
    parseSource(text, {
      cwd: options.cwd,
      client,
      tag: options.tag,
      api: (options.githubApi ?? GITHUB_API).replace(/\/+$/, ""),
      policy: options.policy,
      openBlob: options.openBlob,
    });
  // One object for each source, so that all members share what it was asked.
  const made = new Map<string, FetchSource>();
  const sourceOf = (text: string) => {
    const source = made.get(text) ?? makeSource(text);
    made.set(text, source);
    return source;
  };
  const given = options.sources.map(sourceOf);
  const files = await ToolkitFiles.load(root, given, signal);
  const members = chooseMembers(choice, files);
  const plans = new Map<string, MemberPlan | NetError>();
  for (const member of members) {
    const plan = await planMember(member, files, platform, given, sourceOf);
    // A name that was typed wrong ends the run before anything is fetched.
    if (plan instanceof NetError && plan.code === "usage" && choice.members.includes(member)) {
      throw plan;
    }
    plans.set(member, plan);
  }
  const saved = options.isDry ? [] : await files.save();
  const sum = createSum(options.onBytes);
  const outcomes = await inParallel(members, PARALLEL_MAX, async (member) => {
    const plan = plans.get(member);
    const outcome = plan === undefined || plan instanceof NetError
      ? failed(root, member, platform, plan)
      : choice.isAll && plan.expected.sums.length === 0 && !options.allowUnverified
      ? skipped(root, member, platform)
      : await fetchMember(
        plan,
        {
          ...options,
          sizeMax: options.sizeMax ?? FETCH_SIZE_MAX,
          policy: options.policy ?? RETRY_POLICY,
          onBytes: (length, size) => sum(member, length, size),
        } satisfies FetchMemberOptions,
      );
    options.onOutcome?.(outcome);
    return outcome;
  });
  return { root, platform, outcomes, files: saved };
}

/** The names of all that was chosen, each once, in order. */
function chooseMembers(choice: FetchChoice, files: ToolkitFiles): readonly string[] {
  const { manifest } = files;
  if (manifest === undefined && files.fault !== undefined) {
    if (choice.isAll || choice.compositions.length > 0) throw files.fault;
  }
  const names = choice.members.map((member) => requireMemberName(member, "MEMBER"));
  for (const composition of choice.compositions) {
    const members = manifest?.compositions.get(composition);
    if (members === undefined) {
      throw new NetError(
        "usage",
        `There is no composition ${quote(composition)} in ${files.root}/manifest.lock`,
        { next: `choose one of ${[...manifest?.compositions.keys() ?? []].join(", ") || "none"}` },
      );
    }
    names.push(...members);
  }
  if (choice.isAll) names.push(...manifest?.primals.keys() ?? []);
  if (names.length > 0) return [...new Set(names)];
  throw new NetError(
    "usage",
    choice.isAll || choice.compositions.length > 0
      ? `Nothing to fetch: ${files.root}/manifest.lock names no member`
      : "Nothing to fetch: no member was chosen",
    { next: "name members, or give --composition NAME or --all" },
  );
}

/** What one member takes; an error instead where its files forbid it. */
async function planMember(
  member: string,
  files: ToolkitFiles,
  platform: Platform,
  given: readonly FetchSource[],
  sourceOf: (text: string) => FetchSource,
): Promise<MemberPlan | NetError> {
  try {
    const metadata = await files.metadata(member);
    if (metadata !== undefined && metadata.primal.name !== member) {
      throw new NetError(
        "usage",
        `${member}/metadata.toml: primal.name is ${quote(metadata.primal.name)}, must be ` +
          `"${member}"`,
        { next: "mend the file" },
      );
    }
    const entry = files.sources.get(member);
    const inManifest = files.manifest?.primals.get(member);
    if (
      files.manifest !== undefined && inManifest === undefined && metadata === undefined &&
      entry === undefined && !files.checksums.has(member)
    ) {
      throw new NetError("usage", `${member} is in no file of ${files.root}`, {
        next: `choose one of ${[...files.manifest.primals.keys()].slice(0, 20).join(", ")}`,
      });
    }
    const binary = metadata?.builds.get(platform.key)?.binary ?? entry?.binaryName ??
      inManifest?.binary;
    const binaries = [...new Set([binary ?? member, member, ...entry?.assets ?? []])];
    const expected = expectedOf(member, binaries, platform, {
      metadata,
      checksums: files.checksums,
    });
    const version = metadata?.primal.version ?? inManifest?.version;
    const tag = version === undefined
      ? undefined
      : entry?.tagPattern?.replace("{version}", () => version);
    const own = entry !== undefined && !entry.isPrivate ? [`github:${entry.repo}`] : [];
    const sources = given.length > 0
      ? given
      : [...own, `github:${DISTRIBUTION}`].map((text) => sourceOf(text));
    const { target, sums } = expected;
    const blake3 = sums.find(({ kind }) => kind === "blake3")?.hex;
    return {
      wanted: { member, binaries, platform, target, blake3, tag },
      expected,
      sources,
      fault: files.manifest === undefined ? files.fault : undefined,
    };
  } catch (error) {
    if (error instanceof NetError) return error;
    throw error;
  }
}

function failed(
  root: string,
  member: string,
  platform: Platform,
  error: NetError | undefined,
): MemberOutcome {
  const path = targetPath(root, member, platform);
  return { member, status: "failed", path, verified: [], error };
}

function skipped(root: string, member: string, platform: Platform): MemberOutcome {
  return {
    member,
    status: "skipped",
    path: targetPath(root, member, platform),
    verified: [],
    error: new NetError("not_found", `no checksum for ${platform.key}`, {
      next: `fetch it alone with --allow-unverified if you must`,
    }),
  };
}

/** Adds up what each member tells; the size of all is known once that of each begun one is. */
function createSum(onBytes: FetchMembersOptions["onBytes"]) {
  const begun = new Map<string, { readonly length: number; readonly size: number | undefined }>();
  return (member: string, length: number, size: number | undefined) => {
    begun.set(member, { length, size });
    let lengths = 0;
    let sizes: number | undefined = 0;
    for (const one of begun.values()) {
      lengths += one.length;
      sizes = sizes === undefined || one.size === undefined ? undefined : sizes + one.size;
    }
    onBytes?.(lengths, sizes);
  };
}
