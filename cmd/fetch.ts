/** `net fetch MEMBER…`: executables of members into a toolkit, verified (`validation.md` 7.2). */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import type { FetchedMember, FetchVerdict } from "./doors.ts";
import { blobOpener } from "./fetch_mesh.ts";
import {
  bareRecord,
  durationFlag,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { formatBytes, formatCounted, formatTable, textOf } from "./format.ts";
import { createProgress } from "./progress.ts";
import { runVerb } from "./verb.ts";

interface FetchFlags extends SharedFlags {
  readonly primal?: readonly string[];
  readonly composition?: readonly string[];
  readonly all?: boolean;
  readonly toolkit?: string;
  readonly source?: readonly string[];
  readonly tag?: string;
  readonly arch?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly allowUnverified?: boolean;
  readonly maxSize?: string;
  readonly stall?: string;
}

/** The verb. */
export const fetchCommand = buildCommand<FetchFlags, string[], NetContext>({
  docs: {
    brief: "Bring executables of members into a toolkit, verified",
    fullDescription:
      "Brings executables of members into a toolkit, each verified by its checksums " +
      "before it gets its name. An interrupted fetch goes on where it stopped; what is there and " +
      "right is left alone, without network. The exit code is 1 when a member failed.\n\n" +
      "SOURCE is a folder or an address that looks like a toolkit, github:OWNER/NAME for the " +
      "releases of a repository, or mesh for what the running node and its peers have. Without " +
      "one, those of sources.toml count.\n\n" +
      "EXAMPLES\n  net fetch beardog songbird\n  net fetch --composition tower --dry-run\n" +
      "  net fetch --all --source /media/stick/toolkit\n" +
      "  net fetch net --source github:OWNER/NAME --tag v1.2.3\n" +
      "  net fetch beardog --source mesh",
  },
  parameters: {
    flags: bareRecord({
      primal: listFlag("NAME", "A member, as MEMBER; may be repeated"),
      composition: listFlag("NAME", "All members of a composition; may be repeated"),
      all: switchFlag("All members of the manifest that have a checksum"),
      toolkit: textFlag("DIR", "Folder of the toolkit; default: NET_TOOLKIT, or this folder"),
      source: listFlag(
        "DIR|URL|github:OWNER/NAME|mesh",
        "Where from; may be repeated, tried in order",
      ),
      tag: textFlag("TAG", "Release of a repository; default: the newest that has the file"),
      arch: textFlag("ARCH", "Machine, such as aarch64; default: this one"),
      force: switchFlag("Fetch also what is there and right"),
      dryRun: switchFlag("Say what would be fetched, change nothing"),
      allowUnverified: switchFlag("Take executables that have no checksum"),
      maxSize: textFlag("SIZE", "Largest executable, such as 200MiB; default: 1GiB"),
      stall: textFlag("DURATION", "Longest time without a byte; default: 30s"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "array",
      parameter: { parse: String, placeholder: "MEMBER", brief: "Member to fetch" },
    },
  },
  async func(flags, ...members) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const { io } = this;
      const isQuiet = output.isQuiet || (output.isJson && !io.isStderrTerminal);
      const progress = createProgress(io, { label: "fetch", isQuiet });
      try {
        const verdict = await this.doors.fetchMembers({
          members: [...members, ...flags.primal ?? []],
          compositions: flags.composition ?? [],
          isAll: flags.all ?? false,
          toolkit: flags.toolkit,
          sources: flags.source ?? [],
          tag: flags.tag,
          arch: flags.arch,
          isForced: flags.force ?? false,
          isDry: flags.dryRun ?? false,
          allowUnverified: flags.allowUnverified ?? false,
          sizeMax: sizeFlag("--max-size", flags.maxSize),
          stallMs: durationFlag("--stall", flags.stall),
          env: io.env,
          cwd: io.cwd,
          signal,
          onBytes: (length, size) => progress.update(length, size),
          openBlob: blobOpener(this, flags),
        });
        progress.end();
        const counts = countStatuses(verdict.members);
        output.result("fetch", { ...verdict, ...counts }, () => renderFetch(verdict));
        for (const { member, error, status } of verdict.members) {
          if (status !== "failed" || output.isJson) continue;
          const next = error?.next === null ? "" : `\n  next: ${textOf(error?.next)}`;
          output.warn(`${member}: ${textOf(error?.message)}${next}`);
        }
        return counts.failed > 0 ? 1 : 0;
      } finally {
        progress.end();
      }
    });
  },
});

const STATUSES = ["fetched", "present", "planned", "skipped", "failed"] as const;

function countStatuses(members: readonly FetchedMember[]) {
  const counts = { fetched: 0, present: 0, planned: 0, skipped: 0, failed: 0 };
  for (const { status } of members) counts[status] += 1;
  return counts;
}

/** One line for each member, one for all. */
function renderFetch(verdict: FetchVerdict): string {
  const rows = verdict.members.map((one) => [
    one.member,
    one.status,
    one.bytes === null ? "" : formatBytes(one.bytes),
    checksumText(one),
    textOf(one.status === "failed" || one.status === "skipped" ? one.error?.message : one.source) ||
    one.path,
  ]);
  const counts = countStatuses(verdict.members);
  const summary = STATUSES.filter((status) => counts[status] > 0)
    .map((status) => `${counts[status]} ${status}`).join(", ");
  const files = verdict.files.length === 0
    ? ""
    : `\nnew in the toolkit: ${formatCounted(verdict.files.length, "file")}: ${
      verdict.files.join(", ")
    }`;
  return `${formatTable([["MEMBER", "STATUS", "SIZE", "CHECKSUM", "FROM"], ...rows])}\n` +
    `${summary}; ${verdict.arch} into ${verdict.toolkit}${files}`;
}

function checksumText({ status, verified }: FetchedMember): string {
  if (status === "failed" || status === "skipped") return "";
  return verified.length === 0 ? "none" : verified.join("+");
}

function sizeFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^([0-9]{1,9})(B|K|KiB|M|MiB|G|GiB)?$/i.exec(text);
  const units: Readonly<Record<string, number>> = {
    b: 1,
    k: 2 ** 10,
    kib: 2 ** 10,
    m: 2 ** 20,
    mib: 2 ** 20,
    g: 2 ** 30,
    gib: 2 ** 30,
  };
  const bytes = Number(match?.[1] ?? 0) * (units[(match?.[2] ?? "b").toLowerCase()] ?? 1);
  if (bytes > 0 && bytes <= 2 ** 40) return bytes;
  throw new NetError("usage", `Cannot use ${name}: value is "${text}", must be 1B to 1024GiB`, {
    next: `write for example ${name} 200MiB`,
  });
}
