/** What moves by itself on a node, as text. */
import {
  formatBytes,
  formatFields,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";

type Answer = Readonly<Record<string, unknown>>;

/** Chunks of the list of the hottest that are printed; all of them are in the document. */
const HOTTEST_MAX = 5;

/** The answer of `blob.flow_status` for people. */
export function blobFlowText(answer: Answer): string {
  const overflow = recordOf(answer.overflow);
  const config = recordOf(overflow.config);
  const counters = recordOf(overflow.counters);
  const moves = recordOf(answer.moves);
  const gravity = recordOf(answer.gravity);
  const greedy = recordOf(answer.greedy);
  const cache = recordOf(answer.cache);
  const promised = recordOf(answer.promised);
  const state = config.enabled !== true ? "off" : overflow.active === true ? "shedding" : "on";
  const fields = formatFields([
    ["disk", diskText(recordOf(answer.disk))],
    ["moves this hour", `${textOf(moves.last_hour)} of ${textOf(moves.per_hour_max)}`],
    ["overflow", state],
    ["  pushed", `${count(counters.pushes_admitted)}, ${bytes(counters.pushed_bytes)}`],
    [
      "  not taken",
      `${count(counters.push_errors)}, and ${count(counters.rejected_no_target)} without a target`,
    ],
    ["  given up here", `${count(counters.dropped)}, ${bytes(counters.dropped_bytes)}`],
    ["  with others only", count(answer.spilled_chunks)],
    ["  taken from others", `${count(counters.arrived)}, ${bytes(counters.arrived_bytes)}`],
    ["  promised to others", `${count(promised.chunks)}, ${bytes(promised.bytes)}`],
    ["gravity", switchText(gravity)],
    ["  pulled", `${count(gravity.pulled)}, ${count(gravity.failed)} failed`],
    ["greedy", switchText(greedy)],
    ["  kept", `${count(greedy.channels)} channels, ${bytes(greedy.bytes)}`],
    ["cache", switchText(cache)],
    ["  kept", `${count(cache.chunks)} chunks, ${bytes(cache.bytes)}`],
    ["link", `${bytes(answer.link_bytes_per_second)}/s`],
  ]);
  const hottest = listOf(recordOf(answer.heat).hottest).map(recordOf).slice(0, HOTTEST_MAX);
  if (hottest.length === 0) return fields;
  const rows = hottest.map(({ hash, rate }) => [textOf(rate), textOf(hash)]);
  return `${fields}\n\n${formatTable([["HEAT", "CHUNK"], ...rows])}`;
}

function diskText(disk: Answer): string {
  const capacity = numberOf(disk.capacity_bytes);
  const used = bytes(disk.used_bytes);
  return capacity === undefined
    ? `${used}, without a quota`
    : `${used} of ${formatBytes(capacity)}`;
}

function switchText({ enabled, scope }: Answer): string {
  if (enabled !== true) return "off";
  return scope === undefined ? "on" : `on, from ${textOf(scope)}`;
}

function bytes(value: unknown): string {
  return formatBytes(numberOf(value) ?? 0);
}

function count(value: unknown): string {
  return String(numberOf(value) ?? 0);
}
