/**
 * Packets one node of ours forwards per second: a neighbour sends packets with a routing header as fast
 * as its socket takes them, another neighbour is whom they are for, three processes in all.
 *
 * What counts is what the relay handed to its socket; how much of that arrived stands beside it, because
 * on two cores the three compete.
 */
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import type { MeshOperations } from "./_mesh_process.ts";

const PACKET_BYTES = 1_200;
const WARM_MS = 500;
const BLAST_MS = 2_000;
/** What the relay holds when the sender stops has left by then. */
const SETTLE_MS = 200;

/** What one run gave. */
export interface RelayFigures {
  /** Packets the relay forwarded per second while it was sent more. */
  readonly forwardedPerSecond: number;
  /** Share of them that reached the neighbour they were for. */
  readonly arrivedShare: number;
  /** CPU seconds the relay needed for a million packets. */
  readonly cpuSecondsPerMillion: number;
}

/** Measures one run. */
export async function measureRelay(): Promise<RelayFigures> {
  const program = new URL("./_mesh_process.ts", import.meta.url);
  const open = (name: string) => startLineProcess<MeshOperations>(program, { name });
  await using source = open("source");
  await using relay = open("relay");
  await using target = open("target");
  const psk = crypto.getRandomValues(new Uint8Array(32));
  await source.call("start", { psk });
  const middle = await relay.call("start", { psk });
  const { nodeId } = await target.call("start", { psk });
  await source.call("dial", middle);
  await target.call("dial", middle);
  const blast = async (milliseconds: number) => {
    const before = [await counts(relay), await counts(target)] as const;
    const usageBefore = await relay.call("usage", {});
    await source.call("blast", {
      destination: nodeId,
      port: middle.port,
      sizeBytes: PACKET_BYTES,
      milliseconds,
    });
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const after = [await counts(relay), await counts(target)] as const;
    const usage = await relay.call("usage", {});
    const forwarded = after[0].relayed - before[0].relayed;
    return {
      forwardedPerSecond: forwarded / (milliseconds / 1000),
      arrivedShare: (after[1].received - before[1].received) / forwarded,
      cpuSecondsPerMillion: (usage.cpuSeconds - usageBefore.cpuSeconds) / forwarded * 1e6,
    };
  };
  await blast(WARM_MS);
  return await blast(BLAST_MS);
}

async function counts(process: LineProcess<MeshOperations>) {
  const counters = await process.call("counters", {});
  return {
    relayed: counters.relayed_packets_total ?? 0,
    received: counters.rx_datagrams_total ?? 0,
  };
}
