import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeSack } from "../../../../src/core/transport/wire/control_frames.ts";
import { RESENDS_MAX } from "../../../../src/core/transport/limits.ts";
import { ReceiveState } from "../../../../src/core/transport/streams/receive_state.ts";
import {
  encodeSackInto,
  judgeSack,
  SACK_BYTES_MAX,
  SackSchedule,
} from "../../../../src/core/transport/streams/sack.ts";
import { UnackedRing } from "../../../../src/core/transport/streams/unacked_ring.ts";

/** A packet in flight: when its last copy left and how often it was sent again. */
interface Flying {
  readonly sequence: number;
  readonly sentAt?: number;
  readonly resends?: number;
}

function inFlight(packets: readonly Flying[]): UnackedRing {
  const ring = new UnackedRing();
  const last = packets[packets.length - 1]?.sequence ?? -1;
  for (let sequence = 0; sequence <= last; sequence++) ring.push(sequence, 0, 1, 0);
  for (let sequence = 0; sequence <= last; sequence++) {
    const packet = packets.find((other) => other.sequence === sequence);
    if (packet === undefined) {
      ring.remove(sequence);
      continue;
    }
    for (let i = 0; i < (packet.resends ?? 0); i++) ring.noteResend(sequence, 0);
    if (packet.sentAt === undefined) continue;
    // A resend is what sets the time; one more than wanted does not matter below the bound.
    if (packet.resends === undefined) ring.noteResend(sequence, packet.sentAt);
  }
  return ring;
}

Deno.test("SackSchedule.take() and encodeSackInto() write what every receiver accepts", () => {
  const arrivals = fc.uniqueArray(fc.nat(127), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(arrivals, (sequences) => {
      const state = new ReceiveState({ isReliable: true });
      const schedule = new SackSchedule();
      const told = new Set<number>();
      for (const [now, sequence] of sequences.entries()) {
        state.accept(sequence, 100);
        assert.equal(schedule.isDue(state, now), state.hasGap);
      }
      if (!state.hasGap) return;
      const view = new DataView(new ArrayBuffer(8 + SACK_BYTES_MAX));
      for (let turn = 0; turn < 2; turn++) {
        const ranges = schedule.take(state, turn);
        const end = encodeSackInto(view, 8, 0xfffffff1, 7, state.nextExpected, ranges);
        const sack = decodeSack(new Uint8Array(view.buffer, 8, end - 8));
        assert.ok(sack !== undefined);
        assert.equal(sack.streamId, 0x7_fffffff1n);
        assert.equal(sack.ackSequence, BigInt(state.nextExpected));
        for (const [start, rangeEnd] of sack.ranges) {
          for (let at = start; at < rangeEnd; at++) told.add(Number(at));
        }
      }
      const received = Array.from({ length: 128 }, (_, i) => i).filter((sequence) =>
        sequence > state.nextExpected && state.has(sequence)
      );
      assert.deepEqual([...told].sort((a, b) => a - b), received, "two turns tell everything");
    }),
    { numRuns: 200 },
  );
});

Deno.test("SackSchedule.isDue() repeats itself once per tick and speaks of news at once", () => {
  const state = new ReceiveState({ isReliable: true });
  const schedule = new SackSchedule();
  state.accept(0, 100);
  assert.ok(!schedule.isDue(state, 0), "no gap");
  state.accept(2, 100);
  assert.ok(schedule.isDue(state, 0));
  schedule.take(state, 0);
  assert.ok(!schedule.isDue(state, 24));
  assert.ok(schedule.isDue(state, 25));
  state.accept(4, 100);
  assert.ok(schedule.isDue(state, 1));
  const unreliable = new ReceiveState({ isReliable: false });
  unreliable.accept(5, 100);
  assert.ok(!new SackSchedule().isDue(unreliable, 0));
});

Deno.test("judgeSack() agrees with looking at each packet on its own", () => {
  const scenario = fc.record({
    flying: fc.uniqueArray(fc.nat(60), { maxLength: 60 }),
    received: fc.uniqueArray(fc.nat(60), { maxLength: 60 }),
    old: fc.uniqueArray(fc.nat(60)),
    tired: fc.uniqueArray(fc.nat(60), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(scenario, ({ flying, received, old, tired }) => {
      const has = new Set(received);
      let ackSequence = 0;
      while (has.has(ackSequence)) ackSequence += 1;
      const ranges: [number, number][] = [];
      for (let sequence = 61; sequence > ackSequence; sequence--) {
        if (!has.has(sequence)) continue;
        const end = sequence + 1;
        while (has.has(sequence - 1)) sequence -= 1;
        ranges.push([sequence, end]);
      }
      const numbers = [...flying].sort((a, b) => a - b);
      const unacked = inFlight(numbers.map((sequence) => ({
        sequence,
        sentAt: old.includes(sequence) ? 0 : 95,
        resends: tired.includes(sequence) ? RESENDS_MAX : undefined,
      })));
      const { acknowledged, lost } = judgeSack(unacked, ackSequence, ranges, 10, 100);
      assert.deepEqual(acknowledged, numbers.filter((sequence) => has.has(sequence)));
      const expected = numbers.filter((sequence) =>
        !has.has(sequence) && received.filter((other) => other > sequence).length >= 3 &&
        old.includes(sequence) && !tired.includes(sequence)
      );
      assert.deepEqual(lost, expected);
    }),
    { numRuns: 500 },
  );
});

Deno.test("judgeSack() is not impressed by absurd ranges", () => {
  const packets = inFlight([{ sequence: 5 }, { sequence: 6 }, { sequence: 7 }]);
  const absurd = [[8, Number.MAX_SAFE_INTEGER]] as const;
  const { acknowledged, lost } = judgeSack(packets, 5, absurd, 0, 1);
  assert.deepEqual(acknowledged, []);
  assert.deepEqual(lost, [5, 6, 7]);
  assert.deepEqual(judgeSack(packets, 2 ** 63, absurd, 0, 1).acknowledged, [5, 6, 7]);
});
