/**
 * The health of a node: the one object that the JSON-RPC triad, the HTTP paths, the metrics and the service manager
 * read (`validation.md` 1, `onions.md` 12).
 *
 * It asks the services, which answer from memory. What it says is never older than the question; who subscribes
 * hears of changes within a second.
 */
import { type Clock, repeat } from "../base/mod.ts";
import type { Log } from "../observe/mod.ts";
import { Drain, type DrainPart, type DrainReport } from "./drain.ts";
import type { PartReport, PartState } from "./service.ts";
import type { Supervisor } from "./supervisor.ts";

/** How often services are looked at for those who subscribed. */
export const HEALTH_LOOK_MS = 1_000;

/** Overall state of a node. */
export type HealthStatus = "healthy" | "degraded" | "unhealthy";

/** Where in its life a node is. */
export type NodePhase = "starting" | "serving" | "draining" | "drained" | "stopping" | "stopped";

/** Work that somebody wants to send. */
export type ReadinessUse = "any" | "read" | "write";

/** A part of the node, and since when it is as it is. */
export interface PartHealth {
  readonly state: PartState;
  /** Why it is not healthy. */
  readonly reason: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** True while it should be sent nothing new. */
  readonly refusesWrites: boolean;
  /** Times it was started again. */
  readonly restarts: number;
}

/** Everything about a node's health at one moment. */
export interface HealthSnapshot {
  readonly phase: NodePhase;
  /** Of the parts; a drain is no illness. */
  readonly status: HealthStatus;
  /** True when work is taken: reads at least. */
  readonly isReady: boolean;
  /** What is missing before work is taken: names of parts, `draining`, `stopping`. */
  readonly missing: readonly string[];
  /** True when writes are taken too. */
  readonly takesWrites: boolean;
  readonly drain: DrainReport;
  /** In the order in which they start. */
  readonly parts: ReadonlyMap<string, PartHealth>;
}

/** What {@linkcode HealthState} needs. */
export interface HealthStateDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly supervisor: Pick<Supervisor, "state" | "health" | "restarts">;
}

/** The health of one node. */
export class HealthState {
  readonly #deps: HealthStateDeps;
  readonly #drain: Drain;
  readonly #handlers = new Set<(snapshot: HealthSnapshot) => void>();
  readonly #connections = new Set<() => number>();
  #parts = new Map<string, PartHealth>();
  #isStopping = false;
  #isDrained = false;
  #told = "";
  #isLooking = false;
  #stopLooking: (() => void) | undefined;

  constructor(deps: HealthStateDeps) {
    this.#deps = deps;
    this.#drain = new Drain(deps.clock, () => this.look());
  }

  // --- Reading ---------------------------------------------------------------------------------

  /** How everything is now. */
  snapshot(): HealthSnapshot {
    const drain = this.#drain.report();
    const phase = this.#phase(drain);
    const parts = this.#readParts();
    const missing = missingOf(phase, parts);
    return {
      phase,
      status: statusOf(parts),
      isReady: missing.length === 0,
      missing,
      takesWrites: missing.length === 0 && refusers(parts).length === 0,
      drain,
      parts,
    };
  }

  /** Connections of clients, all ways in together. */
  get activeConnections(): number {
    let count = 0;
    for (const read of this.#connections) count += read();
    return count;
  }

  /**
   * Tells of changes of the phase, of readiness, and of the state and reason of parts; the result stops that.
   *
   * @param handler Is called with the present state at once, and then after each change.
   */
  onChange(handler: (snapshot: HealthSnapshot) => void): () => void {
    // What changed before is not told a second time.
    this.look();
    this.#handlers.add(handler);
    this.#tell(handler, this.snapshot());
    return () => void this.#handlers.delete(handler);
  }

  // --- Drain -----------------------------------------------------------------------------------

  /** Adds a way in through which work comes; the result takes it away. */
  addDrainPart(part: DrainPart): () => void {
    return this.#drain.add(part);
  }

  /** Adds a counter of open connections; the result takes it away. */
  countConnections(read: () => number): () => void {
    this.#connections.add(read);
    return () => void this.#connections.delete(read);
  }

  /** True while new work is refused. */
  get isDraining(): boolean {
    return this.#drain.hasBegun;
  }

  /**
   * Refuses new work and waits for what is under way, at most `timeoutMs`. The node stays drained until
   * {@linkcode resume}; asked again, it waits again.
   */
  async drain(
    timeoutMs: number,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<DrainReport> {
    const { log } = this.#deps;
    if (!this.#drain.hasBegun) {
      const { inFlight } = this.#drain.report();
      // A node that stops with nothing to do has said so already.
      if (!this.#isStopping || inFlight > 0) log.info("node_draining", { under_way: inFlight });
    }
    this.#drain.begin();
    const report = await this.#drain.wait(timeoutMs, options);
    return report;
  }

  /** Takes new work again; false when the node is stopping, which cannot be taken back. */
  resume(): boolean {
    if (this.#isStopping) return false;
    if (this.#drain.hasBegun) this.#deps.log.info("node_resumed");
    this.#drain.resume();
    return true;
  }

  // --- Running ---------------------------------------------------------------------------------

  /** Begins to look by itself. */
  start(): void {
    this.#stopLooking ??= repeat(this.#deps.clock, HEALTH_LOOK_MS, () => this.look());
  }

  /** The node ends: it says so until {@linkcode stop}. */
  beginStop(): void {
    this.#isStopping = true;
    this.look();
  }

  /** Looks no more; what is asked is answered still. */
  stop(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
    this.look();
  }

  /** Tells subscribers when something changed; for whoever knows that something did. */
  look(): void {
    // What is read may itself say that it changed.
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const snapshot = this.snapshot();
      const text = fingerprint(snapshot);
      if (text === this.#told) return;
      this.#told = text;
      this.#logDrained(snapshot);
      for (const handler of [...this.#handlers]) this.#tell(handler, snapshot);
    } finally {
      this.#isLooking = false;
    }
  }

  /** Says once when the last work has ended, whether or not somebody waits for it. */
  #logDrained({ phase }: HealthSnapshot): void {
    const wasDrained = this.#isDrained;
    this.#isDrained = phase === "drained";
    if (this.#isDrained && !wasDrained) this.#deps.log.info("node_drained");
  }

  #tell(handler: (snapshot: HealthSnapshot) => void, snapshot: HealthSnapshot): void {
    try {
      handler(snapshot);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.log.error("health_subscriber_failed", { reason });
    }
  }

  #phase(drain: DrainReport): NodePhase {
    const { state } = this.#deps.supervisor;
    if (state === "stopped") return "stopped";
    if (this.#isStopping || state === "stopping") return "stopping";
    if (state !== "running") return "starting";
    return drain.phase === "open" ? "serving" : drain.phase;
  }

  /** Asks the services; a part keeps its time as long as its state stays. */
  #readParts(): Map<string, PartHealth> {
    const { supervisor, clock, log } = this.#deps;
    const restarts = supervisor.restarts();
    const parts = new Map<string, PartHealth>();
    for (const [name, report] of Object.entries(supervisor.health())) {
      const before = this.#parts.get(name);
      const isSame = before?.state === report.state;
      if (!isSame && isRunning(report) && (before !== undefined || report.state !== "healthy")) {
        logChange(log, name, report, before?.state);
      }
      parts.set(name, {
        state: report.state,
        reason: report.detail,
        sinceMs: isSame ? before.sinceMs : clock.wallMs(),
        refusesWrites: report.refusesWrites ?? false,
        restarts: restarts[name] ?? 0,
      });
    }
    this.#parts = parts;
    return parts;
  }
}

/** What is missing before such work is taken; nothing when the node is ready for it. */
export function missingFor(
  { missing, parts }: HealthSnapshot,
  use: ReadinessUse,
): readonly string[] {
  if (use !== "write") return missing;
  return [...missing, ...refusers(parts).filter((name) => !missing.includes(name))];
}

/** One line about the node, as service managers show it. */
export function describeHealth({ phase, status, missing, drain, parts }: HealthSnapshot): string {
  if (phase === "starting") return `starting; waits for ${missing.join(", ")}`;
  if (phase === "draining") return `draining; ${drain.inFlight} under way`;
  if (phase !== "serving") return phase;
  if (status === "healthy") return "serving";
  const ill = [...parts].filter(([, { state }]) => state !== "healthy");
  const text = ill.slice(0, 3).map(([name, { state, reason }]) =>
    `${name} is ${state}${reason === undefined ? "" : ` (${reason})`}`
  );
  return `serving; ${text.join(", ")}${ill.length > 3 ? ` and ${ill.length - 3} more` : ""}`;
}

function missingOf(phase: NodePhase, parts: ReadonlyMap<string, PartHealth>): string[] {
  if (phase === "draining" || phase === "drained") return ["draining"];
  if (phase === "stopping" || phase === "stopped") return ["stopping"];
  const missing = [...parts].filter(([, { state }]) =>
    state === "starting" || state === "unhealthy"
  )
    .map(([name]) => name);
  return phase === "starting" && missing.length === 0 ? ["node"] : missing;
}

function refusers(parts: ReadonlyMap<string, PartHealth>): string[] {
  return [...parts].filter(([, { refusesWrites }]) => refusesWrites).map(([name]) => name);
}

function statusOf(parts: ReadonlyMap<string, PartHealth>): HealthStatus {
  let status: HealthStatus = "healthy";
  for (const { state } of parts.values()) {
    if (state === "unhealthy") return "unhealthy";
    if (state !== "healthy") status = "degraded";
  }
  return status;
}

function isRunning({ state }: PartReport): boolean {
  return state !== "starting" && state !== "stopping";
}

function logChange(log: Log, part: string, report: PartReport, before: PartState | undefined) {
  const fields = { service: part, reason: report.detail };
  if (report.state === "unhealthy") log.warn("service_unhealthy", fields);
  else if (report.state === "degraded") log.info("service_degraded", fields);
  else if (before !== "starting") log.info("service_recovered", { service: part });
}

/** What subscribers are told of; times and counts of work are not. */
function fingerprint({ phase, missing, takesWrites, parts }: HealthSnapshot): string {
  const states = [...parts].map(([name, { state, reason }]) => [name, state, reason]);
  return JSON.stringify([phase, missing, takesWrites, states]);
}
