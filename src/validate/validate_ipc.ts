/**
 * `net validate ipc`: probes any member's control surface and gives a verdict (`validation.md` 5,
 * `decisions.md` 8).
 *
 * Time is bounded by one deadline for the whole run, which the steps share, so that a member that
 * never answers still gets its verdict. Compositions and metadata are not looked at here.
 */
import { NetError } from "../base/mod.ts";
import type { Environment } from "../config/mod.ts";
import { LIVENESS_MS } from "../deploy/mod.ts";
import { Budget } from "./budget.ts";
import { probeCapabilities } from "./capability_probe.ts";
import type { Resolver } from "./connect.ts";
import type { Metadata } from "../deploy/mod.ts";
import { compareWithMetadata } from "./declared.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import { checkIdentity, firstOf, isAnswering, probeHealth } from "./health_probe.ts";
import type { ProbeTarget } from "./probe.ts";
import type { IpcReport } from "./report.ts";
import { runStrictChecks } from "./strict_checks.ts";
import type { RuleSet } from "./verdict.ts";

/** Whole run, unless told otherwise. */
const DEADLINE_MS = 5000;

/** Time to connect. */
const CONNECT_TIMEOUT_MS = 5000;

/** Time for one reply. */
const REPLY_TIMEOUT_MS = 10_000;

/** Under the reference rules each of three methods may use both limits, and a second is spare. */
const REFERENCE_DEADLINE_MS = 3 * (CONNECT_TIMEOUT_MS + REPLY_TIMEOUT_MS) + 1000;

/** Longest reply line. */
const LINE_BYTES_MAX = 1024 * 1024;

/** The reference reads lines of any length; memory is bounded here all the same. */
const REFERENCE_LINE_BYTES_MAX = 16 * 1024 * 1024;

/** What TCP ports speak unless a member's metadata says otherwise. */
const LINE_PROTOCOL = "jsonrpc-newline";

/** Options of {@linkcode validateIpc}. */
export interface ValidateIpcOptions {
  /** `standard` when left out. */
  readonly rules?: RuleSet;
  /** Milliseconds for the whole run: 5,000, or 46,000 under the reference rules. */
  readonly deadlineMs?: number;
  /** Milliseconds to connect: 5,000 when left out. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for one reply: 10,000 when left out. */
  readonly replyTimeoutMs?: number;
  /** Longest reply line in bytes: 1 MiB when left out, 16 MiB under the reference rules. */
  readonly lineBytesMax?: number;
  /** Name that the member must give itself. */
  readonly expectName?: string;
  /**
   * True to look at capabilities too, which the strict rules always do; `list` to read the list
   * without trying whether its methods can be called.
   */
  readonly capabilities?: boolean | "list";
  /**
   * What the member's metadata declares: its name must be the member's, and its capabilities must be
   * advertised.
   */
  readonly metadata?: Metadata;
  /** True to fail a member that says it is not healthy. */
  readonly requireHealthy?: boolean;
  /** Environment for member names; the process's own when left out. */
  readonly env?: Environment;
  /** Folder that relative paths start from; the process's own when left out. */
  readonly cwd?: string;
  /** Seed of the member's family, to probe it over BTSP; clear text is spoken without it. */
  readonly familySeed?: Uint8Array;
  /** Finds the addresses of host names; the system's own when left out. */
  readonly resolve?: Resolver;
  readonly signal?: AbortSignal;
}

/**
 * Validates the member behind an endpoint text.
 *
 * @throws NetError `usage` when the text is no endpoint; the signal's reason when it aborts. A member
 * that cannot be reached is a verdict, not an error.
 *
 * @example
 * ```ts
 * import { validateIpc } from "./validate_ipc.ts";
 * const report = await validateIpc("@nobody-listens-here", { deadlineMs: 1000 });
 * console.assert(!report.compliant && report.results[0]?.outcome === "connect_failed");
 * ```
 */
export async function validateIpc(
  endpointText: string,
  options: ValidateIpcOptions = {},
): Promise<IpcReport> {
  const rules = options.rules ?? "standard";
  const budget = new Budget(deadlineOf(options, rules), () => performance.now());
  const startedAt = new Date().toISOString();
  // A member that hangs must not use up the time of the probes.
  const livenessMs = Math.min(LIVENESS_MS, budget.remainingMs / 4);
  const { endpoint, note } = await findEndpoint(endpointText, livenessMs, options);
  const isReference = rules === "reference";
  const target: ProbeTarget = {
    endpoint,
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    replyTimeoutMs: options.replyTimeoutMs ?? REPLY_TIMEOUT_MS,
    lineBytesMax: options.lineBytesMax ?? (isReference ? REFERENCE_LINE_BYTES_MAX : LINE_BYTES_MAX),
    isKeepingBlankLines: isReference,
    familySeed: options.familySeed,
    resolve: options.resolve,
    signal: options.signal,
  };
  const isStrict = rules === "strict";
  const { metadata } = options;
  const wantsCapabilities = isStrict || metadata !== undefined ||
    (options.capabilities ?? false) !== false;
  const laterSteps = (wantsCapabilities ? 1 : 0) + (isStrict ? 1 : 0);

  const probed = await probeHealth(target, budget, rules, laterSteps);
  const expectName = options.expectName ?? metadata?.primal.name;
  const results = isReference ? probed : checkIdentity(probed, expectName);
  const hasTriad = results.every((result) => result.passed);
  // A member that answers nothing would only use up the time once more.
  const isAsking = isAnswering(results);
  const checks = isStrict && isAsking ? await runStrictChecks(target, budget.share(2)) : undefined;
  const capabilities = wantsCapabilities && isAsking
    ? await probeCapabilities(target, budget, {
      isAlive: results.some(({ method, passed }) => method === "health.liveness" && passed),
      hasTriad,
      primal: firstOf(results, "primal"),
      isTryingMethods: isStrict || options.capabilities === true,
    })
    : undefined;

  const version = firstOf(results, "version");
  const declared = metadata === undefined
    ? undefined
    : compareWithMetadata(metadata, { capabilities, version, note });
  const healthy = hasTriad && results.every((result) => result.healthy !== false);
  const passesStrict = !isStrict ||
    (checks !== undefined && checks.every((check) => check.passed) &&
      capabilities !== undefined && capabilities.level >= 2);
  return {
    endpoint: endpoint.text,
    transport: transportOf(endpoint),
    rules,
    compliant: hasTriad && passesStrict && (declared?.notAdvertised ?? []).length === 0 &&
      (healthy || options.requireHealthy !== true),
    healthy,
    isHealthRequired: options.requireHealthy === true,
    primal: firstOf(results, "primal"),
    version,
    startedAt,
    durationMs: Math.round(budget.elapsedMs),
    results,
    checks,
    capabilities,
    declared,
  };
}

/**
 * The endpoint to probe. A TCP port that speaks something else by the member's metadata cannot answer
 * the health methods; the member's unix socket is probed in its place if there is one.
 */
async function findEndpoint(
  text: string,
  livenessMs: number,
  options: ValidateIpcOptions,
): Promise<{ readonly endpoint: Endpoint; readonly note: string | undefined }> {
  const { metadata, signal } = options;
  const env = options.env ?? Deno.env.toObject();
  const parseOptions = { env, cwd: options.cwd ?? Deno.cwd(), livenessMs, signal };
  const endpoint = await parseEndpoint(text, parseOptions);
  const protocol = metadata?.genomeBin?.server?.tcpProtocol ?? LINE_PROTOCOL;
  if (metadata === undefined || endpoint.kind !== "tcp" || protocol === LINE_PROTOCOL) {
    return { endpoint, note: undefined };
  }
  const note = `${endpoint.text} speaks ${protocol} and cannot answer the health methods`;
  const socket = await parseEndpoint(metadata.primal.name, parseOptions).catch(() => undefined);
  return socket === undefined
    ? { endpoint, note: `${note}; the member has no unix socket either` }
    : { endpoint: socket, note: `${note}; its unix socket was probed` };
}

function deadlineOf(options: ValidateIpcOptions, rules: RuleSet): number {
  const deadlineMs = options.deadlineMs ??
    (rules === "reference" ? REFERENCE_DEADLINE_MS : DEADLINE_MS);
  if (deadlineMs > 0) return deadlineMs;
  throw new NetError("usage", `Cannot validate: deadline is ${deadlineMs} ms, must be positive`);
}

function transportOf(endpoint: Endpoint): "uds" | "tcp" | "abstract" {
  return endpoint.kind === "unix" ? "uds" : endpoint.kind;
}
