/**
 * Asks a member for its list, its identity, and whether what it lists can be called
 * (`validation.md` 1.2, 5.4).
 *
 * Nothing that might change the member is ever executed: only methods known to be read-only are
 * called properly, the others are asked with parameters of a type no method takes, and only where the
 * member has shown that it refuses them.
 */
import type { Budget } from "./budget.ts";
import {
  CAPABILITIES_MAX,
  type CapabilityForm,
  gradeCapabilities,
  readAdvertised,
  readCapabilities,
  readConsumed,
  readReadOnlyMarks,
} from "./capability_reader.ts";
import type { ProbeTarget } from "./probe.ts";
import { Caller } from "./probe_caller.ts";
import { printable } from "./verdict.ts";

/** Methods of one list that are tried. */
const TRIED_MAX = 512;

/** Read-only by their name, unless the list says otherwise. */
const SAFE_NAME =
  /^(health\.(liveness|readiness|check|version)|identity\.get|capabilit(ies|y)\.list|.+\.(list|status))$/;

/** Not a type that any method takes, so that the call is refused before it does anything. */
const HARMLESS_PARAMS = "probe";

/** Part of the report about capabilities; texts are cleaned for a terminal. */
export interface CapabilityReport {
  readonly level: 0 | 1 | 2 | 3;
  /** Why the level is not higher. */
  readonly reasons: readonly string[];
  /** `undefined` when no list could be read. */
  readonly form: CapabilityForm | undefined;
  /** What the deciding form names, at most {@linkcode CAPABILITIES_MAX}. */
  readonly methods: readonly string[];
  /** What any of the forms names: methods, and capabilities that are no methods. */
  readonly advertised: readonly string[];
  /** What the member says it needs of others. */
  readonly consumed: readonly string[];
  /** Listed, but answered with −32601. */
  readonly notCallable: readonly string[];
  /** Listed, but nothing can be said without executing them, or no time was left. */
  readonly unverified: readonly string[];
}

/** What is known before, and what is wanted. */
export interface CapabilityProbeFacts {
  readonly isAlive: boolean;
  readonly hasTriad: boolean;
  /** Name that the health methods gave. */
  readonly primal: string | undefined;
  /** False to read the list only. */
  readonly isTryingMethods: boolean;
}

/** Probes the capabilities. */
export async function probeCapabilities(
  target: ProbeTarget,
  budget: Budget,
  facts: CapabilityProbeFacts,
): Promise<CapabilityReport> {
  using caller = new Caller(target, budget);
  let answer = await caller.call("capabilities.list", {});
  if (answer.kind === "error") answer = await caller.call("capability.list", {});
  const list = answer.kind === "result" ? answer.result : undefined;
  const reading = readCapabilities(list);
  const identity = reading === undefined ? undefined : await caller.call("identity.get", {});
  const { notCallable, unverified } = reading === undefined || !facts.isTryingMethods
    ? { notCallable: [], unverified: [] }
    : await tryMethods(caller, reading.methods, readReadOnlyMarks(list));
  const grade = gradeCapabilities({
    list,
    reading,
    identity: identity?.kind === "result" ? identity.result : undefined,
    notCallable,
    ...facts,
  });
  const reasons = [...grade.reasons];
  if (answer.kind === "none") reasons.push(answer.reason);
  if (unverified.length > 0 && budget.remainingMs === 0) {
    reasons.push("the deadline passed before all methods were tried");
  }
  if (reading?.isCut) reasons.push(`only the first ${CAPABILITIES_MAX} names were looked at`);
  return {
    level: grade.level,
    reasons: reasons.map(printable),
    form: reading?.form,
    methods: (reading?.methods ?? []).map(printable),
    advertised: readAdvertised(list).map(printable),
    consumed: readConsumed(list).map(printable),
    notCallable: notCallable.map(printable),
    unverified: unverified.map(printable),
  };
}

async function tryMethods(
  caller: Caller,
  methods: readonly string[],
  marks: ReadonlyMap<string, boolean>,
): Promise<{ readonly notCallable: readonly string[]; readonly unverified: readonly string[] }> {
  const notCallable: string[] = [];
  const unverified: string[] = [...methods.slice(TRIED_MAX)];
  const isRefusing = await refusesBadCalls(caller);
  for (const method of methods.slice(0, TRIED_MAX)) {
    const isSafe = marks.get(method) ?? SAFE_NAME.test(method);
    if (!isSafe && !isRefusing) {
      unverified.push(method);
      continue;
    }
    const answer = await caller.call(method, isSafe ? {} : HARMLESS_PARAMS);
    if (answer.kind === "none") unverified.push(method);
    else if (answer.kind === "error" && answer.code === -32601) notCallable.push(method);
  }
  return { notCallable, unverified };
}

/**
 * True for a member that looks the method up first, so that a missing one shows, and then refuses
 * parameters of a wrong type, so that a present one is not executed.
 */
async function refusesBadCalls(caller: Caller): Promise<boolean> {
  const missing = await caller.call("net_validate.no_such_method", HARMLESS_PARAMS);
  if (missing.kind !== "error" || missing.code !== -32601) return false;
  const present = await caller.call("health.liveness", HARMLESS_PARAMS);
  return present.kind === "error" && (present.code === -32602 || present.code === -32600);
}
