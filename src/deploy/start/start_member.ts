/**
 * `net start MEMBER`: starts one member in the background and waits until it answers
 * (`validation.md` 7.3).
 *
 * A member that does not answer in time is stopped with everything it started, and the end of its log
 * says why.
 */
import { NetError, pause } from "../../base/mod.ts";
import type { Environment } from "../../config/mod.ts";
import { askLiveness } from "../liveness.ts";
import { addressText, type MemberAddress } from "../member_address.ts";
import { quote } from "../names.ts";
import { memberEnvironment } from "./member_env.ts";
import { preparePlaces, type WatchedPlaces } from "./places.ts";
import { planStart, type StartProgram, type StartWishes } from "./plan.ts";
import {
  isRunning,
  markProcess,
  type ProcessMark,
  type StartedProcess,
  startProcess,
  stopProcess,
} from "./process.ts";
import { instanceName } from "./program.ts";
import { type MemberRecord, type MemberRecords, prepareLog, tailLog } from "./records.ts";

/** Time a member has until it answers (`validation.md` 4). */
export const START_WAIT_MS = 2000;

/** Pause between two questions. */
const POLL_MS = 50;

/** Longest wait for one answer; the others are asked in the meantime. */
const ANSWER_MS = 500;

/** Time a member that failed to start has to end by itself. */
const GIVE_UP_MS = 1000;

/** Log lines shown when a member does not come up. */
const TAIL_LINES = 20;

/** Options of {@linkcode startMember}. */
export interface StartMemberOptions {
  readonly program: StartProgram;
  readonly wishes: StartWishes;
  readonly records: MemberRecords;
  /** The caller's environment, which the member gets too, but for our own secrets. */
  readonly env: Environment;
  /** Variables for the member that must not be shown. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Name to be stopped by; member and family when left out. */
  readonly name?: string;
  /** Composition the member is started with. */
  readonly composition?: string;
  /** Absolute path; in the folder of records when left out. */
  readonly logPath?: string;
  /** Milliseconds until it must answer: 2,000 when left out. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/** A member that is up. */
export interface StartedMember {
  readonly record: MemberRecord;
  readonly endpoints: readonly MemberAddress[];
  /** Milliseconds from the start to the answer. */
  readonly livenessMs: number;
}

/**
 * Starts a member.
 *
 * @throws NetError `already_running`, `address_in_use`, `usage`; `failed` with `data.log` and
 * `data.tail` when it does not come up; the signal's reason when it aborts. Whatever is thrown,
 * nothing that was started is left.
 */
export async function startMember(options: StartMemberOptions): Promise<StartedMember> {
  const { program, wishes, records, signal } = options;
  signal?.throwIfAborted();
  const { member } = program;
  const name = options.name ?? instanceName(member, wishes.family);
  const plan = planStart(program, wishes);
  using _lock = await records.lock(name);
  await refuseRunning(records, name);
  const env = memberEnvironment(member, options.env, { ...plan.env, ...options.secrets });
  const places = await preparePlaces({
    member,
    plan,
    socket: wishes.socket,
    family: wishes.family,
    env,
    signal,
  });
  const logPath = options.logPath ?? records.logPath(name);
  const logStart = await prepareLog(logPath);
  const startMs = performance.now();
  const child = await startProcess({ command: plan.command, env, logPath });
  const mark = markProcess(child.pid);
  const startedAt = new Date().toISOString();
  const recordWith = (endpoints: readonly MemberAddress[]): MemberRecord => ({
    name,
    member,
    composition: options.composition ?? null,
    pid: mark.pid,
    startTicks: mark.startTicks ?? null,
    bootId: mark.bootId ?? null,
    startedAt,
    endpoints: endpoints.map(addressText),
    log: logPath,
    command: plan.command,
  });
  let isUp = false;
  try {
    // Already now: when this program is killed while it waits, the member can be stopped by its name.
    await records.write(recordWith([]));
    const waitMs = options.waitMs ?? START_WAIT_MS;
    const live = await untilLive(child, places, { waitMs, signal });
    if ("reason" in live) {
      throw notLive(member, live.reason, logPath, await tailLog(logPath, logStart, TAIL_LINES));
    }
    const { tcp } = plan;
    const unasked = tcp === undefined || plan.isTcpProbed ? [] : [tcp];
    const endpoints = [...live.endpoints, ...unasked];
    const record = recordWith(endpoints);
    await records.write(record);
    isUp = true;
    return { record, endpoints, livenessMs: performance.now() - startMs };
  } finally {
    if (!isUp) {
      await stopProcess(mark, { waitMs: GIVE_UP_MS, isOwnChild: true });
      await records.remove(name);
    }
    child.forget();
  }
}

/** What a record says of its process. */
export function markOf(record: MemberRecord): ProcessMark {
  return {
    pid: record.pid,
    startTicks: record.startTicks ?? undefined,
    bootId: record.bootId ?? undefined,
  };
}

async function refuseRunning(records: MemberRecords, name: string): Promise<void> {
  const record = await records.read(name);
  if (record === undefined || !isRunning(markOf(record))) return;
  throw new NetError(
    "already_running",
    `Cannot start ${quote(name)}: it runs already as process ${record.pid}`,
    { next: `net stop ${name}`, data: { pid: record.pid, endpoints: record.endpoints } },
  );
}

type Live = { readonly endpoints: readonly MemberAddress[] } | { readonly reason: string };

/** Asks every place again and again until those that must have answered. */
async function untilLive(
  child: StartedProcess,
  { required, candidates }: WatchedPlaces,
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal | undefined },
): Promise<Live> {
  const endMs = performance.now() + waitMs;
  const live = new Set<MemberAddress>();
  const places = [...required, ...candidates];
  const reasons = new Map<MemberAddress, string>();
  for (;;) {
    const leftMs = Math.max(1, endMs - performance.now());
    const timeoutMs = Math.min(ANSWER_MS, leftMs);
    await Promise.all(
      places.filter((place) => !live.has(place)).map(async (place) => {
        const { state } = await askLiveness(place, { timeoutMs, signal });
        if (state === "live") live.add(place);
      }),
    );
    const ended = child.ended();
    if (ended !== undefined) {
      const how = ended.signal === undefined
        ? `with exit code ${ended.code}`
        : `by ${ended.signal}`;
      return { reason: `it ended ${how}` };
    }
    const isUp = required.every((place) => live.has(place)) && live.size > 0;
    if (isUp) return { endpoints: distinct(places.filter((place) => live.has(place))) };
    if (performance.now() >= endMs) {
      const missing = required.find((place) => !live.has(place));
      const where = missing === undefined ? "any socket" : addressText(missing);
      const said = (missing === undefined ? [...reasons.values()] : [reasons.get(missing)])
        .filter((text) => text !== undefined).map((text) => `; ${text}`).join("");
      return { reason: `no healthy answer at ${where} within ${waitMs} ms${said}` };
    }
    await pause(Math.min(POLL_MS, leftMs), signal);
  }
}

/** Without links that lead to a socket that is listed already. */
function distinct(addresses: readonly MemberAddress[]): readonly MemberAddress[] {
  const seen = new Set<string>();
  return addresses.filter((address) => {
    if (address.kind !== "unix") return true;
    const path = realPath(address.path);
    if (seen.has(path)) return false;
    seen.add(path);
    return true;
  });
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path; // It went away in this moment; listing it does no harm.
  }
}

function notLive(
  member: string,
  reason: string,
  log: string,
  tail: readonly string[],
): NetError {
  return new NetError("failed", `Cannot start ${quote(member)}: ${reason}`, {
    next: `read ${log}`,
    data: { log, tail },
  });
}
