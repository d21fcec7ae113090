/** How far the scrub of a node is, and how the last one ended; over restarts, in one setting of the ledger. */
import * as v from "../../schema/mod.ts";
import { toHex } from "../../base/mod.ts";
import { emptyScrubCounts, type ScrubCounts } from "../../blob/mod.ts";
import { type Ledger, readSetting, writeSetting } from "../../core/ledger/mod.ts";

/** What is kept of a scrub. */
export interface KeptScrub {
  /** Unix milliseconds. */
  readonly startedAtMs: number;
  /** `undefined` while it is not done. */
  readonly endedAtMs: number | undefined;
  readonly after: Uint8Array | undefined;
  readonly counts: ScrubCounts;
}

/** Keeps one scrub. */
export interface ScrubMemory {
  /** `undefined` when there was none, or another version wrote of it. */
  read(): Promise<KeptScrub | undefined>;
  write(scrub: KeptScrub): Promise<void>;
}

const SETTING = "blob_scrub";
const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0));
const COUNT_NAMES = Object.keys(emptyScrubCounts());
const STORED = v.object({
  started_at_ms: COUNT,
  ended_at_ms: v.nullable(COUNT),
  after: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  counts: v.record(v.pipe(v.string(), v.maxLength(32)), COUNT),
});

/** Memory on a ledger. */
export function createScrubMemory({ db }: Pick<Ledger, "db">): ScrubMemory {
  return {
    read: async () => {
      const text = await readSetting(db, SETTING);
      const parsed = text === undefined ? undefined : v.safeParse(STORED, parseJson(text));
      if (parsed?.success !== true) return undefined;
      const { started_at_ms, ended_at_ms, after, counts } = parsed.output;
      const known = Object.entries(counts).filter(([name]) => COUNT_NAMES.includes(name));
      return {
        startedAtMs: started_at_ms,
        endedAtMs: ended_at_ms ?? undefined,
        after: after === null ? undefined : Uint8Array.fromHex(after),
        counts: { ...emptyScrubCounts(), ...Object.fromEntries(known) },
      };
    },
    write: ({ startedAtMs, endedAtMs, after, counts }) =>
      writeSetting(
        db,
        SETTING,
        JSON.stringify({
          started_at_ms: startedAtMs,
          ended_at_ms: endedAtMs ?? null,
          after: after === undefined ? null : toHex(after),
          counts,
        }),
      ),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
