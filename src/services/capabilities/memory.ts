/** What the capability service keeps over restarts, in the ledger. */
import * as v from "../../schema/mod.ts";
import { fromHex, idToHex, NetError, parseId } from "../../base/mod.ts";
import { GROUP_BYTES, ORIGINS_MAX, SUBNET_BYTES } from "../../core/capability/mod.ts";
import {
  type AnnouncementChanges,
  type AnnouncementRecord,
  type Ledger,
  readAnnouncements,
  readSetting,
  removeOldAnnouncements,
  writeAnnouncements,
  writeSetting,
} from "../../core/ledger/mod.ts";
import type { CapabilityBaseline } from "./baseline.ts";
import type { AnnouncementMark } from "./own_capabilities.ts";

/** What the service keeps over restarts. */
export interface CapabilityMemory {
  readBaseline(): Promise<CapabilityBaseline | undefined>;
  writeBaseline(baseline: CapabilityBaseline): Promise<void>;
  readMark(): Promise<AnnouncementMark | undefined>;
  writeMark(mark: AnnouncementMark): Promise<void>;
  /** Announcements heard since a time in Unix milliseconds, the latest first. */
  readAnnouncements(heardSinceMs: number): Promise<readonly AnnouncementRecord[]>;
  writeAnnouncements(changes: AnnouncementChanges): Promise<void>;
}

const BASELINE_SETTING = "capability_baseline";
const MARK_SETTING = "announcement_mark";

const STORED = v.object({
  tags: v.array(v.string()),
  metadata: v.array(v.tuple([v.string(), v.string()])),
  allowedNodes: v.array(v.string()),
  allowedSubnets: v.array(v.string()),
  allowedGroups: v.array(v.string()),
  policyVersion: v.pipe(v.string(), v.digits(), v.maxLength(20)),
});

/** Far below where versions and nanoseconds end: a damaged mark must not be the last one there is. */
const MARK_MS_MAX = 10_000_000_000_000;

const STORED_MARK = v.object({
  version: v.pipe(v.string(), v.digits(), v.maxLength(18)),
  wallMs: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MARK_MS_MAX)),
});

/** Memory on a ledger. */
export function createCapabilityMemory(ledger: Ledger): CapabilityMemory {
  return {
    readBaseline: async () => {
      const text = await readSetting(ledger.db, BASELINE_SETTING);
      return text === undefined ? undefined : parseBaseline(text);
    },
    writeBaseline: (baseline) =>
      writeSetting(ledger.db, BASELINE_SETTING, formatBaseline(baseline)),
    readMark: async () => {
      const text = await readSetting(ledger.db, MARK_SETTING);
      if (text === undefined) return undefined;
      const { version, wallMs } = v.parse(STORED_MARK, JSON.parse(text));
      return { version: BigInt(version), wallMs };
    },
    writeMark: ({ version, wallMs }) => {
      const stored = { version: String(version), wallMs: Math.floor(wallMs) };
      return writeSetting(ledger.db, MARK_SETTING, JSON.stringify(stored));
    },
    readAnnouncements: async (heardSinceMs) => {
      await removeOldAnnouncements(ledger.db, heardSinceMs);
      return await readAnnouncements(ledger.db, heardSinceMs, ORIGINS_MAX);
    },
    writeAnnouncements: (changes) => writeAnnouncements(ledger, changes),
  };
}

function formatBaseline(baseline: CapabilityBaseline): string {
  const { tags, metadata, allowedNodes, allowedSubnets, allowedGroups } = baseline;
  return JSON.stringify({
    tags,
    metadata,
    allowedNodes: allowedNodes.map(idToHex),
    allowedSubnets: allowedSubnets.map((bytes) => bytes.toHex()),
    allowedGroups: allowedGroups.map((bytes) => bytes.toHex()),
    policyVersion: String(baseline.policyVersion),
  });
}

/**
 * What {@linkcode formatBaseline} wrote.
 *
 * @throws NetError `data_dir_unusable` when it is damaged: without it, everybody would be admitted.
 */
function parseBaseline(text: string): CapabilityBaseline {
  try {
    return readStored(v.parse(STORED, JSON.parse(text)));
  } catch (cause) {
    throw new NetError(
      "data_dir_unusable",
      "Cannot read what this node says of itself: its record in net.db is damaged",
      { cause, next: "restore net.db from a backup, or move it away and announce again" },
    );
  }
}

function readStored(stored: v.InferOutput<typeof STORED>): CapabilityBaseline {
  return {
    tags: stored.tags,
    metadata: stored.metadata,
    allowedNodes: stored.allowedNodes.map((id) => required(parseId(id), id)),
    allowedSubnets: stored.allowedSubnets.map((hex) => required(fromHex(hex, SUBNET_BYTES), hex)),
    allowedGroups: stored.allowedGroups.map((hex) => required(fromHex(hex, GROUP_BYTES), hex)),
    policyVersion: BigInt(stored.policyVersion),
  };
}

function required<T>(value: T | undefined, text: string): T {
  if (value !== undefined) return value;
  throw new TypeError(`Cannot read capability baseline: "${text.slice(0, 64)}" is no id`);
}
