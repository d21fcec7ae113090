import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeForkRecord,
  encodeForkRecord,
  forkEntity,
  forkSentinel,
  isValidFork,
} from "../../../src/state/mod.ts";
import { anyNumber, flipBit } from "../causal/chain_samples.ts";

const anyFork = fc.record({
  originalOrigin: anyNumber,
  forkedOrigin: anyNumber,
  forkSequence: anyNumber,
  snapshotSequence: fc.option(anyNumber, { nil: undefined }),
}).filter(({ originalOrigin, forkedOrigin }) => originalOrigin !== forkedOrigin);

Deno.test("decodeForkRecord() gives back what encodeForkRecord() wrote", () => {
  fc.assert(fc.property(anyFork, (options) => {
    const { record, chain } = forkEntity(options);
    assert.ok(isValidFork(record));
    assert.deepEqual(decodeForkRecord(encodeForkRecord(record)), record);
    assert.deepEqual(chain.append(new Uint8Array()).link.sequence, 1n);
  }));
});

Deno.test("decodeForkRecord() refuses any changed bit that the sentinel or the form covers", () => {
  const { record } = forkEntity({
    originalOrigin: 5n,
    forkedOrigin: 6n,
    forkSequence: 7n,
    snapshotSequence: 3n,
  });
  const bytes = encodeForkRecord(record);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const isHorizon = bit >= 32 * 8 && bit < 40 * 8;
    const isSnapshot = bit >= 57 * 8;
    if (isHorizon || isSnapshot) continue;
    assert.equal(decodeForkRecord(flipBit(bytes, bit)), undefined, `bit ${bit}`);
  }
  assert.equal(decodeForkRecord(bytes.subarray(1)), undefined);
  assert.equal(decodeForkRecord(Uint8Array.of(...bytes, 0)), undefined);
});

Deno.test("forkEntity() refuses a fork with the origin of what it forks from", () => {
  const options = { originalOrigin: 5n, forkedOrigin: 5n, forkSequence: 1n };
  assert.throws(() => forkEntity(options), /its own key/);
});

Deno.test("isValidFork() refuses a record of a fork from itself", () => {
  const { record } = forkEntity({ originalOrigin: 5n, forkedOrigin: 6n, forkSequence: 7n });
  const itself = {
    ...record,
    originalOrigin: 6n,
    genesis: { ...record.genesis, parent: forkSentinel(6n, 7n) },
  };
  assert.ok(!isValidFork(itself));
  assert.equal(decodeForkRecord(encodeForkRecord(itself)), undefined);
});
