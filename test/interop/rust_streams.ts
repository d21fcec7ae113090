/** Large transfers over one stream of a Rust node: a seeded pattern out, whatever came in. */
import { createHash } from "node:crypto";
import { type RustMesh, toBuffer } from "./rust_addon.ts";
import {
  fillPattern,
  type PatternSent,
  type RustArguments,
  type StreamReceived,
} from "./rust_protocol.ts";

const POLL_EVENTS_MAX = 1024;
const POLL_PAUSE_MS = 1;

/**
 * Sends the part of the pattern the arguments name, `perCall` events at a time.
 *
 * @param send Sends one batch; what it throws ends the transfer and is part of the result.
 */
export async function sendPattern(
  args: RustArguments<"sendPattern">,
  send: (events: ReturnType<typeof toBuffer>[]) => Promise<unknown>,
): Promise<PatternSent> {
  const pattern = new Uint8Array(args.end);
  fillPattern(pattern, args.seed);
  const startMs = performance.now();
  const result = (end: number, failure: string | null) => ({
    end,
    failure,
    seconds: (performance.now() - startMs) / 1000,
  });
  let at = args.start;
  while (at < args.end) {
    const events: ReturnType<typeof toBuffer>[] = [];
    let end = at;
    while (events.length < args.perCall && end < args.end) {
      const next = Math.min(end + args.eventBytes, args.end);
      events.push(toBuffer(pattern.subarray(end, next)));
      end = next;
    }
    try {
      await send(events);
    } catch (error) {
      return result(at, error instanceof Error ? error.message : String(error));
    }
    at = end;
  }
  return result(at, null);
}

/**
 * Takes the events of a stream and puts them in order.
 *
 * The core delivers them as they arrive, copies included (`wire.md` 7.2), so each is filed under its
 * sequence and index.
 */
export async function receiveStream(
  node: RustMesh,
  args: RustArguments<"receiveStream">,
): Promise<StreamReceived> {
  const shard = Number(args.streamId % BigInt(node.numShards()));
  const packets: (Uint8Array | undefined)[][] = [];
  let sizeBytes = 0;
  let duplicates = 0;
  let disordered = 0;
  const startMs = performance.now();
  let lastMs = startMs;
  while (sizeBytes < args.sizeBytes && performance.now() - lastMs < args.timeoutMs) {
    const batch = await node.pollShard(shard, POLL_EVENTS_MAX);
    if (batch.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, POLL_PAUSE_MS));
      continue;
    }
    lastMs = performance.now();
    for (const { id, rawBytes } of batch) {
      const colon = id.indexOf(":");
      const sequence = Number(id.slice(0, colon));
      const index = Number(id.slice(colon + 1));
      if (sequence < packets.length - 1) disordered += 1;
      const packet = packets[sequence] ??= [];
      if (packet[index] !== undefined) {
        duplicates += 1;
        continue;
      }
      packet[index] = rawBytes;
      sizeBytes += rawBytes.length;
    }
  }
  const hash = createHash("sha256");
  for (const packet of packets) {
    for (const event of packet ?? []) if (event !== undefined) hash.update(event);
  }
  return {
    sizeBytes,
    hash: new Uint8Array(hash.digest()),
    duplicates,
    disordered,
    seconds: (lastMs - startMs) / 1000,
  };
}
