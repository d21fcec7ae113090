/** `net node streams`: what each stream of the running node did. */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS } from "./flags.ts";
import {
  formatCompact,
  formatCount,
  formatTable,
  formatTimeMs,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { optionalPeer } from "./peer_argument.ts";
import { type Answer, type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

/** The verb. */
export const nodeStreamsCommand = buildCommand<WatchFlags, [string?], NetContext>({
  docs: {
    brief: "List the streams with peers and what they carried",
    fullDescription: "Lists the streams of all peers, or of one, the last used first. A row per " +
      "direction; with --watch bytes are per second.\n\n" +
      "WAY is out, in (handed on as it arrives) or ord (in, handed on in order). EVENTS and BYTES " +
      "are what was sent or taken once. AGAIN counts packets sent again, or that came again; WAIT " +
      "those not acknowledged yet, or that wait for an earlier one. CRED is what may be sent " +
      "before the receiver grants more, CWND the congestion window in packets. --json tells the " +
      "rest: timing, windows, what came too far ahead. Streams between others that this node relays " +
      "stand below.\n\n" +
      "EXAMPLES\n  net node streams\n  net node streams 31a5 --watch\n  net node streams --json",
  },
  parameters: {
    flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }),
    positional: {
      kind: "tuple",
      parameters: [optionalPeer("all peers")],
    },
  },
  async func(flags, peer) {
    const params = peer === undefined ? {} : { peer };
    await runWatch(this, flags, { method: "node.streams", params, text: streamsText });
  },
});

function streamsText({ answer, before, seconds }: Look): string {
  const streams = listOf(answer.streams).map(recordOf);
  const relayed = relayedText(listOf(answer.relayed).map(recordOf));
  if (streams.length === 0) return relayed ?? "no streams";
  const earlier = new Map(
    listOf(before?.streams).map(recordOf).map((stream) => [keyOf(stream), stream] as const),
  );
  const isRate = before !== undefined;
  const bytesOf = (stream: Answer, half: "sent" | "received"): string => {
    const bytes = numberOf(recordOf(stream[half]).bytes) ?? 0;
    if (!isRate) return formatCompact(bytes);
    const was = numberOf(recordOf(earlier.get(keyOf(stream))?.[half]).bytes) ?? 0;
    return formatCompact(Math.max(0, bytes - was) / Math.max(0.001, seconds));
  };
  const rows: string[][] = [];
  for (const stream of streams) {
    const first = [textOf(stream.peer), textOf(stream.stream)];
    if (stream.sent !== null) rows.push([...first, ...sentCells(stream, bytesOf(stream, "sent"))]);
    if (stream.received !== null) {
      rows.push([...first, ...receivedCells(stream, bytesOf(stream, "received"))]);
    }
  }
  const heading = [
    "PEER",
    "STREAM",
    "WAY",
    "EVENTS",
    isRate ? "B/s" : "BYTES",
    "AGAIN",
    "WAIT",
    "CRED",
    "CWND",
    "RTT",
  ];
  const table = formatTable([heading, ...rows], { right: [3, 4, 5, 6, 7, 8, 9], columnsMax: 80 });
  const omitted = numberOf(answer.omitted) ?? 0;
  const parts = [omitted === 0 ? table : `${table}\nand ${formatCount(omitted)} more`];
  if (relayed !== undefined) parts.push(relayed);
  return parts.join("\n\n");
}

/** Streams between others that pass through this node. */
function relayedText(relayed: readonly Answer[]): string | undefined {
  if (relayed.length === 0) return undefined;
  const rows = relayed.map((stream) => [
    textOf(stream.stream),
    countText(stream.packets),
    formatCompact(numberOf(stream.bytes) ?? 0),
    countText(stream.drops),
  ]);
  return formatTable([["RELAYED STREAM", "PACKETS", "BYTES", "DROPPED"], ...rows], {
    right: [1, 2, 3],
  });
}

function keyOf(stream: Answer): string {
  return `${textOf(stream.peer)} ${textOf(stream.stream)}`;
}

function sentCells(stream: Answer, bytes: string): string[] {
  const sent = recordOf(stream.sent);
  const credit = numberOf(sent.credit_bytes);
  const rttMs = numberOf(sent.rtt_ms);
  return [
    "out",
    countText(sent.events),
    bytes,
    countText(sent.resent),
    countText(sent.unacked),
    credit === undefined ? "-" : formatCompact(credit),
    countText(sent.congestion_window),
    rttMs === undefined ? "-" : formatTimeMs(rttMs),
  ];
}

function receivedCells(stream: Answer, bytes: string): string[] {
  const received = recordOf(stream.received);
  return [
    received.ordered === true ? "ord" : "in",
    countText(received.events),
    bytes,
    countText(received.duplicates),
    countText(received.waiting),
    "-",
    "-",
    "-",
  ];
}

/** A count in at most five columns. */
function countText(value: unknown): string {
  const count = numberOf(value) ?? 0;
  if (count < 100_000) return String(count);
  return count < 9_950_000 ? `${(count / 1e6).toFixed(1)}m` : `${Math.round(count / 1e6)}m`;
}
