/**
 * Two nodes in processes of their own, at full rate both ways: their memory stays flat after the first
 * minute, their counters add up whenever they are looked at, and every event arrives once and in order.
 *
 * `NET_SOAK_SECONDS` sets how long, 600 when left out. The last line is a summary.
 */

import { startLineProcess } from "../interop/line_process.ts";
import type { NodeOperations, NodeStatus } from "./node_process.ts";
import { type Sample, slopeOf } from "./slope.ts";

const SECONDS = Number(Deno.env.get("NET_SOAK_SECONDS") ?? 600);
/** Buffers and tables have grown to their sizes by then; short runs have to do with less. */
const WARM_UP_SECONDS = Math.min(60, SECONDS * 0.4);
const LOOK_SECONDS = Math.max(0.5, SECONDS / 300);
const MIB = 1024 * 1024;
/**
 * Growth of the fitted line over the time measured. Between two collections of the engine's old generation
 * memory rises by about 15 MiB, at any time the run may begin or end. At five million events per second
 * a leak of one byte per hundred events is 450 MiB in nine minutes.
 */
const GROWTH_MAX = 16 * MIB;
/**
 * The young generation begins with the size it otherwise grows to in a few steps during the first ten
 * minutes, three times 16 MiB: a step is not a leak, and would hide one.
 */
const V8_FLAGS: readonly string[] = ["--min-semi-space-size=16", "--max-semi-space-size=16"];
const WINDOW_BYTES = 1024 * 1024;
const FORWARD = 1n;
const BACK = 2n;

interface Watched {
  readonly name: string;
  readonly memory: Sample[];
}

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const program = new URL("node_process.ts", import.meta.url);
  await using left = startLineProcess<NodeOperations>(program, {
    name: "left node",
    v8Flags: V8_FLAGS,
  });
  await using right = startLineProcess<NodeOperations>(program, {
    name: "right node",
    v8Flags: V8_FLAGS,
  });
  const psk = crypto.getRandomValues(new Uint8Array(32));
  const [leftAddress, rightAddress] = [
    await left.call("start", { psk, isSealing: true }),
    await right.call("start", { psk, isSealing: true }),
  ];
  await left.call("connect", { ...rightAddress, timeoutMs: 10_000 });
  const open = async (
    [from, to]: readonly [typeof left, typeof right],
    [source, target]: readonly [bigint, bigint],
    streamId: bigint,
    eventBytes: number,
  ) => {
    await to.call("receive", { peer: source, streamId, windowBytes: WINDOW_BYTES });
    await from.call("send", { peer: target, streamId, eventBytes, windowBytes: WINDOW_BYTES });
  };
  await open([left, right], [leftAddress.nodeId, rightAddress.nodeId], FORWARD, 1_024);
  await open([right, left], [rightAddress.nodeId, leftAddress.nodeId], BACK, 64);

  const faults: string[] = [];
  const watched: readonly (Watched & { readonly process: typeof left })[] = [
    { name: "left", memory: [], process: left },
    { name: "right", memory: [], process: right },
  ];
  const startMs = performance.now();
  const elapsed = () => (performance.now() - startMs) / 1000;
  while (elapsed() < SECONDS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_SECONDS * 1000));
    for (const { name, memory, process } of watched) {
      const status = await process.call("status", {});
      memory.push({ at: elapsed(), value: status.rssBytes });
      faults.push(...faultsOf(status).map((fault) => `${name}: at ${elapsed()} s: ${fault}`));
    }
    if (faults.length > 0) break;
  }
  const ends = [await left.call("finish", {}), await right.call("finish", {})] as const;
  const [leftEnd, rightEnd] = [await left.call("status", {}), await right.call("status", {})];
  if (rightEnd.received !== ends[0].sent) faults.push(missing("right", ends[0].sent, rightEnd));
  if (leftEnd.received !== ends[1].sent) faults.push(missing("left", ends[1].sent, leftEnd));
  const growths = watched.map((node) => judgeMemory(node, faults));
  for (const fault of faults) console.log(fault);
  const seconds = elapsed();
  console.log(
    `${seconds.toFixed(0)} s: ${perSecond(rightEnd.received, seconds)} events/s of 1 KiB, ` +
      `${perSecond(leftEnd.received, seconds)} of 64 B, ${growths.join(", ")}`,
  );
  return faults.length === 0 ? 0 : 1;
}

function faultsOf({ wrong, disordered, counters }: NodeStatus): string[] {
  const faults = [...wrong];
  if (disordered > 0) faults.push(`${disordered} events out of order`);
  if ((counters.rx_failures_total ?? 0) > 0) faults.push("a packet made its handler throw");
  return faults;
}

function missing(name: string, sent: number, { received }: NodeStatus): string {
  return `${name}: ${received} events received, ${sent} sent`;
}

function judgeMemory({ name, memory }: Watched, faults: string[]): string {
  const samples = memory.filter(({ at }) => at >= WARM_UP_SECONDS);
  const minutes = ((samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0)) / 60;
  const perMinute = slopeOf(samples) * 60;
  const mean = samples.reduce((sum, { value }) => sum + value, 0) / Math.max(samples.length, 1);
  const text = `${name} ${(mean / MIB).toFixed(0)} MiB ${(perMinute / MIB).toFixed(2)} MiB/min`;
  if (samples.length < 2) faults.push(`${name}: too short to tell`);
  if (perMinute * minutes > GROWTH_MAX) faults.push(`${text}: memory grows`);
  return text;
}

function perSecond(count: number, seconds: number): string {
  return Math.round(count / seconds).toLocaleString("en");
}
