/**
 * `--cross`: asks for each needed capability at the member that has it (`validation.md` 6).
 *
 * Only methods that change nothing by their name are called; for the others it stays at what the
 * member advertises.
 */
import { inParallel } from "../base/mod.ts";
import type { Environment } from "../config/mod.ts";
import { Budget } from "./budget.ts";
import { CapabilitySet } from "./composition_checks.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { ProbeTarget } from "./probe.ts";
import { Caller } from "./probe_caller.ts";
import type { MemberReport, ValidateCompositionOptions } from "./validate_composition.ts";

/** Members probed, or called, at once (`validation.md` 6). */
export const PROBES_MAX = 16;

/** Calls of one run; a composition of known size has a few dozen needs. */
const CROSS_CALLS_MAX = 256;

/** Longest reply. */
const LINE_BYTES_MAX = 1024 * 1024;

const READ_ONLY =
  /^(health\.(liveness|readiness|check|version)|identity\.get|capabilit(ies|y)\.list|.+\.(list|status))$/;

/** A need and where it can be met. */
interface CrossNeed {
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

interface CallAcrossOptions {
  readonly env: Environment;
  readonly cwd: string;
  readonly replyTimeoutMs: number;
  readonly lineBytesMax: number;
  readonly signal: AbortSignal | undefined;
}

/** Calls once for each need that some member can meet, within the time that is left. */
export async function callNeeds(
  members: readonly MemberReport[],
  budget: Budget,
  { env, cwd, replyTimeoutMs, signal }: Pick<
    ValidateCompositionOptions,
    "env" | "cwd" | "replyTimeoutMs" | "signal"
  >,
): Promise<readonly CrossResult[]> {
  const providers = members.flatMap(({ name, ipc }) =>
    ipc === undefined ? [] : [{
      name,
      endpoint: ipc.endpoint,
      advertised: ipc.capabilities?.advertised ?? [],
      set: new CapabilitySet(ipc.capabilities?.advertised ?? []),
    }]
  );
  const needs: CrossNeed[] = [];
  collecting: for (const { name: member, ipc } of members) {
    for (const capability of ipc?.capabilities?.consumed ?? []) {
      const able = providers.filter(({ set }) => set.has(capability));
      // Another one proves more than the member itself.
      const provider = able.find(({ name }) => name !== member) ?? able[0];
      if (provider === undefined) continue;
      const { name, endpoint, advertised } = provider;
      needs.push({ member, capability, provider: name, endpoint, advertised });
      if (needs.length === CROSS_CALLS_MAX) break collecting;
    }
  }
  const callMs = budget.remainingMs / Math.max(1, Math.ceil(needs.length / PROBES_MAX));
  return await inParallel(
    needs,
    PROBES_MAX,
    (need) =>
      callAcross(need, new Budget(callMs, () => performance.now()), {
        env,
        cwd,
        replyTimeoutMs: Math.min(callMs, replyTimeoutMs ?? callMs),
        lineBytesMax: LINE_BYTES_MAX,
        signal,
      }),
  );
}

/** Calls the provider of a need once. */
async function callAcross(
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
