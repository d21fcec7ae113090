/** Settings of the chunk store: how much it holds, whether it is encrypted, how often it is looked through. */
import type { Layers } from "./layers.ts";
import { parseSize } from "./log_settings.ts";
import { parseDuration, parseSwitch } from "./parse.ts";

/** The platform's timers hold no more: 24.8 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const MINUTE_MS = 60_000;

/** Settings of the chunk store; what is `undefined` stays as it was at the last start. */
export interface StoreSettings {
  /** Most bytes of chunks; `none` leaves it to the device. */
  readonly blobQuota: number | "none" | undefined;
  /** Seals chunks that are stored from now on. */
  readonly encryptStore: boolean | undefined;
  /** Time between scrubs in milliseconds; 0 for never by itself, which is the default. */
  readonly scrubEveryMs: number;
  /** Bytes per second that a scrub reads; `undefined` for its own. */
  readonly scrubRate: number | undefined;
}

/** Reads the settings of the chunk store. */
export function readStoreSettings(layers: Layers): StoreSettings {
  return {
    blobQuota: layers.read("blobQuota", parseQuota, "must be a size such as 500M or 20G, or none"),
    encryptStore: layers.read("encryptStore", parseSwitch, "must be true or false"),
    scrubEveryMs: layers.read("scrubEvery", parseScrubEvery, "must be 1m to 24d, or never") ?? 0,
    scrubRate: layers.read("scrubRate", parseRate, "must be a size per second such as 20M"),
  };
}

function parseQuota(text: string): number | "none" | undefined {
  return text === "none" ? text : parseRate(text);
}

function parseRate(text: string): number | undefined {
  const bytes = parseSize(text);
  return bytes !== undefined && bytes > 0 ? bytes : undefined;
}

function parseScrubEvery(text: string): number | undefined {
  if (text === "never") return 0;
  const days = /^(\d{1,2})d$/.exec(text);
  const ms = days === null ? parseDuration(text) : Number(days[1]) * 24 * 60 * MINUTE_MS;
  return ms !== undefined && ms >= MINUTE_MS && ms <= TIMER_MS_MAX ? ms : undefined;
}
