import assert from "node:assert/strict";
import fc from "fast-check";
import { AmplificationLedger } from "../../../../src/core/transport/handshake/amplification.ts";

const noCounters = () => ({ drop_amplification_total: 0, unproven_evicted_total: 0 });

Deno.test("AmplificationLedger.take() allows three times what came, per address", () => {
  const events = fc.array(
    fc.record({ address: fc.nat(3), bytes: fc.nat(500), isReceived: fc.boolean() }),
  );
  fc.assert(fc.property(events, (list) => {
    const ledger = new AmplificationLedger(noCounters());
    const received = [0, 0, 0, 0];
    const sent = [0, 0, 0, 0];
    for (const { address, bytes, isReceived } of list) {
      if (isReceived) {
        ledger.onReceived(`a${address}`, bytes, 0);
        received[address] = (received[address] ?? 0) + bytes;
      } else {
        const isKnown = list.some((event) => event.address === address && event.isReceived);
        const before = sent[address] ?? 0;
        const isAllowed = before + bytes <= 3 * (received[address] ?? 0);
        const isTaken = ledger.take(`a${address}`, bytes, 0);
        if (isTaken) sent[address] = before + bytes;
        if (isKnown && (received[address] ?? 0) > 0) assert.equal(isTaken, isAllowed);
        if (isTaken) assert.ok(isAllowed);
      }
    }
  }));
});

Deno.test("AmplificationLedger forgets addresses by age, by proof and for want of room", () => {
  const counters = noCounters();
  const ledger = new AmplificationLedger(counters, { addressesMax: 3, maxAgeMs: 1_000 });
  for (const [i, name] of ["a", "b", "c"].entries()) ledger.onReceived(name, 100, i);
  ledger.onReceived("a", 100, 10);
  ledger.onReceived("d", 100, 11);
  assert.ok(!ledger.take("b", 1, 11), "the one silent for longest made room");
  assert.ok(ledger.take("a", 600, 11));
  assert.equal(counters.unproven_evicted_total, 1);
  ledger.onProven("a");
  assert.equal(ledger.size, 2);
  assert.ok(!ledger.take("c", 1, 1_003), "too old");
  ledger.sweep(1_012);
  assert.equal(ledger.size, 0);
  assert.equal(counters.drop_amplification_total, 2);
});

Deno.test("AmplificationLedger starts an address over after its time", () => {
  const ledger = new AmplificationLedger(noCounters(), { maxAgeMs: 1_000 });
  ledger.onReceived("a", 1_000, 0);
  ledger.onReceived("a", 10, 1_001);
  assert.ok(!ledger.take("a", 31, 1_001));
  assert.ok(ledger.take("a", 30, 1_001));
});
