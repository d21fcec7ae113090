import assert from "node:assert/strict";
import fc from "fast-check";
import { RETRY_SECRET_MS, RetryTokens } from "../../../../src/core/crypto/mod.ts";
import { createSeededSource } from "../random_bytes.ts";

const address = new Uint8Array(19).fill(4);
const ephemeral = new Uint8Array(32).fill(5);

function createTokens(seed = 1): { tokens: RetryTokens; clock: { ms: number } } {
  const clock = { ms: 0 };
  const source = createSeededSource(seed);
  const tokens = new RetryTokens({
    clock: { now: () => clock.ms },
    random: (length) => source.bytes(length),
  });
  return { tokens, clock };
}

Deno.test("RetryTokens accepts a token in its own and the following period", () => {
  const { tokens, clock } = createTokens();
  clock.ms = 60_000;
  const token = tokens.issue(address, ephemeral);
  assert.equal(token.length, 32);
  for (const ms of [60_000, RETRY_SECRET_MS - 1, RETRY_SECRET_MS, 2 * RETRY_SECRET_MS - 1]) {
    clock.ms = ms;
    assert.ok(tokens.verify(token, address, ephemeral), `at ${ms}`);
  }
  clock.ms = 2 * RETRY_SECRET_MS;
  assert.equal(tokens.verify(token, address, ephemeral), false);
});

Deno.test("RetryTokens forgets both secrets over a long pause", () => {
  const { tokens, clock } = createTokens();
  const token = tokens.issue(address, ephemeral);
  clock.ms = 5 * RETRY_SECRET_MS;
  assert.equal(tokens.verify(token, address, ephemeral), false);
  const fresh = tokens.issue(address, ephemeral);
  assert.notEqual(fresh.toHex(), token.toHex());
  assert.ok(tokens.verify(fresh, address, ephemeral));
});

Deno.test("RetryTokens refuses another address, another key and any changed token", () => {
  const { tokens } = createTokens();
  const token = tokens.issue(address, ephemeral);
  assert.equal(tokens.verify(token, address.with(18, 1), ephemeral), false);
  assert.equal(tokens.verify(token, address.subarray(1), ephemeral), false);
  assert.equal(tokens.verify(token, address, ephemeral.with(31, 1)), false);
  assert.equal(createTokens(2).tokens.verify(token, address, ephemeral), false);
  fc.assert(fc.property(fc.nat(31), fc.integer({ min: 1, max: 255 }), (at, change) => {
    const changed = token.with(at, (token[at] ?? 0) ^ change);
    assert.equal(tokens.verify(changed, address, ephemeral), false);
  }));
  for (const length of [0, 31, 33, 1_000]) {
    assert.equal(tokens.verify(new Uint8Array(length), address, ephemeral), false);
  }
});

Deno.test("RetryTokens refuses arguments of impossible length", () => {
  const { tokens } = createTokens();
  const token = new Uint8Array(32);
  for (const bad of [new Uint8Array(0), new Uint8Array(65)]) {
    assert.throws(() => tokens.issue(bad, ephemeral), RangeError);
    assert.throws(() => tokens.verify(token, bad, ephemeral), RangeError);
  }
  assert.throws(() => tokens.issue(address, new Uint8Array(8)), RangeError);
});
