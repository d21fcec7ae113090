/**
 * The methods every member answers: the health triad, the capability list, identity, version, drain
 * (`validation.md` 1, `decisions.md` 1).
 *
 * All of them answer from memory; what is healthy is decided by whoever hands the facts in.
 */
import * as v from "../schema/mod.ts";
import { defineMethod, type Method, type MethodTable } from "./method.ts";

/** Longest drain that can be asked for. */
const DRAIN_MS_MAX = 600_000;

/** Drain without a stated time. */
const DRAIN_MS = 5000;

const LICENSE = "Apache-2.0";

const DOMAIN = "network";

/** Overall state of a node. */
export type HealthStatus = "healthy" | "degraded" | "unhealthy";

/** What `health.check` tells beyond the triad's common members. */
export interface HealthFacts {
  readonly status: HealthStatus;
  /** State of each service by name. */
  readonly subsystems: Readonly<Record<string, unknown>>;
}

/** Where the build came from. */
export interface BuildInfo {
  /** Commit or another name of the exact source. */
  readonly buildHash: string;
  /** RFC 3339 time, or `unknown`. */
  readonly compiledAt: string;
}

/** Facts behind {@linkcode healthMethods}; all are called often and must answer from memory. */
export interface HealthDeps {
  /** Name of the member; `net`. */
  readonly primal: string;
  readonly version: string;
  readonly build: BuildInfo;
  /** Id of this run, if it has one. */
  readonly session?: string;
  /** What is still missing before work can be served. */
  readonly ready: () => { readonly missing: readonly string[] };
  readonly check: () => HealthFacts;
  /** Seconds since the start. */
  readonly uptimeSecs: () => number;
  readonly activeConnections: () => number;
  /** Ways the surface is reachable now. */
  readonly transports: () => readonly ("uds" | "tcp")[];
  /** Time since the Unix epoch in milliseconds. */
  readonly wallMs: () => number;
  /** Refuses new work and waits for the running one, at most so long. */
  readonly drain: (timeoutMs: number) => Promise<{ readonly inFlight: number }>;
  /** The table the methods go into, for the list. */
  readonly table: MethodTable;
}

/**
 * The methods; register them with {@linkcode registerHealthMethods}, which adds the alias too.
 */
export function healthMethods(deps: HealthDeps): readonly Method[] {
  const { primal, version } = deps;
  const nothing = v.object({});
  return [
    defineMethod({
      name: "health.liveness",
      access: "public",
      summary: "Is the process running",
      isReadOnly: true,
      params: nothing,
      handle: () => ({ status: "healthy", alive: true }),
    }),
    defineMethod({
      name: "health.readiness",
      access: "public",
      summary: "Can it serve now",
      isReadOnly: true,
      params: nothing,
      handle: () => {
        const { missing } = deps.ready();
        const ready = missing.length === 0;
        const status = ready ? "healthy" : "not_ready";
        return { status, version, primal, domain: DOMAIN, ready, missing };
      },
    }),
    defineMethod({
      name: "health.check",
      access: "public",
      summary: "State of every part",
      isReadOnly: true,
      params: nothing,
      handle: () => {
        const { status, subsystems } = deps.check();
        return {
          status,
          healthy: status === "healthy",
          version,
          primal,
          domain: DOMAIN,
          uptime_secs: Math.floor(deps.uptimeSecs()),
          active_connections: deps.activeConnections(),
          subsystems,
        };
      },
    }),
    defineMethod({
      name: "health.version",
      access: "public",
      summary: "Version and build",
      isReadOnly: true,
      params: nothing,
      handle: () => ({
        version,
        build_hash: deps.build.buildHash,
        compiled_at: deps.build.compiledAt,
        ...(deps.session === undefined ? {} : { session: deps.session }),
      }),
    }),
    defineMethod({
      name: "health.drain",
      access: "privileged",
      summary: "Refuse new work and wait for the running one",
      isReadOnly: false,
      answersWhileDraining: true,
      params: v.object({
        timeout_ms: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(DRAIN_MS_MAX)),
          DRAIN_MS,
        ),
      }),
      handle: async ({ timeout_ms }) => {
        const { inFlight } = await deps.drain(timeout_ms);
        return inFlight === 0
          ? {
            status: "drained",
            in_flight: 0,
            drained_at: new Date(deps.wallMs()).toISOString(),
          }
          : { status: "draining", in_flight: inFlight, timeout_ms };
      },
    }),
    defineMethod({
      name: "capabilities.list",
      access: "public",
      summary: "Every method of this surface",
      isReadOnly: true,
      params: nothing,
      handle: () => capabilityList(deps),
    }),
    defineMethod({
      name: "identity.get",
      access: "public",
      summary: "Name, version, domain and licence",
      isReadOnly: true,
      params: nothing,
      handle: () => ({ primal, version, domain: DOMAIN, license: LICENSE }),
    }),
  ];
}

/** Registers {@linkcode healthMethods} and the alias `capability.list`. */
export function registerHealthMethods(table: MethodTable, deps: Omit<HealthDeps, "table">): void {
  table.register(...healthMethods({ ...deps, table }));
  table.alias("capability.list", "capabilities.list");
}

function capabilityList(deps: HealthDeps): object {
  const methods = deps.table.list();
  const names = methods.map((method) => method.name);
  return {
    primal: deps.primal,
    version: deps.version,
    methods: names,
    capabilities: names,
    method_info: methods.map(({ name, access, isReadOnly, summary }) => ({
      name,
      access,
      read_only: isReadOnly,
      summary,
    })),
    provided_capabilities: groupsOf(names).map(([type, operations]) => ({
      type,
      methods: operations,
      version: deps.version,
    })),
    consumed_capabilities: [],
    cost_estimates: Object.fromEntries(
      methods.filter((method) => method.access === "public").map(({ name }) => [
        name,
        { cpu: "low", latency_ms: 1 },
      ]),
    ),
    operation_dependencies: {},
    protocol: "jsonrpc-2.0",
    transport: deps.transports(),
    transport_security: {
      btsp_required: false,
      btsp_server_available: false,
      cleartext_available: true,
      note: "access is by socket owner; TCP serves public methods only",
    },
  };
}

/** Operations by domain, the part of the name before the first dot. */
function groupsOf(names: readonly string[]): [string, string[]][] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const dot = name.indexOf(".");
    const [domain, operation] = [name.slice(0, dot), name.slice(dot + 1)];
    const group = groups.get(domain);
    if (group === undefined) groups.set(domain, [operation]);
    else group.push(operation);
  }
  return [...groups];
}
