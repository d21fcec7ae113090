/**
 * What is answered about the health of a node (`validation.md` 1.1): the same documents for JSON-RPC and for HTTP.
 *
 * All of them are made from memory.
 */
import { type HealthState, missingFor, type PartHealth, type ReadinessUse } from "./health.ts";

/** Where the build came from. */
export interface BuildInfo {
  /** Commit or another name of the exact source. */
  readonly buildHash: string;
  /** RFC 3339 time, or `unknown`. */
  readonly compiledAt: string;
}

/** Which member answers. */
export interface MemberFacts {
  /** Name of the member; `net`. */
  readonly primal: string;
  readonly version: string;
  readonly domain: string;
  readonly build: BuildInfo;
  /** Id of this run, if it has one. */
  readonly session?: string;
}

/** What the documents are made from. */
export interface HealthView {
  readonly member: MemberFacts;
  readonly health: Pick<HealthState, "snapshot" | "activeConnections">;
  /** Seconds since the start. */
  readonly uptimeSecs: () => number;
}

/** Answer to "is the process running": it looks at nothing. */
export function livenessDocument() {
  return { status: "healthy", alive: true };
}

/** Answer to "can it take work". */
export function readinessDocument({ member, health }: HealthView, use: ReadinessUse = "any") {
  const snapshot = health.snapshot();
  const missing = missingFor(snapshot, use);
  const ready = missing.length === 0;
  const degraded = snapshot.status !== "healthy";
  return {
    status: ready ? "healthy" : "not_ready",
    version: member.version,
    primal: member.primal,
    domain: member.domain,
    ready,
    degraded,
    missing,
    writes: snapshot.takesWrites,
    phase: snapshot.phase,
  };
}

/**
 * The full picture.
 *
 * @param options Reasons of parts name peers, channels and paths: they are for the node's own user.
 */
export function checkDocument(
  { member, health, uptimeSecs }: HealthView,
  { tellsReasons }: { readonly tellsReasons: boolean },
) {
  const { status, phase, parts } = health.snapshot();
  return {
    status,
    healthy: status === "healthy",
    version: member.version,
    primal: member.primal,
    domain: member.domain,
    phase,
    uptime_secs: Math.floor(uptimeSecs()),
    active_connections: health.activeConnections,
    subsystems: Object.fromEntries(
      [...parts].map(([name, part]) => [
        name,
        subsystemOf(tellsReasons ? part : { ...part, reason: undefined }),
      ]),
    ),
  };
}

/** Version and build. */
export function versionDocument({ version, build, session }: MemberFacts) {
  return {
    version,
    build_hash: build.buildHash,
    compiled_at: build.compiledAt,
    ...(session === undefined ? {} : { session }),
  };
}

function subsystemOf({ state, reason, sinceMs, refusesWrites, restarts }: PartHealth) {
  return {
    status: state,
    ...(reason === undefined ? {} : { detail: reason }),
    since: new Date(sinceMs).toISOString(),
    ...(refusesWrites ? { writes: false } : {}),
    ...(restarts === 0 ? {} : { restarts }),
  };
}
