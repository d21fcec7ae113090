/**
 * A node under a flood of handshakes from a thousand sockets: its peer keeps at least 80 % of the rate it
 * had undisturbed, and a node it has never seen gets in within seconds.
 *
 * The flooder shares the machine's cores with the nodes. What it costs them just by running is measured
 * with as many garbage datagrams, and a machine where that alone takes a tenth is judged by it.
 *
 * `NET_FLOOD_SECONDS` sets how long each of the nine spells is, 5 when left out. The last line is a summary.
 */

import { startLineProcess } from "../interop/line_process.ts";
import type { FloodOperations, FloodOptions } from "./flood_process.ts";
import type { NodeOperations } from "./node_process.ts";

const SECONDS = Number(Deno.env.get("NET_FLOOD_SECONDS") ?? 5);
const ROUNDS = 3;
const SOCKETS = 1_000;
const MESSAGES = 2_000;
/** Ten times what a node works on from anybody (`HANDSHAKES_PER_SECOND`), sent by a tenth of a core. */
const FLOOD_PER_SECOND = 5_000;
const KEPT_MIN = 0.8;
/** A flooder that costs more than this by running has to be taken off the account. */
const GARBAGE_KEPT_MIN = 0.9;
const ENTRY_MS_MAX = 5_000;
/** The engine's young generation comes and goes 16 MiB at a time; a kilobyte kept of each message is more. */
const GROWTH_BYTES_MAX = 96 * 1024 * 1024;
const STREAM_ID = 1n;
const WINDOW_BYTES = 1024 * 1024;

type Kind = FloodOptions["kind"] | "quiet";

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const program = new URL("node_process.ts", import.meta.url);
  await using node = startLineProcess<NodeOperations>(program, { name: "flooded node" });
  await using peer = startLineProcess<NodeOperations>(program, { name: "peer" });
  await using stranger = startLineProcess<NodeOperations>(program, { name: "stranger" });
  await using flooder = startLineProcess<FloodOperations>(
    new URL("flood_process.ts", import.meta.url),
    { name: "flooder" },
  );
  const psk = crypto.getRandomValues(new Uint8Array(32));
  const target = await node.call("start", { psk, isSealing: true });
  const { nodeId } = await peer.call("start", { psk, isSealing: true });
  await stranger.call("start", { psk, isSealing: true });
  await peer.call("connect", { ...target, timeoutMs: 10_000 });
  const stream = { streamId: STREAM_ID, windowBytes: WINDOW_BYTES };
  await node.call("receive", { peer: nodeId, ...stream });
  await peer.call("send", { peer: target.nodeId, eventBytes: 1_024, ...stream });
  await flooder.call("prepare", { target, psk, sockets: SOCKETS, messages: MESSAGES });

  const rates: Record<Kind, number[]> = { quiet: [], garbage: [], handshakes: [] };
  const spell = async (kind: Kind) => {
    const before = await node.call("status", {});
    const startMs = performance.now();
    if (kind === "quiet") await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    else {
      const options = { kind, perSecond: FLOOD_PER_SECOND, seconds: SECONDS };
      const { sent, seconds } = await flooder.call("flood", options);
      console.log(`${kind}: ${Math.round(sent / seconds)} datagrams/s sent`);
    }
    const after = await node.call("status", {});
    const seconds = (performance.now() - startMs) / 1000;
    rates[kind].push((after.received - before.received) / seconds);
    console.log(`${kind}: ${Math.round(rates[kind].at(-1) ?? 0)} events/s`);
    return after;
  };
  await spell("quiet");
  rates.quiet.length = 0;
  // The first round fills every table that a flood may fill; what comes after it must not add to that.
  let filledBytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of ["quiet", "handshakes", "garbage"] as const) {
      const { rssBytes } = await spell(kind);
      if (round === 0) filledBytes = rssBytes;
    }
  }

  const flooding = flooder.call("flood", {
    kind: "handshakes",
    perSecond: FLOOD_PER_SECOND,
    seconds: 2 * ENTRY_MS_MAX / 1000,
  });
  const entry = await stranger.call("connect", { ...target, timeoutMs: 2 * ENTRY_MS_MAX })
    .catch((error: Error) => ({ ms: Infinity, isSealed: false, error: error.message }));
  await flooding;
  const last = await node.call("status", {});

  const [quiet, garbage, handshakes] = [rates.quiet, rates.garbage, rates.handshakes].map(median);
  const kept = (handshakes ?? 0) / (quiet ?? 1);
  const garbageKept = (garbage ?? 0) / (quiet ?? 1);
  const keptOfGarbage = (handshakes ?? 0) / (garbage ?? 1);
  const isKept = kept >= KEPT_MIN || (garbageKept < GARBAGE_KEPT_MIN && keptOfGarbage >= KEPT_MIN);
  const faults: string[] = [...last.wrong];
  if (!isKept) faults.push("the peer was not served well enough");
  if (!(entry.ms <= ENTRY_MS_MAX)) faults.push(`the stranger did not get in: ${entry.ms} ms`);
  if (!entry.isSealed) faults.push("the stranger's session is not sealed");
  if (last.disordered > 0) faults.push(`${last.disordered} events out of order`);
  const growth = last.rssBytes - filledBytes;
  if (growth > GROWTH_BYTES_MAX) faults.push(`the node grew by ${growth} bytes`);
  for (const fault of faults) console.log(fault);
  const { counters } = last;
  console.log(
    `${counters.rx_handshakes_total} handshakes, ${counters.handshakes_completed_total} worked on, ` +
      `${counters.retries_sent_total} answered with a RETRY, ` +
      `${counters.drop_handshake_rate_total} dropped; the node grew by ${growth} bytes`,
  );
  console.log(
    `${percent(kept)} of ${Math.round(quiet ?? 0)} events/s kept at ${FLOOD_PER_SECOND} ` +
      `handshakes/s from ${SOCKETS} sockets (${percent(garbageKept)} with garbage), ` +
      `a stranger in after ${Math.round(entry.ms)} ms`,
  );
  return faults.length === 0 ? 0 : 1;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
