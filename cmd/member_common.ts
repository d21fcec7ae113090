/** What the verbs that start, stop and list members share. */
import { NetError } from "../src/base/mod.ts";
import { absolutePath, parseHost, parsePort, PROGRAM_NAME } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { listOf, textOf } from "./format.ts";
import { type Output, redactSecrets } from "./output.ts";

/** The part of the program that deploys members, loaded when it is first used. */
export function deployModule(): Promise<typeof import("../src/deploy/mod.ts")> {
  return import("../src/deploy/mod.ts");
}

/** Folder of the toolkit, or `undefined` when neither flag nor environment nor home says where. */
export async function toolkitFolder(
  { io }: NetContext,
  flag: string | undefined,
): Promise<string | undefined> {
  const { findToolkit } = await deployModule();
  try {
    return await findToolkit({ flag, env: io.env, cwd: io.cwd });
  } catch (error) {
    // Without any home there is no toolkit, and nothing but names and our own program is needed.
    if (flag === undefined && error instanceof NetError) return undefined;
    throw error;
  }
}

/** A path behind a flag, made absolute. */
export function pathFlag({ io }: NetContext, path: string | undefined): string | undefined {
  return path === undefined ? undefined : absolutePath(path, io.cwd);
}

/**
 * Port behind a flag: a number from 1, 0 for one that is free now, or `default`.
 *
 * @throws NetError `usage` when it is none of these.
 */
export function memberPort(text: string | undefined): number | "default" | undefined {
  if (text === undefined || text === "default") return text;
  const port = parsePort(text);
  if (port === 0) return freePort();
  if (port !== undefined) return port;
  throw new NetError(
    "usage",
    `Cannot use --port: value is "${text.slice(0, 64)}", must be a port`,
    {
      next:
        "give a number up to 65535, 0 for one that is free, or default for the member's usual one",
    },
  );
}

/**
 * Address behind a flag.
 *
 * @throws NetError `usage` when it is none.
 */
export function memberBind(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const host = parseHost(text);
  if (host !== undefined) return host;
  throw new NetError(
    "usage",
    `Cannot use --bind: value is "${text.slice(0, 64)}", must be an address`,
    { next: "write for example --bind 127.0.0.1" },
  );
}

/** Completes the names of members that were started here. */
export async function proposeStarted(
  this: NetContext,
  partial: string,
): Promise<readonly string[]> {
  try {
    const { MemberRecords } = await deployModule();
    const records = await (await MemberRecords.open(this.io.env)).list();
    return records.map(({ name }) => name).filter((name) => name.startsWith(partial));
  } catch {
    // Whoever presses Tab wants proposals or nothing.
    return [];
  }
}

/** Completes the names of a toolkit's members, and of our own program. */
export async function proposeMembers(
  this: NetContext,
  partial: string,
): Promise<readonly string[]> {
  const names = new Set([PROGRAM_NAME]);
  try {
    const { readManifest } = await deployModule();
    const toolkit = await toolkitFolder(this, undefined);
    const manifest = toolkit === undefined ? undefined : await readManifest(toolkit);
    for (const name of manifest?.primals.keys() ?? []) names.add(name);
  } catch {
    // A toolkit that cannot be read has no names to propose.
  }
  return [...names].filter((name) => name.startsWith(partial));
}

/** Completes the names of compositions. */
export async function proposeCompositions(
  this: NetContext,
  partial: string,
): Promise<readonly string[]> {
  const { BUILTIN_COMPOSITIONS, readManifest } = await deployModule();
  const names = new Set(BUILTIN_COMPOSITIONS.keys());
  try {
    const toolkit = await toolkitFolder(this, undefined);
    const manifest = toolkit === undefined ? undefined : await readManifest(toolkit);
    for (const name of manifest?.compositions.keys() ?? []) names.add(name);
  } catch {
    // The built-in ones are there in any case.
  }
  return [...names].filter((name) => name.startsWith(partial));
}

/** Tells once that lines of a toolkit's ports.env were ignored. */
export function warnOfPorts(output: Output, warnings: readonly string[]): void {
  const [first, ...others] = warnings;
  if (first === undefined) return;
  output.warn(others.length === 0 ? first : `${first} (and ${others.length} more warnings)`);
}

/** Prints the end of a member's log when an error carries it. */
export function showTail(context: NetContext, output: Output, error: unknown): void {
  if (!(error instanceof NetError) || output.isJson) return;
  const lines = listOf(error.data?.tail).map((line) => textOf(line));
  if (lines.length > 0) context.io.writeErr(`${redactSecrets(lines.join("\n"))}\n`);
}

/** A port nobody uses at this moment; the member takes it a moment later. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
