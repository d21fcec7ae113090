/**
 * A node under two thousand connections that each send valid and invalid lines as fast as they are answered:
 * liveness stays quick, memory bounded, and no connection starves (`decisions.md` 9).
 *
 * Load, probe and an idle server to compare with are processes of their own. `NET_LOAD_SECONDS` and
 * `NET_LOAD_CONNECTIONS` change how much is done; 30 s and 2,000 when left out. The last line is a summary.
 */

import { makeWorkspace } from "../e2e/harness.ts";
import { startLineProcess } from "../interop/line_process.ts";
import type { LoadOperations } from "./connection_load_process.ts";
import type { ProbeOperations, ProbeTimes } from "./connection_probe_process.ts";

/** Liveness at the 99th percentile, above what the machine itself takes. */
const LIVENESS_MS_MAX = 50;
/** The slowest connection against the median one. */
const FAIR_SHARE_MIN = 0.5;
/** Replies of two chunks: they come in chunks, and on a busy machine there are few in a short time. */
const CHUNKS_REPLIES = 12;
/** Small buffers of 2,000 connections, their objects, and the engine's young generation. */
const GROWTH_BYTES_MAX = 256 * 1024 * 1024;

/** How much load. */
export interface ConnectionLoad {
  readonly connections: number;
  readonly seconds: number;
}

/** What was found; `faults` is empty when all is well. */
export interface ConnectionReport {
  readonly summary: string;
  readonly faults: readonly string[];
}

/** Starts everything, loads, judges. */
export async function loadConnections(load: ConnectionLoad): Promise<ConnectionReport> {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0", "--port", "0"] });
  const { tcp } = await node.status();
  const port = Number(/:(\d+)$/.exec(String(tcp))?.[1]);
  const probePath = new URL("connection_probe_process.ts", import.meta.url);
  const yardstickPath = `${workspace.dir}/yardstick.sock`;
  const yardstick = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", probePath.pathname, "--yardstick", yardstickPath],
    stdin: "null",
  }).spawn();
  workspace.defer(async () => {
    yardstick.kill("SIGKILL");
    await yardstick.status;
  });
  await using generator = startLineProcess<LoadOperations>(
    new URL("connection_load_process.ts", import.meta.url),
    { name: "load" },
  );
  await using prober = startLineProcess<ProbeOperations>(probePath, { name: "probe" });
  const { connections, seconds } = load;
  const quietBytes = node.rssBytes();
  const queuedMs = coreWaitMs(node.pid);
  const { ms: connectMs } = await generator.call("connect", {
    target: { socketPath: node.socketPath, port },
    connections,
  });
  const [{ replies, faults: wrong, seconds: took }, times] = await Promise.all([
    generator.call("load", { seconds }),
    prober.call("probe", { socketPath: node.socketPath, yardstickPath, seconds }),
  ]);
  const peakBytes = node.peakRssBytes();
  const waitedMs = coreWaitMs(node.pid) - queuedMs;

  const faults = [...wrong];
  const total = replies.reduce((sum, count) => sum + count, 0);
  const [least = 0, middle = 0] = [replies[0], replies[Math.floor(replies.length / 2)]];
  const share = (least + CHUNKS_REPLIES) / Math.max(1, middle);
  if (least === 0) faults.push("a connection starved");
  if (share < FAIR_SHARE_MIN) {
    faults.push(`the slowest connection got ${least} of ${middle} replies`);
  }
  // Whatever a node does takes longer by the time in which others have its core.
  const livenessMsMax = LIVENESS_MS_MAX / Math.max(0.2, 1 - waitedMs / took / 1000);
  for (const [name, { p99 }] of [["open", times.node], ["fresh", times.fresh]] as const) {
    const above = p99 - times.yardstick.p99;
    if (above > livenessMsMax) faults.push(`liveness over ${name} connections: ${above} ms`);
  }
  const growth = peakBytes - quietBytes;
  if (growth > GROWTH_BYTES_MAX) faults.push(`the node grew by ${growth} bytes`);
  const summary = `${connections} connections (opened in ${Math.round(connectMs)} ms), ` +
    `${Math.round(total / took)} replies/s, least ${least} median ${middle} replies; liveness ` +
    `${show(times.node)} open, ${show(times.fresh)} fresh, ${show(times.yardstick)} idle server; ` +
    `grew by ${Math.round(growth / 1048576)} MiB, waited ${
      Math.round(waitedMs / took / 10)
    } % of the ` +
    `time for a core`;
  return { summary, faults };
}

/** Milliseconds for which a process's main thread could have run but had no core; 0 where it is not known. */
function coreWaitMs(pid: number): number {
  try {
    const [, waitedNs] = Deno.readTextFileSync(`/proc/${pid}/schedstat`).split(" ");
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}

function show({ p50, p99, max }: ProbeTimes): string {
  return `${p50.toFixed(1)}/${p99.toFixed(1)}/${max.toFixed(0)} ms`;
}

if (import.meta.main) {
  const { summary, faults } = await loadConnections({
    connections: Number(Deno.env.get("NET_LOAD_CONNECTIONS") ?? 2_000),
    seconds: Number(Deno.env.get("NET_LOAD_SECONDS") ?? 30),
  });
  for (const fault of faults) console.log(fault);
  console.log(summary);
  Deno.exit(faults.length === 0 ? 0 : 1);
}
