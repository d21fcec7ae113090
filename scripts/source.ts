/** What a build is made from: the commit of this folder. */

/** Where a build comes from. */
export interface Source {
  /** Commit; `unknown` outside a repository. */
  readonly builtFrom: string;
  /** RFC 3339, UTC. */
  readonly builtAt: string;
}

/**
 * The commit and its time, so that the same commit says the same; now where there is no repository.
 * `SOURCE_DATE_EPOCH` is another time.
 */
export async function readSource(): Promise<Source> {
  const run = async (...args: string[]) => {
    try {
      const { code, stdout } = await new Deno.Command("git", { args, stderr: "null" }).output();
      return code === 0 ? new TextDecoder().decode(stdout).trim() : undefined;
    } catch {
      return undefined;
    }
  };
  const epoch = Number(
    Deno.env.get("SOURCE_DATE_EPOCH") ?? await run("log", "-1", "--format=%ct") ??
      Date.now() / 1000,
  );
  return {
    builtFrom: await run("rev-parse", "HEAD") ?? "unknown",
    builtAt: new Date(Math.floor(epoch) * 1000).toISOString().replace(".000Z", "Z"),
  };
}
