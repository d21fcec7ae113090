/** Large transfers between a node of ours and a Rust node, compared byte for byte. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { eventually, type MeshNode } from "./mesh_node.ts";
import type { RustNode } from "./rust_peer.ts";
import { fillPattern, type StreamReceived } from "./rust_protocol.ts";

/** Four events to a packet of 8096 bytes, so that their places within packets matter too. */
const EVENT_BYTES = 2020;
const EVENTS_PER_PACKET = 4;
const PATTERN_SEED = 5;
/** A stream on which nothing moves for this long is given up: the core says RESET only once. */
const STALL_MS = 1500;
/** Longest pause of the events a Rust receiver waits for. */
const SILENCE_MS = 10_000;
/** Streams a transfer from the core is continued on at most. */
const STREAMS_MAX = 64;

/** Outcome of a transfer from the core. */
export interface TransferReceived {
  /** Streams that ended before all was there, because the core gave a packet up. */
  readonly continuations: number;
  readonly seconds: number;
}

/** Sends `sizeBytes` to a Rust node over one reliable stream; its application has to get exactly them. */
export async function transferToRust(
  node: MeshNode,
  rust: RustNode,
  streamId: bigint,
  sizeBytes: number,
): Promise<StreamReceived> {
  const bytes = pattern(sizeBytes);
  const receiving = rust.call("receiveStream", { streamId, sizeBytes, timeoutMs: SILENCE_MS });
  const stream = node.transport.openSendStream(rust.nodeId, streamId);
  for (let at = 0; at < sizeBytes;) {
    const events: Uint8Array[] = [];
    for (let i = 0; i < EVENTS_PER_PACKET; i++) {
      const start = at + i * EVENT_BYTES;
      if (start < sizeBytes) events.push(bytes.subarray(start, start + EVENT_BYTES));
    }
    while (stream.trySendAll(events) === 0) await stream.ready();
    at += EVENTS_PER_PACKET * EVENT_BYTES;
  }
  await stream.close();
  const received = await receiving;
  assert.equal(received.sizeBytes, sizeBytes);
  assert.equal(received.hash.toHex(), sha256(bytes), "the bytes are the same");
  return received;
}

/**
 * Receives `sizeBytes` from a Rust node, once and in order.
 *
 * The core gives a packet up after three resends, about 0.2 s (`wire.md` 7.4): one in ten thousand at
 * 10 % loss, and 64 MiB are eight thousand. Its application then goes on where ours says that it is, on
 * a new stream, as any application on top of it has to.
 */
export async function transferFromRust(
  node: MeshNode,
  rust: RustNode,
  firstStreamId: bigint,
  sizeBytes: number,
): Promise<TransferReceived> {
  const peer = node.nodeId;
  const received = new Uint8Array(sizeBytes);
  const startMs = performance.now();
  let at = 0;
  let continuations = -1;
  while (at < sizeBytes) {
    continuations += 1;
    assert.ok(continuations < STREAMS_MAX, `cut off ${continuations} times at ${at} bytes`);
    const streamId = firstStreamId + BigInt(continuations);
    let isOver = false;
    let movedMs = performance.now();
    const end = node.transport.openReceiveStream(rust.nodeId, streamId, {
      onEvent: (_, payload) => {
        received.set(payload, at);
        at += payload.length;
        movedMs = performance.now();
      },
      onEnd: () => isOver = true,
    }, { isOrdered: true });
    await rust.call("openStream", { peer, streamId, isReliable: true });
    const sending = rust.call("sendPattern", {
      peer,
      streamId,
      seed: PATTERN_SEED,
      start: at,
      end: sizeBytes,
      eventBytes: EVENT_BYTES,
      perCall: EVENTS_PER_PACKET,
    });
    await eventually(
      "the stream ends",
      () => at >= sizeBytes || isOver || performance.now() - movedMs > STALL_MS,
      60_000,
    );
    end({ abort: at < sizeBytes });
    // What the sender's application does once it is told how far its reader got.
    await rust.call("closeStream", { peer, streamId });
    await sending;
  }
  assert.equal(sha256(received), sha256(pattern(sizeBytes)), "the bytes are the same");
  return { continuations, seconds: (performance.now() - startMs) / 1000 };
}

function pattern(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  fillPattern(bytes, PATTERN_SEED);
  return bytes;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
