/** `sources.toml`: the repository that each member comes from (`validation.md` 7.2). */
import { parseToml } from "../config/mod.ts";
import {
  flagAt,
  given,
  requiredTextAt,
  type Table,
  tableAt,
  tablesIn,
  textAt,
  textsAt,
} from "./_tables.ts";
import { isFileName, isMemberName } from "./names.ts";

/** Where one member comes from. */
export interface SourceEntry {
  /** `OWNER/NAME` on GitHub. */
  readonly repo: string;
  /** Name of a release's tag, with `{version}` in it. */
  readonly tagPattern?: string;
  /** Name of the executable when it is not the member's. */
  readonly binaryName?: string;
  /** Names of its assets in a release. */
  readonly assets?: readonly string[];
  /** True when strangers cannot read the repository. */
  readonly isPrivate?: boolean;
}

const ENTRIES_MAX = 512;
/** Each is one more name to look for, in a dozen places. */
const ASSETS_MAX = 16;
const REPO = /^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/[A-Za-z0-9_.-]{1,100}$/;

/** True for `OWNER/NAME` as GitHub has them. */
export function isRepoName(text: string): boolean {
  return REPO.test(text) && !/\/\.{1,2}$/.test(text);
}

/** True for the name of a tag that may stand in an address: no space, no `..`, at most 128 long. */
export function isTagName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.+/-]{0,127}$/.test(text) && !/\.\.|\/\/|\/$/.test(text);
}

/**
 * Reads a `sources.toml`: entries by member.
 *
 * @throws NetError `usage` naming `table.key`, or line and column of what is no TOML.
 */
export function parseSources(text: string, name: string): ReadonlyMap<string, SourceEntry> {
  const top: Table = { file: name, path: "", values: parseToml(text, name) };
  const entries = new Map<string, SourceEntry>();
  for (const [member, table] of tablesIn(tableAt(top, "sources"), ENTRIES_MAX, isMemberName)) {
    entries.set(member, {
      repo: requiredTextAt(table, "repo", {
        lengthMax: 160,
        test: isRepoName,
        must: "OWNER/NAME",
      }),
      ...given({
        tagPattern: textAt(table, "tag_pattern", {
          lengthMax: 128,
          test: (value) => isTagName(value.replace("{version}", "1.0.0")),
          must: "the name of a tag, such as v{version}",
        }),
        binaryName: textAt(table, "binary_name", {
          lengthMax: 128,
          test: isFileName,
          must: "the name of one file, without folder",
        }),
        assets: textsAt(table, "assets", ASSETS_MAX, {
          lengthMax: 128,
          test: isFileName,
          must: "the name of one file, without folder",
        }),
        isPrivate: flagAt(table, "private"),
      }),
    });
  }
  return entries;
}
