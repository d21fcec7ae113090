/**
 * How a channel's log is kept: when it goes to the device, and what of it may be forgotten. What an operator
 * said of one channel is kept in the node's records; the rest follows the node's settings.
 */
import * as v from "../../schema/mod.ts";
import { type Ledger, readSetting, removeSetting, writeSetting } from "../../core/ledger/mod.ts";
import type { FsyncPolicy, RedexConfig, Retention } from "../../log/mod.ts";

/** What can be said of one log; what is left out follows the node's settings. */
export interface LogRules {
  readonly fsync?: FsyncPolicy;
  readonly retention?: Retention;
  /** Kept in memory only. */
  readonly isVolatile?: boolean;
}

/** Settings of the node for logs that nobody said anything of. */
export interface LogDefaults {
  readonly fsync: FsyncPolicy;
  readonly retention: Retention;
  /** How often retention runs, 0 for only when asked to; `undefined` for the log's own. */
  readonly sweepMs: number | undefined;
  /** Payload bytes of one segment on disk; `undefined` for the log's own. */
  readonly segmentBytesMax: number | undefined;
}

/**
 * When events go to the device unless told otherwise: a second after the first one that is not there. The end
 * of the program loses nothing in any case, and the loss of power at most that second.
 */
export const DEFAULT_FSYNC: FsyncPolicy = { kind: "interval", ms: 1_000 };

/** Where rules are kept. */
export interface LogMemory {
  read(channel: string): Promise<LogRules | undefined>;
  /** Writes the rules, or forgets them. */
  write(channel: string, rules: LogRules | undefined): Promise<void>;
}

const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const COUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const RULES = v.object({
  fsync: v.optional(v.variant("kind", [
    v.object({ kind: v.literal("never") }),
    v.object({ kind: v.literal("every-n"), records: WHOLE }),
    v.object({ kind: v.literal("interval"), ms: WHOLE }),
    v.object({ kind: v.literal("interval-or-bytes"), ms: COUNT, bytes: COUNT }),
  ])),
  retention: v.optional(v.object({
    eventsMax: v.optional(WHOLE),
    bytesMax: v.optional(WHOLE),
    ageMaxMs: v.optional(WHOLE),
  })),
  isVolatile: v.optional(v.boolean()),
});

/** Memory on a ledger. */
export function createLogMemory({ db }: Pick<Ledger, "db">): LogMemory {
  const keyOf = (channel: string) => `log_rules:${channel}`;
  return {
    read: async (channel) => {
      const text = await readSetting(db, keyOf(channel));
      if (text === undefined) return undefined;
      const parsed = v.safeParse(RULES, parseJson(text));
      // Records of a later version that this one cannot read are as good as none.
      return parsed.success ? parsed.output : undefined;
    },
    write: async (channel, rules) => {
      if (rules === undefined) await removeSetting(db, keyOf(channel));
      else await writeSetting(db, keyOf(channel), JSON.stringify(rules));
    },
  };
}

/** True for a log that a database is folded out of: what is forgotten there is missing from the rows. */
export function isFolded(channel: string): boolean {
  return channel.startsWith("cortex/") || channel.startsWith("netdb/");
}

/** Rules and settings as one configuration. */
export function toRedexConfig(
  channel: string,
  rules: LogRules | undefined,
  defaults: LogDefaults,
  isOnDisk: boolean,
): RedexConfig {
  return {
    isPersistent: isOnDisk && rules?.isVolatile !== true,
    fsync: rules?.fsync ?? defaults.fsync,
    retention: rules?.retention ?? (isFolded(channel) ? {} : defaults.retention),
    sweepMs: defaults.sweepMs,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
