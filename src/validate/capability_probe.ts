/**
 * Asks a member for its list, its identity, and whether what it lists can be called
 * (`validation.md` 1.2, 5.4).
 *
 * Nothing that might change the member is ever executed: only methods known to be read-only are
 * called properly, the others are asked with parameters of a type no method takes.
 */
import type { Budget } from "./budget.ts";
import {
  type CapabilityForm,
  gradeCapabilities,
  readCapabilities,
  readReadOnlyMarks,
} from "./capability_reader.ts";
import { type Answer, ask, connectWithin, type ProbeTarget, requestLine } from "./probe.ts";
import { isLinkFailure, type ProbeLink } from "./probe_link.ts";
import { printable } from "./verdict.ts";

/** Methods of one list that are tried. */
const TRIED_MAX = 512;

/** Read-only by their name, unless the list says otherwise. */
const SAFE_NAME =
  /^(health\.(liveness|readiness|check|version)|identity\.get|capabilit(ies|y)\.list|.+\.(list|status))$/;

/** Not a type that any method takes, so that the call is refused before it does anything. */
const HARMLESS_PARAMS = "probe";

/** Part of the report about capabilities. */
export interface CapabilityReport {
  readonly level: 0 | 1 | 2 | 3;
  /** Why the level is not higher. */
  readonly reasons: readonly string[];
  /** `undefined` when no list could be read. */
  readonly form: CapabilityForm | undefined;
  readonly methods: readonly string[];
  /** Listed, but answered with −32601. */
  readonly notCallable: readonly string[];
  /** Listed, but nothing can be said without executing them. */
  readonly unverified: readonly string[];
}

/** What the health probes found before. */
export interface CapabilityProbeFacts {
  readonly isAlive: boolean;
  readonly hasTriad: boolean;
}

/** Probes the capabilities. */
export async function probeCapabilities(
  target: ProbeTarget,
  budget: Budget,
  facts: CapabilityProbeFacts,
): Promise<CapabilityReport> {
  await using caller = new Caller(target, budget);
  let answer = await caller.call("capabilities.list", {});
  if (answer.kind === "error") answer = await caller.call("capability.list", {});
  const list = answer.kind === "result" ? answer.result : undefined;
  const reading = readCapabilities(list);
  const identity = reading === undefined ? undefined : await caller.call("identity.get", {});
  const { notCallable, unverified } = reading === undefined
    ? { notCallable: [], unverified: [] }
    : await tryMethods(caller, reading.methods, readReadOnlyMarks(list));
  const grade = gradeCapabilities({
    list,
    reading,
    identity: identity?.kind === "result" ? identity.result : undefined,
    notCallable,
    ...facts,
  });
  return {
    level: grade.level,
    reasons: answer.kind === "none" ? [...grade.reasons, answer.reason] : grade.reasons,
    form: reading?.form,
    methods: (reading?.methods ?? []).map(printable),
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
  // A member that looks at parameters before the method would hide a missing one.
  const baseline = await caller.call("net_validate.no_such_method", HARMLESS_PARAMS);
  const looksUpFirst = baseline.kind === "error" && baseline.code === -32601;
  for (const method of methods.slice(0, TRIED_MAX)) {
    const isSafe = marks.get(method) ?? SAFE_NAME.test(method);
    if (!isSafe && !looksUpFirst) {
      unverified.push(method);
      continue;
    }
    const answer = await caller.call(method, isSafe ? {} : HARMLESS_PARAMS);
    if (answer.kind === "none") unverified.push(method);
    else if (answer.kind === "error" && answer.code === -32601) notCallable.push(method);
  }
  return { notCallable, unverified };
}

/** Calls over one connection, opened anew when the member has closed it. */
class Caller implements AsyncDisposable {
  readonly #target: ProbeTarget;
  readonly #budget: Budget;
  #link: ProbeLink | undefined;
  #lastId = 0;

  constructor(target: ProbeTarget, budget: Budget) {
    this.#target = target;
    this.#budget = budget;
  }

  async call(method: string, params: unknown): Promise<Answer> {
    if (this.#budget.remainingMs === 0) return { kind: "none", reason: "no time was left" };
    if (this.#link === undefined) {
      const link = await connectWithin(this.#target, this.#budget);
      if (isLinkFailure(link)) return { kind: "none", reason: link.message };
      this.#link = link;
    }
    const text = requestLine(method, ++this.#lastId, params);
    const answer = await ask(this.#link, text, this.#target, this.#budget);
    if (answer.kind === "none") this.#close();
    return answer;
  }

  #close(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }
}
