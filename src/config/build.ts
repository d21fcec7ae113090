/**
 * Where this build came from. `scripts/bundle.ts` writes it into the bundle; a program that runs from its source
 * says so.
 */

/** Where a build came from. */
export interface Build {
  /** Commit of the source, `source` when nothing was built, `unknown` when built outside a repository. */
  readonly buildHash: string;
  /** RFC 3339 time of the commit, so that the same source says the same; `unknown` without one. */
  readonly compiledAt: string;
}

/** What stands here until it is built: `COMMIT TIME` afterwards. */
const EMBEDDED = "@net-build@";

/** The build that is running. */
export const PROGRAM_BUILD: Build = readBuild(EMBEDDED);

/** Reads what a bundle holds. */
export function readBuild(text: string): Build {
  const [buildHash = "unknown", compiledAt = "unknown"] = text.split(" ");
  return text.startsWith("@") ? { buildHash: "source", compiledAt: "unknown" } : {
    buildHash,
    compiledAt,
  };
}
