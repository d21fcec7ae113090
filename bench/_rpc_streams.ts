/** Calls with streams in them: what the Rust core moves, for `bench/rpc.ts`. */
import { describeRate, type Results } from "./_rpc_report.ts";
import { openRustRpcPair, type StreamShape } from "./_rust_rpc_pair.ts";
import { summarize } from "./_summary.ts";

/** The core sometimes drops an item and then ends no stream; such a round is repeated, so often at most. */
const STALLS_MAX = 10;

interface StreamLoad {
  readonly key: string;
  readonly name: string;
  readonly shape: StreamShape;
  readonly count: number;
}

const LOADS: readonly StreamLoad[] = [
  { key: "stream_items", name: "server stream, 64 B", shape: "serverStream", count: 20_000 },
  { key: "upload_items", name: "client stream, 64 B", shape: "clientStream", count: 20_000 },
  { key: "duplex_trips", name: "duplex, 64 B and back", shape: "duplex", count: 4_000 },
];

/** Measures all shapes. */
export async function measureStreams(
  rounds: number,
  hasRival: boolean,
  results: Results,
): Promise<void> {
  if (!hasRival) return;
  for (const { key, name, shape, count } of LOADS) {
    const rates: number[] = [];
    let stalls = 0;
    while (rates.length < rounds) {
      await using pair = await openRustRpcPair();
      const { perSecond, lost } = await pair.items(shape, { count, bodyBytes: 64 });
      if (lost === 0) rates.push(perSecond);
      else if (++stalls > STALLS_MAX) throw new Error(`Cannot measure ${name}: items are lost`);
    }
    const summary = summarize(rates);
    results[`rust_${key}_per_s`] = Math.round(summary.median);
    console.log(
      `${"Rust core".padEnd(14)} ${name.padEnd(20)} ${describeRate(summary)}` +
        (stalls === 0 ? "" : `; items were lost in ${stalls} rounds, which were repeated`),
    );
  }
}
