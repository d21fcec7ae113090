/**
 * Calls with streams in them, ours against the Rust core's; and for the record, against unary calls of ours: how fast
 * an upload and a duplex call are, and how long a cancel in the middle of a stream takes (promise 71).
 */
import { quantile } from "./_call_load.ts";
import { openRpcPair } from "./_rpc_pair.ts";
import { describeRate, type Results, round } from "./_rpc_report.ts";
import { openRustRpcPair, type StreamShape } from "./_rust_rpc_pair.ts";
import { summarize } from "./_summary.ts";

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

/** Measures all shapes, and cancels. */
export async function measureStreams(
  rounds: number,
  hasRival: boolean,
  results: Results,
): Promise<void> {
  for (const load of LOADS) {
    const ours: number[] = [];
    const theirs: number[] = [];
    let lost = 0;
    for (let count = 0; count < rounds; count++) {
      ours.push(await measureOurs(load));
      if (!hasRival) continue;
      await using pair = await openRustRpcPair();
      const figures = await pair.items(load.shape, { count: load.theirCount, bodyBytes: 64 });
      theirs.push(figures.perSecond);
      lost += figures.lost;
    }
    report(load, ours, theirs, results);
    if (lost === 0) continue;
    const percent = 100 * lost / (rounds * load.theirCount);
    console.log(
      `  the Rust core lost ${percent.toFixed(1)} % of its items; its rate is of the others`,
    );
  }
  await measureCancelling(results);
}

/** The first items warm up. */
async function measureOurs({ name, shape, ourCount }: StreamLoad): Promise<number> {
  await using pair = await openRpcPair();
  await pair.items(shape, { count: ourCount >> 2, bodyBytes: 64 });
  const { perSecond, lost } = await pair.items(shape, { count: ourCount, bodyBytes: 64 });
  if (lost > 0) throw new Error(`Cannot measure ${name}: ${lost} of our items were lost`);
  return perSecond;
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
