/**
 * How throughput changes with the number of streams and of peers: the same events spread over 1, 10, 100
 * and 1,000 streams of one session, and sent by 1, 10, 100 and 1,000 nodes to one.
 *
 * All the sending nodes share one process, the receiving one has its own. The table shows where it bends:
 * the CPU the receiving side needs per event tells its share of that.
 */
import { startLineProcess } from "../test/interop/line_process.ts";
import type { MeshOperations } from "./_mesh_process.ts";

const COUNTS: readonly number[] = [1, 10, 100, 1_000];
const EVENT_COUNT = 600_000;
const EVENT_BYTES = 64;
const PER_CALL = 64;
const WINDOW_BYTES = 262_144;
const TIMEOUT_MS = 60_000;
/** Connecting a thousand nodes takes a while. */
const CALL_TIMEOUT_MS = 180_000;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const program = new URL("./_mesh_process.ts", import.meta.url);
  const options = { callTimeoutMs: CALL_TIMEOUT_MS };
  await using source = startLineProcess<MeshOperations>(program, { name: "source", ...options });
  await using target = startLineProcess<MeshOperations>(program, { name: "target", ...options });
  const psk = crypto.getRandomValues(new Uint8Array(32));
  await source.call("start", { psk });
  const info = await target.call("start", { psk });
  await source.call("dial", info);
  const results: Record<string, number> = {};
  const load = {
    peer: info.nodeId,
    eventBytes: EVENT_BYTES,
    perCall: PER_CALL,
    windowBytes: WINDOW_BYTES,
  };
  /** Sends once and reports; a first run that is not counted warms up. */
  const measure = async (
    kind: string,
    count: number,
    eventCount: number,
    send: () => Promise<{ resent: number }>,
  ) => {
    await target.call("reset", {});
    const before = await target.call("usage", {});
    const receiving = target.call("receive", { eventCount, timeoutMs: TIMEOUT_MS });
    const { resent } = await send();
    const got = await receiving;
    const after = await target.call("usage", {});
    if (got.events !== eventCount) {
      throw new Error(
        `Cannot measure ${count} ${kind}: ${got.events} of ${eventCount} events came`,
      );
    }
    const rate = got.events / got.seconds;
    const cpuUs = (after.cpuSeconds - before.cpuSeconds) / got.events * 1e6;
    results[`${kind}_${count}_per_s`] = Math.round(rate);
    results[`${kind}_${count}_cpu_us`] = Math.round(cpuUs * 1000) / 1000;
    console.log(
      `${String(count).padStart(5)} ${kind}  ${
        String(Math.round(rate / 1000)).padStart(6)
      }k events/s  ` +
        `${cpuUs.toFixed(2)} us of the receiver's CPU each  ${resent} packets sent again  ` +
        `${Math.round(after.residentBytes / 1024 ** 2)} MiB`,
    );
  };
  let streamId = 1n << 40n;
  for (const count of [1, ...COUNTS]) {
    const eventCount = EVENT_COUNT - EVENT_COUNT % count;
    streamId += 10_000n;
    const send = { ...load, streamId, eventCount, streams: count };
    await measure("streams", count, eventCount, () => source.call("send", send));
  }
  for (const count of COUNTS) {
    await source.call("crowd", { count, psk, target: info });
    const eventCount = EVENT_COUNT - EVENT_COUNT % count;
    await measure(
      "peers",
      count,
      eventCount,
      () => source.call("crowdSend", { ...load, eventCount }),
    );
  }
  console.log(`RESULT ${JSON.stringify(results)}`);
}
