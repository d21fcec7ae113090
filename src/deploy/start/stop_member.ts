/** `net stop` and `net members`: ends what `net start` started, and tells what became of it. */
import { NetError } from "../../base/mod.ts";
import { PROGRAM_NAME } from "../../config/mod.ts";
import { askLiveness } from "../liveness.ts";
import { parseAddress } from "../member_address.ts";
import { quote } from "../names.ts";
import { isRunning, stopProcess } from "./process.ts";
import type { MemberRecord, MemberRecords } from "./records.ts";
import { markOf } from "./start_member.ts";

/** Time between SIGTERM and SIGKILL; a node of ours may take 15 s, of which it drains for 5. */
export const STOP_WAIT_MS = 20_000;

/** Time a member has to answer when it is listed. */
const ANSWER_MS = 1000;

/** How a member ended. */
export interface StoppedMember {
  readonly name: string;
  readonly pid: number;
  /** `gone`: it did not run any more. */
  readonly status: "stopped" | "killed" | "gone";
}

/** Options of {@linkcode stopMember}. */
export interface StopMemberOptions {
  /** Milliseconds between SIGTERM and SIGKILL: 10,000 when left out. */
  readonly waitMs?: number;
}

/**
 * Stops a member that was started here, with everything it started.
 *
 * @throws NetError `not_found` when no such member was started, `conflict` when somebody starts or
 * stops it now.
 */
export async function stopMember(
  records: MemberRecords,
  name: string,
  { waitMs = STOP_WAIT_MS }: StopMemberOptions = {},
): Promise<StoppedMember> {
  using _lock = await records.lock(name);
  const record = await records.read(name);
  if (record === undefined) {
    throw new NetError("not_found", `Cannot stop ${quote(name)}: net start did not start it`, {
      next: name === PROGRAM_NAME
        ? "stop a node that was started otherwise with net node stop"
        : "net members lists what was started",
    });
  }
  const status = await stopProcess(markOf(record), { waitMs });
  await records.remove(name);
  return { name, pid: record.pid, status };
}

/** Members of a composition that were started, the last one first. */
export async function startedWith(
  records: MemberRecords,
  composition: string,
): Promise<readonly MemberRecord[]> {
  const started = (await records.list()).filter((record) => record.composition === composition);
  return started.sort((a, b) => a.startedAt < b.startedAt ? 1 : -1);
}

/** A record with what its process does now. */
export interface ListedMember {
  readonly record: MemberRecord;
  /** `silent`: it runs but does not answer at any of its endpoints. */
  readonly state: "live" | "silent" | "gone";
}

/** Every member that was started. */
export async function listMembers(
  records: MemberRecords,
  signal?: AbortSignal,
): Promise<readonly ListedMember[]> {
  const listed: ListedMember[] = [];
  for (const record of await records.list()) {
    const isThere = isRunning(markOf(record));
    const state = !isThere ? "gone" : await isAnswering(record, signal) ? "live" : "silent";
    listed.push({ record, state });
  }
  return listed;
}

async function isAnswering(record: MemberRecord, signal: AbortSignal | undefined) {
  for (const text of record.endpoints) {
    const address = parseAddress(text);
    if (address === undefined) continue;
    const { state } = await askLiveness(address, { timeoutMs: ANSWER_MS, signal });
    if (state === "live") return true;
  }
  return false;
}
