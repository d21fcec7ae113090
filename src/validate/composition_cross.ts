/**
 * `--cross`: asks for each needed capability at the member that has it (`validation.md` 6).
 *
 * Only methods that change nothing by their name are called; for the others it stays at what the
 * member advertises.
 */
import type { Environment } from "../config/mod.ts";
import type { Budget } from "./budget.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { ProbeTarget } from "./probe.ts";
import { Caller } from "./probe_caller.ts";

/** Calls of one run; a composition of known size has a few dozen needs. */
export const CROSS_CALLS_MAX = 256;

const READ_ONLY =
  /^(health\.(liveness|readiness|check|version)|identity\.get|capabilit(ies|y)\.list|.+\.(list|status))$/;

/** A need and where it can be met. */
export interface CrossNeed {
  readonly member: string;
  readonly capability: string;
  readonly provider: string;
  readonly endpoint: string;
  /** What the provider advertises. */
  readonly advertised: readonly string[];
}

/** What a call gave. */
export interface CrossResult {
  readonly member: string;
  readonly capability: string;
  readonly provider: string;
  /** Method that was called; `undefined` when none may be. */
  readonly method: string | undefined;
  /** `missing`: advertised, but the provider does not know it. */
  readonly outcome: "answered" | "missing" | "silent" | "not_tried";
}

/** Options of {@linkcode callAcross}. */
export interface CallAcrossOptions {
  readonly env: Environment;
  readonly cwd: string;
  readonly replyTimeoutMs: number;
  readonly lineBytesMax: number;
  readonly signal: AbortSignal | undefined;
}

/** Calls the provider of a need once. */
export async function callAcross(
  need: CrossNeed,
  budget: Budget,
  options: CallAcrossOptions,
): Promise<CrossResult> {
  const { member, capability, provider } = need;
  const method = readOnlyMethod(need);
  const result = (outcome: CrossResult["outcome"]) => ({
    member,
    capability,
    provider,
    method,
    outcome,
  });
  if (method === undefined) return result("not_tried");
  const { env, cwd, replyTimeoutMs, lineBytesMax, signal } = options;
  const endpoint = await parseEndpoint(need.endpoint, { env, cwd, signal });
  const target: ProbeTarget = {
    endpoint,
    connectTimeoutMs: replyTimeoutMs,
    replyTimeoutMs,
    lineBytesMax,
    isKeepingBlankLines: false,
    resolve: undefined,
    signal,
  };
  using caller = new Caller(target, budget);
  const answer = await caller.call(method, {});
  if (answer.kind === "none") return result("silent");
  return result(answer.kind === "error" && answer.code === -32601 ? "missing" : "answered");
}

/** The method itself, or one of the bare domain. */
function readOnlyMethod({ capability, advertised }: CrossNeed): string | undefined {
  const ofDomain = advertised.filter((name) => name.startsWith(`${capability}.`));
  return [capability, ...ofDomain].find((name) =>
    READ_ONLY.test(name) && advertised.includes(name)
  );
}
