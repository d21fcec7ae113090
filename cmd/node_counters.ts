/** `net node counters`: what the running node counted, stage by stage. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, switchFlag } from "./flags.ts";
import { formatCount, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { type Answer, type Look, runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

interface CountersFlags extends WatchFlags {
  readonly all?: boolean;
}

/** The verb. */
export const nodeCountersCommand = buildCommand<CountersFlags, [], NetContext>({
  docs: {
    brief: "Show what the node counted and dropped, stage by stage",
    fullDescription:
      "Shows what the running node counted. Everything that comes into a stage has " +
      "one outcome, passed on or dropped for a reason, and the sums must agree: the exit code is " +
      "1 where they don't. With --watch changes per second.\n\n" +
      "EXAMPLES\n  net node counters\n  net node counters --watch\n  net node counters --all --json",
  },
  parameters: {
    flags: bareRecord({
      watch: WATCH_FLAG,
      all: switchFlag("Show every counter, not only the stages and drops"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runWatch(this, flags, {
      method: "node.counters",
      text: (look) => countersText(look, flags.all ?? false),
      check: ({ answer }) => {
        const [first] = listOf(answer.mismatches).map(textOf);
        if (first === undefined) return;
        throw new NetError("failed", `Counters don't add up: ${first}`, {
          next: "keep the output of net node counters --json and report it",
          data: { mismatches: answer.mismatches },
        });
      },
    });
  },
});

/** Text of all stages, then of what was dropped elsewhere, then, if asked for, of all the rest. */
export function countersText(look: Look, isAll: boolean): string {
  const { answer, before, seconds } = look;
  const counters = recordOf(answer.counters);
  const earlier = recordOf(before?.counters);
  const isRate = before !== undefined;
  const shown = new Set<string>();
  const row = (label: string, names: readonly string[]): string[] => {
    const sum = (set: Answer) =>
      names.reduce((total, name) => total + (numberOf(set[name]) ?? 0), 0);
    for (const name of names) shown.add(name);
    const value = sum(counters);
    if (!isRate) return [label, formatCount(value)];
    return [label, formatCount(value), formatCount((value - sum(earlier)) / seconds)];
  };
  const rows: string[][] = [isRate ? ["STAGE", "TOTAL", "PER SECOND"] : ["STAGE", "TOTAL"]];
  for (const stage of listOf(answer.stages).map(recordOf)) {
    rows.push(row(stageTitle(stage), Object.keys(recordOf(stage.inputs))));
    for (const [name, value] of Object.entries(recordOf(stage.outcomes))) {
      shown.add(name);
      if (value !== 0) rows.push(row(`  ${shortName(name)}`, [name]));
    }
  }
  const others = Object.keys(isAll ? counters : recordOf(answer.drops)).filter((name) =>
    !shown.has(name)
  );
  if (others.length > 0) {
    rows.push([isAll ? "others" : "dropped elsewhere"]);
    for (const name of others) rows.push(row(`  ${shortName(name)}`, [name]));
  }
  const tables = Object.entries(recordOf(answer.tables)).filter(([, size]) => size !== 0);
  if (tables.length > 0) {
    rows.push(["entries now"]);
    for (const [name, size] of tables) {
      rows.push([`  ${name.replaceAll("_", " ")}`, formatCount(numberOf(size) ?? 0)]);
    }
  }
  return formatTable(rows, { right: [1, 2] });
}

function stageTitle(stage: Answer): string {
  const name = textOf(stage.name);
  if (stage.adds_up === true) return name;
  return `${name}: ${textOf(stage.in)} in, ${textOf(stage.accounted)} accounted for`;
}

/** A counter without what all of them have in common. */
function shortName(name: string): string {
  return name.replace(/^net_(transport_)?/, "").replace(/_total$/, "");
}
