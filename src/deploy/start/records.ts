/**
 * What is known of the members that were started: one small file each, beside their logs.
 *
 * The folder is `$XDG_STATE_HOME/net/members`, and below the temporary folder, private to the user,
 * where the environment names no home. Files are replaced whole. A lock per member keeps two starts
 * of the same member from taking each other for themselves.
 */
import * as v from "../../schema/mod.ts";
import { isMissing, NetError, toNetError } from "../../base/mod.ts";
import { type Environment, memberStateFolder } from "../../config/mod.ts";
import { folderProblem } from "../../control/mod.ts";
import { isMemberName, quote, requireMemberName } from "../names.ts";
import { readTextWithin } from "../toolkit.ts";

/** Longest record. */
const RECORD_BYTES_MAX = 256 * 1024;

/** Members that are listed; more are not started by hand. */
const LISTED_MAX = 1024;

/** A log larger than this is set aside before the next start. */
const LOG_BYTES_MAX = 8 * 1024 * 1024;

/** One member that was started. */
export interface MemberRecord {
  /** Name it is stopped by: the member's, with its family behind it. */
  readonly name: string;
  readonly member: string;
  /** Composition it was started with. */
  readonly composition: string | null;
  readonly pid: number;
  readonly startTicks: string | null;
  readonly bootId: string | null;
  /** RFC 3339 in UTC. */
  readonly startedAt: string;
  readonly endpoints: readonly string[];
  readonly log: string;
  readonly command: readonly string[];
}

const TEXT = v.pipe(v.string(), v.maxLength(8192));
const NULLABLE_TEXT = v.nullable(TEXT);
const RECORD = v.object({
  schema: v.literal("net.member.v1"),
  name: v.pipe(TEXT, v.check(isMemberName)),
  member: v.pipe(TEXT, v.check(isMemberName)),
  composition: NULLABLE_TEXT,
  pid: v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(4_194_304)),
  startTicks: NULLABLE_TEXT,
  bootId: NULLABLE_TEXT,
  startedAt: TEXT,
  endpoints: v.pipe(v.array(TEXT), v.maxLength(64)),
  log: TEXT,
  command: v.pipe(v.array(TEXT), v.maxLength(1024)),
});

/** The record that a file's text is; `undefined` when it is none. */
export function parseMemberRecord(text: string): MemberRecord | undefined {
  const parsed = v.safeParse(RECORD, parseJson(text));
  return parsed.success ? parsed.output : undefined;
}

/** The records of one user. */
export class MemberRecords {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Opens the folder and makes it when it is not there.
   *
   * @throws NetError `failed` when it cannot be made, `not_allowed` when others may change it.
   */
  static async open(env: Environment): Promise<MemberRecords> {
    const own = memberStateFolder(env);
    const folder = own ?? `${env.TMPDIR || "/tmp"}/net-${Deno.uid()}-members`;
    try {
      await Deno.mkdir(folder, { recursive: own !== undefined, mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) {
        throw toNetError(error, `Cannot make folder "${folder}" for records of members`);
      }
    }
    const problem = own === undefined ? folderProblem(folder, Deno.uid()) : undefined;
    if (problem === undefined) return new MemberRecords(folder);
    throw new NetError("not_allowed", `Cannot keep records of members in "${folder}": ${problem}`, {
      next: "set XDG_STATE_HOME or HOME to a folder of your own",
    });
  }

  /** Where a member's output goes. */
  logPath(name: string): string {
    return `${this.folder}/${requireMemberName(name, "member")}.log`;
  }

  /**
   * The record of a member; `undefined` when there is none.
   *
   * @throws NetError `failed` when it cannot be understood.
   */
  async read(name: string): Promise<MemberRecord | undefined> {
    const path = this.#path(name);
    const text = await readTextWithin(path, RECORD_BYTES_MAX);
    if (text === undefined) return undefined;
    const record = parseMemberRecord(text);
    if (record !== undefined) return record;
    throw new NetError("failed", `Cannot read "${path}": it is no record of a member`, {
      next: "remove that file; what it started must be stopped by hand",
    });
  }

  /** Every record that can be understood, by name. */
  async list(): Promise<readonly MemberRecord[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.folder)) {
      if (!name.endsWith(".json") || names.length >= LISTED_MAX) continue;
      const member = name.slice(0, -5);
      if (isMemberName(member)) names.push(member);
    }
    const records: MemberRecord[] = [];
    for (const name of names.sort()) {
      try {
        const record = await this.read(name);
        if (record !== undefined) records.push(record);
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        // One bad file must not hide the others; naming it by `net stop` says what is wrong.
      }
    }
    return records;
  }

  /** Writes a record. */
  async write(record: MemberRecord): Promise<void> {
    const path = this.#path(record.name);
    const temporary = `${path}.${Deno.pid}.tmp`;
    try {
      const text = `${JSON.stringify({ schema: "net.member.v1", ...record })}\n`;
      await Deno.writeTextFile(temporary, text, { mode: 0o600 });
      await Deno.rename(temporary, path);
    } catch (error) {
      throw toNetError(error, `Cannot write "${path}"`);
    }
  }

  /** Removes a record; one that is gone is as good. */
  async remove(name: string): Promise<void> {
    try {
      await Deno.remove(this.#path(name));
    } catch (error) {
      if (!isMissing(error)) throw toNetError(error, `Cannot remove the record of ${quote(name)}`);
    }
  }

  /**
   * Keeps others from starting or stopping the same member until the result is disposed of.
   *
   * @throws NetError `conflict` when somebody else does so now.
   */
  async lock(name: string): Promise<Disposable> {
    const path = `${this.folder}/${requireMemberName(name, "member")}.lock`;
    const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
    try {
      if (await file.tryLock(true)) return { [Symbol.dispose]: () => file.close() };
    } catch (error) {
      file.close();
      throw toNetError(error, `Cannot lock "${path}"`);
    }
    file.close();
    throw new NetError("conflict", `Cannot start or stop ${quote(name)}: somebody does so now`, {
      next: "wait for that and look with net members",
    });
  }

  #path(name: string): string {
    return `${this.folder}/${requireMemberName(name, "member")}.json`;
  }
}

/**
 * Makes a log ready to be appended to, and sets one aside that has grown large.
 *
 * @returns Its length so far.
 * @throws NetError `failed` when it cannot be written.
 */
export async function prepareLog(path: string): Promise<number> {
  try {
    const folder = path.slice(0, path.lastIndexOf("/")) || "/";
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const size = await sizeOf(path);
    if (size <= LOG_BYTES_MAX) return size;
    await Deno.rename(path, `${path}.1`);
    return await sizeOf(path);
  } catch (error) {
    throw toNetError(error, `Cannot write log "${path}"`);
  }
}

async function sizeOf(path: string): Promise<number> {
  using file = await Deno.open(path, { create: true, append: true, mode: 0o600 });
  return (await file.stat()).size;
}

/** Bytes at the end of a log that its last lines are looked for in. */
const TAIL_BYTES = 64 * 1024;

/** Longest line that is shown. */
const LINE_LENGTH_MAX = 500;

/**
 * The last lines of a log behind `offset`, made safe for a terminal.
 */
export async function tailLog(
  path: string,
  offset: number,
  linesMax: number,
): Promise<readonly string[]> {
  try {
    using file = await Deno.open(path);
    const { size } = await file.stat();
    const start = Math.max(offset, size - TAIL_BYTES);
    await file.seek(start, Deno.SeekMode.Start);
    const bytes = new Uint8Array(Math.max(0, Math.min(TAIL_BYTES, size - start)));
    let length = 0;
    while (length < bytes.length) {
      const count = await file.read(bytes.subarray(length));
      if (count === null) break;
      length += count;
    }
    const lines = new TextDecoder().decode(bytes.subarray(0, length)).split("\n");
    return lines.filter((line) => line.trim() !== "").slice(-linesMax).map(cleanLine);
  } catch {
    return []; // A log that is gone has no last lines.
  }
}

/** One line of a stranger: without colours and without anything that steers a terminal. */
export function cleanLine(line: string): string {
  // deno-lint-ignore no-control-regex -- escape sequences are what is looked for
  const plain = line.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r$/, "");
  const short = plain.length > LINE_LENGTH_MAX ? `${plain.slice(0, LINE_LENGTH_MAX)}…` : plain;
  return short.replaceAll("\t", "  ").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
