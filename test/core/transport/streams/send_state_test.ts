import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CONGESTION_WINDOW_INITIAL,
  CONGESTION_WINDOW_MIN,
  PACKET_OVERHEAD_BYTES,
  RESENDS_MAX,
  RTO_INITIAL_MS,
  RTO_MAX_MS,
  RTO_MIN_MS,
} from "../../../../src/core/transport/limits.ts";
import { SendState } from "../../../../src/core/transport/streams/send_state.ts";

const MEBIBYTE = 1024 * 1024;

function create(options: { windowBytes?: number; isReliable?: boolean } = {}) {
  const released: number[] = [];
  let places = 0;
  const state = new SendState({
    windowBytes: options.windowBytes ?? MEBIBYTE,
    isReliable: options.isReliable ?? true,
    release: (at) => released.push(at),
  });
  /** Sends packets of one byte. */
  const send = (count: number, now: number) => {
    for (let i = 0; i < count; i++) state.record(places++, 1, 1, now);
  };
  return { state, released, send };
}

Deno.test("canSend() spends credit by packet and header", () => {
  // The specification's example: a window of 500 admits five packets of 16 bytes.
  const { state } = create({ windowBytes: 500 });
  for (let i = 0; i < 5; i++) {
    assert.ok(state.canSend(16));
    assert.equal(state.record(0, 16, 1, 0), i);
  }
  assert.equal(state.creditBytes, 0);
  assert.ok(!state.canSend(0));
  assert.ok(state.onGrant(300, 0, 1));
  assert.equal(state.creditBytes, 300);
  assert.ok(state.canSend(300 - PACKET_OVERHEAD_BYTES));
  assert.ok(!state.canSend(300 - PACKET_OVERHEAD_BYTES + 1));
});

Deno.test("onGrant() is absolute, monotonic and clamped to what was sent", () => {
  const { state } = create({ windowBytes: 500 });
  for (let i = 0; i < 5; i++) state.record(0, 16, 1, 0);
  assert.ok(state.onGrant(200, 0, 0));
  assert.ok(!state.onGrant(200, 0, 0));
  assert.ok(!state.onGrant(100, 0, 0));
  assert.equal(state.creditBytes, 200);
  assert.ok(state.onGrant(2 ** 60, 0, 0));
  assert.equal(state.creditBytes, 500);
});

Deno.test("credit never exceeds the window, whatever is granted", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("send" as const), length: fc.nat(2_000) }),
    fc.record({ kind: fc.constant("grant" as const), consumed: fc.maxSafeNat(), ack: fc.nat(40) }),
    fc.record({ kind: fc.constant("grant" as const), consumed: fc.nat(9_000), ack: fc.nat(40) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { state, released } = create({ windowBytes: 8_192 });
    let sent = 0;
    let consumed = 0;
    let count = 0;
    for (const [now, next] of steps.entries()) {
      if (next.kind === "grant") {
        state.onGrant(next.consumed, next.ack, now);
        consumed = Math.max(consumed, Math.min(next.consumed, sent));
      } else if (state.canSend(next.length)) {
        state.record(0, next.length, 1, now);
        sent += next.length + PACKET_OVERHEAD_BYTES;
        count += 1;
      }
      assert.equal(state.creditBytes, 8_192 - (sent - consumed));
      assert.ok(state.creditBytes >= 0 && state.creditBytes <= 8_192);
      assert.equal(state.unackedCount + released.length, count);
    }
  }));
});

Deno.test("a window of 0 bounds packets, not bytes", () => {
  const { state } = create({ windowBytes: 0 });
  let count = 0;
  while (state.canSend(8_000)) {
    state.record(0, 8_000, 1, 0);
    count += 1;
  }
  assert.equal(count, CONGESTION_WINDOW_INITIAL);
  assert.equal(state.creditBytes, Infinity);
});

Deno.test("an unreliable stream keeps nothing and is bound by credit alone", () => {
  const { state } = create({ windowBytes: 85 * 100, isReliable: false });
  for (let i = 0; i < 100; i++) {
    assert.ok(state.canSend(1));
    state.record(0, 1, 1, 0);
  }
  assert.ok(!state.canSend(1));
  assert.equal(state.unackedCount, 0);
  assert.deepEqual(state.onTick(1e9), { due: [], isGivenUp: false });
});

Deno.test("the congestion window grows by one per acknowledgement, then more slowly", () => {
  const { state, send } = create();
  send(CONGESTION_WINDOW_INITIAL, 0);
  assert.ok(!state.canSend(1));
  state.onGrant(0, 10, 20);
  assert.equal(state.congestionWindow, CONGESTION_WINDOW_INITIAL + 10);
  assert.equal(state.unackedCount, CONGESTION_WINDOW_INITIAL - 10);
  // A loss halves the window; from there on it grows by about one per window.
  state.onNack(10, 0, 0, 21);
  assert.equal(state.congestionWindow, (CONGESTION_WINDOW_INITIAL + 10) / 2);
  state.onGrant(0, 11, 22);
  assert.equal(state.congestionWindow, 21 + 1 / 21);
});

Deno.test("the congestion window ends at the number of packets that are tracked", () => {
  const { state, send } = create({ windowBytes: 65_536 });
  for (let round = 0; round < 20; round++) {
    send(20, round);
    state.onGrant(2 ** 40, state.nextSequence, round);
  }
  assert.equal(state.congestionWindow, 128);
  send(128, 30);
  assert.ok(state.creditBytes > 1_000);
  assert.ok(!state.canSend(1));
});

Deno.test("onGrant() releases what is acknowledged, each buffer once", () => {
  const { state, released, send } = create();
  send(10, 0);
  assert.ok(state.onGrant(0, 4, 1));
  assert.equal(released.length, 4);
  assert.ok(!state.onGrant(0, 4, 1));
  assert.ok(!state.onGrant(0, 2, 1));
  state.onGrant(0, 2 ** 53, 1);
  assert.equal(new Set(released).size, 10);
  assert.equal(state.unackedCount, 0);
  state.clear();
  assert.equal(released.length, 10);
});

Deno.test("onSack() removes the ranges and what is below them", () => {
  const { state, released, send } = create();
  send(20, 0);
  assert.ok(state.onSack(3, [[10, 12], [5, 7]], 10).isProgress);
  assert.equal(released.length, 3 + 2 + 2);
  assert.ok(!state.onSack(3, [[10, 12], [5, 7]], 11).isProgress);
  // Only what is missing goes out again.
  assert.deepEqual(state.onTick(1_000).due, [3, 4]);
  assert.ok(!state.onSack(0, [[2 ** 50, 2 ** 51], [9, 4]], 1_001).isProgress);
});

Deno.test("onNack() sends what is named, once per episode", () => {
  const { state, send } = create();
  send(30, 0);
  state.onGrant(0, 4, 5);
  // 4 is missing; bits 0, 3 and 20 name 5, 8 and 25.
  const bits = 1 | 1 << 3 | 1 << 20;
  assert.deepEqual(state.onNack(4, bits, 0, 10), [4, 5, 8, 25]);
  assert.deepEqual(state.onNack(4, bits, 0, 11), []);
  assert.deepEqual(state.onNack(3, bits, 0, 12), []);
  assert.deepEqual(state.onNack(6, 0, 0, 13), [6]);
  // An acknowledgement that passes the last one begins a new episode, even for a lower number.
  state.onGrant(0, 7, 14);
  assert.deepEqual(state.onNack(7, 0, 0, 15), [7]);
  assert.equal(state.resentTotal, 6);
});

Deno.test("onNack() reads the upper half of the bitmap and ignores what is not there", () => {
  const { state, send } = create();
  send(50, 0);
  assert.deepEqual(state.onNack(0, 0, 1 | 1 << 16, 1), [0, 33, 49]);
  const other = create();
  assert.deepEqual(other.state.onNack(2 ** 52, 0xffffffff, 0xffffffff, 1), []);
  assert.equal(other.state.congestionWindow, CONGESTION_WINDOW_INITIAL);
});

Deno.test("onNack() reduces the window once for all that was in flight", () => {
  const { state, send } = create();
  send(32, 0);
  state.onNack(0, 0, 0, 10);
  assert.equal(state.congestionWindow, 16);
  state.onNack(5, 0, 0, 11);
  state.onNack(9, 0, 0, 12);
  assert.equal(state.congestionWindow, 16);
  state.onGrant(0, 32, 20);
  const grown = state.congestionWindow;
  send(10, 21);
  state.onNack(33, 0, 0, 22);
  assert.equal(state.congestionWindow, grown / 2);
});

Deno.test("the window has a floor, whatever is lost", () => {
  const { state, send } = create();
  for (let round = 0; round < 20; round++) {
    send(2, round);
    state.onNack(state.nextSequence - 1, 0, 0, round);
    assert.ok(state.congestionWindow >= CONGESTION_WINDOW_MIN);
  }
  assert.equal(state.congestionWindow, CONGESTION_WINDOW_MIN);
});

Deno.test("round-trip times follow RFC 6298 within the bounds", () => {
  const { state, send } = create();
  assert.equal(state.rtoMs, RTO_INITIAL_MS);
  assert.equal(state.smoothedRttMs, undefined);
  send(3, 0);
  state.onGrant(0, 1, 100);
  assert.equal(state.smoothedRttMs, 100);
  assert.equal(state.rtoMs, 100 + 4 * 50);
  state.onGrant(0, 2, 180);
  assert.equal(state.smoothedRttMs, 0.875 * 100 + 0.125 * 180);
  assert.equal(state.rtoMs, 110 + 4 * (0.75 * 50 + 0.25 * 80));
  state.onGrant(0, 3, 100_000);
  assert.equal(state.rtoMs, RTO_MAX_MS);
  const fast = create();
  fast.send(1, 0);
  fast.state.onGrant(0, 1, 0.1);
  assert.equal(fast.state.rtoMs, RTO_MIN_MS);
});

Deno.test("a packet that was sent again gives no sample (Karn)", () => {
  const { state, send } = create();
  send(1, 0);
  state.onNack(0, 0, 0, 10);
  state.onGrant(0, 1, 500);
  assert.equal(state.smoothedRttMs, undefined);
  assert.equal(state.rtoMs, RTO_INITIAL_MS);
});

Deno.test("onTick() waits for the timeout and doubles it with each resend", () => {
  const { state, send } = create();
  send(1, 0);
  let at = 0;
  for (let resend = 0; resend < RESENDS_MAX; resend++) {
    const patienceMs = Math.min(RTO_INITIAL_MS * 2 ** resend, RTO_MAX_MS);
    assert.deepEqual(state.onTick(at + patienceMs - 1), { due: [], isGivenUp: false });
    at += patienceMs;
    assert.deepEqual(state.onTick(at).due, [0]);
  }
  assert.equal(state.resentTotal, RESENDS_MAX);
  const patienceMs = Math.min(RTO_INITIAL_MS * 2 ** RESENDS_MAX, RTO_MAX_MS);
  assert.ok(!state.onTick(at + patienceMs - 1).isGivenUp);
  assert.deepEqual(state.onTick(at + patienceMs), { due: [], isGivenUp: true });
});

Deno.test("onTick() sends no more than the window, oldest first, and shrinks it once", () => {
  const { state, send } = create();
  send(32, 0);
  assert.deepEqual(state.onTick(RTO_INITIAL_MS).due, [0, 1]);
  assert.equal(state.congestionWindow, CONGESTION_WINDOW_MIN);
  assert.deepEqual(state.onTick(RTO_INITIAL_MS + 25).due, [2, 3]);
  assert.ok(!state.canSend(1));
  // The threshold is half of what it was: the window grows by ones up to it.
  state.onGrant(0, 14, RTO_INITIAL_MS + 30);
  assert.equal(state.congestionWindow, 16);
  state.onGrant(0, 15, RTO_INITIAL_MS + 30);
  assert.equal(state.congestionWindow, 16 + 1 / 16);
});

Deno.test("onNack() does not resend beyond the bound", () => {
  const { state, send } = create();
  send(1, 0);
  for (let now = 1_000; now <= 1_000 + RESENDS_MAX * RTO_MAX_MS; now += RTO_MAX_MS) {
    state.onTick(now);
  }
  assert.equal(state.resentTotal, RESENDS_MAX);
  assert.deepEqual(state.onNack(0, 0, 0, 100_000), []);
});

Deno.test("clear() gives every buffer back", () => {
  const { state, released, send } = create();
  send(5, 0);
  state.clear();
  assert.equal(released.length, 5);
  assert.equal(state.unackedCount, 0);
  assert.deepEqual(state.onTick(1e6), { due: [], isGivenUp: false });
});
