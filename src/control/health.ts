/**
 * The methods every member answers: the health triad, the capability list, identity, version, drain
 * (`validation.md` 1, `decisions.md` 1).
 *
 * All of them answer from memory, by what the kernel knows.
 */
import { NetError } from "../base/mod.ts";
import {
  checkDocument,
  type DrainReport,
  type HealthState,
  type HealthView,
  livenessDocument,
  readinessDocument,
  versionDocument,
} from "../kernel/mod.ts";
import * as v from "../schema/mod.ts";
import { BTSP_VERSION } from "./btsp/mod.ts";
import { defineMethod, type Method, type MethodTable } from "./method.ts";

/** Longest drain that can be asked for. */
const DRAIN_MS_MAX = 600_000;

/** Drain without a stated time. */
const DRAIN_MS = 5000;

const LICENSE = "Apache-2.0";

/** Facts behind {@linkcode healthMethods}; all are called often and must answer from memory. */
export interface HealthDeps extends HealthView {
  readonly health: Pick<
    HealthState,
    "snapshot" | "activeConnections" | "drain" | "resume"
  >;
  /** Ways the surface is reachable now. */
  readonly transports: () => readonly ("uds" | "tcp")[];
  /** Whether members of the family may, or everybody must, speak BTSP; nobody when left out. */
  readonly btsp?: "none" | "offered" | "required";
  /** The table the methods go into, for the list. */
  readonly table: MethodTable;
}

/**
 * The methods; register them with {@linkcode registerHealthMethods}, which adds the alias too.
 */
export function healthMethods(deps: HealthDeps): readonly Method[] {
  const { health, member } = deps;
  const { primal, version, domain } = member;
  const nothing = v.object({});
  return [
    defineMethod({
      name: "health.liveness",
      access: "public",
      summary: "Is the process running",
      isReadOnly: true,
      params: nothing,
      handle: () => livenessDocument(),
    }),
    defineMethod({
      name: "health.readiness",
      access: "public",
      summary: "Can it serve now",
      isReadOnly: true,
      params: v.object({ for: v.optional(v.picklist(["any", "read", "write"])) }),
      handle: ({ for: use }) => readinessDocument(deps, use),
    }),
    defineMethod({
      name: "health.check",
      access: "public",
      summary: "State of every part",
      isReadOnly: true,
      params: nothing,
      handle: (_, { transport }) => checkDocument(deps, { tellsReasons: transport === "unix" }),
    }),
    defineMethod({
      name: "health.version",
      access: "public",
      summary: "Version and build",
      isReadOnly: true,
      params: nothing,
      handle: () => versionDocument(member),
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
      handle: async ({ timeout_ms }, { signal }) =>
        drainResult(await health.drain(timeout_ms, { signal }), timeout_ms),
    }),
    defineMethod({
      name: "health.resume",
      access: "privileged",
      summary: "Take new work again after a drain",
      isReadOnly: false,
      answersWhileDraining: true,
      params: nothing,
      handle: () => {
        if (health.resume()) return { status: "serving" };
        throw new NetError("conflict", "Cannot take work again: the node is stopping", {
          next: "wait until it is gone, then start it with net node start",
        });
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
      handle: () => ({ primal, version, domain, license: LICENSE }),
    }),
  ];
}

/** Registers {@linkcode healthMethods} and the alias `capability.list`. */
export function registerHealthMethods(table: MethodTable, deps: Omit<HealthDeps, "table">): void {
  table.register(...healthMethods({ ...deps, table }));
  table.alias("capability.list", "capabilities.list");
}

/** A drain as `health.drain` tells of it; one that was taken back meanwhile is `resumed`. */
function drainResult(report: DrainReport, timeoutMs: number): object {
  const { phase, inFlight, inFlightByPart, drainedAtMs } = report;
  if (drainedAtMs !== undefined) {
    return {
      status: "drained",
      in_flight: 0,
      drained_at: new Date(drainedAtMs).toISOString(),
    };
  }
  const status = phase === "open" ? "resumed" : "draining";
  return { status, in_flight: inFlight, in_flight_by: inFlightByPart, timeout_ms: timeoutMs };
}

function capabilityList(deps: HealthDeps): object {
  const { member: { primal, version } } = deps;
  const methods = deps.table.list();
  const names = methods.map((method) => method.name);
  return {
    primal,
    version,
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
      version,
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
    transport_security: transportSecurity(deps.btsp ?? "none"),
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

/** What a client has to know before it connects (`validation.md` 8). */
function transportSecurity(btsp: "none" | "offered" | "required"): object {
  return {
    btsp_required: btsp === "required",
    ...(btsp === "none" ? {} : { btsp_version: BTSP_VERSION }),
    btsp_server_available: btsp !== "none",
    cleartext_available: btsp !== "required",
    note: "access is by socket owner; TCP serves public methods only",
  };
}
