/**
 * Credit, NACK, SACK and RESET between us and the live Rust core, both ways (`wire.md` 7.3 to 7.7).
 *
 * Where a test speaks for our receiver it sends control events of its own with high sequences, and the
 * proxy loses the automatic ones.
 */
import assert from "node:assert/strict";
import {
  encodeGrant,
  encodeNack,
  encodeSack,
} from "../../src/core/transport/wire/control_frames.ts";
import type { StreamEnd } from "../../src/core/transport/mod.ts";
import { assertNothingRefused, eventually } from "./mesh_node.ts";
import { openRustLink, type RustLink } from "./rust_link.ts";
import { rustPeerTest } from "./rust_peer.ts";
import {
  CONTROL_STREAM,
  EVENTS,
  GRANT,
  NACK,
  RESET,
  SACK,
  type SeenPacket,
  tap,
} from "./wire_tap.ts";

/** 84 + 4 + 12 bytes of credit. */
const EVENT = new Uint8Array(12).fill(7);
const PACKET_BYTES = 100;
const WINDOW_BYTES = 500;
const STREAM = 21n;
const OWN_SEQUENCE = 1_000_000;
const U64_MAX = (1n << 64n) - 1n;

/** Automatic control events of ours. */
function isAutomatic({ direction, subprotocol, sequence }: SeenPacket): boolean {
  return direction === "toTarget" && subprotocol >= GRANT && subprotocol <= SACK &&
    sequence < OWN_SEQUENCE;
}

rustPeerTest("the Rust core stops and goes on with our grants", async () => {
  await using link = await openRustLink({ hasRanges: false });
  const { node, rust, proxy } = link;
  proxy.lose(tap([], isAutomatic));
  const stream = { peer: node.nodeId, streamId: STREAM };
  await rust.call("openStream", { ...stream, isReliable: false, windowBytes: WINDOW_BYTES });
  let sent = 0;
  /** Packets of 100 bytes that the core sends before it runs out of credit. */
  const sendAll = async () => {
    for (let count = 0;; count++) {
      try {
        await rust.call("send", { ...stream, events: [EVENT], mode: "once" });
        sent += 1;
      } catch (error) {
        assert.match(String(error), /would block/);
        return count;
      }
    }
  };
  const creditAfter = async (totalConsumed: bigint, creditBytes: number) => {
    say(link, GRANT, encodeGrant({ streamId: STREAM, totalConsumed, ackSequence: 0n }));
    for (;;) {
      const stats = await rust.call("streamStats", stream);
      if (stats?.txCreditRemaining === creditBytes) return;
    }
  };
  assert.equal(await sendAll(), WINDOW_BYTES / PACKET_BYTES);
  await creditAfter(300n, 300);
  assert.equal(await sendAll(), 3);
  // Absolute and never falling: a repeated and a lower one restore nothing.
  await creditAfter(400n, 100);
  await creditAfter(300n, 100);
  assert.equal(await sendAll(), 1);
  // An absurd one counts as what was sent.
  await creditAfter(U64_MAX, WINDOW_BYTES);
  assert.equal(await sendAll(), WINDOW_BYTES / PACKET_BYTES);
  await eventually("all arrived", () => node.events.length === sent);
  assertNothingRefused(node);
});

rustPeerTest("our sender stops without the Rust core's grants and recovers with them", async () => {
  await using link = await openRustLink({ hasRanges: false });
  const { node, rust, proxy } = link;
  let isMute = true;
  proxy.lose(
    tap(
      [],
      ({ direction, subprotocol }) => isMute && direction === "fromTarget" && subprotocol === GRANT,
    ),
  );
  const stream = node.transport.openSendStream(rust.nodeId, STREAM, { windowBytes: WINDOW_BYTES });
  let sent = 0;
  while (stream.trySend(EVENT)) sent += 1;
  assert.equal(sent, WINDOW_BYTES / PACKET_BYTES);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.ok(!stream.trySend(EVENT), "still no credit");
  isMute = false;
  for (; sent < 200; sent++) {
    while (!stream.trySend(EVENT)) await stream.ready();
  }
  await stream.close();
  const received = await rust.receive(sent);
  assert.equal(new Set(received.map(({ sequence }) => sequence)).size, sent);
  assertNothingRefused(node);
});

rustPeerTest("a window of five packets carries hundreds both ways", async () => {
  await using link = await openRustLink({ hasRanges: false });
  const { node, rust } = link;
  const name = { peer: node.nodeId, streamId: STREAM };
  await rust.call("openStream", { ...name, isReliable: true, windowBytes: WINDOW_BYTES });
  const counts = { eventCount: 300, eventBytes: EVENT.length, perCall: 1 };
  const { refused } = await rust.call("sendMany", { ...name, ...counts });
  assert.ok(refused > 0);
  await eventually("all arrived", () => node.events.length === counts.eventCount);
  const stats = await rust.call("streamStats", name);
  assert.ok((stats?.creditGrantsReceived ?? 0n) >= 59n, "one grant per window but the first");

  const stream = node.transport.openSendStream(rust.nodeId, 22n, { windowBytes: WINDOW_BYTES });
  for (let i = 0; i < counts.eventCount; i++) {
    while (!stream.trySend(Uint8Array.of(i & 0xff))) await stream.ready();
  }
  await stream.close();
  const received = await rust.receive(counts.eventCount + 1, 100);
  // A copy of a packet whose grant was slow is delivered again.
  const bytes = new Map(received.map((event) => [event.sequence, event.bytes[0]]));
  assert.deepEqual(
    [...bytes].sort(([a], [b]) => a - b),
    Array.from({ length: counts.eventCount }, (_, i) => [i, i & 0xff]),
  );
  assertNothingRefused(node);
});

rustPeerTest(
  "the Rust core resends what our NACK names, once, and not what our SACK has",
  async () => {
    await using link = await openRustLink({ hasRanges: false });
    const { node, rust, proxy } = link;
    const seen: SeenPacket[] = [];
    proxy.lose(tap(seen, isAutomatic));
    const name = { peer: node.nodeId, streamId: STREAM };
    await rust.call("openStream", { ...name, isReliable: true });
    for (let i = 0; i < 4; i++) await rust.call("send", { ...name, events: [EVENT], mode: "once" });
    /** How often the core sent each of the four packets. */
    const copies = () => {
      const counts = [0, 0, 0, 0];
      for (const packet of seen) {
        if (packet.direction !== "fromTarget" || packet.subprotocol !== EVENTS) continue;
        counts[packet.sequence] = (counts[packet.sequence] ?? 0) + 1;
      }
      return counts;
    };
    const nack = encodeNack({ streamId: STREAM, nextExpected: 1n, missingBitmap: 0b10n });
    say(link, NACK, nack);
    await eventually("it resends 1 and 3", () => copies().join() === "1,2,1,2");
    say(link, NACK, nack);
    say(link, SACK, encodeSack({ streamId: STREAM, ackSequence: 1n, ranges: [[2n, 4n]] }));
    // 1 alone is left, so the timeout resends nothing else.
    await eventually("it resends 1 after a timeout", () => (copies()[1] ?? 0) >= 3);
    assert.deepEqual(copies(), [1, copies()[1], 1, 2]);
    say(link, GRANT, encodeGrant({ streamId: STREAM, totalConsumed: 400n, ackSequence: 4n }));
    assert.ok(await node.transport.ping(rust.nodeId, 3000) !== undefined);
    const settled = copies();
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.deepEqual(copies(), settled, "all is acknowledged");
    assert.equal(new Set(node.events.map(({ sequence }) => sequence)).size, 4);
    assertNothingRefused(node);
  },
);

for (const hasRanges of [false, true]) {
  const name = hasRanges ? "NACK and SACK" : "NACK";
  rustPeerTest(
    `our sender resends what the Rust core's ${name} lacks, and nothing else`,
    async () => {
      await using link = await openRustLink({ hasRanges });
      const { node, rust, proxy } = link;
      const seen: SeenPacket[] = [];
      const lost = new Set([2, 5]);
      proxy.lose(
        tap(
          seen,
          ({ direction, subprotocol, sequence }) =>
            direction === "toTarget" && subprotocol === EVENTS && lost.delete(sequence),
        ),
      );
      const stream = node.transport.openSendStream(rust.nodeId, STREAM);
      for (let i = 0; i < 12; i++) {
        assert.ok(stream.trySend(Uint8Array.of(i)));
      }
      await stream.close();
      const copies = seen
        .filter(({ direction, subprotocol }) => direction === "toTarget" && subprotocol === EVENTS)
        .map(({ sequence }) => sequence);
      const numbers = Array.from({ length: 12 }, (_, i) => i);
      assert.deepEqual(copies.slice(0, 12), numbers);
      // A NACK that follows a slow copy may ask once more.
      assert.deepEqual([...new Set(copies.slice(12))].sort(), [2, 5]);
      const answers = new Set(
        seen.map(({ direction, subprotocol }) =>
          direction === "fromTarget" ? subprotocol : undefined
        ),
      );
      assert.ok(answers.has(NACK));
      assert.equal(answers.has(SACK), hasRanges);
      const received = await rust.receive(13, 50);
      const sequences = new Set(received.map(({ sequence }) => sequence));
      assert.deepEqual([...sequences].sort((a, b) => a - b), numbers);
      assertNothingRefused(node);
    },
  );
}

rustPeerTest("a RESET of ours ends the stream in the Rust core", async () => {
  await using link = await openRustLink({ hasRanges: false });
  const { node, rust } = link;
  const name = { peer: node.nodeId, streamId: STREAM };
  await rust.call("openStream", { ...name, isReliable: true });
  await rust.call("send", { ...name, events: [EVENT], mode: "once" });
  const stream = node.transport.openSendStream(rust.nodeId, STREAM);
  assert.ok(stream.trySend(EVENT));
  assert.equal((await rust.receive(1)).length, 1);
  stream.abort();
  // Both directions: the core's own handle is of no use any more.
  await assert.rejects(async () => {
    for (;;) await rust.call("send", { ...name, events: [EVENT], mode: "once" });
  }, /not connected/);
  assert.equal(await rust.call("streamStats", name), null);
  // Another stream is none the worse, and neither is the session.
  const other = node.transport.openSendStream(rust.nodeId, 22n);
  assert.ok(other.trySend(EVENT));
  await other.close();
  assert.equal((await rust.receive(1)).length, 1);
  assertNothingRefused(node);
});

rustPeerTest("a RESET of the Rust core ends the stream here, after four copies", async () => {
  await using link = await openRustLink({ hasRanges: false });
  const { node, rust, proxy } = link;
  const seen: SeenPacket[] = [];
  proxy.lose(tap(seen, isAutomatic));
  const ends: StreamEnd[] = [];
  node.transport.openReceiveStream(rust.nodeId, STREAM, {
    onEvent: () => {},
    onEnd: (reason) => ends.push(reason),
  });
  const back = node.transport.openSendStream(rust.nodeId, STREAM);
  const name = { peer: node.nodeId, streamId: STREAM };
  await rust.call("openStream", { ...name, isReliable: true });
  await rust.call("send", { ...name, events: [EVENT], mode: "once" });
  await eventually("the core gives up", () => ends.length > 0);
  assert.deepEqual(ends, ["reset"]);
  assert.throws(() => back.trySend(EVENT), { code: "unreachable" });
  const ofCore = seen.filter(({ direction }) => direction === "fromTarget");
  const copies = ofCore.filter(({ subprotocol }) => subprotocol === EVENTS);
  const resets = ofCore.filter(({ subprotocol }) => subprotocol === RESET);
  assert.deepEqual([copies.length, resets.length], [4, 1]);
  // The reader learns of it at once, not by a timeout of its own (W12).
  const tookMs = (resets[0]?.atMs ?? 0) - (copies[0]?.atMs ?? 0);
  assert.ok(tookMs > 100 && tookMs < 1000, `after ${tookMs} ms`);
  assert.equal(node.transport.counters.streams_reset_total, 1);
  assertNothingRefused(node);
});

/** Sends a control event in the name of our receiver. */
function say({ node, rust }: RustLink, subprotocol: number, event: Uint8Array): void {
  const sequence = OWN_SEQUENCE;
  assert.ok(node.transport.sendMessage(rust.nodeId, subprotocol, CONTROL_STREAM, event, {
    sequence,
  }));
}
