/** Probes the three health methods, each on a fresh connection (`validation.md` 5.2). */
import type { Budget } from "./budget.ts";
import { askLine, connectWithin, type ProbeTarget, requestLine } from "./probe.ts";
import { isLinkFailure, type LinkFailure } from "./probe_link.ts";
import { judgeByReference, judgeFailureByReference } from "./reference_rules.ts";
import type { IpcMethodResult } from "./report.ts";
import {
  failedVerdict,
  HEALTH_METHODS,
  type HealthMethod,
  judgeFailure,
  judgeReply,
  type MethodVerdict,
  type RuleSet,
} from "./verdict.ts";

/**
 * Probes the methods in order.
 *
 * @param laterSteps Steps of the run that come after these and need a share of the time too.
 */
export async function probeHealth(
  target: ProbeTarget,
  budget: Budget,
  rules: RuleSet,
  laterSteps: number,
): Promise<readonly IpcMethodResult[]> {
  const results: IpcMethodResult[] = [];
  for (const [index, method] of HEALTH_METHODS.entries()) {
    const parts = HEALTH_METHODS.length - index + laterSteps;
    // The reference gives every method its full limits, so only the whole run's end binds.
    const share = rules === "reference" ? budget : budget.share(parts);
    const startMs = budget.elapsedMs;
    const verdict = await probeMethod(target, share, method, rules);
    results.push({ ...verdict, method, responseMs: Math.floor(budget.elapsedMs - startMs) });
  }
  return results;
}

/** True when the member said anything at all, so that it is worth asking more. */
export function isAnswering(results: readonly IpcMethodResult[]): boolean {
  return results.some(({ outcome }) => !SILENT_OUTCOMES.has(outcome));
}

const SILENT_OUTCOMES: ReadonlySet<string> = new Set(
  [
    "connect_failed",
    "not_a_socket",
    "connect_timeout",
    "response_timeout",
    "closed",
    "http_framing",
    "btsp_required",
  ] satisfies readonly IpcMethodResult["outcome"][],
);

/**
 * All methods must give the same name, and the expected one if there is one; different versions are
 * a warning.
 */
export function checkIdentity(
  results: readonly IpcMethodResult[],
  expectName: string | undefined,
): readonly IpcMethodResult[] {
  const name = expectName ?? firstOf(results, "primal");
  const version = firstOf(results, "version");
  return results.map((result) => {
    if (result.passed && result.primal !== undefined && result.primal !== name) {
      const error = `primal is "${result.primal}", must be "${name}"`;
      return { ...result, ...failedVerdict("identity_mismatch", error, result) };
    }
    if (result.version === undefined || result.version === version) return result;
    const warning = `version is "${result.version}", another method said "${version}"`;
    return { ...result, warnings: [...result.warnings, warning] };
  });
}

/** The first thing a member says of itself. */
export function firstOf(
  results: readonly IpcMethodResult[],
  key: "primal" | "version",
): string | undefined {
  return results.find((result) => result[key] !== undefined)?.[key];
}

async function probeMethod(
  target: ProbeTarget,
  budget: Budget,
  method: HealthMethod,
  rules: RuleSet,
): Promise<MethodVerdict> {
  if (budget.remainingMs === 0) {
    return failedVerdict("response_timeout", "the deadline passed before this method was probed");
  }
  const link = await connectWithin(target, budget);
  if (isLinkFailure(link)) return judge(method, link, rules);
  try {
    return judge(method, await askLine(link, requestLine(method, 1), target, budget), rules);
  } finally {
    link.close();
  }
}

function judge(
  method: HealthMethod,
  answer: Uint8Array<ArrayBuffer> | LinkFailure,
  rules: RuleSet,
): MethodVerdict {
  if (rules === "reference") {
    return isLinkFailure(answer)
      ? judgeFailureByReference(method, answer)
      : judgeByReference(method, answer);
  }
  return isLinkFailure(answer) ? judgeFailure(answer) : judgeReply(method, answer, rules);
}
