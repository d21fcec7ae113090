/**
 * `net validate composition`: probes members together, and what they need of each other
 * (`validation.md` 6).
 *
 * At most 16 members are probed at once. Each has its own share of the time, so that one that hangs
 * holds up nobody else; all shares together fit into the deadline.
 */
import { inParallel, NetError } from "../base/mod.ts";
import type { Environment } from "../config/mod.ts";
import {
  addressText,
  type Composition,
  type CompositionMember,
  LIVENESS_MS,
  type LookupResult,
  type LookupSource,
  MemberLookup,
  readMetadata,
  readRegistry,
  type ToolkitRegistry,
} from "../deploy/mod.ts";
import { Budget } from "./budget.ts";
import {
  CapabilitySet,
  compareDeclared,
  type DeclaredDifference,
  findUnsatisfied,
  stateOf,
  type SubsystemState,
  type UnsatisfiedNeed,
} from "./composition_checks.ts";
import { callNeeds, type CrossResult, PROBES_MAX } from "./composition_cross.ts";
import { isAnswering } from "./health_probe.ts";
import type { IpcReport } from "./report.ts";
import { validateIpc, type ValidateIpcOptions } from "./validate_ipc.ts";

/** Time of one round of probes, unless told otherwise. */
const ROUND_MS = 5000;

/** The same under the reference rules, whose limits for one member are that wide. */
const REFERENCE_ROUND_MS = 46_000;

/** Options of {@linkcode validateComposition}. */
export interface ValidateCompositionOptions extends
  Pick<
    ValidateIpcOptions,
    "rules" | "connectTimeoutMs" | "replyTimeoutMs" | "lineBytesMax" | "requireHealthy" | "signal"
  > {
  /** Folder of the toolkit with metadata and ports; it need not exist. */
  readonly toolkit: string | undefined;
  /** Its manifest and ports, when they were read before. */
  readonly registry?: ToolkitRegistry;
  readonly env: Environment;
  readonly cwd: string;
  /** Family of the members; the environment's when left out. */
  readonly family?: string;
  /** Milliseconds for everything: 5,000 for each 16 members when left out. */
  readonly deadlineMs?: number;
  /** True to call one read-only method for each need. */
  readonly isCross?: boolean;
  /** Hears of each member as soon as it was probed. */
  readonly onMember?: (report: MemberReport) => void;
}

/** What was found of one member. */
export interface MemberReport extends DeclaredDifference {
  readonly name: string;
  readonly isRequired: boolean;
  readonly state: SubsystemState;
  /** `undefined` when it was not found. */
  readonly ipc: IpcReport | undefined;
  /** How its endpoint was found. */
  readonly source: "composition" | LookupSource | undefined;
  /** Milliseconds from looking it up to the verdict. */
  readonly durationMs: number;
}

/** Everything a run found. */
export interface CompositionReport {
  readonly name: string;
  readonly rules: IpcReport["rules"];
  /** RFC 3339 time in UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly healthy: boolean;
  readonly compliant: boolean;
  /** In the order of the composition. */
  readonly members: readonly MemberReport[];
  readonly unsatisfied: readonly UnsatisfiedNeed[];
  /** Different capabilities of all members. */
  readonly capabilitiesCount: number;
  /** Only when asked for. */
  readonly cross: readonly CrossResult[] | undefined;
}

/**
 * Validates a composition.
 *
 * @throws NetError `usage` when an endpoint or a file of the toolkit cannot be understood; the
 * signal's reason when it aborts. A member that is not there is a finding, not an error.
 */
export async function validateComposition(
  composition: Composition,
  options: ValidateCompositionOptions,
): Promise<CompositionReport> {
  const rules = options.rules ?? "standard";
  const startedAt = new Date().toISOString();
  const { members } = composition;
  const rounds = Math.max(1, Math.ceil(members.length / PROBES_MAX));
  const roundMs = rules === "reference" ? REFERENCE_ROUND_MS : ROUND_MS;
  const deadlineMs = options.deadlineMs ?? rounds * roundMs;
  if (!(deadlineMs > 0)) {
    throw new NetError("usage", `Cannot validate: deadline is ${deadlineMs} ms, must be positive`);
  }
  const budget = new Budget(deadlineMs, () => performance.now());
  // The calls of --cross come behind the probes and have a part of their own.
  const memberMs = deadlineMs / (rounds + (options.isCross ? 1 : 0));
  const registry = options.registry ?? await readRegistry(options.toolkit);
  const lookup = new MemberLookup({
    env: options.env,
    family: options.family,
    registry,
    livenessMs: Math.min(LIVENESS_MS, memberMs / 4),
  });
  const prober = new Prober(options, registry, lookup, memberMs);
  const reports = await inParallel(members, PROBES_MAX, async (member) => {
    const report = await prober.probe(member);
    options.onMember?.(report);
    return report;
  });
  return await conclude(composition, reports, budget, startedAt, options);
}

class Prober {
  readonly #options: ValidateCompositionOptions;
  readonly #registry: ToolkitRegistry;
  readonly #lookup: MemberLookup;
  readonly #memberMs: number;

  constructor(
    options: ValidateCompositionOptions,
    registry: ToolkitRegistry,
    lookup: MemberLookup,
    memberMs: number,
  ) {
    this.#options = options;
    this.#registry = registry;
    this.#lookup = lookup;
    this.#memberMs = memberMs;
  }

  async probe(member: CompositionMember): Promise<MemberReport> {
    const { rules, connectTimeoutMs, replyTimeoutMs, lineBytesMax, requireHealthy } = this.#options;
    const { toolkit, env, cwd, signal } = this.#options;
    const budget = new Budget(this.#memberMs, () => performance.now());
    const declared = new Set(member.capabilities);
    const metadata = toolkit === undefined ? undefined : await readMetadata(toolkit, member.primal);
    for (const name of metadata?.compatibility?.capabilities ?? []) declared.add(name);
    const { endpoint, source } = await this.#endpointOf(member, metadata?.primal.domain, budget);
    const ipc = endpoint === undefined ? undefined : await validateIpc(endpoint, {
      rules,
      connectTimeoutMs,
      replyTimeoutMs,
      lineBytesMax,
      requireHealthy,
      capabilities: "list",
      deadlineMs: Math.max(1, budget.remainingMs),
      env,
      cwd,
      signal,
    });
    const isThere = isAnswering(ipc?.results ?? []);
    const { advertised = [], methods = [] } = ipc?.capabilities ?? {};
    const difference = {
      notAdvertised: isThere ? compareDeclared([...declared], advertised).notAdvertised : [],
      // Coarser names that stand beside the methods need no declaration of their own.
      notDeclared: isThere ? compareDeclared([...declared], methods).notDeclared : [],
    };
    const { isRequired, name } = member;
    const lacksDeclared = difference.notAdvertised.length > 0;
    return {
      name,
      isRequired,
      state: stateOf({ ipc, isRequired, lacksDeclared }),
      ipc,
      source,
      durationMs: Math.round(budget.elapsedMs),
      ...difference,
    };
  }

  /** The file's word, then by name, then by the domain of the toolkit's metadata. */
  async #endpointOf(
    member: CompositionMember,
    domain: string | undefined,
    budget: Budget,
  ): Promise<{ readonly endpoint?: string; readonly source?: MemberReport["source"] }> {
    if (member.endpoint !== undefined) return { endpoint: member.endpoint, source: "composition" };
    const byName = await this.#find(member.name, budget);
    const ofManifest = domain ?? this.#registry.manifest?.primals.get(member.primal)?.domain;
    // A family of its own has sockets of its own, which a domain's link need not lead to.
    const byDomain = byName?.isLive || ofManifest === undefined || member.family !== undefined
      ? undefined
      : await this.#find(ofManifest, budget);
    const found = byDomain?.isLive ? byDomain : byName;
    if (found?.address === undefined) return {};
    return { endpoint: addressText(found.address), source: found.source };
  }

  /** A lookup has half of the member's time; the other half is for the verdict. */
  async #find(name: string, budget: Budget): Promise<LookupResult | undefined> {
    const { signal } = this.#options;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), Math.max(1, budget.remainingMs / 2));
    const within = signal === undefined
      ? controller.signal
      : AbortSignal.any([signal, controller.signal]);
    try {
      return await this.#lookup.find(name, within);
    } catch (error) {
      signal?.throwIfAborted();
      if (controller.signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function conclude(
  composition: Composition,
  members: readonly MemberReport[],
  budget: Budget,
  startedAt: string,
  options: ValidateCompositionOptions,
): Promise<CompositionReport> {
  const capable = members.map(({ name, ipc }) => ({
    name,
    advertised: ipc?.capabilities?.advertised ?? [],
    consumed: ipc?.capabilities?.consumed ?? [],
  }));
  const union = new CapabilitySet(capable.flatMap(({ advertised }) => advertised));
  const unsatisfied = findUnsatisfied(capable, union);
  const cross = options.isCross ? await callNeeds(members, budget, options) : undefined;
  const isCrossed = cross?.every(({ outcome }) => outcome !== "missing" && outcome !== "silent");
  const isMembersCompliant = members.every(({ ipc, isRequired, notAdvertised }) =>
    notAdvertised.length === 0 &&
    (ipc?.compliant === true || (!isRequired && !isAnswering(ipc?.results ?? [])))
  );
  return {
    name: composition.name,
    rules: options.rules ?? "standard",
    startedAt,
    durationMs: Math.round(budget.elapsedMs),
    healthy: unsatisfied.length === 0 &&
      members.every(({ isRequired, state }) => !isRequired || state === "ok"),
    compliant: isMembersCompliant && unsatisfied.length === 0 && (isCrossed ?? true),
    members,
    unsatisfied,
    capabilitiesCount: union.names.size,
    cross,
  };
}
