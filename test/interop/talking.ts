/** Traffic that shows that a session works in both directions and that nothing of it is dropped. */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/mod.ts";
import {
  assertNothingRefused,
  eventually,
  type MeshNode,
  sendAll,
  untilConnected,
} from "./mesh_node.ts";
import type { RustNode } from "./rust_peer.ts";
import type { ReceivedEvent } from "./rust_protocol.ts";

/** How long a copy of ours may take to be delivered by the core. */
const COPIES_MS = 100;

/**
 * Events of many sizes both ways, reliable and not; nothing lost, nothing dropped.
 *
 * The core has no counter of what it drops, but it delivers copies: when each packet that we sent again,
 * because an acknowledgement was slow, comes out twice, then none of ours was dropped.
 *
 * @param firstStreamId It and the two above are used, once in the life of a session.
 */
export async function assertTalking(
  node: MeshNode,
  rust: RustNode,
  firstStreamId = 21n,
): Promise<void> {
  await untilConnected(node, rust.nodeId);
  const largest = node.transport.peer(rust.nodeId)?.isRelayed ? 8086 : 8104;
  const sent = Array.from(
    { length: 300 },
    (_, index) => new Uint8Array(index === 299 ? largest : (index * 37) % 1400).fill(index),
  );
  const { counters } = node.transport;
  const resentBefore = counters.tx_resent_total;
  await sendAll(node, rust.nodeId, firstStreamId, sent);
  const received = await rust.receive(sent.length);
  if (counters.tx_resent_total > resentBefore || received.length > sent.length) {
    received.push(...await rust.receive(Infinity, COPIES_MS));
  }
  const events = eventsOnce(received);
  assertSameEvents(events, sent);
  const last = Number(
    (await rust.call("streamStats", { peer: node.nodeId, streamId: 21n }))?.rxSeq,
  );
  assert.ok(last >= sent.length - 1, "every packet of ours was taken");
  // What is sent behind the last event, to be told that it arrived, delivers nothing.
  if (last === sent.length - 1) {
    const copies = received.length - events.length;
    assert.equal(copies, counters.tx_resent_total - resentBefore, "every copy of ours was taken");
  }

  for (const isReliable of [true, false]) {
    const streamId = firstStreamId + (isReliable ? 1n : 2n);
    const before = node.events.length;
    const arrived = () => node.events.slice(before).filter((event) => event.streamId === streamId);
    await rust.call("openStream", { peer: node.nodeId, streamId, isReliable });
    for (let at = 0; at < sent.length; at += 50) {
      const batch = sent.slice(at, at + 50);
      await rust.call("send", { peer: node.nodeId, streamId, events: batch, mode: "spin" });
    }
    await eventually(`all of stream ${streamId} arrived`, () => arrived().length >= sent.length);
    assertSameEvents(arrived().map(({ bytes }) => bytes), sent);
    assert.ok(arrived().every(({ from }) => from === rust.nodeId));
    await rust.call("closeStream", { peer: node.nodeId, streamId });
  }
  assertNothingRefused(node);
}

/** What the core delivered, in the order it was sent in and without copies (`wire.md` 7.2). */
export function eventsOnce(received: readonly ReceivedEvent[]): Uint8Array[] {
  const events = new Map<string, ReceivedEvent>();
  for (const event of received) events.set(`${event.sequence}:${event.index}`, event);
  return [...events.values()]
    .sort((a, b) => a.sequence - b.sequence || a.index - b.index)
    .map(({ bytes }) => bytes);
}

/** Says which event is the first that differs; printing all of them would take minutes. */
export function assertSameEvents(
  actual: readonly Uint8Array[],
  expected: readonly Uint8Array[],
): void {
  const none = new Uint8Array(0);
  const wrong = expected.findIndex((event, i) => !equalBytes(actual[i] ?? none, event));
  assert.equal(wrong, -1, `event ${wrong} differs`);
  assert.equal(actual.length, expected.length);
}
