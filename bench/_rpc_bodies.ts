/** Bodies of 1 MiB between nodes of ours; the Rust core has none above one packet. */
import { openRpcPair } from "./_rpc_pair.ts";
import { type Results, round } from "./_rpc_report.ts";
import { summarize } from "./_summary.ts";

const MIB = 1_048_576;
const COUNT = 300;
const IN_FLIGHT = 4;

/** Measures them there alone, where nothing comes back, and there and back. */
export async function measureLargeBodies(rounds: number, results: Results): Promise<void> {
  for (const [service, key] of [["drop", "body1m_mb_s"], ["echo", "body1m_echo_mb_s"]] as const) {
    const rates: number[] = [];
    const costs: number[] = [];
    for (let count = 0; count < rounds; count++) {
      await using pair = await openRpcPair();
      const load = { count: COUNT, inFlight: IN_FLIGHT, bodyBytes: MIB };
      await pair.calls({ ...load, count: COUNT >> 2 }, service);
      const before = await pair.serverCpuSeconds();
      const { perSecond, cpuUsPerCall, failed, failure } = await pair.calls(load, service);
      if (failed > 0) throw new Error(`Cannot measure bodies of 1 MiB: ${failure}`);
      rates.push(perSecond * MIB / 1e6);
      costs.push(cpuUsPerCall + 1e6 * (await pair.serverCpuSeconds() - before) / COUNT);
    }
    const { median, low, high } = summarize(rates);
    results[key] = round(median);
    console.log(
      `${"ours".padEnd(14)} 1 MiB, ${service === "drop" ? "there" : "there and back"}, ` +
        `${IN_FLIGHT} in flight: ${median.toFixed(0)} MB/s each way ` +
        `(${low.toFixed(0)}..${high.toFixed(0)}); CPU per call: ` +
        `${(summarize(costs).median / 1000).toFixed(2)} ms`,
    );
  }
}
