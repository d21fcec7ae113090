/** Logs as the methods tell of them. */
import { NetError } from "../../base/mod.ts";
import type {
  FolderReport,
  FsyncPolicy,
  RedexStat,
  Retention,
  SegmentReport,
  TailItem,
} from "../../log/mod.ts";
import type { LogRules } from "../../services/mod.ts";

/** Bytes of an event that go in one message; as base64 they fit a line with room to spare. */
export const EVENT_PIECE_BYTES = 512 * 1024;

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BILLION = 1_000_000_000n;

/** One log as a row. */
export function describeLog(stat: RedexStat, rules: LogRules | undefined) {
  return {
    channel: stat.name,
    kept: stat.isPersistent ? "disk" : "memory",
    events: stat.events,
    first_seq: Number(stat.firstSeq),
    next_seq: Number(stat.nextSeq),
    persisted_seq: Number(stat.persistedSeq),
    bytes: stat.bytes,
    generation: stat.generation,
    damaged: stat.damaged,
    fsync: fsyncText(stat.fsync),
    retention: retentionFields(stat.retention),
    own_rules: rules !== undefined,
    failure: stat.failure ?? null,
  };
}

/** A log's folder, as it was verified. */
export function describeFolder(report: FolderReport) {
  const { segments, isSound, generation, isManifestSound, records, bytes, damaged } = report;
  const sum = (of: (segment: SegmentReport) => number) =>
    segments.reduce((total, segment) => total + of(segment), 0);
  return {
    folder: report.folder,
    sound: isSound,
    generation: generation ?? null,
    manifest_sound: isManifestSound,
    segments: segments.length,
    events: records,
    bytes,
    first_seq: seqOf(segments.find(({ firstSeq }) => firstSeq !== undefined)?.firstSeq),
    last_seq: seqOf(segments.findLast(({ lastSeq }) => lastSeq !== undefined)?.lastSeq),
    damaged,
    cut: sum(({ recordsCut }) => recordsCut),
    torn_bytes: sum(({ torn }) => torn.idx + torn.dat + torn.ts),
    damaged_events: report.damagedRecords.map(({ segment, record, seq, reason }) => ({
      segment,
      record,
      seq: String(seq),
      reason,
    })),
    times: segments.filter(({ times }) => times !== "complete").length === 0
      ? "complete"
      : "incomplete",
    leftovers: report.leftovers,
  };
}

function seqOf(seq: bigint | undefined): number | null {
  return seq === undefined ? null : Number(seq);
}

/** An fsync policy as it is written in flags: `never`, `every:100`, `interval:1s`. */
export function fsyncText(policy: FsyncPolicy): string {
  switch (policy.kind) {
    case "never":
      return "never";
    case "every-n":
      return `every:${policy.records}`;
    case "interval":
      return `interval:${spanText(policy.ms)}`;
    case "interval-or-bytes":
      return `interval:${spanText(policy.ms)},bytes:${policy.bytes}`;
  }
}

/** A time as flags take it. */
function spanText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

function retentionFields({ eventsMax, bytesMax, ageMaxMs }: Retention) {
  return {
    events_max: eventsMax ?? null,
    bytes_max: bytesMax ?? null,
    age_max_ms: ageMaxMs ?? null,
  };
}

/** What was asked for last: events of one append share their time. */
let lastTime = { ns: -1n, text: "" };

/** Nanoseconds since 1970 as RFC 3339 text with nine decimals. */
export function nanosText(timeNs: bigint): string {
  if (timeNs !== lastTime.ns) lastTime = { ns: timeNs, text: toTimeText(timeNs) };
  return lastTime.text;
}

function toTimeText(timeNs: bigint): string {
  const ms = Number(timeNs / 1_000_000n);
  if (Math.abs(ms) > 8.64e15) return String(timeNs);
  const decimals = String(timeNs % BILLION).padStart(9, "0");
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, `.${decimals}Z`);
}

/** What was read, as it is told: an event as text where it is text, and a large one in pieces. */
export function* describeItems(
  items: readonly TailItem[],
): Generator<object, void, undefined> {
  for (const item of items) {
    if (item.kind === "lag") {
      yield { kind: "lag", from: Number(item.from), to: Number(item.to), reason: item.reason };
      continue;
    }
    const { payload } = item;
    const head = { kind: "event", seq: Number(item.seq), time: nanosText(item.timeNs) };
    if (payload.length <= EVENT_PIECE_BYTES) {
      yield { ...head, ...payloadFields(payload) };
      continue;
    }
    for (let at = 0; at < payload.length; at += EVENT_PIECE_BYTES) {
      const piece = payload.subarray(at, at + EVENT_PIECE_BYTES);
      yield { ...head, base64: piece.toBase64(), more: at + piece.length < payload.length };
    }
  }
}

/** Bytes as text, or as base64 where they are none. */
export function payloadFields(payload: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: DECODER.decode(payload) };
  } catch {
    return { base64: payload.toBase64() };
  }
}

/**
 * Bytes that a caller gave as text or base64.
 *
 * @throws NetError `usage` for what is no base64.
 */
export function readPayload(text: string, encoding: "utf8" | "base64"): Uint8Array {
  if (encoding === "utf8") return new TextEncoder().encode(text);
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new NetError("usage", "Cannot append event: it is no base64", {
      cause,
      next: "give events as base64, or as text with the encoding utf8",
    });
  }
}
