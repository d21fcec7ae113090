/**
 * Reads the options of a channel's file (`storage.md` 3.4, 3.5): what is unknown, zero or not a number is
 * refused, never taken for something else.
 */
import { RedexError } from "./error.ts";
import { SWEEP_MS, TIMER_MS_MAX } from "./limits.ts";
import type { FsyncPolicy, RedexConfig, Retention } from "./types.ts";

/** A configuration without open ends. */
export interface FullRedexConfig {
  readonly isPersistent: boolean;
  readonly fsync: FsyncPolicy;
  readonly retention: Retention;
  /** 0 when retention runs only when asked to. */
  readonly sweepMs: number;
  /** What was said of it, which counts again when the retention changes. */
  readonly sweepMsAsked: number | undefined;
}

const CONFIG_KEYS = ["isPersistent", "fsync", "retention", "sweepMs"];
const RETENTION_KEYS = ["eventsMax", "bytesMax", "ageMaxMs"];
const FSYNC_KEYS: Readonly<Record<FsyncPolicy["kind"], readonly string[]>> = {
  "never": ["kind"],
  "every-n": ["kind", "records"],
  "interval": ["kind", "ms"],
  "interval-or-bytes": ["kind", "ms", "bytes"],
};

/**
 * The configuration with its defaults filled in.
 *
 * @param defaults Of the manager; a part of `config` takes the place of the same part.
 * @throws RedexError `config`.
 *
 * @example
 * ```ts
 * import { fillRedexConfig } from "./redex_config.ts";
 * const config = fillRedexConfig({ retention: { eventsMax: 1000 } });
 * console.assert(config.fsync.kind === "never" && config.sweepMs === 5000);
 * ```
 */
export function fillRedexConfig(config: RedexConfig, defaults: RedexConfig = {}): FullRedexConfig {
  refuseUnknown("the configuration", config, CONFIG_KEYS);
  const { isPersistent = false, fsync = { kind: "never" }, retention = {}, sweepMs } = {
    ...defaults,
    ...withoutUndefined(config),
  };
  if (typeof isPersistent !== "boolean") refuse("isPersistent", isPersistent, "true or false");
  checkFsync(fsync);
  checkRetention(retention);
  if (sweepMs !== undefined && sweepMs !== 0) checkMs("sweepMs", sweepMs);
  const hasRetention = Object.values(retention).some((limit) => limit !== undefined);
  return {
    isPersistent,
    fsync,
    retention,
    sweepMs: hasRetention ? sweepMs ?? SWEEP_MS : 0,
    sweepMsAsked: sweepMs,
  };
}

function checkFsync(policy: FsyncPolicy): void {
  const keys = Object.hasOwn(FSYNC_KEYS, policy?.kind) ? FSYNC_KEYS[policy.kind] : undefined;
  if (keys === undefined) refuse("fsync.kind", policy?.kind, Object.keys(FSYNC_KEYS).join(", "));
  refuseUnknown("fsync", policy, keys);
  if (policy.kind === "every-n") checkCount("fsync.records", policy.records);
  if (policy.kind === "interval") checkMs("fsync.ms", policy.ms);
  if (policy.kind !== "interval-or-bytes") return;
  if (policy.ms !== 0) checkMs("fsync.ms", policy.ms);
  if (policy.bytes !== 0) checkCount("fsync.bytes", policy.bytes);
  if (policy.ms === 0 && policy.bytes === 0) {
    refuse("fsync", "0 ms and 0 bytes", "at least one of them above 0, or the kind never");
  }
}

function checkRetention(retention: Retention): void {
  if (typeof retention !== "object" || retention === null) {
    refuse("retention", retention, "an object");
  }
  refuseUnknown("retention", retention, RETENTION_KEYS);
  for (const [key, limit] of Object.entries(retention)) {
    if (limit !== undefined) checkCount(`retention.${key}`, limit);
  }
}

function checkCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) refuse(what, value, "a whole number, at least 1");
}

function checkMs(what: string, value: number): void {
  if (!(value >= 1 && value <= TIMER_MS_MAX)) refuse(what, value, `1 to ${TIMER_MS_MAX} ms`);
}

function refuseUnknown(what: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new RedexError(
    "config",
    `Cannot use ${what}: there is no option "${unknown.slice(0, 40)}"`,
    {
      next: `use ${known.join(", ")}`,
    },
  );
}

function refuse(what: string, value: unknown, wanted: string): never {
  throw new RedexError("config", `Cannot use ${what} "${String(value).slice(0, 40)}"`, {
    next: `give ${wanted}`,
  });
}

function withoutUndefined(config: RedexConfig): RedexConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
