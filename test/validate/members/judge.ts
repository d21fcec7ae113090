/** Validates the members of the kit under every rule set and compares text and document. */
import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import {
  HEALTH_METHODS,
  ipcExitCode,
  type IpcReport,
  ipcReportDocument,
  renderIpcReport,
  RULE_SETS,
  validateIpc,
} from "../../../src/validate/mod.ts";
import type { MemberCase, MethodExpected, VerdictExpected } from "./case.ts";
import { startMember, type Transport } from "./member.ts";

/** Runs at a time; most of their time they wait. */
const PARALLEL = 16;

/** Whole run of a member that never waits, on a loaded machine. */
const DEADLINE_MS = 30_000;

/** Of a member that uses up its time. */
const SLOW_DEADLINE_MS = 6000;

/** Reply time of a member that never waits. */
const REPLY_TIMEOUT_MS = 15_000;

/** What is to be run. */
interface Task {
  readonly member: MemberCase;
  readonly transport: Transport;
  readonly rules: typeof RULE_SETS[number];
}

/** A run: what was asked for and what came of it. */
interface Run {
  readonly rules: typeof RULE_SETS[number];
  readonly transport: Transport;
  readonly endpoint: string;
  readonly report: IpcReport;
  readonly tookMs: number;
}

/** One test for a group of cases, with a step for each; the waiting is done together. */
export function testMembers(group: string, cases: readonly MemberCase[]): void {
  Deno.test(`V22: members that get a verdict, in text and JSON: ${group}`, async (t) => {
    const tasks = cases.flatMap((member) =>
      (member.transports ?? ["unix", "tcp"] as const).flatMap((transport) =>
        RULE_SETS.map((rules) => ({ member, transport, rules }))
      )
    );
    const runs = await inParallel(tasks, run);
    for (const member of cases) {
      await t.step(member.name, () => {
        for (const [index, task] of tasks.entries()) {
          const found = runs[index];
          if (task.member === member && found !== undefined) assertRun(found, member);
        }
      });
    }
  });
}

/** Each run meets a fresh member, because some of them wear out. */
async function run({ member, transport, rules }: Task): Promise<Run> {
  await using running = await startMember(member.behaviour, transport);
  const startMs = performance.now();
  const report = await validateIpc(running.endpoint, {
    rules,
    connectTimeoutMs: REPLY_TIMEOUT_MS,
    replyTimeoutMs: member.replyTimeoutMs ?? REPLY_TIMEOUT_MS,
    deadlineMs: member.replyTimeoutMs === undefined ? DEADLINE_MS : SLOW_DEADLINE_MS,
  });
  const tookMs = performance.now() - startMs;
  return { rules, transport, endpoint: running.endpoint, report, tookMs };
}

function assertRun(run: Run, member: MemberCase): void {
  const { rules, transport, report, tookMs } = run;
  const expected = member[rules];
  const where = `${member.name}, ${rules}, ${transport}:\n${
    renderIpcReport(report, { useColor: false })
  }`;
  const methods = methodsOf(expected);
  const isCompliant = expected.isCompliant ??
    (methods.every(isPassing) && (expected.failedChecks ?? []).length === 0);
  if (rules === "strict") {
    const failed = (report.checks ?? []).filter(({ passed }) => !passed).map(({ name }) => name);
    deepStrictEqual(failed, expected.failedChecks ?? [], where);
    if (report.capabilities !== undefined) {
      equal(report.capabilities.level, expected.level ?? 2, where);
    }
  }
  equal(ipcExitCode(report), isCompliant ? 0 : 1, where);
  ok(tookMs < (member.replyTimeoutMs === undefined ? DEADLINE_MS : SLOW_DEADLINE_MS) + 2000, where);
  assertText(run, methods, isCompliant, where);
  assertDocument(run, methods, isCompliant, expected, where);
}

/** The exact lines of the methods, the result, and nothing that could steer a terminal. */
function assertText(
  { report, endpoint, rules }: Run,
  methods: readonly MethodExpected[],
  isCompliant: boolean,
  where: string,
): void {
  const text = renderIpcReport(report, { useColor: false });
  const lines = text.split("\n").map((line) => withoutTimes(line));
  const wanted = [
    `IPC Compliance Report: ${endpoint.startsWith("/") ? "unix:" : ""}${endpoint}`,
    "━".repeat(54),
  ];
  for (const [index, method] of HEALTH_METHODS.entries()) {
    const { error, outcome, warnings = [] } = methods[index] ?? {};
    const isPassed = isPassing(methods[index] ?? {});
    wanted.push(`  ${isPassed ? "✓" : "✗"} ${method} (N ms)`.replace("N ms", "Nms"));
    if (error !== undefined) {
      wanted.push(withoutTimes(`    → ${error}${rules === "reference" ? "" : ` [${outcome}]`}`));
    }
    for (const warning of warnings) wanted.push(`    ! ${warning}`);
  }
  deepStrictEqual(lines.slice(0, wanted.length), wanted, where);
  const result = isCompliant ? "COMPLIANT" : "NON-COMPLIANT";
  deepStrictEqual(lines.slice(-3), ["", `Result: ${result}`, ""], where);
  equal(/[^\P{C}\n]/u.test(text), false, where);
}

/** The keys of `validation.md` 5.4 and their values. */
function assertDocument(
  { report, rules, transport }: Run,
  methods: readonly MethodExpected[],
  isCompliant: boolean,
  expected: VerdictExpected,
  where: string,
): void {
  const document = JSON.parse(JSON.stringify(ipcReportDocument(report)));
  equal(document.schema, "net.validate.ipc.v1", where);
  equal(document.profile, rules, where);
  equal(document.transport, transport === "unix" ? "uds" : transport, where);
  equal(document.compliant, isCompliant, where);
  const isHealthy = expected.isHealthy ?? methods.every(isPassing);
  equal(document.healthy, isHealthy, where);
  match(document.started_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  ok(Number.isInteger(document.duration_ms), where);
  const results = document.results.map((
    { response_ms, error, warnings, missing, ...others }: Readonly<Record<string, unknown>>,
  ) => {
    ok(Number.isInteger(response_ms), where);
    return {
      ...others,
      error: error === null ? null : withoutTimes(String(error)),
      warnings,
      missing,
    };
  });
  const wanted = HEALTH_METHODS.map((method, index) => {
    const { outcome, error, code, warnings, missing } = methods[index] ?? {};
    return {
      method,
      passed: isPassing(methods[index] ?? {}),
      outcome: outcome ?? "ok",
      code: code ?? null,
      error: error === undefined ? null : withoutTimes(error),
      warnings: warnings ?? [],
      missing: missing ?? [],
    };
  });
  deepStrictEqual(results, wanted, where);
}

function methodsOf({ methods }: VerdictExpected): readonly MethodExpected[] {
  return "length" in methods ? methods : HEALTH_METHODS.map(() => methods);
}

function isPassing({ passed, error }: MethodExpected): boolean {
  return passed ?? error === undefined;
}

function withoutTimes(text: string): string {
  return text.replace(/\(\d+ms\)/g, "(Nms)").replace(/\b\d+ ms\b/g, "N ms");
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const workers = Array.from({ length: PARALLEL }, async () => {
    while (next < items.length) {
      const index = next++;
      const item = items[index];
      if (item !== undefined) results[index] = await work(item);
    }
  });
  await Promise.all(workers);
  return results;
}
