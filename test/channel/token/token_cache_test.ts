import assert from "node:assert/strict";
import fc from "fast-check";
import {
  RevocationRegistry,
  startTokenSweep,
  type Token,
  TokenCache,
  type TokenCacheQuestion,
} from "../../../src/channel/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { CHANNEL, GATEWAY, grant, MACHINE, NOW, OWNER, STRANGER } from "./tokens.ts";

const QUESTION: TokenCacheQuestion = {
  subject: MACHINE.entityId,
  action: "subscribe",
  channelHash: CHANNEL,
  nowSeconds: NOW,
};

function createCache(bounds: { slotsMax?: number; tokensPerSlotMax?: number } = {}) {
  const revocations = new RevocationRegistry();
  const cache = new TokenCache({ revocations, ...bounds });
  const ask = (changes: Partial<TokenCacheQuestion> = {}) => {
    const answer = cache.check({ ...QUESTION, ...changes });
    return answer.ok ? answer.token : answer.kind;
  };
  return { cache, revocations, ask };
}

Deno.test("TokenCache.check() finds a token for the channel, or one for every channel", () => {
  const { cache, ask } = createCache();
  assert.equal(ask(), "not_authorized");
  const exact = grant({ scope: 2 });
  const wildcard = grant({ scope: 17, channelHash: 0n });
  assert.equal(cache.insert(exact), "stored");
  assert.equal(cache.insert(wildcard), "stored");
  assert.equal(ask(), exact);
  assert.equal(ask({ action: "publish" }), wildcard);
  assert.equal(ask({ action: "publish", channelHash: 5n }), wildcard);
  assert.equal(ask({ channelHash: 5n }), "not_authorized");
  assert.equal(ask({ action: "admin" }), "not_authorized");
  assert.equal(ask({ subject: GATEWAY.entityId }), "not_authorized");
  assert.deepEqual([cache.size, cache.slots], [2, 2]);
});

Deno.test("TokenCache.check() says what is wrong with a token that fits otherwise", () => {
  const { cache, revocations, ask } = createCache();
  const token = grant();
  cache.insert(token);
  assert.equal(ask({ nowSeconds: NOW + 3600 }), "expired");
  assert.equal(ask({ nowSeconds: NOW + 3600, skewSeconds: 1 }), token);
  assert.equal(ask({ nowSeconds: NOW - 1 }), "not_yet_valid");
  revocations.revoke(OWNER.entityId);
  assert.equal(ask(), "revoked");
  assert.equal(revocations.counters.token_dropped_by_generation, 1);
  // A token for every channel is the way out, and the reason when it is the nearest one.
  cache.insert(grant({ scope: 18, channelHash: 0n, ttlSeconds: 1 }, OWNER.atGeneration(1)));
  assert.notEqual(ask(), "revoked");
  assert.equal(ask({ nowSeconds: NOW + 2, channelHash: 5n }), "expired");
});

Deno.test("TokenCache.check() trusts a token's own subject, not the slot it lies in", () => {
  const { cache, ask } = createCache();
  const token = grant({ subject: GATEWAY.entityId.slice() });
  cache.insert(token);
  // Somebody writes over the bytes of a token that is kept.
  token.subject.set(STRANGER.entityId);
  assert.equal(ask({ subject: GATEWAY.entityId }), "not_authorized");
  assert.equal(ask({ subject: STRANGER.entityId }), "not_authorized");
});

Deno.test("TokenCache.check() does not look for wildcard tokens where there are none", () => {
  const { cache, ask } = createCache();
  let looks = 0;
  const watched = (token: Token): Token => {
    const { subject } = token;
    return Object.defineProperty({ ...token }, "subject", { get: () => (looks += 1, subject) });
  };
  for (const scope of [2, 3, 6, 7]) cache.insert(watched(grant({ scope })));
  looks = 0;
  assert.equal(ask({ channelHash: 9n }), "not_authorized");
  assert.equal(looks, 0);
});

Deno.test("TokenCache.insert() refuses bad signatures and, when asked, other subjects", () => {
  const { cache, ask } = createCache();
  const token = grant();
  assert.equal(cache.insert({ ...token, nonce: 99n }), "invalid_signature");
  assert.equal(cache.insert(token, GATEWAY.entityId), "not_authorized");
  assert.equal(ask(), "not_authorized");
  assert.equal(cache.insert(token, MACHINE.entityId), "stored");
  assert.equal(cache.counters.token_cache_refused_total, 2);
});

Deno.test("TokenCache.insert() puts a token in the place of one with the same scope", () => {
  const { cache, ask } = createCache();
  cache.insert(grant());
  const newer = grant({ ttlSeconds: 60 });
  assert.equal(cache.insert(newer), "replaced");
  assert.equal(ask(), newer);
  assert.equal(cache.insert(grant({ scope: 6 })), "stored");
  assert.deepEqual([cache.size, cache.slots], [2, 1]);
});

Deno.test("TokenCache.insert() refuses above its bounds", () => {
  const { cache } = createCache({ slotsMax: 2, tokensPerSlotMax: 3 });
  for (const scope of [1, 2, 3]) assert.equal(cache.insert(grant({ scope })), "stored");
  assert.equal(cache.insert(grant({ scope: 4 })), "slot_full");
  assert.equal(cache.insert(grant({ scope: 3 })), "replaced");
  assert.equal(cache.insert(grant({ scope: 16 })), "stored");
  assert.equal(cache.insert(grant({ channelHash: 9n })), "slots_full");
  assert.equal(cache.insert(grant({ subject: GATEWAY.entityId })), "slots_full");
  // Room that expired tokens leave is used again.
  assert.equal(cache.evictExpired({ nowSeconds: NOW + 3600 }), 4);
  assert.deepEqual([cache.size, cache.slots], [0, 0]);
  assert.equal(cache.insert(grant({ channelHash: 9n })), "stored");
});

Deno.test("TokenCache takes 32 tokens in a slot", () => {
  const { cache } = createCache();
  // Bits without a name are carried and make a scope of their own.
  for (let i = 0; i < 32; i++) assert.equal(cache.insert(grant({ scope: 2 + 32 * i })), "stored");
  assert.equal(cache.insert(grant({ scope: 2 + 32 * 32 })), "slot_full");
});

Deno.test("TokenCache counts what it holds, whatever happens to it", () => {
  const lives = fc.array(
    fc.record({
      subject: fc.constantFrom(MACHINE.entityId, GATEWAY.entityId),
      scope: fc.constantFrom(1, 2, 16, 18),
      channelHash: fc.constantFrom(0n, 1n),
      ttlSeconds: fc.constantFrom(10, 20),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(lives, (tokens) => {
      const { cache } = createCache({ slotsMax: 3, tokensPerSlotMax: 2 });
      const kept = new Map<string, number>();
      for (const options of tokens) {
        const insertion = cache.insert(grant(options));
        const hash = options.scope >= 16 ? "any" : options.channelHash;
        const key = `${options.subject.toHex()} ${hash} ${options.scope}`;
        if (insertion === "stored" || insertion === "replaced") kept.set(key, options.ttlSeconds);
      }
      assert.equal(cache.size, kept.size);
      const later = [...kept.values()].filter((ttlSeconds) => ttlSeconds > 15).length;
      cache.evictExpired({ nowSeconds: NOW + 15 });
      assert.equal(cache.size, later);
      cache.evictExpired({ nowSeconds: NOW + 20 });
      assert.deepEqual([cache.size, cache.slots], [0, 0]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("startTokenSweep() drops expired tokens every 30 seconds until it is stopped", async () => {
  const { cache } = createCache();
  const clock = new ManualClock();
  const startSeconds = clock.wallMs() / 1000;
  cache.insert(grant({ ttlSeconds: 45 + startSeconds - NOW }));
  const stop = startTokenSweep(cache, clock);
  await clock.advance(59_999);
  assert.equal(cache.size, 1);
  await clock.advance(1);
  assert.equal(cache.size, 0);
  cache.insert(grant({ ttlSeconds: 100 }));
  stop();
  await clock.advance(600_000);
  assert.equal(cache.size, 1);
});

Deno.test("startTokenSweep() sets no timer when it is to sweep never", () => {
  const { cache } = createCache();
  const clock = new ManualClock();
  clock.after = () => assert.fail("there is a timer");
  startTokenSweep(cache, clock, { everyMs: "never" })();
  assert.throws(() => startTokenSweep(cache, clock, { everyMs: 0 }), RangeError);
});
