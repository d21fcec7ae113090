import assert from "node:assert/strict";
import fc from "fast-check";
import { UnackedRing } from "../../../../src/core/transport/streams/unacked_ring.ts";

interface Packet {
  readonly at: number;
  readonly length: number;
  readonly count: number;
  sentAt: number;
  resends: number;
}

Deno.test("UnackedRing is a map in the order of sequences", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant("remove" as const), which: fc.nat(1_000) }),
    fc.record({ kind: fc.constant("resend" as const), which: fc.nat(1_000) }),
    fc.record({ kind: fc.constant("clear" as const) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const ring = new UnackedRing();
    const model = new Map<number, Packet>();
    const pick = (which: number) => [...model.keys()][which % Math.max(model.size, 1)];
    for (const [now, next] of steps.entries()) {
      if (next.kind === "push") {
        for (let i = 0; i < next.count; i++) {
          const packet = { at: now * 100 + i, length: i, count: i & 3, sentAt: now, resends: 0 };
          model.set(ring.end, packet);
          ring.push(packet.at, packet.length, packet.count, now);
        }
      } else if (next.kind === "clear") {
        for (const sequence of model.keys()) ring.remove(sequence);
        model.clear();
      } else {
        const sequence = pick(next.which);
        const packet = sequence === undefined ? undefined : model.get(sequence);
        if (sequence === undefined || packet === undefined) continue;
        if (next.kind === "resend") {
          ring.noteResend(sequence, now);
          packet.sentAt = now;
          packet.resends += 1;
        } else {
          assert.equal(ring.remove(sequence), packet.at);
          model.delete(sequence);
        }
      }
      assert.equal(ring.size, model.size);
      assert.equal(ring.base, [...model.keys()][0] ?? ring.end);
      for (let sequence = ring.base - 3; sequence < ring.end + 3; sequence++) {
        const packet = model.get(sequence);
        assert.equal(ring.has(sequence), packet !== undefined);
        if (packet === undefined) continue;
        assert.deepEqual(packet, {
          at: ring.at(sequence),
          length: ring.length(sequence),
          count: ring.count(sequence),
          sentAt: ring.sentAt(sequence),
          resends: ring.resends(sequence),
        });
      }
    }
  }));
});
