import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeTokenChain,
  encodeToken,
  encodeTokenChain,
  extendChain,
  findTokenChainFaults,
  recheckTokenChain,
  RevocationRegistry,
  type Token,
  TOKEN_CHAIN_BYTES_MAX,
  type TokenChain,
  type TokenChainQuestion,
  verifyTokenChain,
} from "../../../src/channel/mod.ts";
import type { Identity } from "../../../src/core/crypto/mod.ts";
import {
  anyToken,
  CHANNEL,
  GATEWAY,
  grant,
  issueDeps,
  MACHINE,
  NOW,
  OWNER,
  resign,
  STRANGER,
} from "./tokens.ts";

const QUESTION: TokenChainQuestion = {
  presenter: GATEWAY.entityId,
  action: "subscribe",
  channelHash: CHANNEL,
  roots: [STRANGER.entityId, OWNER.entityId],
  nowSeconds: NOW,
};

function twoLinks(): [Token, Token] {
  const parent = grant({ scope: 10, depth: 3 });
  const [, child] = extendChain(
    [parent],
    MACHINE,
    { subject: GATEWAY.entityId, scope: 2 },
    issueDeps(),
  );
  return [parent, child ?? parent];
}

function ask(chain: TokenChain, changes: Partial<TokenChainQuestion> = {}) {
  const verdict = verifyTokenChain(encodeTokenChain(chain), { ...QUESTION, ...changes });
  return verdict.ok ? "ok" : `${verdict.link} ${verdict.rule} ${verdict.kind}`;
}

Deno.test("verifyTokenChain() accepts a chain from a root to its presenter", () => {
  const chain = twoLinks();
  assert.deepEqual(verifyTokenChain(encodeTokenChain(chain), QUESTION), { ok: true, chain });
  const single = [grant({ subject: GATEWAY.entityId })];
  assert.equal(ask(single), "ok");
});

Deno.test("verifyTokenChain() names the link and the rule that is broken", () => {
  const [parent, child] = twoLinks();
  const chain = [parent, child];
  const change = (changes: Partial<Token>) => [parent, resign(child, MACHINE, changes)];
  const parents = (changes: Partial<Token>) => [resign(parent, OWNER, changes), child];
  assert.equal(ask(chain, { roots: [STRANGER.entityId] }), "0 root not_authorized");
  assert.equal(ask(chain, { roots: [] }), "0 root not_authorized");
  assert.equal(ask(chain, { presenter: MACHINE.entityId }), "1 presenter not_authorized");
  assert.equal(ask(parents({ subject: STRANGER.entityId })), "1 continuity not_authorized");
  assert.equal(ask(parents({ scope: 2 })), "1 delegate_scope delegation_not_allowed");
  assert.equal(ask(change({ depth: 3 })), "1 depth delegation_exhausted");
  assert.equal(ask(change({ depth: 0 })), "ok");
  const { notBeforeSeconds, notAfterSeconds } = parent;
  const earlier = { notBeforeSeconds: notBeforeSeconds - 1n };
  assert.equal(ask(change(earlier)), "1 window delegation_not_allowed");
  const longer = { notAfterSeconds: notAfterSeconds + 1n };
  assert.equal(ask(change(longer)), "1 window delegation_not_allowed");
  assert.equal(ask([parent, { ...child, nonce: 99n }]), "1 signature invalid_signature");
  assert.equal(ask([{ ...parent, nonce: 99n }, child]), "0 signature invalid_signature");
  assert.equal(ask(chain, { nowSeconds: NOW + 3600 }), "0 time expired");
  assert.equal(ask(chain, { nowSeconds: NOW + 3600, skewSeconds: 1 }), "ok");
  assert.equal(ask(chain, { nowSeconds: NOW - 1 }), "0 time not_yet_valid");
  assert.equal(ask(chain, { action: "publish" }), "0 scope not_authorized");
  assert.equal(ask(chain, { channelHash: 1n }), "0 channel not_authorized");
  assert.equal(ask(change({ channelHash: 1n })), "1 channel not_authorized");
});

Deno.test("verifyTokenChain() refuses a chain that crossed into another's grant", () => {
  // The stranger's own well-made chain, with the owner's token in front.
  const [parent] = twoLinks();
  const strangers = grant({ scope: 2, subject: GATEWAY.entityId }, STRANGER);
  assert.equal(ask([parent, strangers]), "1 continuity not_authorized");
});

Deno.test("verifyTokenChain() refuses revoked generations in every position and counts them", () => {
  const chain = twoLinks();
  const revocations = new RevocationRegistry();
  revocations.revoke(GATEWAY.entityId);
  assert.equal(ask(chain, { revocations }), "ok");
  assert.equal(revocations.counters.token_dropped_by_generation, 0);
  revocations.revoke(MACHINE.entityId);
  assert.equal(ask(chain, { revocations }), "1 revocation revoked");
  revocations.revoke(OWNER.entityId);
  assert.equal(ask(chain, { revocations }), "0 revocation revoked");
  assert.equal(revocations.counters.token_dropped_by_generation, 2);
  const forged = chain.map((token) => ({ ...token, nonce: 99n }));
  assert.equal(ask(forged, { revocations }), "0 signature invalid_signature");
  assert.equal(revocations.counters.token_dropped_by_generation, 2);
});

Deno.test("recheckTokenChain() says the same without looking at signatures", () => {
  const [parent, child] = twoLinks();
  assert.ok(recheckTokenChain([parent, { ...child, nonce: 99n }], QUESTION).ok);
  const late = { ...QUESTION, nowSeconds: NOW + 3600 };
  const verdict = verifyTokenChain(encodeTokenChain([parent, child]), late);
  assert.deepEqual(recheckTokenChain([parent, child], late), verdict);
});

Deno.test("verifyTokenChain() never accepts a chain with a changed bit", () => {
  const bytes = encodeTokenChain(twoLinks());
  fc.assert(fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.ok(!verifyTokenChain(changed, QUESTION).ok);
  }));
});

Deno.test("findTokenChainFaults() lists everything, as far as was asked", () => {
  const [parent, child] = twoLinks();
  const chain = [parent, { ...child, depth: 9, scope: 1 }];
  assert.deepEqual(
    findTokenChainFaults(chain, { nowSeconds: NOW + 3600 }).map(({ link, rule }) => [link, rule]),
    [[1, "depth"], [0, "time"], [1, "signature"], [1, "time"]],
  );
  assert.deepEqual(
    findTokenChainFaults(chain, { ...QUESTION, roots: [], channelHash: 1n })
      .map(({ link, rule }) => [link, rule]),
    [[0, "root"], [1, "depth"], [0, "channel"], [1, "signature"], [1, "scope"], [1, "channel"]],
  );
  assert.deepEqual(findTokenChainFaults(twoLinks(), QUESTION), []);
});

Deno.test("decodeTokenChain() gives back what encodeTokenChain() wrote", () => {
  fc.assert(fc.property(fc.array(anyToken, { minLength: 1, maxLength: 8 }), (chain) => {
    const bytes = encodeTokenChain(chain);
    assert.ok(bytes.length <= TOKEN_CHAIN_BYTES_MAX);
    assert.deepEqual(decodeTokenChain(bytes), { ok: true, chain });
  }));
});

Deno.test("decodeTokenChain() refuses every other length and count", () => {
  const token = encodeToken(grant());
  const refused = { ok: false, kind: "invalid_format" };
  assert.deepEqual(decodeTokenChain(token), refused);
  assert.deepEqual(decodeTokenChain(new Uint8Array()), refused);
  assert.deepEqual(decodeTokenChain(new Uint8Array([0])), refused);
  for (const count of [1, 2, 8, 9, 255]) {
    const bytes = new Uint8Array(1 + count * 169);
    bytes[0] = count;
    assert.equal(decodeTokenChain(bytes).ok, count <= 8);
    assert.deepEqual(decodeTokenChain(bytes.subarray(1)), refused);
    assert.deepEqual(decodeTokenChain(bytes.subarray(0, -1)), refused);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
    const decoded = decodeTokenChain(bytes);
    assert.ok(!decoded.ok || decoded.chain.length === bytes[0]);
  }));
});

Deno.test("encodeTokenChain() refuses no links and more than eight", () => {
  assert.throws(() => encodeTokenChain([]), RangeError);
  assert.throws(() => encodeTokenChain(Array(9).fill(grant())), RangeError);
});

Deno.test("extendChain() stops at eight links", () => {
  const people: readonly Identity[] = [MACHINE, GATEWAY];
  let chain: TokenChain = [grant({ scope: 10, depth: 20 })];
  for (let i = 1; i < 8; i++) {
    const [signer, next] = i % 2 === 1 ? people : people.toReversed();
    if (signer === undefined || next === undefined) break;
    chain = extendChain(chain, signer, { subject: next.entityId, scope: 10 }, issueDeps());
  }
  assert.equal(chain.length, 8);
  const link = { subject: MACHINE.entityId, scope: 2 };
  assert.throws(() => extendChain(chain, GATEWAY, link, issueDeps()), /delegation_exhausted/);
  assert.throws(() => extendChain([], GATEWAY, link, issueDeps()), RangeError);
});
