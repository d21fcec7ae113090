/**
 * Folding a long log, and opening logs of growing size.
 *
 * A log of 10 GB is made of zeros, whose payload file is sparse: all of its index is real, and so is every checksum.
 */
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import type { LogOperations, OwnLogOperations } from "./_log_operations.ts";
import { summarize } from "./_summary.ts";

type Side = LineProcess<LogOperations & OwnLogOperations>;
type Results = Record<string, number>;

const FOLD_EVENTS = 1_000_000;
const SIZES = { "100mb": 100e6, "1gb": 1e9, "10gb": 10e9 };
const CALL_TIMEOUT_MS = 300_000;

/** Opens a log of a million task events on disk and folds it, in a new process each time. */
export async function measureFold(rounds: number, results: Results): Promise<void> {
  console.log(`a log of ${FOLD_EVENTS} task events is opened and folded: events/s`);
  const folder = await Deno.makeTempDir({ prefix: "net-bench-log-" });
  try {
    await withSide("ours", (side) => side.call("makeTaskLog", { folder, count: FOLD_EVENTS }));
    const rates: Record<string, number[]> = { ours: [], "Rust core": [] };
    const names = rustPeerSkipReason() === undefined
      ? ["ours", "Rust core"] as const
      : ["ours"] as const;
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        const { seconds } = await withSide(
          name,
          (side) => side.call("foldTasks", { folder, count: FOLD_EVENTS }),
        );
        rates[name]?.push(FOLD_EVENTS / seconds);
      }
    }
    for (const name of names) {
      const { median, low, high } = summarize(rates[name] ?? []);
      console.log(`  ${name.padEnd(10)} ${shown(median)} (${shown(low)}..${shown(high)})`);
      results[name === "ours" ? "fold_events_s" : "rust_fold_events_s"] = Math.round(median);
    }
    if (results.rust_fold_events_s !== undefined) {
      const ratios = rates.ours?.map((each, i) => each / (rates["Rust core"]?.[i] ?? NaN)) ?? [];
      results.fold_events_ratio = Number(summarize(ratios).median.toPrecision(3));
      console.log(`  fold_events_ratio ${results.fold_events_ratio}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Opens logs of three sizes and reads their last event; a new process each time. */
export async function measureOpening(rounds: number, results: Results): Promise<void> {
  console.log("a log that was closed is opened and its last event read: ms");
  for (const [name, bytes] of Object.entries(SIZES)) {
    const folder = await Deno.makeTempDir({ prefix: "net-bench-log-" });
    try {
      await withSide("ours", (side) => side.call("makeSparseLog", { folder, bytes }));
      const ms: number[] = [];
      let events = 0;
      for (let round = 0; round < rounds; round++) {
        const opened = await withSide("ours", (side) => side.call("openLog", { folder }));
        ms.push(opened.ms);
        events = opened.events;
      }
      const { median, low, high } = summarize(ms);
      console.log(
        `  ${name.padEnd(6)} ${shown(events)} events: ${shown(median)} (${shown(low)}..${
          shown(high)
        })`,
      );
      results[`open_${name}_ms`] = Number(median.toPrecision(3));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}

async function withSide<Value>(
  name: "ours" | "Rust core",
  use: (side: Side) => Promise<Value>,
): Promise<Value> {
  const file = name === "ours" ? "./_log_own_process.ts" : "./_log_rust_process.ts";
  await using side = startLineProcess<LogOperations & OwnLogOperations>(
    new URL(file, import.meta.url),
    {
      name,
      callTimeoutMs: CALL_TIMEOUT_MS,
    },
  );
  return await use(side);
}

function shown(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}
