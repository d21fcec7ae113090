/**
 * Calls with streams in them, ours against the Rust core's; and for the record, against unary calls of ours: how fast
 * an upload and a duplex call are, and how long a cancel in the middle of a stream takes (promise 71).
 */
import type { ItemFigures, ItemLoad } from "./_call_load.ts";
import { quantile } from "./_call_load.ts";
import { openRpcPair } from "./_rpc_pair.ts";
import { describeRate, type Results, round } from "./_rpc_report.ts";
import { openRustRpcPair, type StreamShape } from "./_rust_rpc_pair.ts";
import { summarize } from "./_summary.ts";

/** The core sometimes drops an item and then ends no stream; such a round is repeated, so often at most. */
const STALLS_MAX = 10;
const CANCELS = 200;

interface StreamLoad {
  readonly key: string;
  readonly name: string;
  readonly shape: StreamShape;
  readonly ourCount: number;
  readonly theirCount: number;
}

const LOADS: readonly StreamLoad[] = [
  {
    key: "stream_items",
    name: "server stream, 64 B",
    shape: "serverStream",
    ourCount: 200_000,
    theirCount: 20_000,
  },
  {
    key: "upload_items",
    name: "client stream, 64 B",
    shape: "clientStream",
    ourCount: 200_000,
    theirCount: 20_000,
  },
  {
    key: "duplex_trips",
    name: "duplex, 64 B and back",
    shape: "duplex",
    ourCount: 20_000,
    theirCount: 4_000,
  },
];

interface StreamSide extends AsyncDisposable {
  items(shape: StreamShape, load: ItemLoad): Promise<ItemFigures>;
}

/** Measures all shapes, and cancels. */
export async function measureStreams(
  rounds: number,
  hasRival: boolean,
  results: Results,
): Promise<void> {
  for (const load of LOADS) {
    const ours: number[] = [];
    const theirs: number[] = [];
    let stalls = 0;
    for (let count = 0; count < rounds; count++) {
      ours.push((await runOnce(openRpcPair, load.shape, load.ourCount)).perSecond);
      while (hasRival) {
        const { perSecond, lost } = await runOnce(openRustRpcPair, load.shape, load.theirCount);
        if (lost === 0) {
          theirs.push(perSecond);
          break;
        }
        if (++stalls > STALLS_MAX) throw new Error(`Cannot measure ${load.name}: items are lost`);
      }
    }
    report(load, ours, theirs, results);
    if (stalls > 0) console.log(`  the Rust core lost items in ${stalls} rounds, repeated`);
  }
  await measureCancelling(results);
}

/** The first items warm up. */
async function runOnce(
  open: () => Promise<StreamSide>,
  shape: StreamShape,
  count: number,
): Promise<ItemFigures> {
  await using side = await open();
  const warm = await side.items(shape, { count: count >> 2, bodyBytes: 64 });
  return warm.lost > 0 ? warm : await side.items(shape, { count, bodyBytes: 64 });
}

function report(
  { key, name }: StreamLoad,
  ours: readonly number[],
  theirs: readonly number[],
  results: Results,
): void {
  const mine = summarize(ours);
  results[`${key}_per_s`] = Math.round(mine.median);
  console.log(`${"ours".padEnd(14)} ${name.padEnd(22)} ${describeRate(mine)}`);
  if (theirs.length === 0) return;
  const other = summarize(theirs);
  const ratio = round(mine.median / other.median);
  results[`rust_${key}_per_s`] = Math.round(other.median);
  results[`${key}_ratio`] = ratio;
  console.log(
    `${"Rust core".padEnd(14)} ${name.padEnd(22)} ${describeRate(other)}\n  ${key}_ratio ${ratio}`,
  );
}

async function measureCancelling(results: Results): Promise<void> {
  await using pair = await openRpcPair();
  await pair.cancels(CANCELS >> 2);
  const { cancels, calls } = await pair.cancels(CANCELS);
  const describe = (times: readonly number[]) =>
    [0.5, 0.9, 0.99].map((share) => `p${100 * share} ${quantile(times, share).toFixed(0)} us`).join(
      ", ",
    );
  results.cancel_p50_us = round(quantile(cancels, 0.5));
  results.cancel_p99_us = round(quantile(cancels, 0.99));
  console.log(
    `cancel in mid-stream until the handler's word of it is back: ${describe(cancels)}; ` +
      `a unary call after the same silence: ${describe(calls)}`,
  );
}
